/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <xenevtchn.h>
#include <xengnttab.h>

/* Whether an event waits; half a second is given to those that shall come. */
static int readable(xenevtchn_handle *h, int wanted)
{
        struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

        return poll(&p, 1, wanted ? 5000 : 300) == 1;
}

/* Takes one event; says only whether it is the port that it should be. */
static void take(const char *what, xenevtchn_handle *h, int port)
{
        if (!readable(h, 1))
                printf("%s: no event\n", what);
        else
                printf("%s: %s\n", what,
                       xenevtchn_pending(h) == port ? "that port" : "another");
}

static void none(const char *what, xenevtchn_handle *h)
{
        printf("%s: %s\n", what, readable(h, 0) ? "an event" : "no event");
}

static void sign(const char *what, int ret)
{
        print_int(what, ret > 0 ? 1 : ret);
}

static void rebind(uint32_t self, xenevtchn_handle *a, int port)
{
        xenevtchn_handle *b = xenevtchn_open(NULL, 0);
        int other = xenevtchn_bind_interdomain(b, self, (uint32_t)port);

        sign("bind again after the peer's unbind", other);
        take("which raises an event", b, other);
        print_int("close the peer's handle", xenevtchn_close(b));
        print_int("notify nobody", xenevtchn_notify(a, (uint32_t)port));
        none("after the close", a);
}

static void unmap_notify(uint32_t self, xenevtchn_handle *a)
{
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        xengntshr_handle *gs = xengntshr_open(NULL, 0);
        xenevtchn_handle *b = xenevtchn_open(NULL, 0);
        int port = xenevtchn_bind_unbound_port(a, self);
        int other = xenevtchn_bind_interdomain(b, self, (uint32_t)port);
        uint32_t ref;
        char *shared = xengntshr_share_pages(gs, self, 1, &ref, 1), *mapped;

        shared[9] = 1;
        mapped = xengnttab_map_grant_ref_notify(
                gt, self, ref, PROT_READ | PROT_WRITE, 9, (uint32_t)other);
        print_pointer("map with a notice of the unmap", mapped);
        printf("the byte is %d\n", shared[9]);
        print_int("unmap", xengnttab_unmap(gt, mapped, 1));
        printf("the byte is %d\n", shared[9]);
        take("the unmap's event", a, port);
        xenevtchn_close(b);
        xengntshr_unshare(gs, shared, 1);
        xengntshr_close(gs);
        xengnttab_close(gt);
}

void observe_events(uint32_t self)
{
        xenevtchn_handle *a = xenevtchn_open(NULL, 0);
        xenevtchn_handle *b = xenevtchn_open(NULL, 0);
        int port = xenevtchn_bind_unbound_port(a, self), other;

        print_pointer("xenevtchn_open", a);
        sign("bind_unbound_port", port);
        sign("for a domain that is not there",
             xenevtchn_bind_unbound_port(a, 777));
        none("an unbound port", a);
        print_int("notify an unbound port",
                  xenevtchn_notify(a, (uint32_t)port));
        sign("bind to a port that is not there",
             xenevtchn_bind_interdomain(b, self, 3000));
        sign("bind to a domain that is not there",
             xenevtchn_bind_interdomain(b, 777, (uint32_t)port));
        other = xenevtchn_bind_interdomain(b, self, (uint32_t)port);
        sign("bind_interdomain", other);
        take("binding raises an event at the binder", b, other);
        print_int("unmask", xenevtchn_unmask(b, (uint32_t)other));
        none("nothing else", a);
        sign("bind to a bound port",
             xenevtchn_bind_interdomain(b, self, (uint32_t)port));
        print_int("notify", xenevtchn_notify(b, (uint32_t)other));
        print_int("notify again", xenevtchn_notify(b, (uint32_t)other));
        take("the event", a, port);
        none("once for both", a);
        print_int("notify a masked port", xenevtchn_notify(b, (uint32_t)other));
        none("while masked", a);
        print_int("unmask", xenevtchn_unmask(a, (uint32_t)port));
        take("it was not lost", a, port);
        print_int("unmask", xenevtchn_unmask(a, (uint32_t)port));
        print_int("the other way", xenevtchn_notify(a, (uint32_t)port));
        take("the event", b, other);
        print_int("notify another handle's port",
                  xenevtchn_notify(a, (uint32_t)other));
        print_int("unmask another handle's port",
                  xenevtchn_unmask(a, (uint32_t)other));
        print_int("unbind another handle's port",
                  xenevtchn_unbind(a, (uint32_t)other));
        print_int("unbind", xenevtchn_unbind(b, (uint32_t)other));
        print_int("unbind again", xenevtchn_unbind(b, (uint32_t)other));
        rebind(self, a, port);
        unmap_notify(self, a);
        print_int("close", xenevtchn_close(b));
        print_int("close", xenevtchn_close(a));
}
