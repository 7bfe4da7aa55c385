/* SPDX-License-Identifier: MIT */
/* Opening a disk. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/vdev.h"

void front_disk_free(struct eg_disk *d)
{
        front_link_drop(d);
        front_parts_free(d);
        xen_evtchn_close(d->evtchn);
        xen_shares_close(d->shares);
        xen_store_close(d->xs);
        front_close_fds(d); /* the lock at last */
        pthread_mutex_destroy(&d->lock);
        free(d);
}

static struct eg_disk *disk_new(const struct eg_options *opts)
{
        struct eg_disk *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        pthread_mutex_init(&d->lock, NULL);
        d->opts = *opts;
        polling_init(&d->polling, (enum polling_mode)opts->polling);
        d->epoll_fd = d->wake_fd = d->leader_fd = d->timer_fd = -1;
        d->owner_fd = -1;
        d->part_segs =
                (unsigned)max_u64(opts->max_indirect_segs, BLK_DIRECT_SEGS);
        d->facts.segs = BLK_DIRECT_SEGS;
        d->resend_tail = &d->resend;
        d->facts.block_bytes = SECTOR_BYTES;
        front_io_list_init(&d->waiting);
        front_io_list_init(&d->done);
        return d;
}

/* "this domain has no disk xvdz; it has xvda, xvdb". */
static int no_such_disk(struct eg_disk *d, struct err *e)
{
        CLEANUP_FREE char **names = NULL;
        char path[XEN_STORE_PATH_BYTES], list[200] = "", name[32];
        uint32_t vdev;
        unsigned n = 0;
        size_t at = 0;

        snprintf(path, sizeof(path), "/local/domain/%u/device/vbd", d->self);
        if (xen_store_list(d->xs, path, &names, &n) < 0)
                n = 0;
        for (unsigned i = 0; i < n && at < sizeof(list) - 40; i++) {
                if (vdev_parse(names[i], &vdev) < 0)
                        continue;
                at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
                                       at ? ", " : "",
                                       vdev_name(name, sizeof(name), vdev));
        }
        return err_set(e, -ENOENT, "domain %u has no disk %s; it has %s",
                       d->self, d->name, at ? list : "none");
}

static int open_platform(struct eg_disk *d, struct err *e)
{
        int ret = xen_evtchn_open(&d->evtchn);

        if (ret < 0)
                return err_set(e, ret,
                               "cannot open event channels (%s): this needs "
                               "/dev/xen/evtchn, or `pocketxen exec DOM -- "
                               "CMD`",
                               strerror(-ret));
        ret = xen_shares_open(&d->shares);
        if (ret < 0)
                return err_set(e, ret,
                               "cannot share pages (%s): this needs "
                               "/dev/xen/gntalloc, or `pocketxen exec DOM -- "
                               "CMD`",
                               strerror(-ret));
        return front_open_fds(d, e);
}

static int find_disk(struct eg_disk *d, struct err *e)
{
        char watch[XEN_STORE_PATH_BYTES + 8];
        int ret = xen_store_self(d->xs, &d->self);

        if (ret < 0)
                return err_set(e, ret, "cannot read this domain's id: %s",
                               strerror(-ret));
        snprintf(d->front_path, sizeof(d->front_path),
                 "/local/domain/%u/device/vbd/%u", d->self, d->vdev);
        ret = front_keys_find(d, e);
        if (ret == -ENOENT)
                return no_such_disk(d, e);
        if (ret == 0)
                ret = front_take_ownership(d, e);
        if (ret == 0)
                ret = open_platform(d, e);
        if (ret < 0)
                return ret;
        snprintf(watch, sizeof(watch), "%s/state", d->back_path);
        ret = xen_store_watch(d->xs, watch, "back");
        if (ret == 0)
                ret = xen_store_watch(d->xs, d->front_path, "front");
        if (ret < 0)
                return err_set(e, ret, "cannot watch xenstore: %s",
                               strerror(-ret));
        return 0;
}

/* An earlier process may have left without a goodbye: its backend still has a
 * ring, and must be told that it is over before there can be another. */
static void begin(struct eg_disk *d)
{
        switch (front_keys_own_state(d)) {
        case XENBUS_INITIALISED:
        case XENBUS_CONNECTED:
        case XENBUS_CLOSING:
                front_keys_set_state(d, XENBUS_CLOSED);
                d->state = FRONT_CLOSED;
                break;
        case XENBUS_CLOSED:
                d->state = FRONT_CLOSED;
                break;
        default:
                d->state = FRONT_INITIALISING;
                front_keys_set_state(d, XENBUS_INITIALISING);
                break;
        }
        front_connect_step(d);
}

static int connect_disk(struct eg_disk *d, struct err *e)
{
        uint64_t deadline = clock_ms() + d->opts.connect_timeout_ms;

        begin(d);
        while (d->state != FRONT_CONNECTED && d->state != FRONT_DEAD) {
                int left = d->opts.connect_timeout_ms
                                   ? front_remaining_ms(deadline)
                                   : -1;

                if (left == 0 || d->xs_lost)
                        break;
                front_process(d, front_sleep_apart(d, left, false),
                              FRONT_TAKE_ALL);
        }
        if (d->state == FRONT_CONNECTED)
                return 0;
        if (d->state == FRONT_DEAD) {
                *e = d->why;
                return e->code;
        }
        /* What was published must not be found by a backend that comes
         * later. */
        if (d->state != FRONT_CLOSED)
                front_keys_set_state(d, XENBUS_CLOSED);
        return err_set(e, -ETIMEDOUT,
                       "%s: the backend %s did not connect in time (its state "
                       "is %s): is its daemon running?",
                       d->name, d->back_path,
                       xenbus_state_name(front_keys_backend_state(d)));
}

int eg_open(struct eg_disk **disk, const char *vdev,
            const struct eg_options *opts)
{
        struct eg_options defaults;
        struct err *e = front_err();
        struct eg_disk *d;
        uint32_t number;
        int ret;

        eg_options_init(&defaults);
        if (opts)
                defaults = *opts;
        ret = front_options_check(&defaults, e);
        if (ret < 0)
                return ret;
        if (vdev_parse(vdev, &number) < 0)
                return err_set(e, -EINVAL,
                               "'%s' is no virtual device: give a name such "
                               "as xvda or its number",
                               vdev);
        d = disk_new(&defaults);
        if (!d)
                return err_set(e, -ENOMEM, "out of memory");
        d->vdev = number;
        vdev_name(d->name, sizeof(d->name), number);
        pthread_mutex_lock(&d->lock);
        ret = xen_store_open(&d->xs, e);
        if (ret == 0)
                ret = find_disk(d, e);
        if (ret == 0)
                ret = connect_disk(d, e);
        pthread_mutex_unlock(&d->lock);
        if (ret < 0)
                front_disk_free(d);
        else
                *disk = d;
        return ret;
}
