/* SPDX-License-Identifier: MIT */
/* Descriptors that outlive this process: the service manager holds them for
 * the next start (sd_pid_notify_with_fds(3), FDSTORE=1). A ram: disk lives in
 * a memfd, so its bytes are there as long as something holds that. Without a
 * service manager nothing is held and every call is harmless. */
#ifndef EVERGRANT_DAEMON_FDSTORE_H
#define EVERGRANT_DAEMON_FDSTORE_H

#include "common/util.h"

/* Takes what the service manager passed at start; once, before any thread. */
void fdstore_init(void);
/* Closes what nobody claimed and tells the service manager to drop it. */
void fdstore_drop_unclaimed(void);

/* The held descriptor of a disk, now the caller's; -1 if there is none. */
int fdstore_claim(uint32_t domid, uint32_t vdev);
/* Asks the service manager to hold (a copy of) fd. */
void fdstore_push(uint32_t domid, uint32_t vdev, int fd);
void fdstore_remove(uint32_t domid, uint32_t vdev);

#endif
