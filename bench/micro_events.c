/* SPDX-License-Identifier: MIT */
/* An event sent and taken, beside an eventfd written and read. Both ends are in
 * one thread: what the calls cost, not what a wake-up does. */
#include "micro.h"

#include "xen/evtchn.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pair {
        struct xen_evtchn *from, *to;
        int from_port, to_port;
        int fd;
        bool failed;
};

static void run_eventfd(void *arg, uint64_t n)
{
        struct pair *p = arg;
        uint64_t v = 1;

        for (uint64_t i = 0; i < n; i++)
                p->failed |= write(p->fd, &v, sizeof(v)) != sizeof(v) ||
                             read(p->fd, &v, sizeof(v)) != sizeof(v);
}

static void run_notify(void *arg, uint64_t n)
{
        struct pair *p = arg;

        for (uint64_t i = 0; i < n; i++) {
                p->failed |= xen_evtchn_notify(p->from, p->from_port) < 0;
                p->failed |= xen_evtchn_pending(p->to) != p->to_port;
                p->failed |= xen_evtchn_unmask(p->to, p->to_port) < 0;
        }
}

/* One that the other side has not taken yet: nothing is to be done. */
static void run_notify_pending(void *arg, uint64_t n)
{
        struct pair *p = arg;

        for (uint64_t i = 0; i < n; i++)
                p->failed |= xen_evtchn_notify(p->from, p->from_port) < 0;
        p->failed |= xen_evtchn_pending(p->to) != p->to_port;
        p->failed |= xen_evtchn_unmask(p->to, p->to_port) < 0;
}

/* ---- a bare round trip between two threads
 * ------------------------------------
 */

struct trip {
        int there, back;
        int cpu; /* the other thread's */
        bool stop;
};

static void stay_on(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        (void)!sched_setaffinity(0, sizeof(set), &set);
}

static void *trip_other(void *arg)
{
        struct trip *t = arg;
        uint64_t v;

        stay_on(t->cpu);
        while (read(t->there, &v, sizeof(v)) == sizeof(v) &&
               !__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
                v = 1;
                if (write(t->back, &v, sizeof(v)) != sizeof(v))
                        break;
        }
        return NULL;
}

static void run_trip(void *arg, uint64_t n)
{
        struct trip *t = arg;
        uint64_t v = 1;

        for (uint64_t i = 0; i < n; i++)
                if (write(t->there, &v, sizeof(v)) != sizeof(v) ||
                    read(t->back, &v, sizeof(v)) != sizeof(v))
                        return;
}

static void print_trips(const struct micro_plan *plan)
{
        struct trip trips[2] = {{.cpu = plan->cpus[0]}, {.cpu = plan->cpus[1]}};
        const struct micro_case cases[] = {
                {"bare_eventfd_trip_same_cpu_ns", run_trip, &trips[0]},
                {"bare_eventfd_trip_cross_cpu_ns", run_trip, &trips[1]},
        };
        struct micro_plan wall = *plan;
        unsigned n = plan->cpus[0] == plan->cpus[1] ? 1 : 2;
        pthread_t t[2];
        uint64_t v = 1;

        wall.wall = true;
        for (unsigned i = 0; i < n; i++) {
                trips[i].there = eventfd(0, EFD_CLOEXEC);
                trips[i].back = eventfd(0, EFD_CLOEXEC);
                if (pthread_create(&t[i], NULL, trip_other, &trips[i]) != 0)
                        abort();
        }
        stay_on(plan->cpus[0]);
        micro_print(&wall, cases, n);
        for (unsigned i = 0; i < n; i++) {
                __atomic_store_n(&trips[i].stop, true, __ATOMIC_RELAXED);
                (void)!write(trips[i].there, &v, sizeof(v));
                pthread_join(t[i], NULL);
                close(trips[i].there);
                close(trips[i].back);
        }
}

static int connect_pair(struct pair *p)
{
        int ret = xen_evtchn_open(&p->from);

        if (ret == 0)
                ret = xen_evtchn_open(&p->to);
        if (ret < 0)
                return ret;
        p->to_port = xen_evtchn_bind_unbound(p->to, 0);
        if (p->to_port < 0)
                return p->to_port;
        p->from_port =
                xen_evtchn_bind_interdomain(p->from, 0, (uint32_t)p->to_port);
        if (p->from_port < 0)
                return p->from_port;
        /* A new port is pending at once, as on Xen: that does not count. */
        for (int port; (port = xen_evtchn_pending(p->to)) >= 0;)
                xen_evtchn_unmask(p->to, port);
        for (int port; (port = xen_evtchn_pending(p->from)) >= 0;)
                xen_evtchn_unmask(p->from, port);
        return 0;
}

int micro_events(const struct micro_plan *plan)
{
        struct pair p = {.from_port = -1, .to_port = -1};
        const struct micro_case cases[] = {
                {"bare_eventfd_ns", run_eventfd, &p},
                {"notify_take_ns", run_notify, &p},
                {"notify_pending_ns", run_notify_pending, &p},
        };
        int ret = connect_pair(&p);

        p.fd = eventfd(0, EFD_CLOEXEC);
        if (ret < 0 || p.fd < 0) {
                fprintf(stderr, "evergrant-bench-micro: event channels: %s\n",
                        strerror(-ret));
                ret = 1;
        } else {
                micro_print(plan, cases, 3);
                print_trips(plan);
                if (p.failed) {
                        fputs("evergrant-bench-micro: an event was lost\n",
                              stderr);
                        ret = 1;
                }
        }
        if (p.from)
                xen_evtchn_unbind(p.from, p.from_port);
        if (p.to)
                xen_evtchn_unbind(p.to, p.to_port);
        xen_evtchn_close(p.from);
        xen_evtchn_close(p.to);
        if (p.fd >= 0)
                close(p.fd);
        return ret;
}
