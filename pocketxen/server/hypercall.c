/* SPDX-License-Identifier: MIT */
/* A domain's hypercall socket: the drop-ins' requests, one reply each. */
#include "../core/fault.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for the largest request and reply; one thread, one at a time. */
static struct {
        struct pxw_request r;
        uint32_t refs[PXW_SHARE_MAX];
} in;
static struct pxw_shared shared_out[PXW_SHARE_MAX];

struct answer {
        struct pxw_reply reply;
        int fds[2];
        unsigned nfds;
};

void srv_conn_close(struct srv_conn *c)
{
        if (c->handle)
                px_handle_close(c->handle);
        LIST_REMOVE(c, link);
        sd_event_source_disable_unref(c->source);
        close(c->fd);
        free(c);
}

bool srv_handle_is_gone(void *arg, const struct px_handle *h)
{
        struct server *s = arg;
        struct srv_domain *d;
        struct srv_conn *c;

        LIST_FOREACH(d, &s->domains, link)
        {
                LIST_FOREACH(c, &d->conns, link)
                {
                        struct pollfd p = {.fd = c->fd};

                        if (c->handle == h)
                                return poll(&p, 1, 0) > 0; /* POLLHUP */
                }
        }
        return true;
}

static int hello(struct srv_conn *c, const struct pxw_request *r,
                 struct answer *a)
{
        struct px_domain *d = c->dom->d;
        int ret;

        if (c->handle || r->b != PXW_VERSION)
                return -EPROTO;
        if (r->a < PXW_GRANTS_HANDLE || r->a > PXW_CALLS_HANDLE)
                return -EINVAL;
        ret = px_handle_open(c->dom->srv->world, d, r->a, &c->handle);
        if (ret < 0)
                return ret;
        c->handle->pid = c->pid;
        a->reply.a = c->handle->id;
        a->reply.b = d->domid;
        switch (c->handle->kind) {
        case PXW_GRANTS_HANDLE:
                a->fds[a->nfds++] = c->handle->owner_fd;
                break;
        case PXW_SHARES_HANDLE:
                a->fds[a->nfds++] = d->mem_fd;
                break;
        case PXW_EVTCHN_HANDLE:
                a->fds[a->nfds++] = c->handle->event_fd;
                a->fds[a->nfds++] = d->events_fd;
                break;
        default:
                break;
        }
        return 0;
}

static int attach(struct srv_conn *c, const struct pxw_request *r,
                  struct answer *a)
{
        uint32_t domid = r->a == PX_DOMID_SELF ? c->dom->domid : r->a;
        struct px_domain *d = px_domain_find(c->dom->srv->world, domid);

        if (!d || d->dying)
                return -ESRCH;
        a->reply.a = d->slot;
        a->reply.b = d->entries;
        a->fds[a->nfds++] = d->mem_fd;
        a->fds[a->nfds++] = d->grants_fd;
        return 0;
}

static int share(struct srv_conn *c, const struct pxw_request *r,
                 struct answer *a)
{
        int ret;

        if (r->b > PXW_SHARE_MAX || c->handle->kind != PXW_SHARES_HANDLE)
                return -EINVAL;
        /* What was unshared while mapped may be free by now. */
        if (c->dom->d->deferred)
                px_grants_settle(c->dom->d);
        ret = px_share(c->handle, r->a, r->b, r->c != 0, shared_out);
        if (ret == 0)
                a->reply.n = r->b;
        return ret;
}

static int end_share(struct srv_conn *c, const struct pxw_request *r,
                     struct answer *a)
{
        int ret = px_unshare(c->handle, in.refs, r->n);

        (void)a;
        if (c->dom->d->deferred)
                srv_settle(c->dom->srv);
        return ret;
}

static int on_unmap(struct srv_conn *c, const struct pxw_request *r,
                    struct answer *a)
{
        return px_on_unmap_add(c->handle, r, &a->reply.a);
}

