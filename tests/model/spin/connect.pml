/* SPDX-License-Identifier: MIT */
/* One disk: the backend daemon (src/daemon/disk_life.c and its neighbours),
 * the frontend library (src/front: connect.c, actions.c, disk.c, close.c), the
 * toolstack (src/cli), and xenstore between them; each with one ring, since a
 * disk's rings come and go together. The daemon may be killed or stopped and starts
 * again, the guest's program may be killed, leave with a goodbye, and start
 * again; the toolstack takes the disk away or the domain ends: at any moment.
 *
 * The two connect tables are those of the C sources: tests/model/spin/tables
 * writes them into tables.h. Reads and writes of xenstore are steps of their
 * own, each transaction is one step.
 *
 * Claims:
 * - state Closed is never written while the ring is mapped, and nothing is
 *   left mapped;
 * - when everything that can happen has happened: both are connected on the
 *   same ring; or the disk is closed, the reason known (the frontend or the
 *   backend holds an error); or it is gone. Nobody waits in any other state;
 * - what the toolstack asked to be taken away is Closed or gone;
 * - without faults, a program that is there and was not sent away is served;
 * - this comes to rest: nothing goes round for ever (pan -l: the only progress
 *   is the time that a silent guest is given, so other cycles are found).
 *   Searched with PROGRAM_ENDS = 0. With 1 there is a known one: a program that
 *   starts when its predecessor was killed amid connecting writes 6 and then 1;
 *   a daemon that looks exactly in between, again and again, closes and offers
 *   for ever.
 *
 * -DM_…  a mistake that must be found: see scripts/model */

#include "tables.h"

#ifndef DAEMON_ENDS
#define DAEMON_ENDS 1  /* times that the daemon is killed or stopped */
#endif
#ifndef PROGRAM_ENDS
#define PROGRAM_ENDS 1 /* times that the guest's program ends, either way */
#endif
#ifndef FAULTS
#define FAULTS 1       /* attaches that fail for a reason of their own */
#endif

#define S_UNKNOWN 0
#define S_INITIALISING 1
#define S_INIT_WAIT 2
#define S_INITIALISED 3
#define S_CONNECTED 4
#define S_CLOSING 5
#define S_CLOSED 6

/* xenstore */
byte back_state = S_INITIALISING;
byte front_state = S_INITIALISING;
byte key_ring;      /* ring-ref and event-channel: which ring; 0: no keys */
bool online = 1;
bool nodes = 1;     /* the backend's directory */
bool domain = 1;    /* the guest's */
bool clean;         /* eg-stopped */
bool served;        /* not a node: since that mark something was served */
bool back_event = 1, front_event; /* watches; any number of changes are one */

/* what is held */
byte shared_ring;   /* the ring that the guest's program shares now */
byte mapped_ring;   /* the one that the daemon maps */
byte last_ring;

/* who is there */
bool daemon;        /* the process */
bool program;
bool kill_daemon, stop_daemon, kill_program, close_program; /* asked for */
byte own_front = FRONT_DEAD; /* the library's state */
bool failed;        /* the daemon holds an error */
bool front_failed;  /* the library does */
byte faults = FAULTS;
bool asked_away;    /* `evergrant detach` was run */

#define CHANGED back_event = 1; front_event = 1

/* ---- the backend ----------------------------------------------------------
 */

/* disk_nodes.c, change_body: nodes there, state still one of `from`. */
#define MAY_WRITE(from) (nodes && (from))
inline write_back(from, state)
{
        atomic {
                if
                :: MAY_WRITE(from) -> back_state = state; CHANGED
                :: else /* -ENOENT, -ECANCELED: the next look tells */
                fi }
}

/* connect.c, connect_own */
inline connect_own(state, held)
{
        if
        :: state == S_UNKNOWN -> own = (held -> OWN_ODD : OWN_ABSENT)
        :: state == S_INITIALISING -> own = (held -> OWN_REPLACED : OWN_NEW)
        :: state == S_INIT_WAIT || state == S_INITIALISED ->
                own = (held -> OWN_REPLACED : OWN_OFFERED)
        :: state == S_CONNECTED -> own = (held -> OWN_SERVING : OWN_STOPPED)
        :: state == S_CLOSING -> own = (held -> OWN_ENDING : OWN_ENDED)
        :: state == S_CLOSED ->
                own = (held -> OWN_ODD : (failed -> OWN_FAILED : OWN_CLOSED))
        fi
}

/* disk_ring.c, disk_attach: open_ring maps what the keys name. */
inline map_ring(good)
{
        atomic {
                tried_ring = key_ring;
                if
                :: key_ring && key_ring == shared_ring ->
                        mapped_ring = key_ring; held = 1; good = 1; served = 1
                :: key_ring && key_ring == shared_ring && faults ->
                        faults--; good = 0
                :: !key_ring || key_ring != shared_ring -> good = 0
                fi }
}

