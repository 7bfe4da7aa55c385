/* SPDX-License-Identifier: MIT */
#include "store_listen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "../store/xstore.h"

#define READ_BYTES 8192
#define EVENT_BUCKETS 64
#define RETRY_US 100000

/* A message, or the rest of one, that the peer has not taken yet. */
struct out {
        struct out *next;
        struct out *chain; /* of the waiting events with this hash */
        uint32_t hash;
        bool event;
        size_t len, sent;
        char bytes[];
};

struct client {
        struct client *next, **link;
        struct store_listener *l;
        struct xstore_conn *conn;
        sd_event_source *source;
        sd_event_source *delay; /* NULL: none is asked for */
        int fd;
        uint32_t events; /* that the source waits for */
        bool doomed;     /* shut down; freed when its hang-up arrives */
        struct out *first, **last;
        size_t queued_bytes;
        unsigned queued_replies;
        struct out *waiting[EVENT_BUCKETS];
};

struct store_listener {
        sd_event *ev;
        struct xstore *xs;
        uint32_t domid;
        int fd;
        char *path;
        sd_event_source *source, *retry;
        struct client *clients;
        unsigned count;
};

static uint32_t hash_bytes(const char *p, size_t len)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < len; i++)
                h = (h ^ (unsigned char)p[i]) * 16777619u;
        return h;
}

static void forget_waiting(struct client *c, struct out *o)
{
        struct out **at = &c->waiting[o->hash % EVENT_BUCKETS];

        while (*at && *at != o)
                at = &(*at)->chain;
        if (*at)
                *at = o->chain;
}

static void out_pop(struct client *c)
{
        struct out *o = c->first;

        if (o->event)
                forget_waiting(c, o);
        c->first = o->next;
        if (!c->first)
                c->last = &c->first;
        c->queued_bytes -= o->len;
        c->queued_replies -= !o->event;
        free(o);
}

static void client_free(struct client *c)
{
        xstore_conn_close(c->conn);
        sd_event_source_disable_unref(c->source);
        if (c->delay)
                xstore_delayed(c->l->xs);
        sd_event_source_disable_unref(c->delay);
        close(c->fd);
        while (c->first)
                out_pop(c);
        if (c->link) {
                *c->link = c->next;
                if (c->next)
                        c->next->link = c->link;
                c->l->count--;
        }
        free(c);
}

/* We are inside the store, perhaps on behalf of another connection, and must
 * not close this one now. The shutdown comes back as a hang-up. */
static void doom(struct client *c)
{
        c->doomed = true;
        shutdown(c->fd, SHUT_RDWR);
}

/* A test asked for it: as if the store had died and come back at once. */
static void doom_all(struct store_listener *l)
{
        for (struct client *c = l->clients; c; c = c->next)
                doom(c);
}

static void update_events(struct client *c)
{
        const struct xstore_quota *q = xstore_get_quota(c->l->xs);
        uint32_t events = 0;

        if (!c->delay && c->queued_bytes < STORE_LISTEN_PAUSE &&
            c->queued_replies < q->outstanding)
                events |= EPOLLIN;
        if (c->first)
                events |= EPOLLOUT;
        if (events != c->events &&
            sd_event_source_set_io_events(c->source, events) >= 0)
                c->events = events;
}

static struct out *find_waiting(const struct client *c, uint32_t hash,
                                const void *bytes, size_t len)
{
        struct out *o = c->waiting[hash % EVENT_BUCKETS];

        while (o && (o->hash != hash || o->len != len ||
                     memcmp(o->bytes, bytes, len) != 0))
                o = o->chain;
        return o;
}

static int enqueue(struct client *c, const void *bytes, size_t len, size_t sent)
{
        struct xsd_sockmsg h;
        struct out *o;
        uint32_t hash = 0;
        bool event;

        memcpy(&h, bytes, sizeof(h));
        event = h.type == XS_WATCH_EVENT;
        if (event) {
                hash = hash_bytes(bytes, len);
                if (find_waiting(c, hash, bytes, len))
                        return 0;
        }
        if (c->queued_bytes + len > STORE_LISTEN_LIMIT)
                return -ENOBUFS;
        o = malloc(sizeof(*o) + len);
        if (!o)
                return -ENOMEM;
        *o = (struct out){
                .hash = hash, .event = event, .len = len, .sent = sent};
        memcpy(o->bytes, bytes, len);
        *c->last = o;
        c->last = &o->next;
        c->queued_bytes += len;
        c->queued_replies += !event;
        if (event) {
                o->chain = c->waiting[hash % EVENT_BUCKETS];
                c->waiting[hash % EVENT_BUCKETS] = o;
        }
        return 0;
}

/* xstore_send */
static void client_send(void *arg, const void *bytes, size_t len)
{
        struct client *c = arg;
        ssize_t n = 0;

        if (c->doomed)
                return;
        if (!c->first) {
                n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (n == (ssize_t)len)
                        return;
                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        doom(c);
                        return;
                }
                if (n < 0)
                        n = 0;
        }
        if (enqueue(c, bytes, len, (size_t)n) < 0)
                doom(c);
        else
                update_events(c);
}