static int on_unmap_fire(struct srv_conn *c, const struct pxw_request *r,
                         struct answer *a)
{
        (void)a;
        return px_on_unmap_fire(c->handle, r->a);
}

static int port_or_error(int ret, struct answer *a)
{
        if (ret < 0)
                return ret;
        a->reply.a = (uint32_t)ret;
        return 0;
}

static int ev_unbound(struct srv_conn *c, const struct pxw_request *r,
                      struct answer *a)
{
        return port_or_error(px_ev_unbound(c->handle, r->a), a);
}

static int ev_bind(struct srv_conn *c, const struct pxw_request *r,
                   struct answer *a)
{
        return port_or_error(px_ev_bind(c->handle, r->a, r->b), a);
}

static int ev_virq(struct srv_conn *c, const struct pxw_request *r,
                   struct answer *a)
{
        return port_or_error(px_ev_virq(c->handle, r->a), a);
}

static int ev_close(struct srv_conn *c, const struct pxw_request *r,
                    struct answer *a)
{
        (void)a;
        return px_ev_close(c->handle, r->a);
}

static int ev_resolve(struct srv_conn *c, const struct pxw_request *r,
                      struct answer *a)
{
        struct px_domain *rd;
        struct px_port *rp = px_ev_remote(c->handle, r->a, &rd);
        uint32_t port;

        if (!rp || !rp->handle)
                return 0;
        port = (uint32_t)(rp - rd->ports);
        a->reply.a = 1;
        a->reply.b = rd->domid;
        a->reply.c = port;
        a->reply.d = __atomic_load_n(&rd->events->ports[port].word,
                                     __ATOMIC_SEQ_CST) >>
                     2;
        a->fds[a->nfds++] = rp->handle->event_fd;
        a->fds[a->nfds++] = rd->events_fd;
        return 0;
}

static int ev_restrict(struct srv_conn *c, const struct pxw_request *r,
                       struct answer *a)
{
        (void)a;
        if (c->handle->kind != PXW_EVTCHN_HANDLE)
                return -EINVAL;
        if (c->handle->restricted)
                return -EACCES;
        c->handle->restricted = true;
        c->handle->restrict_domid = r->a;
        return 0;
}

static int ev_adopt(struct srv_conn *c, const struct pxw_request *r,
                    struct answer *a)
{
        int ret = px_ev_adopt(c->handle, r->a);

        for (uint32_t i = 1; ret == 0 && i < PXW_PORTS; i++)
                if (c->dom->d->ports[i].handle == c->handle)
                        shared_out[a->reply.n++] = (struct pxw_shared){i, 0};
        return ret;
}

static int grant_fault(struct srv_conn *c, const struct pxw_request *r,
                       struct answer *a)
{
        if (c->handle->kind != PXW_GRANTS_HANDLE)
                return -EINVAL;
        for (uint32_t i = 0; i < r->n; i++) {
                struct px_grant_verdict v =
                        px_fault_grant(c->dom->srv->world, r->a, c->dom->domid,
                                       r->b, in.refs[i]);

                shared_out[i] =
                        (struct pxw_shared){in.refs[i], (uint32_t)v.status};
                if (v.error)
                        a->reply.a = (uint32_t)v.error;
                a->reply.b += v.slow_ms;
        }
        a->reply.n = r->n;
        return 0;
}

static int ev_fault(struct srv_conn *c, const struct pxw_request *r,
                    struct answer *a)
{
        struct px_domain *rd;
        struct px_port *rp = px_ev_remote(c->handle, r->a, &rd);

        (void)a;
        if (rp && rp->handle)
                srv_fault_notify(c->dom->srv, c->dom->domid, rd,
                                 (uint32_t)(rp - rd->ports));
        return 0;
}

typedef int (*op_fn)(struct srv_conn *, const struct pxw_request *,
                     struct answer *);
