/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_US 20000u
#define KILL_ROUNDS 50

struct srv_domain *srv_domain_by_id(struct server *s, uint32_t domid)
{
        struct srv_domain *d;

        LIST_FOREACH(d, &s->domains, link)
        if (d->domid == domid)
                return d;
        return NULL;
}

struct srv_domain *srv_domain_find(struct server *s, const char *dom)
{
        struct srv_domain *d;
        char *end;
        unsigned long id = strtoul(dom, &end, 10);

        if (*dom && !*end)
                return srv_domain_by_id(s, (uint32_t)id);
        LIST_FOREACH(d, &s->domains, link)
        if (d->d && strcmp(d->d->name, dom) == 0)
                return d;
        return NULL;
}

/* What the toolstack writes for a new domain; the guest may read its own
 * directory and write below data. */
static void write_nodes(struct server *s, const struct px_domain *d)
{
        char path[64], value[32], own[16], read_only[16];
        const char *ro[] = {"n0", read_only}, *rw[] = {own};

        snprintf(own, sizeof(own), "n%u", d->domid);
        snprintf(read_only, sizeof(read_only), "r%u", d->domid);
        snprintf(path, sizeof(path), "/local/domain/%u", d->domid);
        xstore_write(s->xs, path, "", ro, d->domid ? 2 : 1);
        snprintf(path, sizeof(path), "/local/domain/%u/name", d->domid);
        xstore_write(s->xs, path, d->name, ro, d->domid ? 2 : 1);
        snprintf(path, sizeof(path), "/local/domain/%u/domid", d->domid);
        snprintf(value, sizeof(value), "%u", d->domid);
        xstore_write(s->xs, path, value, ro, d->domid ? 2 : 1);
        if (!d->domid)
                return;
        snprintf(path, sizeof(path), "/local/domain/%u/device", d->domid);
        xstore_write(s->xs, path, "", ro, 2);
        snprintf(path, sizeof(path), "/local/domain/%u/data", d->domid);
        xstore_write(s->xs, path, "", rw, 1);
}

static void remove_sockets(const struct srv_domain *d)
{
        static const char *const names[] = {"xen", "xs"};
        char path[SRV_PATH_BYTES + 24];

        for (size_t i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%s", d->dir, names[i]);
                unlink(path);
        }
        rmdir(d->dir);
}

static void close_sockets(struct srv_domain *d)
{
        while (!LIST_EMPTY(&d->conns))
                srv_conn_close(LIST_FIRST(&d->conns));
        d->listen = sd_event_source_disable_unref(d->listen);
        store_listen_destroy(d->store);
        d->store = NULL;
        remove_sockets(d);
}

static int open_store(struct srv_domain *d)
{
        char path[SRV_PATH_BYTES + 24];

        snprintf(path, sizeof(path), "%s/xs", d->dir);
        return store_listen_create(&d->store, d->srv->ev, d->srv->xs, d->domid,
                                   path);
}

int srv_domain_store(struct server *s, uint32_t domid, bool up)
{
        struct srv_domain *d = srv_domain_by_id(s, domid);

        if (!d || d->d->dying)
                return -ENOENT;
        if (up && !d->store)
                return open_store(d);
        if (!up) {
                store_listen_destroy(d->store);
                d->store = NULL;
        }
        return 0;
}

static int open_sockets(struct srv_domain *d)
{
        int ret;

        if (snprintf(d->dir, sizeof(d->dir), "%s/d%u", d->srv->dir, d->domid) >=
            (int)sizeof(d->dir) - 8)
                return -ENAMETOOLONG;
        if (mkdir(d->dir, 0700) < 0 && errno != EEXIST)
                return -errno;
        ret = srv_hypercall_listen(d);
        return ret < 0 ? ret : open_store(d);
}

int srv_domain_create(struct server *s, const char *name, uint64_t mem_bytes,
                      struct srv_domain **out)
{
        struct srv_domain *d = calloc(1, sizeof(*d));
        int ret;

        if (!d)
                return -ENOMEM;
        d->srv = s;
        LIST_INIT(&d->conns);
        ret = px_domain_create(s->world, name, mem_bytes, &d->d);
        if (ret < 0) {
                free(d);
                return ret;
        }
        d->domid = d->d->domid;
        LIST_INSERT_HEAD(&s->domains, d, link);
        ret = open_sockets(d);
        if (ret < 0) {
                close_sockets(d);
                px_domain_kill(d->d);
                px_domain_reap(s->world, d->d);
                LIST_REMOVE(d, link);
                free(d);
                return ret;
        }
        write_nodes(s, d->d);
        xstore_domain_introduce(s->xs, d->domid);
        *out = d;
        return 0;
}

/* SIGKILL until nobody is left: a process may fork while we look. */
static void kill_all(struct srv_domain *d)
{
        const struct timespec pause = {0, 2000000};

        for (int i = 0; i < KILL_ROUNDS && srv_kill_domain(d, SIGKILL); i++)
                nanosleep(&pause, NULL);
}

void srv_domain_destroy(struct srv_domain *d)
{
        struct server *s = d->srv;
        char path[64];

        if (d->d->dying)
                return;
        px_domain_kill(d->d);
        kill_all(d);
        close_sockets(d);
        snprintf(path, sizeof(path), "/local/domain/%u", d->domid);
        xstore_rm(s->xs, path);
        xstore_domain_release(s->xs, d->domid);
        px_ev_raise_virq(s->world, PX_VIRQ_DOM_EXC);
        srv_settle(s);
}

/* True if there is something left to wait for. */
static bool settle_once(struct server *s)
{
        struct srv_domain *d, *next;
        bool waiting = false;

        for (d = LIST_FIRST(&s->domains); d; d = next) {
                next = LIST_NEXT(d, link);
                if (d->d->deferred && px_grants_settle(d->d))
                        waiting = true;
                if (!d->d->dying)
                        continue;
                if (!px_domain_reap(s->world, d->d)) {
                        waiting = true;
                        continue;
                }
                LIST_REMOVE(d, link);
                free(d);
                px_ev_raise_virq(s->world, PX_VIRQ_DOM_EXC);
        }
        return waiting;
}

static int on_tick(sd_event_source *src, uint64_t usec, void *arg)
{
        struct server *s = arg;

        (void)usec;
        if (settle_once(s)) {
                sd_event_source_set_time_relative(src, TICK_US);
                sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
        }
        return 0;
}

void srv_settle(struct server *s)
{
        if (!settle_once(s))
                return;
        if (!s->tick)
                sd_event_add_time_relative(s->ev, &s->tick, CLOCK_MONOTONIC,
                                           TICK_US, 1000, on_tick, s);
        else
                sd_event_source_set_time_relative(s->tick, TICK_US);
        if (s->tick)
                sd_event_source_set_enabled(s->tick, SD_EVENT_ONESHOT);
}
