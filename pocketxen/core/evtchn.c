/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* A port starts a new life: nothing pending, not masked, and whoever knows its
 * old generation is told STALE. */
static void renew(struct px_domain *d, uint32_t port)
{
        struct pxw_port *p = &d->events->ports[port];
        uint32_t word = __atomic_load_n(&p->word, __ATOMIC_RELAXED);

        __atomic_store_n(&p->word, ((word >> 2) + 1) << 2, __ATOMIC_SEQ_CST);
}

static void binding_changed(struct px_domain *d, uint32_t port)
{
        __atomic_add_fetch(&d->events->ports[port].binding, 1,
                           __ATOMIC_SEQ_CST);
}

static int new_port(struct px_handle *h, enum px_port_state state,
                    uint32_t remote_domid, uint32_t remote_port)
{
        struct px_domain *d = h->dom;

        for (uint32_t i = 1; i < PXW_PORTS; i++) {
                if (d->ports[i].state != PX_PORT_FREE)
                        continue;
                d->ports[i] =
                        (struct px_port){state, h, remote_domid, remote_port};
                renew(d, i);
                binding_changed(d, i);
                return (int)i;
        }
        return -ENOSPC;
}

static int check(const struct px_handle *h, uint32_t domid)
{
        if (h->kind != PXW_EVTCHN_HANDLE)
                return -EINVAL;
        if (h->restricted && h->restrict_domid != domid)
                return -EACCES;
        return 0;
}

int px_ev_unbound(struct px_handle *h, uint32_t remote_domid)
{
        int ret = h->restricted ? -EACCES : check(h, remote_domid);

        if (ret < 0)
                return ret;
        if (remote_domid == PX_DOMID_SELF)
                remote_domid = h->dom->domid;
        return new_port(h, PX_PORT_UNBOUND, remote_domid, 0);
}

int px_ev_bind(struct px_handle *h, uint32_t remote_domid, uint32_t remote_port)
{
        struct px_domain *rd;
        struct px_port *rp;
        int port, ret = check(h, remote_domid);

        if (ret < 0)
                return ret;
        if (remote_domid == PX_DOMID_SELF)
                remote_domid = h->dom->domid;
        rd = px_domain_find(h->world, remote_domid);
        if (!rd || rd->dying)
                return -ESRCH;
        if (remote_port == 0 || remote_port >= PXW_PORTS)
                return -EINVAL;
        rp = &rd->ports[remote_port];
        if (rp->state != PX_PORT_UNBOUND || rp->remote_domid != h->dom->domid)
                return -EINVAL;
        port = new_port(h, PX_PORT_CONNECTED, remote_domid, remote_port);
        if (port < 0)
                return port;
        rp->state = PX_PORT_CONNECTED;
        rp->remote_port = (uint32_t)port;
        binding_changed(rd, remote_port);
        /* Xen does this too: the peer may have notified before we came. */
        px_ev_raise(h->dom, (uint32_t)port);
        return port;
}

int px_ev_virq(struct px_handle *h, uint32_t virq)
{
        struct px_domain *d = h->dom;

        if (h->restricted)
                return -EACCES;
        if (h->kind != PXW_EVTCHN_HANDLE || virq >= 24)
                return -EINVAL;
        if (virq == PX_VIRQ_DOM_EXC && d->domid != 0)
                return -EPERM;
        for (uint32_t i = 1; i < PXW_PORTS; i++)
                if (d->ports[i].state == PX_PORT_VIRQ &&
                    d->ports[i].remote_port == virq)
                        return -EEXIST;
        return new_port(h, PX_PORT_VIRQ, d->domid, virq);
}

/* A token for a port that is pending no more would wake its handle for
 * nothing; take it back without ever blocking. */
static void drop_token(struct px_domain *d, uint32_t port)
{
        uint32_t w =
                __atomic_load_n(&d->events->ports[port].word, __ATOMIC_SEQ_CST);
        uint64_t token;
        struct iovec iov = {&token, sizeof(token)};

        if ((w & (PXW_EV_PENDING | PXW_EV_MASKED)) == PXW_EV_PENDING)
                (void)!preadv2(d->ports[port].handle->event_fd, &iov, 1, -1,
                               RWF_NOWAIT);
}

