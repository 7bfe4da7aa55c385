/* SPDX-License-Identifier: MIT */
/* The handshake: (our state, the backend's state) -> what to do. Linux's
 * frontends and backends are the measure of what is written when. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum action {
        UNEXPECTED, /* 0, so that a forgotten cell is one */
        WAIT,
        WAIT_OR_GONE, /* the end, if the toolstack says so */
        RESTART,      /* back to Initialising: asks the backend for InitWait */
        PUBLISH,      /* make ring and port, say Initialised */
        CONNECT,      /* read what the disk is, say Connected */
        RESIZE,       /* the same state written again: read the size */
        LET_GO,       /* nothing is held: say Closed, then start anew */
        REFUSED,      /* the backend did not take what was published */
        LOST,         /* keep what is unanswered, drop the rest */
};

/* A backend may go to Connected before there is a ring (NetBSD: Q7), and then
 * needs what it would have waited for. One that starts over needs the same
 * from us, and one that closes goes on only when we say Closed. */
static const uint8_t table[FRONT_LIVE_STATES][XENBUS_STATES] = {
        [FRONT_CLOSED] =
                {
                        [XENBUS_UNKNOWN] = WAIT_OR_GONE,
                        [XENBUS_INITIALISING] = RESTART,
                        [XENBUS_INIT_WAIT] = RESTART,
                        [XENBUS_INITIALISED] = WAIT,
                        [XENBUS_CONNECTED] = WAIT,
                        [XENBUS_CLOSING] = WAIT_OR_GONE,
                        [XENBUS_CLOSED] = RESTART,
                        [XENBUS_RECONFIGURING] = WAIT,
                        [XENBUS_RECONFIGURED] = WAIT,
                },
        [FRONT_INITIALISING] =
                {
                        [XENBUS_UNKNOWN] = WAIT_OR_GONE,
                        [XENBUS_INITIALISING] = WAIT,
                        [XENBUS_INIT_WAIT] = PUBLISH,
                        [XENBUS_INITIALISED] = WAIT,
                        [XENBUS_CONNECTED] = PUBLISH,
                        [XENBUS_CLOSING] = LET_GO,
                        [XENBUS_CLOSED] = WAIT_OR_GONE,
                        [XENBUS_RECONFIGURING] = UNEXPECTED,
                        [XENBUS_RECONFIGURED] = UNEXPECTED,
                },
        [FRONT_INITIALISED] =
                {
                        [XENBUS_UNKNOWN] = LOST,
                        [XENBUS_INITIALISING] = WAIT,
                        [XENBUS_INIT_WAIT] = WAIT,
                        [XENBUS_INITIALISED] = WAIT,
                        [XENBUS_CONNECTED] = CONNECT,
                        [XENBUS_CLOSING] = REFUSED,
                        [XENBUS_CLOSED] = REFUSED,
                        [XENBUS_RECONFIGURING] = UNEXPECTED,
                        [XENBUS_RECONFIGURED] = UNEXPECTED,
                },
        [FRONT_CONNECTED] =
                {
                        [XENBUS_UNKNOWN] = LOST,
                        [XENBUS_INITIALISING] = LOST,
                        [XENBUS_INIT_WAIT] = LOST,
                        [XENBUS_INITIALISED] = UNEXPECTED,
                        [XENBUS_CONNECTED] = RESIZE,
                        [XENBUS_CLOSING] = LOST,
                        [XENBUS_CLOSED] = LOST,
                        [XENBUS_RECONFIGURING] = WAIT,
                        [XENBUS_RECONFIGURED] = RESIZE,
                },
};

static const char *own_name(enum front_state s)
{
        static const char *const names[] = {"Closed", "Initialising",
                                            "Initialised", "Connected", "dead"};

        return names[s];
}

static void unexpected_state(struct eg_disk *d, enum xenbus_state back)
{
        front_fail(d, -EIO, "the backend went to %s while this side was %s",
                   xenbus_state_name(back), own_name(d->state));
}

static void act(struct eg_disk *d, enum action a, enum xenbus_state back)
{
        switch (a) {
        case WAIT:
                break;
        case WAIT_OR_GONE:
                if (front_keys_offline(d))
                        front_gone(d);
                break;
        case RESTART:
                front_restart(d);
                break;
        case PUBLISH:
                front_publish_link(d);
                break;
        case CONNECT:
                front_connect_disk(d);
                break;
        case RESIZE:
                front_resize(d);
                break;
        case LET_GO:
                if (front_keys_offline(d)) {
                        front_gone(d);
                        break;
                }
                d->state = FRONT_CLOSED;
                front_keys_set_state(d, XENBUS_CLOSED);
                break;
        case REFUSED:
                front_refused(d, back);
                break;
        case LOST:
                front_lost(d, back);
                break;
        case UNEXPECTED:
                unexpected_state(d, back);
                break;
        }
}

/* ---- the toolstack may have pointed us at another backend ---------------- */

static void check_backend(struct eg_disk *d)
{
        char old[XEN_STORE_PATH_BYTES], watch[XEN_STORE_PATH_BYTES + 8];
        struct err e = {0};
        int ret;

        memcpy(old, d->back_path, sizeof(old));
        ret = front_keys_find(d, &e);
        if (ret == -ENOENT) {
                front_gone(d);
                return;
        }
        /* What is inconsistent is not followed: the one that was checked
         * stays. The nodes may also be half written. */
        if (ret < 0 || strcmp(old, d->back_path) == 0)
                return;
        snprintf(watch, sizeof(watch), "%s/state", old);
        xen_store_unwatch(d->xs, watch, "back");
        snprintf(watch, sizeof(watch), "%s/state", d->back_path);
        xen_store_watch(d->xs, watch, "back");
        front_log(d, EG_LOG_INFO, "the backend is now %s", d->back_path);
        front_link_drop(d);
        d->state = FRONT_INITIALISING;
        front_keys_set_state(d, XENBUS_INITIALISING);
}

void front_connect_step(struct eg_disk *d)
{
        if (d->state == FRONT_DEAD || d->closing)
                return;
        check_backend(d);
        /* Each turn needs the backend to have moved, or is a step of ours; a
         * backend that flips for ever gets its next turn with its next
         * event. */
        for (int i = 0; i < 8 && d->state != FRONT_DEAD; i++) {
                enum xenbus_state back = front_keys_backend_state(d);
                enum front_state before = d->state;

                act(d, (enum action)table[d->state][back], back);
                if (d->state == before)
                        return;
        }
}
