/* SPDX-License-Identifier: MIT */
/* Descriptors that are the library's own, and the clock of the waits that have
 * a bound. */
#include "front.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

int front_remaining_ms(uint64_t deadline_ms)
{
        uint64_t now = clock_ms();

        return now >= deadline_ms ? 0
                                  : (int)min_u64(deadline_ms - now, INT32_MAX);
}

/* Two processes on one ring would take each other's connection away, again
 * and again. A name in the abstract socket space is a lock that ends with its
 * process; the xenstore's address is in it since other domains of a pocketxen
 * run on the same machine. */
int front_take_ownership(struct eg_disk *d, struct err *e)
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

static int watch_fd(struct eg_disk *d, int fd, uint32_t ready)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = ready};

        return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int front_open_fds(struct eg_disk *d, struct err *e)
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
                ret = watch_fd(d, d->wake_fd, 0);
        if (ret == 0)
                ret = watch_fd(d, d->timer_fd, FRONT_READY_TIMER);
        if (ret == 0)
                ret = watch_fd(d, xen_evtchn_fd(d->evtchn), FRONT_READY_EVTCHN);
        if (ret == 0)
                ret = watch_fd(d, xen_store_fd(d->xs), FRONT_READY_XS);
        if (ret < 0)
                err_set(e, ret, "cannot make descriptors: %s", strerror(-ret));
        return ret;
}

static void close_fd(int fd)
{
        if (fd >= 0)
                close(fd);
}

void front_close_fds(struct eg_disk *d)
{
        close_fd(d->epoll_fd);
        close_fd(d->wake_fd);
        close_fd(d->leader_fd);
        close_fd(d->timer_fd);
        close_fd(d->owner_fd);
}

/* ---- sleeping ------------------------------------------------------------ */

static unsigned ready_after(const struct eg_disk *d, int timeout_ms)
{
        struct epoll_event ev[4]; /* as many as are in it */
        unsigned ready = 0;
        int n = epoll_wait(d->epoll_fd, ev, (int)ARRAY_SIZE(ev), timeout_ms);

        for (int i = 0; i < n; i++)
                ready |= ev[i].data.u32;
        return ready;
}

unsigned front_ready(struct eg_disk *d)
{
        return ready_after(d, 0);
}

unsigned front_sleep(struct eg_disk *d, int timeout_ms)
{
        unsigned ready;

        d->processing = false;
        pthread_mutex_unlock(&d->lock);
        ready = ready_after(d, timeout_ms);
        pthread_mutex_lock(&d->lock);
        d->processing = true;
        return ready;
}

enum { FD_EVTCHN, FD_XS, FD_TIMER, FD_LEADER, FDS };

unsigned front_sleep_apart(struct eg_disk *d, int timeout_ms, bool leads)
{
        struct pollfd fds[FDS] = {
                [FD_EVTCHN].fd = xen_evtchn_fd(d->evtchn),
                [FD_XS].fd = d->xs_lost ? -1 : xen_store_fd(d->xs),
                [FD_TIMER].fd = d->timer_fd,
                [FD_LEADER].fd = leads ? d->leader_fd : -1,
        };
        unsigned ready = 0;
        eventfd_t n;

        for (int i = 0; i < FDS; i++)
                fds[i].events = POLLIN;
        d->asleep = leads;
        pthread_mutex_unlock(&d->lock);
        if (poll(fds, FDS, timeout_ms) > 0) {
                ready |= fds[FD_EVTCHN].revents ? FRONT_READY_EVTCHN : 0;
                ready |= fds[FD_XS].revents ? FRONT_READY_XS : 0;
                ready |= fds[FD_TIMER].revents ? FRONT_READY_TIMER : 0;
        }
        pthread_mutex_lock(&d->lock);
        d->asleep = false;
        if (fds[FD_LEADER].revents)
                (void)eventfd_read(d->leader_fd, &n);
        return ready;
}

void front_wake_leader(struct eg_disk *d)
{
        if (d->asleep)
                eventfd_write(d->leader_fd, 1);
}