static void close_port(struct px_domain *d, uint32_t port, struct px_world *w)
{
        struct px_port *p = &d->ports[port];
        struct px_domain *rd;

        if (p->state == PX_PORT_CONNECTED) {
                rd = px_domain_find(w, p->remote_domid);
                /* The other end waits for a new connection from us. */
                if (rd &&
                    rd->ports[p->remote_port].state == PX_PORT_CONNECTED) {
                        rd->ports[p->remote_port].state = PX_PORT_UNBOUND;
                        rd->ports[p->remote_port].remote_port = 0;
                        binding_changed(rd, p->remote_port);
                }
        }
        drop_token(d, port);
        *p = (struct px_port){0};
        renew(d, port);
        binding_changed(d, port);
}

int px_ev_close(struct px_handle *h, uint32_t port)
{
        if (port == 0 || port >= PXW_PORTS || h->dom->ports[port].handle != h)
                return -ENOTCONN;
        close_port(h->dom, port, h->world);
        return 0;
}

void px_ev_close_all(struct px_handle *h)
{
        if (h->kind != PXW_EVTCHN_HANDLE)
                return;
        for (uint32_t i = 1; i < PXW_PORTS; i++)
                if (h->dom->ports[i].handle == h)
                        close_port(h->dom, i, h->world);
}

struct px_port *px_ev_remote(struct px_handle *h, uint32_t port,
                             struct px_domain **d)
{
        const struct px_port *p;

        if (port == 0 || port >= PXW_PORTS || h->dom->ports[port].handle != h)
                return NULL;
        p = &h->dom->ports[port];
        if (p->state != PX_PORT_CONNECTED)
                return NULL;
        *d = px_domain_find(h->world, p->remote_domid);
        return *d ? &(*d)->ports[p->remote_port] : NULL;
}

void px_ev_raise(struct px_domain *d, uint32_t port)
{
        struct pxw_port *p = &d->events->ports[port];
        uint32_t w = __atomic_load_n(&p->word, __ATOMIC_SEQ_CST);
        uint64_t token = 1;

        if (!d->ports[port].handle)
                return;
        if (pxw_raise(p, w >> 2) == PXW_RAISE_WAKE)
                (void)!write(d->ports[port].handle->event_fd, &token,
                             sizeof(token));
}

void px_ev_raise_virq(struct px_world *w, uint32_t virq)
{
        for (unsigned s = 0; s < PXW_SLOTS; s++) {
                struct px_domain *d = w->domains[s];

                for (uint32_t i = 1; d && i < PXW_PORTS; i++)
                        if (d->ports[i].state == PX_PORT_VIRQ &&
                            d->ports[i].remote_port == virq)
                                px_ev_raise(d, i);
        }
}

int px_ev_adopt(struct px_handle *h, uint32_t event_fd_id)
{
        struct px_handle *old;

        /* Only such a handle gives its ports back when it is closed. */
        if (h->kind != PXW_EVTCHN_HANDLE)
                return -EINVAL;
        LIST_FOREACH(old, &h->world->handles, link)
        if (old != h && old->kind == PXW_EVTCHN_HANDLE && old->dom == h->dom &&
            old->event_fd_id == event_fd_id)
                break;
        if (!old || !event_fd_id)
                return -ENOENT;
        for (uint32_t i = 1; i < PXW_PORTS; i++)
                if (h->dom->ports[i].handle == old)
                        h->dom->ports[i].handle = h;
        int fd = h->event_fd;

        h->event_fd = old->event_fd;
        h->event_fd_id = old->event_fd_id;
        h->restricted = old->restricted;
        h->restrict_domid = old->restrict_domid;
        old->event_fd = fd;
        old->event_fd_id = 0;
        return 0;
}
