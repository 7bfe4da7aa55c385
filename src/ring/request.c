/* SPDX-License-Identifier: MIT */
/* Slot -> request, checked; and request -> slot. One code for all ABIs: the
 * layout table says where each field is. */
#include "request.h"

#include <string.h>

/* In a segment: gref, first sector, last sector, two bytes of padding. */
#define SEG_FIRST 4
#define SEG_LAST 5

/* At the start of every request, whatever the ABI. */
#define AT_OP 0
#define AT_NSEGS 1  /* discard: the flag; indirect: the inner operation */
#define AT_HANDLE 2 /* indirect: the number of segments */

#define DISCARD_SECURE 1

static uint16_t get16(const uint8_t *p)
{
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return v;
}

static uint32_t get32(const uint8_t *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return v;
}

static uint64_t get64(const uint8_t *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return v;
}

static bool in_range(const struct blk_limits *lim, uint64_t sector,
                     uint64_t sectors)
{
        uint64_t end;

        return add_u64(sector, sectors, &end) && end <= lim->sectors;
}

static bool aligned(const struct blk_limits *lim, uint64_t sectors)
{
        uint32_t block = lim->block_bytes / SECTOR_BYTES;

        return block <= 1 || sectors % block == 0;
}

/* Fills and checks req->nsegs segments; sums their sectors. */
static enum blk_verdict parse_segs(const uint8_t *p,
                                   const struct blk_limits *lim,
                                   struct blk_request *req,
                                   struct blk_seg *segs)
{
        for (unsigned i = 0; i < req->nsegs; i++, p += BLK_SEG_WIRE_BYTES) {
                struct blk_seg *s = &segs[i];
                unsigned sectors;

                s->gref = get32(p);
                s->first_sector = p[SEG_FIRST];
                s->last_sector = p[SEG_LAST];
                if (s->first_sector > s->last_sector ||
                    s->last_sector >= SECTORS_PER_PAGE)
                        return BLK_BAD_SEG;
                sectors = s->last_sector - s->first_sector + 1u;
                if (!aligned(lim, sectors))
                        return BLK_BAD_ALIGN;
                req->sectors += sectors;
        }
        return BLK_VALID;
}

/* READ, WRITE, and the segments that FLUSH and BARRIER may have. */
static enum blk_verdict parse_direct(const struct blk_layout *l,
                                     const uint8_t *p,
                                     const struct blk_limits *lim,
                                     struct blk_request *req)
{
        unsigned nsegs = p[AT_NSEGS];
        bool data = req->op == BLK_READ || req->op == BLK_WRITE;
        enum blk_verdict v;

        req->handle = get16(p + AT_HANDLE);
        if (nsegs > BLK_DIRECT_SEGS || (data && nsegs == 0))
                return BLK_BAD_NSEGS;
        if (nsegs == 0)
                return BLK_VALID; /* the sector means nothing then */
        if (req->op != BLK_READ && lim->readonly)
                return BLK_BAD_READONLY;
        req->nsegs = nsegs;
        req->sector = get64(p + l->sector);
        if (!aligned(lim, req->sector))
                return BLK_BAD_ALIGN;
        v = parse_segs(p + l->segs, lim, req, req->segs);
        if (v != BLK_VALID)
                return v;
        return in_range(lim, req->sector, req->sectors) ? BLK_VALID
                                                        : BLK_BAD_RANGE;
}

static enum blk_verdict parse_discard(const struct blk_layout *l,
                                      const uint8_t *p,
                                      const struct blk_limits *lim,
                                      struct blk_request *req)
{
        if (lim->readonly)
                return BLK_BAD_READONLY;
        req->secure = p[AT_NSEGS] & DISCARD_SECURE;
        /* Who wants it erased is not served with less. */
        if (req->secure && !lim->discard_secure)
                return BLK_BAD_OP;
        req->sector = get64(p + l->sector);
        req->sectors = get64(p + l->discard_sectors);
        if (!in_range(lim, req->sector, req->sectors))
                return BLK_BAD_RANGE;
        if (!aligned(lim, req->sector) || !aligned(lim, req->sectors))
                return BLK_BAD_ALIGN;
        return BLK_VALID;
}