static const op_fn ops[PXW_OPS] = {
        [PXW_HELLO] = hello,           [PXW_ATTACH] = attach,
        [PXW_SHARE] = share,           [PXW_UNSHARE] = end_share,
        [PXW_ON_UNMAP] = on_unmap,     [PXW_ON_UNMAP_FIRE] = on_unmap_fire,
        [PXW_EV_UNBOUND] = ev_unbound, [PXW_EV_BIND] = ev_bind,
        [PXW_EV_VIRQ] = ev_virq,       [PXW_EV_CLOSE] = ev_close,
        [PXW_EV_RESOLVE] = ev_resolve, [PXW_EV_RESTRICT] = ev_restrict,
        [PXW_EV_ADOPT] = ev_adopt,     [PXW_GRANT_FAULT] = grant_fault,
        [PXW_EV_FAULT] = ev_fault,
};

static int reply(struct srv_conn *c, struct answer *a)
{
        struct iovec iov[2] = {{&a->reply, sizeof(a->reply)},
                               {shared_out, a->reply.n * sizeof(*shared_out)}};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control = {0};
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = a->reply.n ? 2 : 1};

        if (a->nfds && !a->reply.error) {
                struct cmsghdr *cm = &control.align;

                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(a->nfds * sizeof(int));
                cm->cmsg_level = SOL_SOCKET;
                cm->cmsg_type = SCM_RIGHTS;
                cm->cmsg_len = CMSG_LEN(a->nfds * sizeof(int));
                memcpy(CMSG_DATA(cm), a->fds, a->nfds * sizeof(int));
        }
        return sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static int handle_request(struct srv_conn *c, ssize_t len)
{
        struct answer a = {0};
        int ret;

        if ((size_t)len < sizeof(in.r) || in.r.n > PXW_SHARE_MAX ||
            (size_t)len != sizeof(in.r) + in.r.n * sizeof(in.refs[0]))
                return -1;
        if (in.r.op >= PXW_OPS || !ops[in.r.op])
                ret = -ENOSYS;
        else if (in.r.op != PXW_HELLO && !c->handle)
                ret = -EPROTO;
        else if (!c->dom->d || c->dom->d->dying)
                ret = -ESRCH;
        else
                ret = ops[in.r.op](c, &in.r, &a);
        a.reply.error = -ret;
        if (ret < 0)
                a.reply.n = 0;
        return reply(c, &a);
}

static int on_conn(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
        struct srv_conn *c = arg;
        ssize_t n = recv(fd, &in, sizeof(in), MSG_DONTWAIT);

        (void)src;
        (void)revents;
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n <= 0 || handle_request(c, n) < 0) {
                struct server *s = c->dom->srv;

                srv_conn_close(c);
                srv_settle(s);
        }
        return 0;
}

static int on_listen(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
        struct srv_domain *d = arg;
        struct ucred cred = {0};
        socklen_t len = sizeof(cred);
        struct srv_conn *c;
        int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        (void)src;
        (void)revents;
        if (conn < 0)
                return 0;
        c = calloc(1, sizeof(*c));
        if (!c) {
                close(conn);
                return 0;
        }
        getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len);
        c->dom = d;
        c->fd = conn;
        c->pid = cred.pid;
        LIST_INSERT_HEAD(&d->conns, c, link);
        if (sd_event_add_io(d->srv->ev, &c->source, conn, EPOLLIN, on_conn, c) <
            0)
                srv_conn_close(c);
        return 0;
}

int srv_hypercall_listen(struct srv_domain *d)
{
        char path[SRV_PATH_BYTES + 24];
        int fd, ret;

        snprintf(path, sizeof(path), "%s/xen", d->dir);
        fd = srv_listen(path, SOCK_SEQPACKET);
        if (fd < 0)
                return fd;
        ret = sd_event_add_io(d->srv->ev, &d->listen, fd, EPOLLIN, on_listen,
                              d);
        if (ret < 0) {
                close(fd);
                return ret;
        }
        sd_event_source_set_io_fd_own(d->listen, 1);
        return 0;
}
