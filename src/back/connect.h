/* SPDX-License-Identifier: MIT */
/* What the backend does next for one disk, given where both ends are. Pure: a
 * table of every combination, so that a look at xenstore after any number of
 * missed events still leads to one defined step. The driver (src/daemon) does
 * the step, one at a time, and looks again. */
#ifndef EVERGRANT_BACK_CONNECT_H
#define EVERGRANT_BACK_CONNECT_H

#include "common/util.h"
#include "xen/xenbus.h"

/* This end: its state node together with what this process really holds. */
enum connect_own {
        CONNECT_ABSENT,   /* no state node, nothing held: not written yet */
        CONNECT_EARLY,    /* 1: the toolstack's script has not run yet */
        CONNECT_WAITING,  /* 2 to 4, the same; maybe another driver's */
        CONNECT_NEW,      /* 1: the toolstack has just made it */
        CONNECT_REPLACED, /* 1 to 3 while a ring is held: made anew meanwhile,
                             or the frontend has another ring by now */
        CONNECT_OFFERED,  /* 2 or 3: features are written, no ring held */
        CONNECT_SERVING,  /* 4 with a ring */
        CONNECT_STOPPED,  /* 4 without: a former daemon served it */
        CONNECT_ENDING,   /* 5 with a ring: the frontend has to close first */
        CONNECT_ENDED,    /* 5 without */
        CONNECT_CLOSED,   /* 6 without a ring */
        CONNECT_FAILED,   /* the same after an error that is still latched */
        CONNECT_ODD,      /* anything else: nobody should have written it */
        CONNECT_OWNS
};

enum connect_action {
        CONNECT_UNDEFINED, /* never in the table: a cell that was forgotten */
        CONNECT_NONE,      /* wait for the next event */
        CONNECT_ANNOUNCE,  /* state 2, which the toolstack's script waits for */
        CONNECT_OFFER,     /* open the store, write the features, state 2 */
        CONNECT_ATTACH,    /* read the ring's keys, serve it, state 4 */
        CONNECT_REATTACH,  /* go on serving a live ring, state stays 4 */
        CONNECT_CLOSE,     /* state 5, unmap all, state 6 */
        CONNECT_FINISH,    /* the same when state 5 is already written */
        CONNECT_RELEASE,   /* close the store */
        CONNECT_RESTART,   /* drop all that is held, then look anew */
        CONNECT_REMOVE,    /* the same, and remove our nodes */
        CONNECT_UNEXPECTED /* cannot happen: log it, then as CONNECT_CLOSE */
};

struct connect_input {
        enum connect_own own;
        enum xenbus_state front;
        bool online; /* the toolstack wants the disk */
        bool dead;   /* the frontend's domain, or our nodes, are gone */
};

/* state: as in the backend's node. held: a ring is attached. failed: an error
 * is latched. */
enum connect_own connect_own(enum xenbus_state state, bool held, bool failed);
/* The same as long as nothing was offered because the toolstack's script comes
 * first. ready: it has run, and waits for the offer. */
enum connect_own connect_own_scripted(enum xenbus_state state, bool ready,
                                      bool failed);

/* Never CONNECT_UNDEFINED. */
enum connect_action connect_action(const struct connect_input *in);

const char *connect_own_name(enum connect_own own);
const char *connect_action_name(enum connect_action action);

#endif
