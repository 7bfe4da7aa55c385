/* SPDX-License-Identifier: MIT */
/* A guest's side of the xenstore ring (xen/io/xs_wire.h), for xs_script: the
 * page is a file, the event channel a datagram to the shim under xenstored. */
#ifndef TESTS_IT_XSTORE_XS_RING_H
#define TESTS_IT_XSTORE_XS_RING_H

#include <stdbool.h>
#include <stddef.h>

struct xs_ring;

/* The ring of domid in the run directory of xenstored_shim. NULL: errno. */
struct xs_ring *xs_ring_open(const char *dir, int domid);
/* Both wait; false after some seconds without any progress. */
bool xs_ring_read(struct xs_ring *r, void *buf, size_t len);
bool xs_ring_write(struct xs_ring *r, const void *buf, size_t len);

#endif
