/* SPDX-License-Identifier: MIT */
/* The daemon's neighbours for one disk, played: the data plane, the event loop
 * and systemd. xenstore is tests/unit/cli/fake_store.c. */
#ifndef TESTS_UNIT_DAEMON_FAKE_RINGS_H
#define TESTS_UNIT_DAEMON_FAKE_RINGS_H

#include "daemon/disk.h"

struct fake_rings {
        unsigned attaches, detaches; /* calls, by ring */
        unsigned held;               /* attached and not detached */
        uint32_t ref, port;          /* of the last attach */
        int error;                   /* what an attach reports */
        unsigned marks;              /* looks that were asked for */
};
extern struct fake_rings fake_rings;

void fake_rings_reset(void);
/* The I/O thread reports the attach. */
void fake_rings_report(void);

#endif
