/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define DOM0_MEM_BYTES (64ull << 20)
#define DOM0_GRACE_US UINT64_C(5000000)
#define DOM0_LOOK_US UINT64_C(20000)
/* sd-event takes 0 for a quarter of a second. */
#define ACCURACY_US UINT64_C(1000)

static int on_stopping(sd_event_source *src, uint64_t usec, void *arg)
{
        struct server *s = arg;
        struct srv_domain *dom0 = srv_domain_by_id(s, 0);

        if (usec >= s->grace_until_us || !srv_kill_domain(dom0, 0))
                return sd_event_exit(s->ev, 0);
        sd_event_source_set_time_relative(src, DOM0_LOOK_US);
        return sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
}

/* Domain-0's programs get the time to stop as they would at a shutdown: a
 * backend has words with xenstore and its guests before it ends. */
void srv_stop(struct server *s)
{
        struct srv_domain *dom0 = srv_domain_by_id(s, 0);

        if (s->stopping)
                return;
        sd_event_now(s->ev, CLOCK_MONOTONIC, &s->grace_until_us);
        s->grace_until_us += DOM0_GRACE_US;
        if (!dom0 || !srv_kill_domain(dom0, SIGTERM) ||
            sd_event_add_time_relative(s->ev, &s->stopping, CLOCK_MONOTONIC, 0,
                                       ACCURACY_US, on_stopping, s) < 0)
                sd_event_exit(s->ev, 0);
}

static int on_signal(sd_event_source *src, const struct signalfd_siginfo *si,
                     void *arg)
{
        (void)src;
        (void)si;
        srv_stop(arg);
        return 0;
}

static bool domain_exists(void *arg, uint32_t domid)
{
        return srv_domain_by_id(arg, domid) != NULL;
}

static int set_up(struct server *s)
{
        struct srv_domain *dom0;
        sigset_t set;
        int ret;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        LIST_INIT(&s->domains);
        ret = sd_event_new(&s->ev);
        if (ret < 0)
                return ret;
        if ((ret = sd_event_add_signal(s->ev, NULL, SIGTERM, on_signal, s)) <
                    0 ||
            (ret = sd_event_add_signal(s->ev, NULL, SIGINT, on_signal, s)) < 0)
                return ret;
        ret = px_world_create(&s->world);
        if (ret < 0)
                return ret;
        s->world->is_gone = srv_handle_is_gone;
        s->world->is_gone_arg = s;
        ret = xstore_create(&s->xs, &xstore_default_quota);
        if (ret < 0)
                return ret;
        xstore_set_exists(s->xs, domain_exists, s);
        ret = srv_domain_create(s, "Domain-0", DOM0_MEM_BYTES, &dom0);
        if (ret < 0)
                return ret;
        return srv_control_listen(s);
}

static void kill_domain0(struct srv_domain *d)
{
        const struct timespec pause = {0, 20000000};

        while (srv_kill_domain(d, SIGKILL))
                nanosleep(&pause, NULL);
}

static void tear_down(struct server *s)
{
        struct srv_domain *d;
        char path[SRV_PATH_BYTES + 24];

        while ((d = LIST_FIRST(&s->domains))) {
                /* It takes itself off the list, which clang-tidy misses. */
                if (d->domid == 0) // NOLINT(*-unix.Malloc)
                        kill_domain0(d);
                if (!d->d->dying)
                        srv_domain_destroy(d);
                /* Domain-0 is first out of the list's end: what it still maps
                 * goes with its processes. */
                if (d == LIST_FIRST(&s->domains)) {
                        LIST_REMOVE(d, link);
                        free(d);
                }
        }
        s->tick = sd_event_source_disable_unref(s->tick);
        s->stopping = sd_event_source_disable_unref(s->stopping);
        xstore_destroy(s->xs);
        px_world_destroy(s->world);
        sd_event_unref(s->ev);
        snprintf(path, sizeof(path), "%s/pocketxen.sock", s->dir);
        unlink(path);
}

int srv_run(const char *dir, int ready_fd)
{
        static struct server s;
        struct rlimit files;
        int ret;

        if (strlen(dir) >= sizeof(s.dir) - 16) {
                dprintf(ready_fd,
                        "the directory's path is too long for "
                        "sockets: %s",
                        dir);
                return 1;
        }
        memcpy(s.dir, dir, strlen(dir) + 1);
        /* A domain costs five descriptors, a handle up to three. */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        ret = set_up(&s);
        if (ret < 0) {
                dprintf(ready_fd, "cannot start in %s: %s", dir,
                        strerror(-ret));
                return 1;
        }
        (void)!write(ready_fd, "", 1);
        close(ready_fd);
        ret = sd_event_loop(s.ev);
        tear_down(&s);
        return ret < 0 ? 1 : 0;
}
