/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "clock.h"

#define TOKEN "evergrant-cli"

static void wait_signals(sigset_t *set)
{
        sigemptyset(set);
        sigaddset(set, SIGINT);
        sigaddset(set, SIGTERM);
        sigaddset(set, SIGHUP);
}

int wait_begin(struct wait *w, struct err *e)
{
        sigset_t set;

        wait_signals(&set);
        w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (w->signal_fd < 0)
                return err_set(e, -errno, "signalfd: %s", strerror(errno));
        sigprocmask(SIG_BLOCK, &set, NULL);
        return 0;
}

void wait_end(struct wait *w)
{
        struct signalfd_siginfo info;
        sigset_t set;

        /* One that was waited for shall not strike after the tidying up. */
        while (read(w->signal_fd, &info, sizeof(info)) > 0)
                ;
        close(w->signal_fd);
        w->signal_fd = -1;
        wait_signals(&set);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int drain_watches(struct xen_store *s)
{
        char *path, *token;
        int ret;

        while ((ret = xen_store_next_watch(s, &path, &token)) > 0) {
                free(path);
                free(token);
        }
        return ret;
}

static int wait_once(struct wait *w, struct xen_store *s, int64_t left_ms)
{
        struct pollfd p[2] = {
                {.fd = w->signal_fd, .events = POLLIN},
                {.fd = s ? xen_store_fd(s) : -1, .events = POLLIN},
        };
        int ret;

        /* First: changes that never end must not put the deadline off. */
        if (left_ms <= 0)
                return -ETIMEDOUT;
        ret = poll(p, 2, (int)left_ms);
        if (ret < 0)
                return errno == EINTR ? 0 : -errno;
        if (ret == 0)
                return -ETIMEDOUT;
        if (p[0].revents)
                return -EINTR;
        return s && p[1].revents ? drain_watches(s) : 0;
}

int wait_change(struct wait *w, struct xen_store *s, const char *path,
                unsigned timeout_s,
                int (*check)(struct xen_store *s, void *arg), void *arg)
{
        int64_t deadline = clock_ms() + (int64_t)timeout_s * 1000;
        int ret = xen_store_watch(s, path, TOKEN);

        if (ret < 0)
                return ret;
        /* The watch is set before the first look, so no change is missed. */
        for (;;) {
                ret = check(s, arg);
                if (ret)
                        break;
                ret = wait_once(w, s, deadline - clock_ms());
                if (ret < 0)
                        break;
        }
        /* The watch ends with the connection: libxenstore leaks the events that
         * an unwatch filters out. */
        return ret;
}

bool wait_sleep(struct wait *w, int64_t ms)
{
        int64_t deadline = clock_ms() + ms;
        int ret;

        while ((ret = wait_once(w, NULL, deadline - clock_ms())) == 0)
                ;
        return ret == -EINTR;
}
