/* SPDX-License-Identifier: MIT */
/* The control plane as a whole: one thread on sd-event, and the crew that it
 * hands disks to. Everything here belongs to whoever has the lock of crew.h:
 * that thread, but while it waits. I/O threads are reached through back/back.h
 * only. */
#ifndef EVERGRANT_DAEMON_DAEMON_H
#define EVERGRANT_DAEMON_DAEMON_H

#include <systemd/sd-event.h>

#include "back/back.h"
#include "budget.h"
#include "common/err.h"
#include "options.h"
#include "xen/store.h"

struct control;
struct crew;
struct disk;

struct daemon {
        struct options options;
        sd_event *event;

        struct xen_store *store; /* NULL while the connection is lost */
        uint32_t self_domid;
        sd_event_source *store_source;  /* its descriptor */
        sd_event_source *retry_source;  /* opens it again */
        sd_event_source *work_source;   /* after any other: what is due */
        sd_event_source *patrol_source; /* looks even without an event */
        uint64_t retry_ms;
        struct crew *crew;
        /* Wanted of the control thread, when it has done what it is at. */
        bool rescan;    /* list all disks again */
        bool hurry_due; /* the patrol is to come soon */
        bool trouble;   /* see whether xenstore is lost */
        bool swept;     /* what a former daemon left has been looked at once */

        struct back_rule rule;
        struct back_thread *threads[OPTIONS_IO_THREADS_MAX];
        unsigned nthreads;
        struct budget budget;

        struct disk *disks;
        struct control *control;
        bool hurry; /* the next patrol comes soon */

        /* stall.c: I/O threads that a grant call keeps */
        sd_event_source *stall_source;
        uint64_t stalls;
        bool stalled[OPTIONS_IO_THREADS_MAX];
        bool stopping;
};

/* ---- link.c, scan.c: watches and the list of disks ----------------------- */

/* Arms the watches and looks at everything. The first opening is the
 * caller's: later ones come by themselves when the connection is lost. */
int scan_start(struct daemon *d, struct err *e);
void scan_stop(struct daemon *d);
/* Something may have changed: look at k, or at everything, soon. Any number
 * of calls before that look are one (XSA-349). */
void scan_mark(struct daemon *d, struct disk *k);
void scan_mark_parts(struct daemon *d, struct disk *k, unsigned parts);
void scan_mark_all(struct daemon *d);
/* A call to xenstore failed in a way that only a lost connection explains:
 * this is checked soon, and if so it is opened again. */
void scan_store_trouble(struct daemon *d);
void scan_check_store(struct daemon *d); /* that check; control thread */
/* Look again in a moment: something should change without an event. */
void scan_hurry(struct daemon *d);
void scan_set_patrol(struct daemon *d); /* does it; control thread */
/* One watch event; and the look at all that is marked (for link.c). */
void scan_event(struct daemon *d, const char *path, const char *token);
int scan_drain(struct daemon *d); /* takes the events that wait */
int scan_turn(sd_event_source *src, void *arg);
/* The watch on the frontend's state; -errno if it could not be set. */
int scan_watch_front(struct daemon *d, struct disk *k);
void scan_unwatch_front(struct daemon *d, struct disk *k);

/* ---- stall.c ------------------------------------------------------------- */

/* Looks once a second whether an I/O thread does not come back from a grant
 * call, says so, and counts it. 0 or -errno. */
int stall_start(struct daemon *d);
void stall_stop(struct daemon *d);

/* ---- main.c -------------------------------------------------------------- */

/* Called when a disk has let go of everything while the daemon is stopping. */
void daemon_stop_check(struct daemon *d);

#endif
