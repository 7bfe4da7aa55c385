/* SPDX-License-Identifier: MIT */
/* libxenevtchn.so.1 on pocketxen. Binding asks the server; notify, pending and
 * unmask work on shared memory and eventfds, one write or read each. */
#include "conn.h"
#include "../wire_evtchn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>

#define PX_PUBLIC __attribute__((visibility("default")))

/* The other end of a port of ours, as last asked for. */
struct peer {
        uint32_t binding; /* of our port then; 0: never asked */
        bool connected;
        uint32_t generation;
        int event_fd;
        struct pxw_events *events; /* the peer domain's; one map a peer */
        uint32_t port;
};

struct xenevtchn_handle {
        struct px_conn conn;
        pthread_mutex_t lock; /* peers */
        int event_fd;
        struct pxw_events *events;
        uint64_t mine[PXW_PORTS / 64]; /* ports bound through this handle */
        uint32_t next;                 /* where the scan goes on */
        struct peer peers[PXW_PORTS];
};

static struct pxw_events *map_events(int fd)
{
        void *p = mmap(NULL, sizeof(struct pxw_events), PROT_READ | PROT_WRITE,
                       MAP_SHARED, fd, 0);

        close(fd);
        return p == MAP_FAILED ? NULL : p;
}

static xenevtchn_handle *open_handle(bool cloexec, int adopt)
{
        xenevtchn_handle *h = calloc(1, sizeof(*h));
        int fds[2];

        if (!h)
                return NULL;
        if (px_conn_open(&h->conn, PXW_EVTCHN_HANDLE, cloexec, fds) < 0) {
                free(h);
                return NULL;
        }
        pthread_mutex_init(&h->lock, NULL);
        h->events = map_events(fds[1]);
        h->event_fd = fds[0];
        if (adopt >= 0) {
                close(fds[0]);
                h->event_fd = adopt;
        } else if (!cloexec) {
                /* Meant to be passed through exec: the server sent it with
                 * close-on-exec. */
                h->event_fd = dup(fds[0]);
                close(fds[0]);
        }
        if (!h->events || h->event_fd < 0) {
                xenevtchn_close(h);
                errno = ENOMEM;
                return NULL;
        }
        return h;
}

PX_PUBLIC xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                           unsigned int flags)
{
        (void)logger;
        if (flags & ~XENEVTCHN_NO_CLOEXEC) {
                errno = EINVAL;
                return NULL;
        }
        return open_handle(!(flags & XENEVTCHN_NO_CLOEXEC), -1);
}

static int call(xenevtchn_handle *h, uint32_t op, uint32_t a, uint32_t b,
                struct pxw_reply *reply)
{
        struct pxw_request r = {.op = op, .a = a, .b = b};

        return px_call(&h->conn, &r, NULL, reply, NULL, 0, NULL);
}

PX_PUBLIC xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger,
                                             int fd, unsigned open_flags)
{
        struct pxw_request r = {.op = PXW_EV_ADOPT, .a = pxw_eventfd_id(fd)};
        struct pxw_shared *ports;
        struct pxw_reply reply;
        xenevtchn_handle *h;
        int ret;

        (void)logger;
        if (open_flags) {
                errno = EINVAL;
                return NULL;
        }
        h = open_handle(true, fd);
        if (!h)
                return NULL;
        ports = calloc(PXW_PORTS, sizeof(*ports));
        ret = ports ? px_call(&h->conn, &r, NULL, &reply, ports, PXW_PORTS,
                              NULL)
                    : -1;
        for (uint32_t i = 0; ret == 0 && i < reply.n; i++)
                h->mine[ports[i].ref / 64 % (PXW_PORTS / 64)] |=
                        1ull << ports[i].ref % 64;
        free(ports);
        if (ret < 0) {
                int e = errno;

                h->event_fd = -1; /* stays the caller's */
                xenevtchn_close(h);
                errno = e;
                return NULL;
        }
        return h;
}

PX_PUBLIC int xenevtchn_close(xenevtchn_handle *h)
{
        if (!h)
                return 0;
        for (unsigned i = 0; i < PXW_PORTS; i++) {
                if (h->peers[i].events)
                        munmap(h->peers[i].events, sizeof(*h->events));
                if (h->peers[i].connected)
                        close(h->peers[i].event_fd);
        }
        if (h->events)
                munmap(h->events, sizeof(*h->events));
        if (h->event_fd >= 0)
                close(h->event_fd);
        px_conn_close(&h->conn);
        free(h);
        return 0;
}

PX_PUBLIC int xenevtchn_fd(xenevtchn_handle *h)
{
        return h->event_fd;
}

static int bound(xenevtchn_handle *h, int ret, const struct pxw_reply *reply)
{
        if (ret < 0)
                return -1;
        __atomic_or_fetch(&h->mine[reply->a / 64], 1ull << reply->a % 64,
                          __ATOMIC_SEQ_CST);
        return (int)reply->a;
}

PX_PUBLIC xenevtchn_port_or_error_t
xenevtchn_bind_unbound_port(xenevtchn_handle *h, uint32_t domid)
{
        struct pxw_reply reply;

        return bound(h, call(h, PXW_EV_UNBOUND, domid, 0, &reply), &reply);
}

