/* SPDX-License-Identifier: MIT */
/* Faults that somebody who tests a driver has set (`pocketxen fault`): chosen
 * grant operations and events end otherwise than they would. Where none is set
 * nothing of this runs: the drop-ins look at one shared word. */
#ifndef POCKETXEN_CORE_FAULT_H
#define POCKETXEN_CORE_FAULT_H

#include "world.h"

#define PX_ANY UINT32_MAX /* domain, ref or port */

enum px_fault_kind {
        PX_FAULT_STATUS,    /* value: what the hypervisor says of the ref */
        PX_FAULT_UNTOUCHED, /* it says nothing */
        PX_FAULT_ERRNO,     /* value: the whole call fails so */
        PX_FAULT_SLOW,      /* value: the call takes so many ms more */
        PX_FAULT_DROP,      /* events: value percent of them */
        PX_FAULT_DUP,
        PX_FAULT_DELAY, /* by up to value ms */
        PX_FAULT_CLOSE, /* the receiver closes its port instead */
};

struct px_fault {
        TAILQ_ENTRY(px_fault) link;
        uint32_t id;
        uint32_t op; /* one PXW_FAULT_… */
        enum px_fault_kind kind;
        int value;
        uint32_t by, of;      /* who does it; whose grants, or who is told */
        uint32_t first, last; /* refs, or the receiver's ports */
        uint64_t nth;         /* begins with this match, 1 is the first */
        uint64_t times;       /* ends after so many; 0: never */
        uint64_t seen, given; /* matches; those that got the fault */
        uint64_t random;      /* state of its generator, the seed at first */
};

/* Adds a copy. Its id, or -ENOMEM. */
int px_fault_add(struct px_world *w, const struct px_fault *f);
/* 0: all. -ENOENT. */
int px_fault_remove(struct px_world *w, uint32_t id);
/* Sets the words that tell where to ask; after whatever may change them. */
void px_faults_apply(struct px_world *w);

/* What becomes of one ref in a call; each call of these is a match. */
struct px_grant_verdict {
        int status; /* GNTST_okay, another one, PXW_STATUS_UNTOUCHED */
        int error;  /* 0, or the errno of the whole call */
        uint32_t slow_ms;
};
struct px_grant_verdict px_fault_grant(struct px_world *w, uint32_t op,
                                       uint32_t by, uint32_t of, uint32_t ref);

struct px_event_verdict {
        bool drop, dup, close;
        uint32_t delay_ms;
};
/* port is the receiver's. */
struct px_event_verdict px_fault_event(struct px_world *w, uint32_t by,
                                       uint32_t of, uint32_t port);

#endif
