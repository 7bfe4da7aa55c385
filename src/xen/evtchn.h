/* SPDX-License-Identifier: MIT */
/* Event channels over libxenevtchn. A handle belongs to one thread: pending()
 * returns any port that is bound through it. */
#ifndef EVERGRANT_XEN_EVTCHN_H
#define EVERGRANT_XEN_EVTCHN_H

#include "common/util.h"

struct xen_evtchn;

int xen_evtchn_open(struct xen_evtchn **x);
void xen_evtchn_close(struct xen_evtchn *x); /* accepts NULL */
int xen_evtchn_fd(struct xen_evtchn *x);     /* poll it for POLLIN */

/* Each returns a local port (>= 0) or -errno. */
int xen_evtchn_bind_unbound(struct xen_evtchn *x, uint32_t domid);
int xen_evtchn_bind_interdomain(struct xen_evtchn *x, uint32_t domid,
                                uint32_t remote_port);

/* Accepts a negative port, and cannot fail for the caller. */
void xen_evtchn_unbind(struct xen_evtchn *x, int port);
/* 0 or -errno. A peer that is gone is no error. */
int xen_evtchn_notify(struct xen_evtchn *x, int port);
/* The next pending port, which is now masked; -EAGAIN when there is none.
 * Never blocks. */
int xen_evtchn_pending(struct xen_evtchn *x);
int xen_evtchn_unmask(struct xen_evtchn *x, int port);

#endif
