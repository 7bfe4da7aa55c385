/* SPDX-License-Identifier: MIT */
/* What the backend says about the disk. It is checked here and nowhere else
 * (T-BEINFO). */
#include "keys.h"

#include <errno.h>
#include <string.h>

/* A size that fits into an off_t. */
#define SECTORS_MAX (1ull << 54)

unsigned front_keys_max_order(struct eg_disk *d)
{
        struct path p;
        uint64_t order;

        if (xen_store_read_u64_or(d->xs, back_key(d, "max-ring-page-order", &p),
                                  UINT32_MAX, 0, &order) < 0)
                return 0;
        return (unsigned)order; /* the smaller of the two sides' counts */
}

unsigned front_keys_max_queues(struct eg_disk *d)
{
        struct path p;
        uint64_t queues;

        if (xen_store_read_u64_or(d->xs,
                                  back_key(d, "multi-queue-max-queues", &p),
                                  UINT32_MAX, 1, &queues) < 0 ||
            queues == 0)
                return 1;
        return (unsigned)queues; /* the smaller of the two sides' counts */
}

bool front_keys_untrusted(struct eg_disk *d)
{
        struct path p;
        uint64_t trusted;

        return d->opts.untrusted_backend ||
               xen_store_read_u64_or(d->xs, front_key(d, "trusted", &p),
                                     UINT32_MAX, 1, &trusted) < 0 ||
               !trusted;
}

static bool back_flag(struct eg_disk *d, const char *key)
{
        struct path p;
        uint64_t v;

        return xen_store_read_u64_or(d->xs, back_key(d, key, &p), UINT32_MAX, 0,
                                     &v) == 0 &&
               v == 1;
}

uint64_t front_keys_sectors(struct eg_disk *d)
{
        struct path p;
        uint64_t v;

        if (xen_store_read_u64(d->xs, back_key(d, "sectors", &p), SECTORS_MAX,
                               &v) < 0)
                return 0;
        return v;
}

/* A power of two that a page can hold, or 0. */
static uint32_t block_size(struct eg_disk *d, const char *key, uint32_t absent,
                           uint32_t max)
{
        struct path p;
        uint64_t v;

        if (xen_store_read_u64_or(d->xs, back_key(d, key, &p), UINT32_MAX,
                                  absent, &v) < 0 ||
            v < SECTOR_BYTES || v > max || (v & (v - 1)))
                return 0;
        return (uint32_t)v;
}

static bool mode_is_readonly(struct eg_disk *d)
{
        CLEANUP_FREE char *mode = NULL;
        struct path p;

        return xen_store_read(d->xs, back_key(d, "mode", &p), &mode) == 0 &&
               strcmp(mode, "r") == 0;
}

static void read_discard(struct eg_disk *d, struct front_facts *f)
{
        f->discard = back_flag(d, "feature-discard");
        if (!f->discard)
                return;
        f->discard_secure = back_flag(d, "discard-secure");
        f->discard_granularity_bytes =
                block_size(d, "discard-granularity", f->block_bytes, 1u << 31);
        if (!f->discard_granularity_bytes)
                f->discard_granularity_bytes = f->block_bytes;
}

/* Up to what fits into a slot, indirect requests are of no use. */
static uint32_t segs_a_request(struct eg_disk *d)
{
        struct path p;
        uint64_t segs;

        if (xen_store_read_u64_or(
                    d->xs, back_key(d, "feature-max-indirect-segments", &p),
                    UINT32_MAX, 0, &segs) < 0)
                segs = 0;
        segs = min_u64(segs, d->opts.max_indirect_segs);
        return (uint32_t)max_u64(segs, BLK_DIRECT_SEGS);
}

int front_keys_facts(struct eg_disk *d, struct front_facts *f, struct err *e)
{
        struct path p;
        uint64_t info;

        memset(f, 0, sizeof(*f));
        f->sectors = front_keys_sectors(d);
        f->block_bytes =
                block_size(d, "sector-size", SECTOR_BYTES, GRANT_PAGE_BYTES);
        if (!f->sectors || !f->block_bytes)
                return err_set(e, -EPROTO,
                               "%s gives no size that makes sense (sectors, "
                               "sector-size)",
                               d->back_path);
        /* In 512-byte units whatever the block size is (Q1); a rest that no
         * request can reach is left off. */
        f->sectors -= f->sectors % (f->block_bytes / SECTOR_BYTES);
        f->physical_bytes =
                block_size(d, "physical-sector-size", f->block_bytes, 1u << 31);
        if (!f->physical_bytes)
                f->physical_bytes = f->block_bytes;
        if (xen_store_read_u64_or(d->xs, back_key(d, "info", &p), UINT32_MAX, 0,
                                  &info) < 0)
                info = 0;
        f->cdrom = info & 1;
        f->removable = info & 2;
        /* The two may disagree (Q18): the careful one wins. */
        f->readonly = (info & 4) || mode_is_readonly(d);
        f->flush = back_flag(d, "feature-flush-cache");
        f->barrier = back_flag(d, "feature-barrier");
        f->persistent = back_flag(d, "feature-persistent");
        f->segs = segs_a_request(d);
        read_discard(d, f);
        if (!f->sectors)
                return err_set(e, -EPROTO, "%s is smaller than one block",
                               d->back_path);
        return 0;
}
