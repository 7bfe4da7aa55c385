/* SPDX-License-Identifier: MIT */
/* Grant copy: each foreign page is pinned for the copy, the bytes go through
 * pread and pwrite on the granter's memory, neighbouring segments in one call.
 * A bad ref is that segment's status. A malformed segment fails the whole call,
 * and those before it then say "okay" though nothing was copied: Linux does
 * that (tests/xen/same). */
#include "fault.h"
#include "gnttab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_IOV 64u
typedef xengnttab_grant_copy_segment_t segment;

struct end { /* one end of a segment that is foreign */
        struct px_attached *a;
        uint32_t record, frame;
        bool pinned;
};

static bool bad_shape(const segment *s)
{
        bool from = s->flags & GNTCOPY_source_gref;
        bool to = s->flags & GNTCOPY_dest_gref;

        if (s->flags & ~(unsigned)(GNTCOPY_source_gref | GNTCOPY_dest_gref))
                return true;
        if (!from && !to)
                return true;
        return (from && s->source.foreign.offset + s->len > PXW_PAGE) ||
               (to && s->dest.foreign.offset + s->len > PXW_PAGE);
}

static int pin_end(xengnttab_handle *h, struct end *e, uint16_t domid,
                   uint32_t ref, int writable)
{
        int status;

        e->a = px_warm(h, domid);
        if (!e->a)
                return GNTST_bad_domain;
        status = px_pin_ref(h, e->a, ref, writable, &e->record, &e->frame);
        e->pinned = status == GNTST_okay;
        if (e->pinned)
                px_attach_more(e->a);
        return status;
}

static void unpin_end(xengnttab_handle *h, struct end *e)
{
        if (!e->pinned)
                return;
        px_unpin_ref(h, e->a, e->record);
        px_detach(e->a);
}

static void count_copy(xengnttab_handle *h, const struct end *e, uint32_t n,
                       uint64_t bytes)
{
        struct pxw_counts *c = &h->owner->counts[e->a->slot];

        __atomic_store_n(&c->copy_calls, c->copy_calls + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&c->copy_segments, c->copy_segments + n,
                         __ATOMIC_RELAXED);
        __atomic_store_n(&c->copy_bytes, c->copy_bytes + bytes,
                         __ATOMIC_RELAXED);
}

static off_t end_at(const struct end *e, uint16_t offset)
{
        return (off_t)e->frame * PXW_PAGE + offset;
}

/* Both ends foreign: through a page of our own. */
static int copy_foreign(xengnttab_handle *h, segment *s)
{
        char page[PXW_PAGE];
        struct end from = {0}, to = {0};
        int status = pin_end(h, &from, s->source.foreign.domid,
                             s->source.foreign.ref, 0);

        if (status == GNTST_okay)
                status = pin_end(h, &to, s->dest.foreign.domid,
                                 s->dest.foreign.ref, 1);
        if (status == GNTST_okay) {
                if (pread(from.a->mem_fd, page, s->len,
                          end_at(&from, s->source.foreign.offset)) != s->len ||
                    pwrite(to.a->mem_fd, page, s->len,
                           end_at(&to, s->dest.foreign.offset)) != s->len)
                        status = GNTST_general_error;
                count_copy(h, &from, 1, s->len);
        }
        unpin_end(h, &to);
        unpin_end(h, &from);
        s->status = (int16_t)status;
        return 1;
}

/* How many segments from segs on make one transfer: same direction, same
 * domain, each starting where the last one ended in the granter's memory. */
static uint32_t gather(xengnttab_handle *h, segment *segs, uint32_t n,
                       struct end *ends, struct iovec *iov)
{
        bool from = segs[0].flags & GNTCOPY_source_gref;
        off_t next = 0;
        uint32_t k;

