/* SPDX-License-Identifier: MIT */
#include "front_ring.h"

#include <string.h>

#include "back_ring.h"
#include "common/copy.h"
#include "ring_index.h"

void front_ring_init(struct front_ring *r, void *shared, unsigned order,
                     enum blk_abi abi)
{
        *r = (struct front_ring){
                .shared = shared,
                .abi = abi,
                .slots = blk_ring_slots(abi, order),
        };
        memset(shared, 0, (size_t)GRANT_PAGE_BYTES << order);
        ring_store_once(ring_word(shared, RING_REQ_EVENT), 1);
        ring_store_once(ring_word(shared, RING_RSP_EVENT), 1);
}

void front_ring_put(struct front_ring *r, const struct blk_request *req)
{
        blk_build(r->abi, ring_slot(r->shared, r->abi, r->slots, r->req_prod),
                  req);
        r->req_prod++;
}

bool front_ring_push(struct front_ring *r)
{
        uint32_t old = r->req_pushed;
        uint64_t begin = ring_distance_begin(&r->distance);

        /* The backend must see the request (and the data that it points to,
         * S9) before the index. */
        copy_settle();
        ring_store_release(ring_word(r->shared, RING_REQ_PROD), r->req_prod);
        r->req_pushed = r->req_prod;
        /* … and the index before we read req_event: pairs with the fence in
         * back_ring_final_check. */
        ring_fence_full();
        ring_distance_end(&r->distance, begin);
        if (r->overlap.watches)
                ring_overlap_end(
                        &r->overlap,
                        ring_load_once(ring_word(r->shared, RING_RSP_PROD)));
        if (!ring_event_due(
                    old, r->req_prod,
                    ring_load_once(ring_word(r->shared, RING_REQ_EVENT))))
                return false;
        r->req_told = r->req_prod;
        return true;
}

uint32_t front_ring_waiting(struct front_ring *r)
{
        uint32_t waiting;

        if (r->broken)
                return 0;
        waiting = ring_load_acquire(ring_word(r->shared, RING_RSP_PROD)) -
                  r->rsp_cons;
        if (waiting > r->req_pushed - r->rsp_cons) {
                r->broken = true;
                return 0;
        }
        return waiting;
}

void front_ring_take(struct front_ring *r, struct blk_response *rsp)
{
        const struct blk_layout *l = &blk_layouts[r->abi];
        uint32_t words[BLK_SLOT_BYTES / 4];
        const uint8_t *copy = (const uint8_t *)words;

        ring_copy_from_shared(
                words, ring_slot(r->shared, r->abi, r->slots, r->rsp_cons),
                l->response_bytes);
        memcpy(&rsp->id, copy, sizeof(rsp->id));
        rsp->op = copy[l->rsp_op];
        memcpy(&rsp->status, copy + l->rsp_status, sizeof(rsp->status));
        r->rsp_cons++;
}

bool front_ring_final_check(struct front_ring *r)
{
        if (front_ring_waiting(r))
                return true;
        if (r->broken)
                return false;
        ring_store_once(ring_word(r->shared, RING_RSP_EVENT), r->rsp_cons + 1);
        /* The backend must see rsp_event before we read rsp_prod: pairs with
         * the fence in back_ring_push. */
        ring_fence_full();
        return front_ring_waiting(r) > 0;
}
