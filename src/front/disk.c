/* SPDX-License-Identifier: MIT */
/* Opening and closing a disk, and what can be asked about it. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#include "common/vdev.h"

static uint64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- descriptors --------------------------------------------------------- */

/* Two processes on one ring would take each other's connection away, again
 * and again. A name in the abstract socket space is a lock that ends with its
 * process; the xenstore's address is in it since other domains of a pocketxen
 * run on the same machine. */
static int take_ownership(struct eg_disk *d, struct err *e)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        const char *xs = getenv("XENSTORED_PATH");
        uint64_t hash = 14695981039346656037u; /* FNV-1a */
        int n;

        for (const char *c = xs ? xs : ""; *c; c++)
                hash = (hash ^ (uint8_t)*c) * 1099511628211u;
        n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1,
                     "evergrant-front/%016llx/%u/%u", (unsigned long long)hash,
                     d->self, d->vdev);
        d->owner_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (d->owner_fd < 0)
                return err_set(e, -errno, "cannot make a socket: %s",
                               strerror(errno));
        if (bind(d->owner_fd, (struct sockaddr *)&a,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                             (size_t)n)) < 0)
                return err_set(e, errno == EADDRINUSE ? -EBUSY : -errno,
                               "%s is open already in a process of this domain",
                               d->name);
        return 0;
}