        for (k = 0; k < n && k < MAX_IOV; k++) {
                segment *s = &segs[k];
                union xengnttab_copy_ptr *f = from ? &s->source : &s->dest;
                int status;

                if (s->flags != segs[0].flags)
                        break;
                ends[k] = (struct end){0};
                status = pin_end(h, &ends[k], f->foreign.domid, f->foreign.ref,
                                 !from);
                if (status != GNTST_okay) {
                        if (k == 0) {
                                s->status = (int16_t)status;
                                return 0;
                        }
                        break; /* it comes first next time */
                }
                if (k > 0 && (ends[k].a != ends[0].a ||
                              end_at(&ends[k], f->foreign.offset) != next)) {
                        unpin_end(h, &ends[k]);
                        break;
                }
                next = end_at(&ends[k], f->foreign.offset) + s->len;
                iov[k].iov_base = from ? s->dest.virt : s->source.virt;
                iov[k].iov_len = s->len;
        }
        return k;
}

static uint32_t copy_local(xengnttab_handle *h, segment *segs, uint32_t n)
{
        struct end ends[MAX_IOV];
        struct iovec iov[MAX_IOV];
        bool from = segs[0].flags & GNTCOPY_source_gref;
        uint32_t k = gather(h, segs, n, ends, iov);
        ssize_t done, bytes = 0;
        off_t at;

        if (k == 0)
                return 1;
        for (uint32_t i = 0; i < k; i++)
                bytes += segs[i].len;
        at = end_at(&ends[0], from ? segs[0].source.foreign.offset
                                   : segs[0].dest.foreign.offset);
        done = from ? preadv(ends[0].a->mem_fd, iov, (int)k, at)
                    : pwritev(ends[0].a->mem_fd, iov, (int)k, at);
        count_copy(h, &ends[0], k, (uint64_t)bytes);
        for (uint32_t i = 0; i < k; i++) {
                segs[i].status =
                        done == bytes ? GNTST_okay : GNTST_general_error;
                unpin_end(h, &ends[i]);
        }
        return k;
}

static void copy_run(xengnttab_handle *h, uint32_t count, segment *segs)
{
        const unsigned both = GNTCOPY_source_gref | GNTCOPY_dest_gref;

        for (uint32_t i = 0; i < count;)
                i += (segs[i].flags & both) == both
                             ? (uint32_t)copy_foreign(h, &segs[i])
                             : copy_local(h, &segs[i], count - i);
}

/* The segments that a fault strikes keep their bytes and get its status, or
 * none; the others are copied. -1 and errno: the whole call fails. */
static int copy_faults(xengnttab_handle *h, uint32_t count, segment *segs)
{
        for (uint32_t i = 0; i < count; i++) {
                const union xengnttab_copy_ptr *f =
                        segs[i].flags & GNTCOPY_source_gref ? &segs[i].source
                                                            : &segs[i].dest;
                uint32_t ref = f->foreign.ref;
                int status, error;

                error = px_fault_ask(h, PXW_FAULT_COPY, f->foreign.domid, 1,
                                     &ref, &status);
                if (error) {
                        errno = error;
                        return -1;
                }
                if (status == GNTST_okay)
                        copy_run(h, 1, &segs[i]);
                else if (status != PXW_STATUS_UNTOUCHED)
                        segs[i].status = (int16_t)status;
        }
        return 0;
}

PX_PUBLIC int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count,
                                   segment *segs)
{
        int ret = 0;

        if (h->no_copy) {
                errno = ENOTTY;
                return -1;
        }
        for (uint32_t i = 0; i < count; i++) {
                if (bad_shape(&segs[i])) {
                        while (i > 0)
                                segs[--i].status = GNTST_okay;
                        errno = EINVAL;
                        return -1;
                }
        }
        pthread_mutex_lock(&h->lock);
        if (!px_conn_mine(&h->conn) || !h->owner) {
                pthread_mutex_unlock(&h->lock);
                errno = EBADF;
                return -1;
        }
        if (px_faulty(h, PXW_FAULT_COPY))
                ret = copy_faults(h, count, segs);
        else
                copy_run(h, count, segs);
        pthread_mutex_unlock(&h->lock);
        return ret;
}