/* disk_nodes.c, front_is_still: nothing has come between the look (with
 * FAILS_TOO, the keys that could not be served) and this. */
#ifdef M_CLOSES_BY_A_STALE_LOOK
#define FRONT_STILL 1
#define KEYS_STILL 1
#else
#define FRONT_STILL (front_state == v_front)
#ifdef M_FAILS_BY_STALE_KEYS
#define KEYS_STILL 1
#else
#define KEYS_STILL (!tried || key_ring == tried_ring)
#endif
#endif

/* disk_life.c, close_disk and disk_fail; disk_ring.c, let_go for
 * DISK_AFTER_CLOSE, and for DISK_AFTER_RESTART if the look is stale. */
inline close_disk()
{
        stale = 0;
        if
        :: v_own != S_CLOSING ->
                atomic {
                        if
                        :: nodes && FRONT_STILL && KEYS_STILL ->
                                back_state = S_CLOSING; CHANGED
                        :: nodes && !(FRONT_STILL && KEYS_STILL) ->
                                stale = 1; failed = 0; held = 0;
                                mapped_ring = 0; back_event = 1
                        :: else
                        fi }
        :: else
        fi;
        if
        :: stale -> stale = 0
        :: else -> let_go()
        fi
}

inline let_go()
{
#ifdef M_CLOSED_BEFORE_UNMAP
        atomic {
                if
                :: nodes && back_state == S_CLOSING ->
                        back_state = S_CLOSED; CHANGED;
                        assert(!mapped_ring)
                :: else
                fi };
        atomic { mapped_ring = 0; held = 0 };
#else
#ifndef M_KEEPS_THE_MAP
        atomic { mapped_ring = 0; held = 0 };
#else
        held = 0;
#endif
        atomic { /* disk_forget_ring_keys */
                if
                :: v_front == S_CLOSING || v_front == S_CLOSED ->
                        key_ring = 0
                :: else
                fi };
        atomic {
                if
                :: MAY_WRITE(back_state == S_CLOSING) ->
                        assert(!mapped_ring);
                        back_state = S_CLOSED; CHANGED
                :: else
                fi }
#endif
}

/* disk_life.c, disk_fail */
inline disk_fail()
{
        atomic { failed = 1; failed_front = v_front };
        if
        :: held || v_own != S_CLOSED -> close_disk()
        :: else
        fi
}

#ifdef M_ANNOUNCES_ANY_RING
#define SAME_RING 1
#else
#define SAME_RING ((front_state == S_INITIALISED || \
                    front_state == S_CONNECTED) && key_ring == mapped_ring)
#endif

/* Attach and re-attach: keys, map, then say so (announce). */
inline attach(reattach)
{
        map_ring(good);
        tried = !reattach;
        if
        :: !good ->
                disk_fail()
        :: good && !reattach ->
                /* disk_nodes.c, ring_is_still */
                write_back((back_state == S_INIT_WAIT ||
                            back_state == S_INITIALISED) && SAME_RING,
                           S_CONNECTED)
        :: good && reattach ->
                write_back(back_state == S_CONNECTED, S_CONNECTED)
        fi;
        atomic { good = 0; tried = 0; tried_ring = 0 };
        back_event = 1 /* attached(): scan_mark */
}

