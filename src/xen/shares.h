/* SPDX-License-Identifier: MIT */
/* The frontend's side of grants, over libxengntshr: memory is shared, not
 * granted after the fact. A handle may be used by one thread at a time. */
#ifndef EVERGRANT_XEN_SHARES_H
#define EVERGRANT_XEN_SHARES_H

#include "common/util.h"

struct xen_shares;

int xen_shares_open(struct xen_shares **s);
/* Accepts NULL. Unshare everything first: closing frees nothing that is still
 * mapped here. */
void xen_shares_close(struct xen_shares *s);

/* Shares n fresh zeroed pages with domid; *pages is contiguous here, refs[i]
 * is page i's gref. -ENOSPC: gntalloc's limit (on Linux the sysfs knob
 * /sys/module/xen_gntalloc/parameters/limit) or the grant table is full. */
int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **pages);
/* Takes back what one xen_shares_share returned, whole. Always succeeds; the
 * grants end when the backend has unmapped them. */
void xen_shares_unshare(struct xen_shares *s, void *pages, unsigned n);

#endif
