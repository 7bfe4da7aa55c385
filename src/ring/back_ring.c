/* SPDX-License-Identifier: MIT */
#include "back_ring.h"

#include <errno.h>
#include <string.h>

#include "common/copy.h"
#include "ring_index.h"

void back_ring_init(struct back_ring *r, void *shared, unsigned order,
                    enum blk_abi abi)
{
        *r = (struct back_ring){
                .shared = shared,
                .abi = abi,
                .slots = blk_ring_slots(abi, order),
        };
}

int back_ring_attach(struct back_ring *r, void *shared, unsigned order,
                     enum blk_abi abi)
{
        uint32_t rsp, req;

        back_ring_init(r, shared, order, abi);
        rsp = ring_load_once(ring_word(shared, RING_RSP_PROD));
        req = ring_load_acquire(ring_word(shared, RING_REQ_PROD));
        if (req - rsp > r->slots)
                return -EPROTO;
        r->req_cons = r->rsp_prod = r->rsp_pushed = r->rsp_told = rsp;
        return 0;
}

uint32_t back_ring_waiting(struct back_ring *r)
{
        uint32_t room = r->slots - (r->req_cons - r->rsp_prod);
        uint32_t waiting;

        if (r->broken)
                return 0;
        waiting = ring_load_acquire(ring_word(r->shared, RING_REQ_PROD)) -
                  r->req_cons;
        /* Also an index that moved backwards: then it is nearly 2^32. */
        if (waiting > room) {
                r->broken = true;
                return 0;
        }
        return waiting;
}

void back_ring_take(struct back_ring *r, uint8_t slot[BLK_SLOT_BYTES])
{
        ring_copy_from_shared(
                slot, ring_slot(r->shared, r->abi, r->slots, r->req_cons),
                blk_layouts[r->abi].request_bytes);
        r->req_cons++;
}

bool back_ring_final_check(struct back_ring *r)
{
        if (back_ring_waiting(r))
                return true;
        if (r->broken)
                return false;
        ring_store_once(ring_word(r->shared, RING_REQ_EVENT), r->req_cons + 1);
        /* The frontend must see req_event before we read req_prod: pairs with
         * the fence in front_ring_push. One of both sides sees the other. */
        ring_fence_full();
        return back_ring_waiting(r) > 0;
}

void back_ring_respond(struct back_ring *r, uint64_t id, uint8_t op,
                       enum blk_status status)
{
        const struct blk_layout *l = &blk_layouts[r->abi];
        uint8_t *slot = ring_slot(r->shared, r->abi, r->slots, r->rsp_prod);
        int16_t wire_status = (int16_t)status;

        memcpy(slot, &id, sizeof(id));
        slot[l->rsp_op] = op;
        memcpy(slot + l->rsp_status, &wire_status, sizeof(wire_status));
        r->rsp_prod++;
}

bool back_ring_push(struct back_ring *r)
{
        /* Private: the shared rsp_prod is only what the frontend left there,
         * and could make us hold back or repeat events for ever. */
        uint32_t old = r->rsp_pushed;
        uint64_t begin = ring_distance_begin(&r->distance);

        /* The frontend must see the response before the index. */
        copy_settle();
        ring_store_release(ring_word(r->shared, RING_RSP_PROD), r->rsp_prod);
        r->rsp_pushed = r->rsp_prod;
        /* … and the index before we read rsp_event: pairs with the fence in
         * front_ring_final_check. */
        ring_fence_full();
        ring_distance_end(&r->distance, begin);
        if (r->overlap.watches)
                ring_overlap_end(
                        &r->overlap,
                        ring_load_once(ring_word(r->shared, RING_REQ_PROD)));
        if (!ring_event_due(
                    old, r->rsp_prod,
                    ring_load_once(ring_word(r->shared, RING_RSP_EVENT))))
                return false;
        r->rsp_told = r->rsp_prod;
        return true;
}