proctype backend()
{
        byte v_own, v_front, own, action, failed_front;
        byte tried_ring;
        bool v_online, v_gone, v_dead, held, good, later, tried, stale;

end:    do
        :: atomic { (kill_daemon || stop_daemon || back_event) ->
                if
                :: kill_daemon || stop_daemon -> break
                :: else -> back_event = 0
                fi };
                /* disk_look: one read after the other */
                v_gone = !nodes;
                v_dead = !domain;
                v_online = online;
                v_own = back_state;
                atomic {
                v_front = front_state;
                if /* unlatch */
                :: failed && (v_front != failed_front ||
                              v_own == S_INITIALISING) ->
#ifdef M_NEVER_UNLATCHES
                        skip
#else
                        failed = 0
#endif
                :: else
                fi;
                connect_own(v_own, held);
                if
                :: v_gone || v_dead -> action = BACK_REMOVE
                :: else ->
                        if
                        :: v_online -> when_online(own, v_front, action)
                        :: else -> when_offline(own, v_front, action)
                        fi
                fi;
                /* out_of_patience: the guest had its time */
#ifndef M_PATIENCE_WITHOUT_END
                if
                :: own == OWN_ENDING && !v_online && action == BACK_NONE ->
                        action = BACK_FINISH
                :: own == OWN_ENDING && !v_online && action == BACK_NONE ->
                        later = 1
                :: else
                fi
#endif
                };
                if
                :: later -> /* the time passes, the next patrol looks again */
progress_of_time:       atomic { later = 0; back_event = 1 }
                :: else
                fi;
                if
                :: action == BACK_NONE || action == BACK_RELEASE
                :: action == BACK_OFFER ->
                        atomic { own != OWN_NEW || !failed };
                        write_back(back_state == S_INITIALISING ||
                                   back_state == S_INIT_WAIT ||
                                   back_state == S_INITIALISED ||
                                   back_state == S_CLOSED, S_INIT_WAIT)
                :: action == BACK_ATTACH -> attach(0)
                :: action == BACK_REATTACH ->
                        /* adopt.c, disk_reattach */
                        atomic {
                                if
                                :: clean -> assert(!served); good = 1
                                :: !clean -> good = 1 /* the ring is quiet */
                                :: !clean && faults -> /* -EBUSY */
                                        faults--; good = 0
                                fi;
#ifndef M_REATTACH_ONCE_MORE
                                clean = 0
#endif
                        };
                        if
                        :: good -> good = 0; attach(1)
                        :: else -> disk_fail()
                        fi
                :: action == BACK_CLOSE || action == BACK_FINISH ->
                        close_disk()
                :: action == BACK_RESTART ->
                        atomic { mapped_ring = 0; held = 0; back_event = 1 }
                :: action == BACK_REMOVE ->
                        atomic { mapped_ring = 0; held = 0;
                        if
                        :: !domain -> nodes = 0; back_state = S_UNKNOWN
                        :: else
                        fi }
                :: action == BACK_UNEXPECTED || action == BACK_UNDEFINED ->
                        disk_fail()
                fi;
                atomic { v_own = 0; v_front = 0; own = 0; action = 0;
                         v_online = 0; v_gone = 0; v_dead = 0 }
        od;
        /* SIGTERM lets go in order and leaves the mark; SIGKILL leaves it to
         * the kernel, which unmaps as well. */
        atomic {
                mapped_ring = 0;
                if
                :: stop_daemon && held && nodes && back_state == S_CONNECTED ->
                        clean = 1; served = 0
                :: else
                fi;
                held = 0; failed = 0; kill_daemon = 0; stop_daemon = 0;
                daemon = 0 }
}

/* ---- the frontend ---------------------------------------------------------
 */

#define WRITE_FRONT(state) \
        if \
        :: domain -> front_state = state; CHANGED \
        :: else \
        fi

/* link.c, front_link_drop */
#define LINK_DROP shared_ring = 0

inline front_fail()
{
        atomic { own_front = FRONT_DEAD; front_failed = 1; LINK_DROP };
        atomic { WRITE_FRONT(S_CLOSED) }
}

inline lost()
{
        if
        :: !online -> front_fail() /* gone */
        :: else ->
                atomic { LINK_DROP; own_front = FRONT_CLOSED };
                atomic {
                        if
                        :: peer != S_INITIALISING && peer != S_INIT_WAIT ->
                                WRITE_FRONT(S_CLOSED)
                        :: else
                        fi }
        fi
}

/* front_connect_step, one turn of its loop */
inline act()
{
        if
        :: todo == DO_WAIT || todo == DO_RESIZE
        :: todo == DO_WAIT_OR_GONE ->
                if
                :: !online -> front_fail()
                :: else
                fi
        :: todo == DO_RESTART ->
                if
                :: !online -> front_fail()
                :: else ->
                        own_front = FRONT_INITIALISING;
                        atomic { WRITE_FRONT(S_INITIALISING) }
                fi
        :: todo == DO_PUBLISH ->
                atomic { /* front_link_create */
                        last_ring = last_ring % 3 + 1;
                        shared_ring = last_ring };
#ifdef M_STATE_BEFORE_KEYS
                atomic { WRITE_FRONT(S_INITIALISED) };
                key_ring = shared_ring;
                own_front = FRONT_INITIALISED
#else
                key_ring = shared_ring; /* front_keys_publish */
                own_front = FRONT_INITIALISED;
                atomic { WRITE_FRONT(S_INITIALISED) }
#endif
        :: todo == DO_CONNECT ->
                was_connected = 1;
                own_front = FRONT_CONNECTED;
                atomic { WRITE_FRONT(S_CONNECTED) }
        :: todo == DO_LET_GO ->
                if
                :: !online -> front_fail()
                :: else ->
                        own_front = FRONT_CLOSED;
                        atomic { WRITE_FRONT(S_CLOSED) }
                fi
        :: todo == DO_REFUSED ->
                if
                :: was_connected || !online -> lost()
                :: else -> front_fail()
                fi
        :: todo == DO_LOST -> lost()
        :: todo == DO_UNEXPECTED -> front_fail()
        fi
}

