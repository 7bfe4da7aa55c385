/* SPDX-License-Identifier: MIT */
/* The way back: I/O threads hand finished business to the control thread. The
 * node is inside of what finished, so handing over cannot fail. */
#ifndef EVERGRANT_BACK_CONTROL_H
#define EVERGRANT_BACK_CONTROL_H

#include "back.h"

struct back_control_work {
        void (*fn)(void *arg);
        void *arg;
        struct back_control_work *next;
};

/* fn(arg) runs out of back_control_run, in the order of posting; the node may
 * be freed by fn. Any thread. */
void back_control_post(struct back_control_work *w);

#endif
