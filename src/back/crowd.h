/* SPDX-License-Identifier: MIT */
/* Whether there is a processor for each busy ring and for its frontend. Any
 * thread. */
#ifndef EVERGRANT_BACK_CROWD_H
#define EVERGRANT_BACK_CROWD_H

#include <stdbool.h>

/* *counted is the caller's own: whether its ring is among the busy ones. */
void crowd_note(bool *counted, bool busy);
/* False: who is woken takes the processor from somebody. */
bool crowd_has_room(void);

#endif
