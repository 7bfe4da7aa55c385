/* SPDX-License-Identifier: MIT */
/* A guest's ring, as the backend reads it: indices, slots of all three ABIs,
 * and the responses. What the parser says of each slot is compared with
 * reference.c. Input: abi, order, flags, block, max_indirect_segs (16 bit),
 * sectors (64), rsp_prod, req_prod, rsp_event (32 each), number of slots,
 * slots, and what is in the indirect pages. */
#include "fuzz.h"

#include <errno.h>

#include "reference.h"
#include "ring/back_ring.h"
#include "ring/ring_index.h"

#define FLAG_READONLY 1u
#define FLAG_FLUSH 2u
#define FLAG_BARRIER 4u
#define FLAG_DISCARD 8u
#define FLAG_SECURE 16u
#define FLAG_ATTACH 32u

static void compare_data(const struct blk_request *req,
                         const struct ref_request *ref)
{
        uint64_t sector = req->sector, sum = 0;

        must(req->nsegs == ref->npairs, "%u segments", req->nsegs);
        for (unsigned i = 0; i < req->nsegs; i++) {
                unsigned sectors = blk_seg_bytes(&req->segs[i]) / SECTOR_BYTES;

                must(sector == ref->pairs[i].sector &&
                             sectors == ref->pairs[i].sectors,
                     "segment %u is %u sectors at %llu", i, sectors,
                     (unsigned long long)sector);
                must(req->segs[i].gref == ref->grefs[i], "segment %u", i);
                must(blk_seg_offset(&req->segs[i]) +
                                     blk_seg_bytes(&req->segs[i]) <=
                             GRANT_PAGE_BYTES,
                     "segment %u leaves its page", i);
                sector += sectors;
                sum += sectors;
        }
        must(req->sectors == sum, "%llu sectors",
             (unsigned long long)req->sectors);
}

static void compare(const struct blk_limits *lim, const uint8_t *slot,
                    enum blk_verdict v, const struct blk_request *req,
                    const struct ref_request *ref)
{
        enum blk_status status = blk_verdict_status(v);

        must((v == BLK_VALID) == ref->accept, "op %u: %s", slot[0],
             blk_verdict_name(v));
        must((v == BLK_BAD_OP) == ref->not_offered, "op %u: %s", slot[0],
             blk_verdict_name(v));
        must(status == (ref->accept        ? BLK_OKAY
                        : ref->not_offered ? BLK_EOPNOTSUPP
                                           : BLK_ERROR),
             "status %d", status);
        must(req->id == ref->id && req->wire_op == ref->response_op,
             "id or operation of the answer");
        if (v != BLK_VALID)
                return;
        must(req->nindirect == ref->indirect_pages, "%u indirect pages",
             req->nindirect);
        if (req->nindirect) {
                must(req->nsegs == ref->indirect_segs, "%u segments",
                     req->nsegs);
                must(!memcmp(req->indirect_grefs, ref->indirect_grefs,
                             sizeof(uint32_t) * req->nindirect),
                     "indirect grefs");
        } else if (req->op == BLK_DISCARD) {
                must(req->sector == ref->pairs[0].sector &&
                             req->sectors == ref->pairs[0].sectors,
                     "discard");
                must(req->secure == (slot[1] & 1), "secure");
        } else {
                compare_data(req, ref);
        }
}

/* The second half of an indirect request; what its pages hold comes from the
 * input. */
static void indirect(const struct blk_limits *lim,
                     const struct blk_request *parsed, struct input *in)
{
        static struct ref_pair pairs[8 * 512];
        static uint32_t grefs[8 * 512];
        struct blk_request req = *parsed;
        unsigned n = req.nsegs;
        uint8_t *copied = malloc(n * 8ul);
        struct blk_seg *segs = malloc(n * sizeof(*segs));
        uint64_t sector = req.sector;
        enum blk_verdict v;
        bool accept;

        must(copied && segs, "no memory");
        in_bytes(in, copied, n * 8ul);
        /* Few bytes make many segments: the last one again and again. */
        for (unsigned i = 1; i < n; i++)
                if (!memcmp(copied + i * 8ul, "\0\0\0\0\0\0\0", 8))
                        memcpy(copied + i * 8ul, copied + i * 8ul - 8, 8);
        v = blk_parse_indirect(copied, lim, &req, segs);
        accept = ref_parse_indirect(copied, n, sector, lim, pairs, grefs);
        must((v == BLK_VALID) == accept, "indirect: %s", blk_verdict_name(v));
        must(v == BLK_VALID || blk_verdict_status(v) == BLK_ERROR, "status");
        for (unsigned i = 0; v == BLK_VALID && i < n; i++) {
                unsigned sectors = blk_seg_bytes(&segs[i]) / SECTOR_BYTES;

                must(segs[i].gref == grefs[i] && sector == pairs[i].sector &&
                             sectors == pairs[i].sectors &&
                             blk_seg_offset(&segs[i]) +
                                             blk_seg_bytes(&segs[i]) <=
                                     GRANT_PAGE_BYTES,
                     "indirect segment %u", i);
                sector += sectors;
        }
        must(v != BLK_VALID || req.sectors == sector - req.sector, "sum");
        free(copied);
        free(segs);
}

