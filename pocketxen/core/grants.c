/* SPDX-License-Identifier: MIT */
/* Sharing: a domain's "kernel" side of its own grant table. */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* The first frame of n free ones in a row, next fit. */
static int64_t find_run(struct px_domain *d, uint32_t from, uint32_t to,
                        uint32_t n)
{
        uint32_t run = 0;

        for (uint32_t i = from; i < to; i++) {
                run = d->frame_used[i] ? 0 : run + 1;
                if (run == n)
                        return (int64_t)i - n + 1;
        }
        return -ENOMEM;
}

static void free_frames(struct px_domain *d, uint32_t frame, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++)
                d->frame_used[frame + i] = 0;
        d->frames_used -= n;
        /* The next owner finds zeroes. */
        (void)fallocate(d->mem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)frame * PXW_PAGE, (off_t)n * PXW_PAGE);
}

static int64_t take_frames(struct px_domain *d, uint32_t n)
{
        int64_t first = find_run(d, d->frame_hint, d->frames, n);

        if (first < 0)
                first = find_run(d, 0, d->frames, n);
        if (first < 0)
                return first;
        /* Real memory now, so that no later access can fail (SIGBUS). */
        if (fallocate(d->mem_fd, FALLOC_FL_KEEP_SIZE, first * PXW_PAGE,
                      (off_t)n * PXW_PAGE) < 0)
                return -errno;
        for (uint32_t i = 0; i < n; i++)
                d->frame_used[first + i] = 1;
        d->frames_used += n;
        d->frame_hint = (uint32_t)first + n;
        return first;
}

static uint32_t take_ref(struct px_domain *d)
{
        uint32_t ref = d->ref_hint;

        while (d->grants[ref].used)
                if (++ref == d->entries)
                        ref = GNTTAB_NR_RESERVED_ENTRIES;
        d->grants[ref].used = true;
        d->grants_used++;
        d->ref_hint =
                ref + 1 == d->entries ? GNTTAB_NR_RESERVED_ENTRIES : ref + 1;
        return ref;
}

/* The order that grant_table.h demands: domid and frame, then the flags. */
static void publish(struct grant_entry_v1 *e, uint32_t domid, uint32_t frame,
                    bool writable)
{
        uint32_t flags = GTF_permit_access | (writable ? 0 : GTF_readonly);

        __atomic_store_n(&e->frame, frame, __ATOMIC_RELAXED);
        __atomic_store_n(pxw_entry_word(e), domid << 16 | flags,
                         __ATOMIC_RELEASE);
}

int px_share(struct px_handle *h, uint32_t domid, uint32_t n, bool writable,
             struct pxw_shared *out)
{
        struct px_domain *d = h->dom;
        int64_t first;

        if (n == 0 || n > PXW_SHARE_MAX || domid >= PX_DOMID_SELF)
                return -EINVAL;
        if (d->dying)
                return -ESRCH;
        if (n > d->entries - GNTTAB_NR_RESERVED_ENTRIES - d->grants_used)
                return -ENOSPC;
        first = take_frames(d, n);
        if (first < 0)
                return (int)first;
        for (uint32_t i = 0; i < n; i++) {
                uint32_t ref = take_ref(d);

                d->grants[ref].sharer = h;
                d->grants[ref].frame = (uint32_t)first + i;
                out[i] = (struct pxw_shared){ref, (uint32_t)first + i};
                publish(&d->g.entries[ref], domid, out[i].frame, writable);
        }
        return 0;
}

/* End access: possible only while nobody maps the page, or where a fault
 * breaks that promise (XSA-230). */
static bool end_access(struct px_domain *d, uint32_t ref)
{
        struct grant_entry_v1 *e = &d->g.entries[ref];
        uint32_t old = __atomic_load_n(pxw_entry_word(e), __ATOMIC_RELAXED);

        do {
                if ((old & (GTF_reading | GTF_writing)) && !d->weak_revoke)
                        return false;
        } while (!__atomic_compare_exchange_n(pxw_entry_word(e), &old, 0, 0,
                                              __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED));
        free_frames(d, d->grants[ref].frame, 1);
        d->grants[ref] = (struct px_grant){0};
        d->grants_used--;
        return true;
}

static void unshare_one(struct px_domain *d, uint32_t ref)
{
        d->grants[ref].sharer = NULL;
        if (!end_access(d, ref))
                d->deferred++;
}

int px_unshare(struct px_handle *h, const uint32_t *refs, uint32_t n)
{
        struct px_domain *d = h->dom;

        for (uint32_t i = 0; i < n; i++)
                if (refs[i] >= d->entries || d->grants[refs[i]].sharer != h)
                        return -EINVAL;
        for (uint32_t i = 0; i < n; i++)
                if (d->grants[refs[i]].sharer == h) /* not twice */
                        unshare_one(d, refs[i]);
        return 0;
}

void px_unshare_all(struct px_handle *h)
{
        struct px_domain *d = h->dom;

        if (h->kind != PXW_SHARES_HANDLE)
                return;
        for (uint32_t ref = 0; ref < d->entries; ref++)
                if (d->grants[ref].sharer == h)
                        unshare_one(d, ref);
}

uint32_t px_grants_settle(struct px_domain *d)
{
        uint32_t left = d->deferred;

        for (uint32_t ref = 0; ref < d->entries && left; ref++) {
                if (!d->grants[ref].used || d->grants[ref].sharer)
                        continue;
                left--;
                if (end_access(d, ref))
                        d->deferred--;
        }
        return d->deferred;
}
