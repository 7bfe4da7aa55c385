/* SPDX-License-Identifier: MIT */
/* libxen's handles write to stderr by themselves, for instance on a bad grant
 * reference; a guest could fill a disk that way (XSA-180). Every failure also
 * comes back as an errno, so they get a logger that says nothing. */
#ifndef EVERGRANT_XEN_QUIET_H
#define EVERGRANT_XEN_QUIET_H

struct xentoollog_logger;

/* Static, shared by all handles and threads; never destroyed. */
struct xentoollog_logger *xen_quiet_logger(void);

/* errno of a libxen call that failed, negative also if it left errno at 0. */
int xen_call_error(void);

#endif