PX_PUBLIC xenevtchn_port_or_error_t xenevtchn_bind_interdomain(
        xenevtchn_handle *h, uint32_t domid, evtchn_port_t remote_port)
{
        struct pxw_reply reply;

        return bound(h, call(h, PXW_EV_BIND, domid, remote_port, &reply),
                     &reply);
}

PX_PUBLIC xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *h,
                                                        unsigned int virq)
{
        struct pxw_reply reply;

        return bound(h, call(h, PXW_EV_VIRQ, virq, 0, &reply), &reply);
}

static bool is_mine(const xenevtchn_handle *h, evtchn_port_t port)
{
        return port > 0 && port < PXW_PORTS &&
               (__atomic_load_n(&h->mine[port / 64], __ATOMIC_SEQ_CST) >>
                        (port % 64) &
                1);
}

static void forget_peer(struct peer *p)
{
        if (p->connected)
                close(p->event_fd);
        if (p->events)
                munmap(p->events, sizeof(*p->events));
        *p = (struct peer){0};
}

PX_PUBLIC int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
        struct pxw_reply reply;

        if (!is_mine(h, port)) {
                errno = ENOTCONN;
                return -1;
        }
        __atomic_and_fetch(&h->mine[port / 64], ~(1ull << port % 64),
                           __ATOMIC_SEQ_CST);
        pthread_mutex_lock(&h->lock);
        forget_peer(&h->peers[port]);
        pthread_mutex_unlock(&h->lock);
        return call(h, PXW_EV_CLOSE, port, 0, &reply);
}

/* Asks who is at the other end. The binding is read first: if it changes
 * meanwhile, the next notify asks again. */
static int resolve(xenevtchn_handle *h, evtchn_port_t port)
{
        struct pxw_request r = {.op = PXW_EV_RESOLVE, .a = port};
        struct peer *p = &h->peers[port];
        uint32_t binding = __atomic_load_n(&h->events->ports[port].binding,
                                           __ATOMIC_SEQ_CST);
        struct pxw_reply reply;
        int fds[2];

        forget_peer(p);
        if (px_call(&h->conn, &r, NULL, &reply, NULL, 0, fds) < 0)
                return -1;
        p->binding = binding;
        if (!reply.a)
                return 0;
        p->events = map_events(fds[1]);
        if (!p->events) {
                close(fds[0]);
                errno = ENOMEM;
                return -1;
        }
        p->connected = true;
        p->event_fd = fds[0];
        p->port = reply.c;
        p->generation = reply.d;
        return 0;
}

static bool raise_peer(struct peer *p)
{
        uint64_t token = 1;

        switch (pxw_raise(&p->events->ports[p->port], p->generation)) {
        case PXW_RAISE_STALE:
                return false;
        case PXW_RAISE_WAKE:
                (void)!write(p->event_fd, &token, sizeof(token));
                return true;
        case PXW_RAISE_QUIET:
                return true;
        }
        return true;
}

/* A fault is set for what this domain gets: the server sees to the event. */
static bool faulty(const struct peer *p)
{
        return __builtin_expect(
                __atomic_load_n(&p->events->faults, __ATOMIC_RELAXED), 0);
}

PX_PUBLIC int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
        struct pxw_reply reply;
        struct peer *p;
        int ret = 0;

        if (!is_mine(h, port) || !px_conn_mine(&h->conn)) {
                errno = ENOTCONN;
                return -1;
        }
        p = &h->peers[port];
        pthread_mutex_lock(&h->lock);
        /* At most twice: a peer that closes meanwhile is no error. */
        for (int i = 0; i < 2 && ret == 0; i++) {
                if (p->binding !=
                    __atomic_load_n(&h->events->ports[port].binding,
                                    __ATOMIC_SEQ_CST))
                        ret = resolve(h, port);
                if (ret < 0 || !p->connected)
                        break;
                if (faulty(p)) {
                        ret = call(h, PXW_EV_FAULT, port, 0, &reply);
                        break;
                }
                if (raise_peer(p))
                        break;
                p->binding = 0;
        }
        pthread_mutex_unlock(&h->lock);
        return ret;
}

static int take_any(xenevtchn_handle *h)
{
        for (uint32_t i = 0; i < PXW_PORTS / 64; i++) {
                uint32_t w = (h->next / 64 + i) % (PXW_PORTS / 64);
                uint64_t bits = __atomic_load_n(&h->mine[w], __ATOMIC_SEQ_CST);

                for (; bits; bits &= bits - 1) {
                        uint32_t port =
                                w * 64 + (uint32_t)__builtin_ctzll(bits);

                        if (pxw_take(&h->events->ports[port])) {
                                h->next = port + 1;
                                return (int)port;
                        }
                }
        }
        return -1;
}

PX_PUBLIC xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
        uint64_t token;
        int port;

        for (;;) {
                if (read(h->event_fd, &token, sizeof(token)) < 0)
                        return -1;
                port = take_any(h);
                if (port >= 0)
                        return port;
        }
}

PX_PUBLIC int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
        uint64_t token = 1;

        /* Linux passes over what is not this handle's. */
        if (!is_mine(h, port))
                return 0;
        if (pxw_unmask(&h->events->ports[port]))
                (void)!write(h->event_fd, &token, sizeof(token));
        return 0;
}

PX_PUBLIC int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
        struct pxw_reply reply;

        return call(h, PXW_EV_RESTRICT, domid, 0, &reply);
}
