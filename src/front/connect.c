/* SPDX-License-Identifier: MIT */
/* The handshake: (our state, the backend's state) -> what to do. Linux's
 * frontends and backends are the measure of what is written when. */
#include "front.h"

#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

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

void front_fail(struct eg_disk *d, int error, const char *fmt, ...)
{
        char text[400];
        va_list ap;

        if (d->state == FRONT_DEAD)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        err_set(&d->why, error, "%s: %s", d->name, text);
        front_log(d, EG_LOG_ERR, "%s", text);
        d->state = FRONT_DEAD;
        front_fail_all(d, error);
        front_link_drop(d);
        if (!d->xs_lost)
                front_keys_set_state(d, XENBUS_CLOSED);
}

void front_broken(struct eg_disk *d, const char *what)
{
        d->stats.bad_responses++;
        front_fail(d, -EIO, "the backend broke the protocol: %s", what);
}

static void unexpected_state(struct eg_disk *d, enum xenbus_state back)
{
        front_fail(d, -EIO, "the backend went to %s while this side was %s",
                   xenbus_state_name(back), own_name(d->state));
}

static void set_deadline(struct eg_disk *d, unsigned ms)
{
        struct itimerspec t = {
                .it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};

        timerfd_settime(d->timer_fd, 0, &t, NULL);
}

/* ---- actions ------------------------------------------------------------- */

static void gone(struct eg_disk *d)
{
        front_fail(d, -ENODEV, "the disk was removed");
}

static void restart(struct eg_disk *d)
{
        if (front_keys_offline(d)) {
                gone(d);
                return;
        }
        d->state = FRONT_INITIALISING;
        front_keys_set_state(d, XENBUS_INITIALISING);
}

static void publish(struct eg_disk *d)
{
        unsigned max = front_keys_max_order(d);
        struct err e = {0};
        int ret;

        d->order = d->opts.ring_order < max ? d->opts.ring_order : max;
        d->untrusted = front_keys_untrusted(d);
        ret = front_link_create(d, &e);
        if (ret < 0) {
                front_fail(d, ret, "%s", e.text);
                return;
        }
        ret = front_keys_publish(d);
        if (ret < 0) {
                front_fail(d, ret, "cannot write to xenstore: %s",
                           strerror(-ret));
                return;
        }
        d->state = FRONT_INITIALISED;
        front_keys_set_state(d, XENBUS_INITIALISED);
}

static void connect_disk(struct eg_disk *d)
{
        struct front_facts f;
        struct err e = {0};
        int ret = front_keys_facts(d, &f, &e);

        if (ret < 0) {
                front_fail(d, ret, "%s", e.text);
                return;
        }
        d->facts = f;
        d->state = FRONT_CONNECTED;
        front_keys_set_state(d, XENBUS_CONNECTED);
        set_deadline(d, 0);
        if (d->was_connected) {
                d->stats.reconnects++;
                front_log(d, EG_LOG_INFO, "connected again");
        }
        d->was_connected = true;
}

static void resize(struct eg_disk *d)
{
        uint64_t block = d->facts.block_bytes / SECTOR_BYTES;
        uint64_t sectors = front_keys_sectors(d);

        sectors -= sectors % block;
        if (!sectors || sectors == d->facts.sectors)
                return;
        front_log(d, EG_LOG_INFO, "now has %llu sectors, before %llu",
                  (unsigned long long)sectors,
                  (unsigned long long)d->facts.sectors);
        d->facts.sectors = sectors;
}

static void lost(struct eg_disk *d, enum xenbus_state back)
{
        bool fresh = back == XENBUS_INITIALISING || back == XENBUS_INIT_WAIT;

        if (front_keys_offline(d)) {
                gone(d);
                return;
        }
        if (d->opts.reconnect == EG_RECONNECT_NEVER) {
                front_fail(d, -ENODEV, "the backend went away (%s)",
                           xenbus_state_name(back));
                return;
        }
        front_log(d, EG_LOG_WARNING,
                  "the backend went away (%s); I/O waits for its return",
                  xenbus_state_name(back));
        front_link_drop(d);
        if (d->opts.reconnect_timeout_ms)
                set_deadline(d, d->opts.reconnect_timeout_ms);
        d->state = FRONT_CLOSED;
        /* One that has started over already waits for us, not for Closed. */
        if (!fresh)
                front_keys_set_state(d, XENBUS_CLOSED);
}

static void refused(struct eg_disk *d, enum xenbus_state back)
{
        CLEANUP_FREE char *reason = NULL;
        char path[XEN_STORE_PATH_BYTES + 64], shown[200] = "";
        const char *tail = strstr(d->back_path, "/backend/");

        if (d->was_connected || front_keys_offline(d)) {
                lost(d, back);
                return;
        }
        snprintf(path, sizeof(path), "/local/domain/%u/error%s/error",
                 d->backend_domid, tail ? tail : "");
        if (xen_store_read(d->xs, path, &reason) == 0)
                log_escape(shown, sizeof(shown), reason, strlen(reason));
        front_fail(d, -ECONNREFUSED, "the backend refused to connect%s%s",
                   *shown ? ": " : "", shown);
}

static void act(struct eg_disk *d, enum action a, enum xenbus_state back)
{
        switch (a) {
        case WAIT:
                break;
        case WAIT_OR_GONE:
                if (front_keys_offline(d))
                        gone(d);
                break;
        case RESTART:
                restart(d);
                break;
        case PUBLISH:
                publish(d);
                break;
        case CONNECT:
                connect_disk(d);
                break;
        case RESIZE:
                resize(d);
                break;
        case LET_GO:
                if (front_keys_offline(d)) {
                        gone(d);
                        break;
                }
                d->state = FRONT_CLOSED;
                front_keys_set_state(d, XENBUS_CLOSED);
                break;
        case REFUSED:
                refused(d, back);
                break;
        case LOST:
                lost(d, back);
                break;
        case UNEXPECTED:
                unexpected_state(d, back);
                break;
        }
}

/* ---- the toolstack may have pointed us at another backend -----------------
 */

static void check_backend(struct eg_disk *d)
{
        char old[XEN_STORE_PATH_BYTES], watch[XEN_STORE_PATH_BYTES + 8];
        struct err e = {0};
        int ret;

        memcpy(old, d->back_path, sizeof(old));
        ret = front_keys_find(d, &e);
        if (ret == -ENOENT) {
                gone(d);
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
