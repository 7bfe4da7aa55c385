/* SPDX-License-Identifier: MIT */
/* Request -> slot, the frontend's direction. The slot is shared memory: it is
 * only written, never read back. */
#include "request.h"

#include <string.h>

static void build_segs(uint8_t *p, const struct blk_request *req)
{
        for (unsigned i = 0; i < req->nsegs; i++, p += 8) {
                const struct blk_seg *s = &req->segs[i];
                const uint8_t tail[4] = {s->first_sector, s->last_sector};

                memcpy(p, &s->gref, 4);
                memcpy(p + 4, tail, 4);
        }
}

static void build_indirect(const struct blk_layout *l, uint8_t *p,
                           const struct blk_request *req)
{
        const uint16_t nsegs = (uint16_t)req->nsegs;

        p[0] = BLK_INDIRECT;
        p[1] = (uint8_t)req->op;
        memcpy(p + 2, &nsegs, 2);
        memcpy(p + l->ind_id, &req->id, 8);
        memcpy(p + l->ind_sector, &req->sector, 8);
        memcpy(p + l->ind_handle, &req->handle, 2);
        memcpy(p + l->ind_grefs, req->indirect_grefs,
               sizeof(uint32_t) * req->nindirect);
}

void blk_build(enum blk_abi abi, void *slot, const struct blk_request *req)
{
        const struct blk_layout *l = &blk_layouts[abi];
        uint8_t *p = slot;

        /* Also the padding: what an earlier request left there is no part of
         * this one. */
        memset(p, 0, l->segs);
        if (req->nindirect) {
                build_indirect(l, p, req);
                return;
        }
        p[0] = (uint8_t)req->op;
        memcpy(p + 2, &req->handle, 2);
        memcpy(p + l->id, &req->id, 8);
        memcpy(p + l->sector, &req->sector, 8);
        if (req->op == BLK_DISCARD) {
                p[1] = req->secure;
                memcpy(p + l->discard_sectors, &req->sectors, 8);
        } else {
                p[1] = (uint8_t)req->nsegs;
                build_segs(p + l->segs, req);
        }
}