/* What is valid survives the way back through a slot. */
static void rebuild(enum blk_abi abi, const struct blk_limits *lim,
                    const struct blk_request *req)
{
        uint8_t *slot = malloc(blk_layouts[abi].request_bytes);
        struct blk_request again;

        must(slot, "no memory");
        blk_build(abi, slot, req);
        must(blk_parse(abi, slot, lim, &again) == BLK_VALID, "rebuilt");
        must(again.id == req->id && again.op == req->op &&
                     again.nsegs == req->nsegs &&
                     again.nindirect == req->nindirect &&
                     again.sectors == req->sectors &&
                     again.secure == req->secure &&
                     (again.nsegs == 0 || again.sector == req->sector),
             "rebuilt as something else");
        for (unsigned i = 0; !req->nindirect && i < req->nsegs; i++)
                must(again.segs[i].gref == req->segs[i].gref &&
                             again.segs[i].first_sector ==
                                     req->segs[i].first_sector &&
                             again.segs[i].last_sector ==
                                     req->segs[i].last_sector,
                     "segment %u", i);
        free(slot);
}

/* Only id, operation and status of the slot may change. */
static void respond(struct back_ring *r, const struct blk_request *req,
                    enum blk_verdict v)
{
        const struct blk_layout *l = &blk_layouts[r->abi];
        uint8_t *slot = ring_slot(r->shared, r->abi, r->slots, r->rsp_prod);
        uint8_t want[BLK_SLOT_BYTES];
        int16_t status = (int16_t)blk_verdict_status(v);

        memcpy(want, slot, l->slot_bytes);
        memcpy(want, &req->id, 8);
        want[l->rsp_op] = req->wire_op;
        memcpy(want + l->rsp_status, &status, 2);
        back_ring_respond(r, req->id, req->wire_op, (enum blk_status)status);
        must(!memcmp(want, slot, l->slot_bytes), "response slot");
}

static void push(struct back_ring *r, uint32_t event)
{
        bool due = false;

        /* The peer asked for an event at one of the new ones? */
        for (uint32_t i = r->rsp_pushed; i != r->rsp_prod;)
                due |= ++i == event;
        must(back_ring_push(r) == due, "notification");
        must(*ring_word(r->shared, RING_RSP_PROD) == r->rsp_prod, "index");
}

static void drain(struct back_ring *r, const struct blk_limits *lim,
                  uint32_t req_prod, uint32_t event, struct input *in)
{
        uint32_t claimed = req_prod - r->req_cons;
        uint32_t n = back_ring_waiting(r);

        must(n == (claimed <= r->slots ? claimed : 0), "%u waiting of %u", n,
             claimed);
        must(r->broken == (claimed > r->slots), "broken");
        while (n--) {
                uint8_t slot[BLK_SLOT_BYTES];
                struct blk_request req;
                struct ref_request ref;
                enum blk_verdict v;

                memset(slot, 0xa5, sizeof(slot));
                back_ring_take(r, slot);
                v = blk_parse(r->abi, slot, lim, &req);
                ref_parse(r->abi, slot, lim, &ref);
                compare(lim, slot, v, &req, &ref);
                if (v == BLK_VALID)
                        rebuild(r->abi, lim, &req);
                if (v == BLK_VALID && req.nindirect)
                        indirect(lim, &req, in);
                respond(r, &req, v);
        }
        must(!back_ring_final_check(r), "nothing came in");
        push(r, event);
        must(r->rsp_prod == r->req_cons, "not all answered");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct blk_limits lim = {0};
        struct back_ring r = {0};
        enum blk_abi abi = (enum blk_abi)(in_u8(&in) % BLK_ABIS), again;
        unsigned order = in_u8(&in) % 2, flags = in_u8(&in), nslots;
        uint32_t rsp, req, event, at;
        uint8_t *shared;
        int ret = 0;

        lim.block_bytes = SECTOR_BYTES << in_u8(&in) % 5;
        lim.max_indirect_segs = in_u16(&in);
        lim.sectors = in_u64(&in);
        lim.readonly = flags & FLAG_READONLY;
        lim.flush = flags & FLAG_FLUSH;
        lim.barrier = flags & FLAG_BARRIER;
        lim.discard = flags & FLAG_DISCARD;
        lim.discard_secure = flags & FLAG_SECURE;
        rsp = in_u32(&in);
        req = in_u32(&in);
        event = in_u32(&in);
        nslots = in_u8(&in);
        must(blk_abi_by_name(blk_layouts[abi].name, &again) == 0 &&
                     !strcmp(blk_layouts[again].name, blk_layouts[abi].name),
             "name of the ABI");
        shared = aligned_alloc(GRANT_PAGE_BYTES, GRANT_PAGE_BYTES << order);
        must(shared, "no memory");
        memset(shared, 0, GRANT_PAGE_BYTES << order);
        *ring_word(shared, RING_REQ_PROD) = req;
        *ring_word(shared, RING_RSP_PROD) = rsp;
        *ring_word(shared, RING_RSP_EVENT) = event;
        if (flags & FLAG_ATTACH) {
                ret = back_ring_attach(&r, shared, order, abi);
                must((ret == 0) == (req - rsp <= r.slots), "attach: %d", ret);
        } else {
                back_ring_init(&r, shared, order, abi);
                rsp = 0;
        }
        at = rsp;
        for (uint32_t i = 0; i < nslots && i < r.slots; i++, at++)
                in_bytes(&in, ring_slot(shared, abi, r.slots, at),
                         blk_layouts[abi].request_bytes);
        if (ret == 0)
                drain(&r, &lim, req, event, &in);
        free(shared);
        return 0;
}
