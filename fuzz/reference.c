/* SPDX-License-Identifier: MIT */
#include "reference.h"

#include <string.h>

/* A struct is laid out as a compiler would: each member at the next multiple
 * of its alignment. i386 aligns 64 bit numbers to 4, the others to 8. */
struct reader {
        const uint8_t *slot;
        unsigned at, align64;
};

static u128 member(struct reader *r, unsigned bytes)
{
        unsigned align = bytes == 8 ? r->align64 : bytes;
        u128 v = 0;

        while (r->at % align)
                r->at++;
        for (unsigned i = bytes; i-- > 0;)
                v = v << 8 | r->slot[r->at + i];
        r->at += bytes;
        return v;
}

static bool inside(const struct blk_limits *lim, u128 sector, u128 sectors)
{
        return sector + sectors <= (u128)lim->sectors;
}

static bool on_block(const struct blk_limits *lim, u128 sectors)
{
        return sectors * 512 % lim->block_bytes == 0;
}

/* n times gref, first sector, last sector, padding: the data of one request
 * that starts at sector. */
static bool segments(struct reader *r, const struct blk_limits *lim, unsigned n,
                     u128 sector, struct ref_pair *pairs, uint32_t *grefs)
{
        u128 at = sector;

        for (unsigned i = 0; i < n; i++) {
                u128 gref = member(r, 4), first = member(r, 1),
                     last = member(r, 1);

                (void)member(r, 2); /* padding */
                if (last < first || last > 7)
                        return false;
                pairs[i].sector = at;
                pairs[i].sectors = last - first + 1;
                grefs[i] = (uint32_t)gref;
                if (!on_block(lim, pairs[i].sectors))
                        return false;
                at += pairs[i].sectors;
        }
        return inside(lim, sector, at - sector);
}

bool ref_parse_indirect(const uint8_t *copied, unsigned n, u128 sector,
                        const struct blk_limits *lim, struct ref_pair *pairs,
                        uint32_t *grefs)
{
        struct reader r = {copied, 0, 8};

        return segments(&r, lim, n, sector, pairs, grefs);
}

/* operation, nr_segments, handle, id, sector_number, seg[11] */
static bool rw(struct reader *r, const struct blk_limits *lim, unsigned op,
               struct ref_request *out)
{
        unsigned n = (unsigned)member(r, 1);
        bool may_be_empty = op == 2 || op == 3; /* barrier, flush */
        u128 sector;

        (void)member(r, 2);
        out->id = member(r, 8);
        sector = member(r, 8);
        if (n > 11 || (n == 0 && !may_be_empty))
                return false;
        if (n == 0)
                return true;
        if (lim->readonly && op != 0)
                return false;
        if (!on_block(lim, sector))
                return false;
        out->npairs = n;
        return segments(r, lim, n, sector, out->pairs, out->grefs);
}

/* operation, flag, handle, id, sector_number, nr_sectors */
static bool discard(struct reader *r, const struct blk_limits *lim,
                    struct ref_request *out)
{
        u128 sector, sectors;
        bool secure = member(r, 1) & 1;

        (void)member(r, 2);
        out->id = member(r, 8);
        sector = member(r, 8);
        sectors = member(r, 8);
        out->npairs = 1;
        out->pairs[0] = (struct ref_pair){sector, sectors};
        out->not_offered = !lim->readonly && secure && !lim->discard_secure;
        if (out->not_offered)
                return false;
        return !lim->readonly && inside(lim, sector, sectors) &&
               on_block(lim, sector) && on_block(lim, sectors);
}

/* operation, indirect_op, nr_segments, id, sector_number, handle,
 * indirect_grefs[8]. The segments themselves are elsewhere; each has one
 * sector at least. */
static bool indirect(struct reader *r, const struct blk_limits *lim,
                     struct ref_request *out)
{
        unsigned op = (unsigned)member(r, 1);
        u128 n = member(r, 2), sector;

        out->response_op = op;
        out->id = member(r, 8);
        sector = member(r, 8);
        (void)member(r, 2);
        out->not_offered = lim->max_indirect_segs == 0 || op > 1;
        if (out->not_offered || n == 0 || n > lim->max_indirect_segs ||
            n > 8 * 512)
                return false;
        if (op == 1 && lim->readonly)
                return false;
        if (!on_block(lim, sector) || !inside(lim, sector, n))
                return false;
        out->indirect_segs = (unsigned)n;
        for (u128 left = n; left; left -= left > 512 ? 512 : left)
                out->indirect_grefs[out->indirect_pages++] =
                        (uint32_t)member(r, 4);
        return true;
}

void ref_parse(enum blk_abi abi, const uint8_t *slot,
               const struct blk_limits *lim, struct ref_request *out)
{
        struct reader r = {slot, 0, abi == BLK_ABI_X86_32 ? 4 : 8};
        unsigned op = (unsigned)member(&r, 1);
        const bool offered[7] = {
                [0] = true,       [1] = true,         [2] = lim->barrier,
                [3] = lim->flush, [5] = lim->discard, [6] = true};

        memset(out, 0, sizeof(*out));
        out->response_op = op;
        if (op == 6) {
                out->accept = indirect(&r, lim, out);
                return;
        }
        if (op == 5)
                out->accept = discard(&r, lim, out);
        else
                out->accept = rw(&r, lim, op, out);
        if (op > 6 || !offered[op]) {
                out->accept = false;
                out->not_offered = true;
        }
}
