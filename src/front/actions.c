/* SPDX-License-Identifier: MIT */
/* What the cells of the connect table do. */
#include "front.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#include "common/log.h"

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
        front_fail_all(d, front_dead_error(d));
        front_link_drop(d);
        if (!d->xs_lost)
                front_keys_set_state(d, XENBUS_CLOSED);
}

void front_broken(struct eg_disk *d, const char *what)
{
        d->stats.bad_responses++;
        front_fail(d, -EIO, "the backend broke the protocol: %s", what);
}

static void set_deadline(struct eg_disk *d, unsigned ms)
{
        struct itimerspec t = {
                .it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};

        timerfd_settime(d->timer_fd, 0, &t, NULL);
}

void front_gone(struct eg_disk *d)
{
        front_fail(d, -ENODEV, "the disk was removed");
}

void front_restart(struct eg_disk *d)
{
        if (front_keys_offline(d)) {
                front_gone(d);
                return;
        }
        d->state = FRONT_INITIALISING;
        front_keys_set_state(d, XENBUS_INITIALISING);
}

void front_publish_link(struct eg_disk *d)
{
        unsigned max = front_keys_max_order(d);
        struct err e = {0};
        int ret;

        d->order = d->opts.ring_order < max ? d->opts.ring_order : max;
        d->untrusted = front_keys_untrusted(d);
        max = front_keys_max_queues(d);
        ret = front_link_create(d, d->opts.queues < max ? d->opts.queues : max,
                                &e);
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

void front_connect_disk(struct eg_disk *d)
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

void front_resize(struct eg_disk *d)
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

void front_lost(struct eg_disk *d, enum xenbus_state back)
{
        bool fresh = back == XENBUS_INITIALISING || back == XENBUS_INIT_WAIT;

        if (front_keys_offline(d)) {
                front_gone(d);
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

void front_refused(struct eg_disk *d, enum xenbus_state back)
{
        CLEANUP_FREE char *reason = NULL;
        char path[XEN_STORE_PATH_BYTES + 64], shown[200] = "";
        const char *tail = strstr(d->back_path, "/backend/");

        if (d->was_connected || front_keys_offline(d)) {
                front_lost(d, back);
                return;
        }
        snprintf(path, sizeof(path), "/local/domain/%u/error%s/error",
                 d->backend_domid, tail ? tail : "");
        if (xen_store_read(d->xs, path, &reason) == 0)
                log_escape(shown, sizeof(shown), reason, strlen(reason));
        front_fail(d, -ECONNREFUSED, "the backend refused to connect%s%s",
                   *shown ? ": " : "", shown);
}
