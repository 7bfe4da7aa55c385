/* SPDX-License-Identifier: MIT */
/* The crew: threads that look after disks, one disk at a time each, so that
 * what one of them waits for at xenstore holds up no other.
 *
 * There is one lock. The control thread has it unless it waits for events, one
 * of the crew unless it waits for xenstore or for work: whoever runs may touch
 * everything, and meets others only where it waits itself. A disk that the
 * crew has (disk.crewed) is changed by nobody else meanwhile. Only the control
 * thread touches sd-event: what the crew wants of it are flags of struct
 * daemon, looked at after each event. */
#ifndef EVERGRANT_DAEMON_CREW_H
#define EVERGRANT_DAEMON_CREW_H

#include "daemon.h"

/* Disks that may wait for xenstore at once. */
#define CREW_THREADS 24u

struct crew;

/* Returns with the lock held. 0, or -errno and a sentence. */
int crew_start(struct daemon *d, struct err *e);
/* Ends its threads, once they have done what they are at. NULL: no-op. */
void crew_stop(struct crew *c);

/* disk_reconcile(k), soon, on one of its threads. */
void crew_give(struct crew *c, struct disk *k);
/* Lets the crew go on until it does not have k. */
void crew_wait(struct crew *c, const struct disk *k);
/* Their connections are lost, or may be: each is made anew before its next
 * use. */
void crew_reconnect(struct crew *c);

/* sd_event_loop, with the lock held but for the waits. */
int crew_loop(struct crew *c);

#endif