static int watch_fd(struct eg_disk *d, int fd)
{
        struct epoll_event ev = {.events = EPOLLIN};

        return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int open_fds(struct eg_disk *d, struct err *e)
{
        int ret = 0;

        d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        d->leader_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        d->timer_fd =
                timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (d->epoll_fd < 0 || d->wake_fd < 0 || d->leader_fd < 0 ||
            d->timer_fd < 0)
                ret = -errno;
        if (ret == 0)
                ret = watch_fd(d, d->wake_fd);
        if (ret == 0)
                ret = watch_fd(d, d->timer_fd);
        if (ret == 0)
                ret = watch_fd(d, xen_evtchn_fd(d->evtchn));
        if (ret == 0)
                ret = watch_fd(d, xen_store_fd(d->xs));
        if (ret < 0)
                err_set(e, ret, "cannot make descriptors: %s", strerror(-ret));
        return ret;
}

static void close_fd(int fd)
{
        if (fd >= 0)
                close(fd);
}

/* ---- making ---------------------------------------------------------------
 */

static void disk_free(struct eg_disk *d)
{
        front_link_drop(d);
        front_parts_free(d);
        close_fd(d->epoll_fd);
        close_fd(d->wake_fd);
        close_fd(d->leader_fd);
        close_fd(d->timer_fd);
        xen_evtchn_close(d->evtchn);
        xen_shares_close(d->shares);
        xen_store_close(d->xs);
        close_fd(d->owner_fd);
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
        d->epoll_fd = d->wake_fd = d->leader_fd = d->timer_fd = -1;
        d->owner_fd = d->port = -1;
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
        return open_fds(d, e);
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
                ret = take_ownership(d, e);
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

static int remaining_ms(uint64_t deadline_ms)
{
        uint64_t now = now_ms();

        return now >= deadline_ms ? 0
                                  : (int)min_u64(deadline_ms - now, INT32_MAX);
}

static int connect_disk(struct eg_disk *d, struct err *e)
{
        uint64_t deadline = now_ms() + d->opts.connect_timeout_ms;

        begin(d);
        while (d->state != FRONT_CONNECTED && d->state != FRONT_DEAD) {
                int left = d->opts.connect_timeout_ms ? remaining_ms(deadline)
                                                      : -1;

                if (left == 0 || d->xs_lost)
                        break;
                front_wait(d, left);
                front_process(d);
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
                disk_free(d);
        else
                *disk = d;
        return ret;
}

/* ---- closing ---------------------------------------------------------------
 */

static bool backend_over(struct eg_disk *d, bool closing_is_enough)
{
        switch (front_keys_backend_state(d)) {
        case XENBUS_CLOSING:
                return closing_is_enough;
        case XENBUS_INITIALISED:
        case XENBUS_CONNECTED:
        case XENBUS_RECONFIGURING:
        case XENBUS_RECONFIGURED:
                return false;
        default:
                return true;
        }
}

static bool wait_over(struct eg_disk *d, bool closing_is_enough)
{
        uint64_t deadline = now_ms() + d->opts.close_timeout_ms;

        while (!backend_over(d, closing_is_enough)) {
                int left = remaining_ms(deadline);

                if (left == 0 || d->xs_lost)
                        return false;
                front_wait(d, left);
                front_process(d);
        }
        return true;
}

/* Closing, Closed, and the backend's unmap in between or after: backends
 * differ. The pages go back last, when nobody has them mapped. */
static void goodbye(struct eg_disk *d)
{
        bool there = d->state == FRONT_CONNECTED && !d->xs_lost;

        d->state = FRONT_CLOSED; /* the ring is not served any more */
        if (there) {
                front_keys_set_state(d, XENBUS_CLOSING);
                there = wait_over(d, true);
        }
        if (!d->xs_lost)
                front_keys_set_state(d, XENBUS_CLOSED);
        if (there)
                wait_over(d, false);
}

void eg_close(struct eg_disk *d)
{
        uint64_t deadline;

        if (!d)
                return;
        pthread_mutex_lock(&d->lock);
        deadline = now_ms() + d->opts.close_timeout_ms;
        front_dispatch(d);
        front_publish(d);
        while (d->accepted != d->finished && d->state != FRONT_DEAD) {
                int left = remaining_ms(deadline);

                if (left == 0)
                        break;
                front_wait(d, left);
                front_process(d);
        }
        d->closing = true;
        front_fail_all(d, -ESHUTDOWN);
        if (d->state != FRONT_DEAD)
                goodbye(d);
        while (front_run_callbacks(d))
                ;
        pthread_mutex_unlock(&d->lock);
        disk_free(d);
}

/* ---- asking -----------------------------------------------------------------
 */

void eg_info(struct eg_disk *d, struct eg_info *info)
{
        const struct front_facts *f = &d->facts;

        memset(info, 0, sizeof(*info));
        pthread_mutex_lock(&d->lock);
        info->size_bytes = f->sectors * SECTOR_BYTES;
        info->block_bytes = f->block_bytes;
        info->physical_block_bytes = f->physical_bytes;
        info->max_transfer_bytes = FRONT_PART_BYTES;
        info->readonly = f->readonly;
        info->can_flush = f->flush || f->barrier;
        info->can_discard = f->discard;
        info->removable = f->removable;
        info->cdrom = f->cdrom;
        info->persistent = f->persistent && d->opts.persistent;
        info->untrusted = d->untrusted;
        info->discard_granularity_bytes = f->discard_granularity_bytes;
        info->ring_order = d->order;
        info->ring_slots = d->shadow.slots;
        info->vdev = d->vdev;
        info->backend_domid = d->backend_domid;
        pthread_mutex_unlock(&d->lock);
}

static enum eg_state public_state(const struct eg_disk *d)
{
        if (d->state == FRONT_CONNECTED)
                return EG_STATE_CONNECTED;
        if (d->state != FRONT_DEAD)
                return EG_STATE_CONNECTING;
        return d->why.code == -ENODEV ? EG_STATE_GONE : EG_STATE_ERROR;
}

void eg_stats(struct eg_disk *d, struct eg_stats *stats)
{
        struct grant_pool_stats s = {0};

        pthread_mutex_lock(&d->lock);
        if (d->pool)
                grant_pool_stats(d->pool->grants, &s);
        *stats = d->stats;
        stats->state = public_state(d);
        stats->inflight = d->shadow.used;
        stats->waiting = d->waiting.n;
        stats->pool_pages = s.pages;
        stats->pool_taken = s.taken;
        stats->pool_taken_high =
                max_u64(s.taken_high, d->stats.pool_taken_high);
        stats->pool_empty += s.empty;
        stats->share_calls = d->past_shares + s.share_calls;
        stats->unshare_calls = d->past_unshares + s.unshare_calls;
        pthread_mutex_unlock(&d->lock);
}