/* The slot of an indirect request. Its segments are in other pages and are
 * checked when those have been read. */
static enum blk_verdict parse_indirect(const struct blk_layout *l,
                                       const uint8_t *p,
                                       const struct blk_limits *lim,
                                       struct blk_request *req)
{
        unsigned nsegs = get16(p + AT_HANDLE);

        if (nsegs == 0 || nsegs > lim->max_indirect_segs ||
            nsegs > BLK_MAX_INDIRECT_SEGS)
                return BLK_BAD_NSEGS;
        if (req->op == BLK_WRITE && lim->readonly)
                return BLK_BAD_READONLY;
        req->nsegs = nsegs;
        req->handle = get16(p + l->ind_handle);
        req->sector = get64(p + l->ind_sector);
        if (!aligned(lim, req->sector))
                return BLK_BAD_ALIGN;
        /* Each segment has a sector at least. */
        if (!in_range(lim, req->sector, nsegs))
                return BLK_BAD_RANGE;
        req->nindirect = (nsegs + BLK_SEGS_PER_INDIRECT_PAGE - 1) /
                         BLK_SEGS_PER_INDIRECT_PAGE;
        for (unsigned i = 0; i < req->nindirect; i++)
                req->indirect_grefs[i] =
                        get32(p + l->ind_grefs + sizeof(uint32_t) * i);
        return BLK_VALID;
}

enum blk_verdict blk_parse_indirect(const void *copied,
                                    const struct blk_limits *lim,
                                    struct blk_request *req,
                                    struct blk_seg *segs)
{
        enum blk_verdict v;

        req->sectors = 0;
        v = parse_segs(copied, lim, req, segs);
        if (v != BLK_VALID)
                return v;
        return in_range(lim, req->sector, req->sectors) ? BLK_VALID
                                                        : BLK_BAD_RANGE;
}

enum blk_verdict blk_parse(enum blk_abi abi, const void *slot,
                           const struct blk_limits *lim,
                           struct blk_request *req)
{
        const struct blk_layout *l = &blk_layouts[abi];
        const uint8_t *p = slot;
        uint8_t op = p[AT_OP];

        req->wire_op = op == BLK_INDIRECT ? p[AT_NSEGS] : op;
        req->id = get64(p + (op == BLK_INDIRECT ? l->ind_id : l->id));
        req->op = (enum blk_op)req->wire_op;
        req->secure = false;
        req->handle = 0;
        req->sector = req->sectors = 0;
        req->nsegs = req->nindirect = 0;

        switch (op) {
        case BLK_READ:
        case BLK_WRITE:
                return parse_direct(l, p, lim, req);
        case BLK_FLUSH:
                return lim->flush ? parse_direct(l, p, lim, req) : BLK_BAD_OP;
        case BLK_BARRIER:
                return lim->barrier ? parse_direct(l, p, lim, req) : BLK_BAD_OP;
        case BLK_DISCARD:
                return lim->discard ? parse_discard(l, p, lim, req)
                                    : BLK_BAD_OP;
        case BLK_INDIRECT:
                if (lim->max_indirect_segs == 0 ||
                    (req->op != BLK_READ && req->op != BLK_WRITE))
                        return BLK_BAD_OP;
                return parse_indirect(l, p, lim, req);
        default:
                return BLK_BAD_OP;
        }
}

const char *blk_verdict_name(enum blk_verdict v)
{
        static const char *const names[BLK_VERDICTS] = {
                [BLK_VALID] = "valid",           [BLK_BAD_OP] = "operation",
                [BLK_BAD_NSEGS] = "segments",    [BLK_BAD_SEG] = "segment",
                [BLK_BAD_ALIGN] = "alignment",   [BLK_BAD_RANGE] = "range",
                [BLK_BAD_READONLY] = "readonly",
        };

        return (unsigned)v < BLK_VERDICTS ? names[v] : "unknown";
}

enum blk_status blk_verdict_status(enum blk_verdict v)
{
        if (v == BLK_VALID)
                return BLK_OKAY;
        return v == BLK_BAD_OP ? BLK_EOPNOTSUPP : BLK_ERROR;
}
