/* SPDX-License-Identifier: MIT */
/* The backend's side of grants, over libxengnttab. A handle belongs to one
 * thread. Costs: on Xen a map is a hypercall and an mmap, an unmap is a TLB
 * shootdown on every CPU that runs this process. */
#ifndef EVERGRANT_XEN_GRANTS_H
#define EVERGRANT_XEN_GRANTS_H

#include "common/util.h"

struct xen_grants;

/* What this handle has done since it was opened. */
struct xen_grant_counters {
        uint64_t map_calls, map_pages; /* that succeeded */
        uint64_t map_failures;         /* calls that failed */
        uint64_t maps_given_up; /* of them, those that ended with -ETIMEDOUT */
        uint64_t unmap_calls, unmap_pages; /* that succeeded */
        uint64_t unmap_failures;
        uint64_t copy_calls;    /* that the platform took */
        uint64_t copy_segments; /* that came back ok */
        uint64_t slow_calls;    /* calls of any kind that took over 10 ms */
};

/* 0 and *g, or -errno (ENOENT: no /dev/xen/gntdev; EACCES: no permission). */
int xen_grants_open(struct xen_grants **g);
/* Accepts NULL. All mappings must have been unmapped. */
void xen_grants_close(struct xen_grants *g);
/* From now on *since_ns (CLOCK_MONOTONIC; 0: no) says since when the calling
 * thread is inside of a grant call, for another thread to look at. */
void xen_grants_note_calls(struct xen_grants *g, uint64_t *since_ns);

/* Maps n >= 1 refs of domid in one call, contiguously; the mapping can only
 * be unmapped whole (as the kernel demands), so what shall be evicted alone
 * must be mapped alone. -EINVAL: at least one ref is bad (nothing is mapped);
 * -ENOMEM: this process has no room for another mapping (not the peer's
 * fault); -ETIMEDOUT: the peer's page stays paged out, and this thread has
 * waited for that domain long enough (patience.h): do not ask again, and close
 * the handle when nothing of it is mapped any more. Nothing is mapped unless 0
 * is returned. */
int xen_grants_map(struct xen_grants *g, uint32_t domid, const uint32_t *refs,
                   unsigned n, bool writable, void **pages);
/* Unmaps what one xen_grants_map returned. Cannot fail for the caller; a
 * failure is counted, and the pages stay mapped. */
void xen_grants_unmap(struct xen_grants *g, void *pages, unsigned n);

/* One piece of a grant copy; never crosses the end of the granted page. */
struct xen_copy_seg {
        uint32_t gref;
        uint16_t offset_bytes; /* in the granted page */
        uint16_t len_bytes;
        void *local;
        bool ok; /* out: true only if the status came back as GNTST_okay */
};

/* Copies n segments to or from domid's pages, up to 256 in one call. Every
 * status is preset to an error (XSA-318). 0 if all are ok, -EIO if some are
 * not, -errno if a call failed (its segments are not ok). -EINVAL, and no call,
 * if a segment would cross the end of its page. */
int xen_grants_copy(struct xen_grants *g, uint32_t domid, bool to_guest,
                    struct xen_copy_seg *segs, unsigned n);

void xen_grants_counters(const struct xen_grants *g,
                         struct xen_grant_counters *out);

#endif
