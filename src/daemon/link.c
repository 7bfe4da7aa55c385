/* SPDX-License-Identifier: MIT */
/* The connection to xenstore: events in, and another one when it is lost. The
 * data path does not notice. */
#include "crew.h"
#include "disk.h"

#include <errno.h>
#include <string.h>

/* Events taken in one turn of the loop, so that other sources get theirs. */
#define EVENTS_A_TURN 512u
#define RETRY_MIN_MS 100u
#define RETRY_MAX_MS 5000u
/* An event may have been lost with a xenstored; this is the safety net. */
#define PATROL_US (10 * UINT64_C(1000000))
/* As long as a guest waits for a disk that could not be opened. */
#define HURRY_US 250000u

static int open_again(struct daemon *d);

static int on_retry(sd_event_source *src, uint64_t usec, void *arg)
{
        struct daemon *d = arg;

        if (open_again(d) == 0)
                return 0;
        d->retry_ms = min_u64(d->retry_ms * 2, RETRY_MAX_MS);
        sd_event_source_set_time_relative(src, d->retry_ms * 1000);
        return sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
}

static void lose_store(struct daemon *d)
{
        log_warn("lost the connection to xenstore: disks are served on, "
                 "changes wait until it is back");
        d->store_source = sd_event_source_disable_unref(d->store_source);
        xen_store_close(d->store);
        d->store = NULL;
        crew_reconnect(d->crew);
        for (struct disk *k = d->disks; k; k = k->next)
                k->watched = false;
        d->retry_ms = RETRY_MIN_MS;
        sd_event_source_set_time_relative(d->retry_source, 0);
        sd_event_source_set_enabled(d->retry_source, SD_EVENT_ONESHOT);
}

void scan_check_store(struct daemon *d)
{
        if (d->store && !disk_conn_answers(d->store))
                lose_store(d);
}

int scan_drain(struct daemon *d)
{
        for (unsigned i = 0; i < EVENTS_A_TURN; i++) {
                char *path = NULL, *token = NULL;
                int ret = xen_store_next_watch(d->store, &path, &token);

                if (ret <= 0)
                        return ret;
                scan_event(d, path, token);
                free(path);
                free(token);
        }
        return 0;
}

static int on_store(sd_event_source *src, int fd, uint32_t events, void *arg)
{
        if (scan_drain(arg) < 0)
                lose_store(arg);
        return 0;
}

static int on_patrol(sd_event_source *src, uint64_t usec, void *arg)
{
        struct daemon *d = arg;

        scan_check_store(d);
        scan_mark_all(d);
        sd_event_source_set_time_relative(src, d->hurry ? HURRY_US : PATROL_US);
        d->hurry = false;
        return sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
}

/* ---- the connection
 * ------------------------------------------------------------ */

static int arm(struct daemon *d)
{
        int ret = sd_event_add_io(d->event, &d->store_source,
                                  xen_store_fd(d->store), EPOLLIN, on_store, d);

        if (ret == 0)
                ret = xen_store_watch(d->store, disk_root(DISK_OWN), "B0");
        if (ret == 0)
                ret = xen_store_watch(d->store, disk_root(DISK_XL), "B1");
        if (ret == 0)
                ret = xen_store_watch(d->store, "@releaseDomain", "D");
        scan_mark_all(d);
        return ret;
}

static int open_again(struct daemon *d)
{
        int ret = xen_store_open(&d->store, NULL);

        if (ret < 0) {
                d->store = NULL;
                return ret;
        }
        ret = arm(d);
        if (ret < 0) {
                d->store_source =
                        sd_event_source_disable_unref(d->store_source);
                xen_store_close(d->store);
                d->store = NULL;
                return ret;
        }
        log_info("xenstore is back");
        return 0;
}

int scan_start(struct daemon *d, struct err *e)
{
        int ret = sd_event_add_post(d->event, &d->work_source, scan_turn, d);

        if (ret >= 0)
                ret = sd_event_add_time_relative(d->event, &d->patrol_source,
                                                 CLOCK_MONOTONIC, PATROL_US, 0,
                                                 on_patrol, d);
        if (ret >= 0)
                ret = sd_event_add_time_relative(d->event, &d->retry_source,
                                                 CLOCK_MONOTONIC, 0, 0,
                                                 on_retry, d);
        if (ret >= 0)
                ret = sd_event_source_set_enabled(d->retry_source,
                                                  SD_EVENT_OFF);
        if (ret >= 0)
                ret = arm(d);
        if (ret < 0)
                return err_set(e, ret, "cannot watch xenstore: %s",
                               strerror(-ret));
        return 0;
}

void scan_set_patrol(struct daemon *d)
{
        if (!d->hurry)
                sd_event_source_set_time_relative(d->patrol_source, HURRY_US);
        d->hurry = true;
}

void scan_stop(struct daemon *d)
{
        d->work_source = sd_event_source_disable_unref(d->work_source);
        d->patrol_source = sd_event_source_disable_unref(d->patrol_source);
        d->retry_source = sd_event_source_disable_unref(d->retry_source);
        d->store_source = sd_event_source_disable_unref(d->store_source);
}
