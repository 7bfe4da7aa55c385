/* SPDX-License-Identifier: MIT */
/* libxengnttab maps a page that is paged out (GNTST_eagain) by trying again
 * every millisecond, without an end: whoever can keep a page away keeps the
 * calling thread. Its loop has one way out, the usleep() it calls: programs
 * that link this define that function themselves, and an executable's symbols
 * come before those of libc. When a domain has used up its patience, usleep()
 * does not return into the library, but to xen_patient_map().
 *
 * What the library leaves behind then: its slot in the kernel, until the
 * handle is closed, and, of a call with more than about 170 refs, the mapping
 * of its list. So the caller closes such a handle when it can, and does not
 * ask the same peer again. Linux since 3.7 waits in the kernel instead, for up
 * to 33 s a page, and then says EINVAL: nobody can leave that early, it can
 * only be seen (xen_grants_note_calls). */
#ifndef EVERGRANT_XEN_PATIENCE_H
#define EVERGRANT_XEN_PATIENCE_H

#include <stdint.h>
#include <xengnttab.h>

/* What a thread waits for one domain: so long, in each of these periods. */
#define XEN_PATIENCE_MS 500u
#define XEN_PATIENCE_PERIOD_MS 30000u

/* xengnttab_map_domain_grant_refs, or NULL and ETIMEDOUT. */
void *xen_patient_map(xengnttab_handle *h, uint32_t n, uint32_t domid,
                      const uint32_t *refs, int prot);

#endif
