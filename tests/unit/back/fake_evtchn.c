/* SPDX-License-Identifier: MIT */
/* Local port = remote port + FAKE_PORTS, so that a mix-up is seen. */
#include "fake_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "xen/evtchn.h"

struct xen_evtchn {
        int fd;
};

static struct {
        bool offered, pending, masked;
        struct xen_evtchn *by;
        unsigned events;
} ports[FAKE_PORTS];
static unsigned asked;

void fake_ports_reset(void)
{
        memset(ports, 0, sizeof(ports));
}

void fake_port_offer(uint32_t remote)
{
        pthread_mutex_lock(&fake_lock);
        ports[remote].offered = true;
        pthread_mutex_unlock(&fake_lock);
}

bool fake_port_bound(uint32_t remote)
{
        bool bound;

        pthread_mutex_lock(&fake_lock);
        bound = ports[remote].by;
        pthread_mutex_unlock(&fake_lock);
        return bound;
}

static void signal_if_due(unsigned p)
{
        uint64_t one = 1;

        if (ports[p].by && ports[p].pending && !ports[p].masked)
                (void)!write(ports[p].by->fd, &one, sizeof(one));
}

bool fake_port_kick(uint32_t remote)
{
        bool bound;

        pthread_mutex_lock(&fake_lock);
        bound = ports[remote].by;
        if (bound) {
                ports[remote].pending = true;
                signal_if_due(remote);
        }
        pthread_mutex_unlock(&fake_lock);
        return bound;
}

unsigned fake_port_events(uint32_t remote)
{
        unsigned n;

        pthread_mutex_lock(&fake_lock);
        n = ports[remote].events;
        pthread_mutex_unlock(&fake_lock);
        return n;
}

/* ---- xen/evtchn.h --------------------------------------------------------*/

int xen_evtchn_open(struct xen_evtchn **x)
{
        *x = calloc(1, sizeof(**x));
        (*x)->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        fake_handles(1);
        return 0;
}

void xen_evtchn_close(struct xen_evtchn *x)
{
        if (!x)
                return;
        fake_handles(-1);
        close(x->fd);
        free(x);
}

int xen_evtchn_fd(struct xen_evtchn *x)
{
        return x->fd;
}

int xen_evtchn_bind_interdomain(struct xen_evtchn *x, uint32_t domid,
                                uint32_t remote)
{
        int ret = -EINVAL;

        pthread_mutex_lock(&fake_lock);
        if (remote < FAKE_PORTS && ports[remote].offered && !ports[remote].by) {
                ports[remote].by = x;
                ports[remote].pending = ports[remote].masked = false;
                ret = (int)(remote + FAKE_PORTS);
        }
        pthread_mutex_unlock(&fake_lock);
        return ret;
}

void xen_evtchn_unbind(struct xen_evtchn *x, int port)
{
        if (port < 0)
                return;
        pthread_mutex_lock(&fake_lock);
        if (ports[port - (int)FAKE_PORTS].by != x)
                abort();
        ports[port - (int)FAKE_PORTS].by = NULL;
        pthread_mutex_unlock(&fake_lock);
}

int xen_evtchn_notify(struct xen_evtchn *x, int port)
{
        pthread_mutex_lock(&fake_lock);
        if (ports[port - (int)FAKE_PORTS].by != x)
                abort();
        ports[port - (int)FAKE_PORTS].events++;
        pthread_mutex_unlock(&fake_lock);
        return 0;
}

static bool is_due(const struct xen_evtchn *x, unsigned p)
{
        return ports[p].by == x && ports[p].pending && !ports[p].masked;
}

int xen_evtchn_pending(struct xen_evtchn *x)
{
        unsigned p = 0, next;
        int ret = -EAGAIN;
        uint64_t n;

        pthread_mutex_lock(&fake_lock);
        asked++;
        while (p < FAKE_PORTS && !is_due(x, p))
                p++;
        if (p < FAKE_PORTS) {
                ports[p].pending = false;
                ports[p].masked = true;
                ret = (int)(p + FAKE_PORTS);
        }
        next = p;
        while (next < FAKE_PORTS && !is_due(x, next))
                next++;
        if (next == FAKE_PORTS)
                (void)!read(x->fd, &n, sizeof(n));
        pthread_mutex_unlock(&fake_lock);
        return ret;
}

unsigned fake_ports_asked(void)
{
        unsigned n;

        pthread_mutex_lock(&fake_lock);
        n = asked;
        pthread_mutex_unlock(&fake_lock);
        return n;
}

int xen_evtchn_unmask(struct xen_evtchn *x, int port)
{
        unsigned p = (unsigned)port - FAKE_PORTS;

        pthread_mutex_lock(&fake_lock);
        ports[p].masked = false;
        signal_if_due(p);
        pthread_mutex_unlock(&fake_lock);
        return 0;
}
