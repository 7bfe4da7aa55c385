/* SPDX-License-Identifier: MIT */
#include "evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <xenevtchn.h>

#include "quiet.h"

struct xen_evtchn {
        xenevtchn_handle *handle;
};

/* xenevtchn.h says that xenevtchn_pending may block all the same; it is a read
 * of this descriptor, and Linux's event-channel device does what this asks. A
 * poll before each would be a system call more. */
static int set_nonblock(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int xen_evtchn_open(struct xen_evtchn **x)
{
        struct xen_evtchn *new = calloc(1, sizeof(*new));
        int ret;

        *x = NULL;
        if (!new)
                return -ENOMEM;
        errno = 0;
        new->handle = xenevtchn_open(xen_quiet_logger(), 0);
        if (!new->handle || set_nonblock(xenevtchn_fd(new->handle)) < 0) {
                ret = xen_call_error();
                xen_evtchn_close(new);
                return ret;
        }
        *x = new;
        return 0;
}

void xen_evtchn_close(struct xen_evtchn *x)
{
        if (!x)
                return;
        if (x->handle)
                xenevtchn_close(x->handle);
        free(x);
}

int xen_evtchn_fd(struct xen_evtchn *x)
{
        return xenevtchn_fd(x->handle);
}

int xen_evtchn_bind_unbound(struct xen_evtchn *x, uint32_t domid)
{
        int port = xenevtchn_bind_unbound_port(x->handle, domid);

        return port < 0 ? xen_call_error() : port;
}

int xen_evtchn_bind_interdomain(struct xen_evtchn *x, uint32_t domid,
                                uint32_t remote_port)
{
        int port = xenevtchn_bind_interdomain(x->handle, domid, remote_port);

        return port < 0 ? xen_call_error() : port;
}

void xen_evtchn_unbind(struct xen_evtchn *x, int port)
{
        if (port >= 0)
                (void)xenevtchn_unbind(x->handle, (evtchn_port_t)port);
}

int xen_evtchn_notify(struct xen_evtchn *x, int port)
{
        if (xenevtchn_notify(x->handle, (evtchn_port_t)port) < 0)
                return xen_call_error();
        return 0;
}

int xen_evtchn_pending(struct xen_evtchn *x)
{
        int port = xenevtchn_pending(x->handle);

        return port < 0 ? xen_call_error() : port;
}

int xen_evtchn_unmask(struct xen_evtchn *x, int port)
{
        if (xenevtchn_unmask(x->handle, (evtchn_port_t)port) < 0)
                return xen_call_error();
        return 0;
}
