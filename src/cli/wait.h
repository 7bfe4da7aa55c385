/* SPDX-License-Identifier: MIT */
/* Waiting for what evergrantd does to xenstore: asleep between changes, with a
 * deadline, and ended by Ctrl-C or SIGTERM. */
#ifndef EVERGRANT_CLI_WAIT_H
#define EVERGRANT_CLI_WAIT_H

#include "common/err.h"
#include "xen/store.h"

/* From wait_begin to wait_end SIGINT, SIGTERM and SIGHUP do not end the
 * process: wait_change reports them, so that there is time to tidy up. */
struct wait {
        int signal_fd;
};
int wait_begin(struct wait *w, struct err *e);
void wait_end(struct wait *w);

/* Calls check(s, arg) now and whenever something under path changes, until it
 * returns something other than 0, which is returned (> 0, or -errno). Also
 * -ETIMEDOUT, -EINTR (one of the signals), -ECONNRESET (xenstore is gone).
 * Once a connection. */
int wait_change(struct wait *w, struct xen_store *s, const char *path,
                unsigned timeout_s,
                int (*check)(struct xen_store *s, void *arg), void *arg);

/* Sleeps; true if one of the signals came before the time was over. */
bool wait_sleep(struct wait *w, int64_t ms);

#endif