/* disk.c, begin: an earlier process may have left without a goodbye. */
inline begin()
{
        if
        :: front_state == S_INITIALISED || front_state == S_CONNECTED ||
           front_state == S_CLOSING ->
                own_front = FRONT_CLOSED;
#ifndef M_NO_GOODBYE_FOR_OTHERS
                atomic { WRITE_FRONT(S_CLOSED) }
#endif
        :: front_state == S_CLOSED -> own_front = FRONT_CLOSED
        :: else ->
                own_front = FRONT_INITIALISING;
                atomic { WRITE_FRONT(S_INITIALISING) }
        fi;
        front_event = 1
}

/* close.c, goodbye; each wait may also end by its time-out. */
inline goodbye()
{
        if
        :: own_front == FRONT_CONNECTED ->
                own_front = FRONT_CLOSED;
                atomic { WRITE_FRONT(S_CLOSING) };
                if
                :: back_state != S_INITIALISED && back_state != S_CONNECTED
                :: skip
                fi
        :: else -> own_front = FRONT_CLOSED
        fi;
        atomic { WRITE_FRONT(S_CLOSED) };
        if
        :: back_state != S_INITIALISED && back_state != S_CONNECTED &&
           back_state != S_CLOSING
        :: skip
        fi
}

proctype frontend()
{
        byte peer, todo, before;
        bool was_connected;

        if
        :: !domain || !nodes -> goto ended
        :: else
        fi;
        begin();
end:    do
        :: atomic { (kill_program || close_program ||
                     (front_event && own_front != FRONT_DEAD)) ->
                if
                :: kill_program || close_program -> break
                :: else -> front_event = 0
                fi };
                if /* check_backend */
                :: !nodes -> front_fail(); goto looked
                :: else
                fi;
turn:           atomic {
                peer = back_state;
                before = own_front;
                front_table(own_front, peer, todo) };
                act();
                if
                :: own_front != before && own_front != FRONT_DEAD -> goto turn
                :: else
                fi;
looked:         atomic { peer = 0; todo = 0; before = 0 }
        od;
        if
        :: close_program && own_front != FRONT_DEAD -> goodbye()
        :: else
        fi;
ended:  atomic { LINK_DROP; own_front = FRONT_DEAD; kill_program = 0;
                 close_program = 0; front_failed = 0; program = 0 }
}

/* ---- what may happen ------------------------------------------------------
 */

proctype environment()
{
        byte daemon_ends = DAEMON_ENDS, program_ends = PROGRAM_ENDS;
        bool again;

end:    do
        :: atomic { daemon && daemon_ends && !kill_daemon && !stop_daemon ->
                daemon_ends--;
                if
                :: kill_daemon = 1
                :: stop_daemon = 1
                fi }
        :: atomic { !daemon -> daemon = 1; back_event = 1; run backend() }
        :: atomic { program && program_ends && !kill_program &&
                    !close_program ->
                program_ends--;
                if
                :: kill_program = 1
                :: close_program = 1
                fi }
        :: atomic { !program && domain && nodes && !again ->
                program = 1; run frontend() }
        /* the program is not started again */
        :: atomic { !program && !program_ends && !again -> again = 1 }
        /* vbd_request_close */
        :: atomic { nodes && online && domain ->
                online = 0; back_state = S_CLOSING; asked_away = 1; CHANGED }
        /* wait_and_remove */
        :: atomic { nodes && asked_away && back_state == S_CLOSED ->
                assert(!mapped_ring);
                nodes = 0; back_state = S_UNKNOWN; front_state = S_UNKNOWN;
                key_ring = 0; CHANGED }
        /* the domain ends, its program with it */
        :: atomic { domain && !program && !asked_away && program_ends == 0 ->
                domain = 0; front_state = S_UNKNOWN; key_ring = 0; CHANGED }
        /* nothing more, when nothing that was begun is left to do */
        :: atomic { daemon && !kill_daemon && !stop_daemon &&
                    !kill_program && !close_program && (program || again) ->
                break }
        od
}

#define CONNECTED (own_front == FRONT_CONNECTED && \
                   back_state == S_CONNECTED && mapped_ring && \
                   mapped_ring == shared_ring)
#define CLOSED (!mapped_ring && back_state == S_CLOSED && \
                (failed || own_front == FRONT_DEAD))
#define TAKEN_AWAY (!mapped_ring && (!nodes || back_state == S_CLOSED))
/* The program ended and the domain did not say so: nothing has changed. */
#define LEFT (!program && domain && online)

proctype rest()
{
        timeout ->
        assert(!(asked_away || !domain) || TAKEN_AWAY);
        assert(asked_away || !domain || CONNECTED || CLOSED || LEFT);
        assert(!program || CONNECTED || front_failed);
#if FAULTS == 0
        /* Who is there and was not sent away has a disk. */
        assert(!program || asked_away || CONNECTED)
#endif
}

init {
        atomic { run environment(); run rest() }
}
