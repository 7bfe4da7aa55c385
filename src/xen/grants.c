/* SPDX-License-Identifier: MIT */
#include "grants.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#include "common/clock.h"
#include "patience.h"
#include "quiet.h"

/* Segments of one copy call; more go in several. Covers the largest request
 * that Linux sends (256). */
#define COPY_BATCH 256u
#define SLOW_NS 10000000u

struct xen_grants {
        xengnttab_handle *handle;
        struct xen_grant_counters count;
        uint64_t unnoted, *since_ns; /* xen_grants_note_calls */
        xengnttab_grant_copy_segment_t batch[COPY_BATCH];
};

static uint64_t begin_call(struct xen_grants *g)
{
        uint64_t start_ns = clock_ns();

        __atomic_store_n(g->since_ns, start_ns, __ATOMIC_RELAXED);
        errno = 0;
        return start_ns;
}

/* Leaves errno as it is. */
static void end_call(struct xen_grants *g, uint64_t start_ns)
{
        __atomic_store_n(g->since_ns, 0, __ATOMIC_RELAXED);
        if (clock_ns() - start_ns > SLOW_NS)
                g->count.slow_calls++;
}

int xen_grants_open(struct xen_grants **g)
{
        struct xen_grants *new = calloc(1, sizeof(*new));
        int ret;

        *g = NULL;
        if (!new)
                return -ENOMEM;
        errno = 0;
        new->handle = xengnttab_open(xen_quiet_logger(), 0);
        if (!new->handle) {
                ret = xen_call_error();
                free(new);
                return ret;
        }
        new->since_ns = &new->unnoted;
        *g = new;
        return 0;
}

void xen_grants_close(struct xen_grants *g)
{
        if (!g)
                return;
        xengnttab_close(g->handle);
        free(g);
}

void xen_grants_note_calls(struct xen_grants *g, uint64_t *since_ns)
{
        g->since_ns = since_ns;
}

int xen_grants_map(struct xen_grants *g, uint32_t domid, const uint32_t *refs,
                   unsigned n, bool writable, void **pages)
{
        int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        uint64_t start_ns;
        void *p;

        *pages = NULL;
        if (n == 0)
                return -EINVAL;
        start_ns = begin_call(g);
        p = xen_patient_map(g->handle, n, domid, refs, prot);
        end_call(g, start_ns);
        if (!p) {
                int ret = xen_call_error();

                g->count.map_failures++;
                g->count.maps_given_up += ret == -ETIMEDOUT;
                return ret;
        }
        g->count.map_calls++;
        g->count.map_pages += n;
        *pages = p;
        return 0;
}

void xen_grants_unmap(struct xen_grants *g, void *pages, unsigned n)
{
        uint64_t start_ns;

        if (!pages)
                return;
        start_ns = begin_call(g);
        if (xengnttab_unmap(g->handle, pages, n) < 0) {
                g->count.unmap_failures++;
        } else {
                g->count.unmap_calls++;
                g->count.unmap_pages += n;
        }
        end_call(g, start_ns);
}

static void fill_segment(xengnttab_grant_copy_segment_t *c, uint32_t domid,
                         bool to_guest, const struct xen_copy_seg *s)
{
        union xengnttab_copy_ptr *local = to_guest ? &c->source : &c->dest;
        union xengnttab_copy_ptr *guest = to_guest ? &c->dest : &c->source;

        memset(c, 0, sizeof(*c));
        local->virt = s->local;
        guest->foreign.ref = s->gref;
        guest->foreign.offset = s->offset_bytes;
        guest->foreign.domid = (uint16_t)domid;
        c->len = s->len_bytes;
        c->flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
        /* A call that fails half-way leaves statuses unwritten (XSA-318). */
        c->status = GNTST_general_error;
}

static int copy_batch(struct xen_grants *g, uint32_t domid, bool to_guest,
                      struct xen_copy_seg *segs, unsigned n)
{
        uint64_t start_ns;
        int ret, good = 0;

        for (unsigned i = 0; i < n; i++)
                fill_segment(g->batch + i, domid, to_guest, segs + i);
        start_ns = begin_call(g);
        ret = xengnttab_grant_copy(g->handle, n, g->batch);
        if (ret < 0)
                ret = xen_call_error();
        end_call(g, start_ns);
        if (ret < 0)
                return ret;
        for (unsigned i = 0; i < n; i++) {
                segs[i].ok = g->batch[i].status == GNTST_okay;
                good += segs[i].ok;
        }
        g->count.copy_calls++;
        g->count.copy_segments += (unsigned)good;
        return good == (int)n ? 0 : -EIO;
}

int xen_grants_copy(struct xen_grants *g, uint32_t domid, bool to_guest,
                    struct xen_copy_seg *segs, unsigned n)
{
        int ret = 0;

        for (unsigned i = 0; i < n; i++)
                segs[i].ok = false;
        /* One segment over a page end fails a whole call with EINVAL and
         * stale statuses (measured on Linux 6.1): none gets that far. */
        for (unsigned i = 0; i < n; i++) {
                if (segs[i].offset_bytes + segs[i].len_bytes >
                    (int)GRANT_PAGE_BYTES)
                        return -EINVAL;
        }
        while (n) {
                unsigned now = n < COPY_BATCH ? n : COPY_BATCH;
                int err = copy_batch(g, domid, to_guest, segs, now);

                if (err < 0 && (ret == 0 || ret == -EIO))
                        ret = err;
                segs += now;
                n -= now;
        }
        return ret;
}

void xen_grants_counters(const struct xen_grants *g,
                         struct xen_grant_counters *out)
{
        *out = g->count;
}