/* 0, or -errno when the connection is lost. */
static int client_flush(struct client *c)
{
        while (c->first) {
                struct out *o = c->first;
                ssize_t n = send(c->fd, o->bytes + o->sent, o->len - o->sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                o->sent += (size_t)n;
                if (o->sent < o->len)
                        return 0;
                out_pop(c);
        }
        return 0;
}

static int client_read(struct client *c)
{
        char buf[READ_BYTES];
        ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -ECONNRESET;
        return xstore_conn_input(c->conn, buf, (size_t)n);
}

/* After -errno c is gone. */
static void go_on(struct client *c, int ret)
{
        if (ret == -ECONNABORTED)
                doom_all(c->l);
        if (ret < 0)
                client_free(c);
        else
                update_events(c);
}

static int delay_over(sd_event_source *s, uint64_t usec, void *arg)
{
        struct client *c = arg;
        int ret = client_read(c);

        c->delay = sd_event_source_disable_unref(c->delay);
        xstore_delayed(c->l->xs);
        go_on(c, ret);
        return 0;
}

/* A test asked for it: as if the store were far away. */
static bool is_delayed(struct client *c)
{
        uint64_t us = xstore_delay(c->l->xs, c->l->domid);

        if (!us)
                return false;
        if (sd_event_add_time_relative(c->l->ev, &c->delay, CLOCK_MONOTONIC, us,
                                       1, delay_over, c) >= 0)
                return true;
        xstore_delayed(c->l->xs);
        return false;
}

static int on_client(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
        struct client *c = arg;
        int ret = c->doomed ? -ECONNRESET : 0;

        if (ret == 0 && revents & EPOLLOUT)
                ret = client_flush(c);
        if (ret == 0 && revents & EPOLLIN)
                ret = is_delayed(c) ? 0 : client_read(c);
        else if (ret == 0 && revents & (EPOLLHUP | EPOLLERR))
                ret = -ECONNRESET;
        go_on(c, ret);
        return 0;
}

static int client_create(struct store_listener *l, int fd)
{
        struct client *c = calloc(1, sizeof(*c));
        int ret = -ENOMEM;

        if (!c) {
                close(fd);
                return ret;
        }
        c->l = l;
        c->fd = fd;
        c->events = EPOLLIN;
        c->last = &c->first;
        ret = xstore_conn_open(l->xs, l->domid, client_send, c, &c->conn);
        if (ret == 0)
                ret = sd_event_add_io(l->ev, &c->source, fd, c->events,
                                      on_client, c);
        if (ret < 0) {
                client_free(c);
                return ret;
        }
        c->next = l->clients;
        c->link = &l->clients;
        if (c->next)
                c->next->link = &c->next;
        l->clients = c;
        l->count++;
        return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *arg)
{
        struct store_listener *l = arg;

        return sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

/* No descriptor or memory for one more: look again in a moment, not at once
 * and for ever. */
static void pause_accept(struct store_listener *l)
{
        sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
        l->retry = sd_event_source_disable_unref(l->retry);
        if (sd_event_add_time_relative(l->ev, &l->retry, CLOCK_MONOTONIC,
                                       RETRY_US, 0, on_retry, l) < 0)
                sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

static int on_accept(sd_event_source *s, int listen_fd, uint32_t revents,
                     void *arg)
{
        struct store_listener *l = arg;
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
                    errno == ENOBUFS)
                        pause_accept(l);
                return 0;
        }
        client_create(l, fd);
        return 0;
}

static int bind_at(const char *path)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd, ret;

        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        unlink(path);
        /* Before the bind: nobody else can connect at any moment. */
        if (fchmod(fd, 0600) < 0 ||
            bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
            listen(fd, SOMAXCONN) < 0) {
                ret = -errno;
                close(fd);
                return ret;
        }
        return fd;
}

int store_listen_create(struct store_listener **out, sd_event *ev,
                        struct xstore *xs, uint32_t domid,
                        const char *socket_path)
{
        struct store_listener *l = calloc(1, sizeof(*l));
        int ret = -ENOMEM;

        if (!l)
                return ret;
        l->ev = ev;
        l->xs = xs;
        l->domid = domid;
        l->fd = bind_at(socket_path);
        if (l->fd < 0) {
                ret = l->fd;
                free(l);
                return ret;
        }
        l->path = strdup(socket_path);
        if (l->path)
                ret = sd_event_add_io(ev, &l->source, l->fd, EPOLLIN, on_accept,
                                      l);
        if (ret < 0) {
                store_listen_destroy(l);
                return ret;
        }
        *out = l;
        return 0;
}

void store_listen_destroy(struct store_listener *l)
{
        if (!l)
                return;
        while (l->clients)
                /* It takes itself off the list, which clang-tidy misses. */
                client_free(l->clients); // NOLINT(*-unix.Malloc)
        sd_event_source_disable_unref(l->source);
        sd_event_source_disable_unref(l->retry);
        close(l->fd);
        if (l->path)
                unlink(l->path);
        free(l->path);
        free(l);
}

unsigned store_listen_connections(const struct store_listener *l)
{
        return l->count;
}
