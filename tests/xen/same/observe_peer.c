/* SPDX-License-Identifier: MIT */
/* What needs two domains: permissions, quotas' errors, a domain's death. The
 * guest's half says what it did in data/observe; Dom0's half ends the guest
 * by asking for it (a line on its output) and waits until it is gone. */
#include "observe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

static void guest_store(struct xs_handle *h)
{
        unsigned len;
        char *value;

        print_int("guest: write a node of another domain",
                  xs_write(h, XBT_NULL, "/local/domain/0/x", "", 0) ? 0 : -1);
        print_int("guest: write to the root",
                  xs_write(h, XBT_NULL, "/x", "", 0) ? 0 : -1);
        value = xs_read(h, XBT_NULL, "domid", &len);
        print_pointer("guest: read the own domid", value);
        free(value);
        value = xs_read(h, XBT_NULL, "/local/domain/0/eg-secret", &len);
        print_pointer("guest: read another's node", value);
        free(value);
        print_int("guest: introduce a domain",
                  xs_introduce_domain(h, 50, 1, 1) ? 0 : -1);
}

void observe_guest(void)
{
        struct xs_handle *h = xs_open(0);
        xengntshr_handle *gs = xengntshr_open(NULL, 0);
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        xenevtchn_handle *ev = xenevtchn_open(NULL, 0);
        uint32_t refs[2], other;
        char text[100], *own;
        char *shared = xengntshr_share_pages(gs, 0, 2, refs, 1);
        int port = xenevtchn_bind_unbound_port(ev, 0);

        guest_store(h);
        own = xengntshr_share_pages(gs, 0, 1, &other, 1);
        strcpy(own, "for Domain-0");
        print_pointer("guest: map what is granted to another",
                      xengnttab_map_grant_ref(gt, 1000, other, PROT_READ));
        strcpy(shared, "the guest's");
        snprintf(text, sizeof(text), "%u %u %d", refs[0], refs[1], port);
        xs_write(h, XBT_NULL, "data/observe", text, (unsigned)strlen(text));
        fflush(stdout);
        pause();
}

static void wait_dead(struct xs_handle *h, uint32_t guest)
{
        for (int i = 0; i < 3000 && xs_is_domain_introduced(h, guest); i++)
                usleep(20000);
        printf("the guest is introduced: %d\n",
               xs_is_domain_introduced(h, guest));
}

void observe_death(uint32_t guest)
{
        struct xs_handle *h = xs_open(0);
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        xenevtchn_handle *ev = xenevtchn_open(NULL, 0);
        unsigned refs[2] = {0, 0}, port = 0, len;
        char path[100], *text = NULL, *page;
        int bound;

        snprintf(path, sizeof(path), "/local/domain/%u/data/observe", guest);
        for (int i = 0; i < 3000 && !text; i++) {
                text = xs_read(h, XBT_NULL, path, &len);
                if (!text)
                        usleep(20000);
        }
        if (!text || sscanf(text, "%u %u %u", &refs[0], &refs[1], &port) != 3)
                print_text("the guest", "says nothing");
        free(text);
        page = xengnttab_map_grant_ref(gt, guest, refs[0],
                                       PROT_READ | PROT_WRITE);
        print_pointer("map the guest's page", page);
        print_text("it reads", page ? page : "");
        bound = xenevtchn_bind_interdomain(ev, guest, port);
        print_int("bind the guest's port", bound > 0 ? 1 : bound);
        print_text("now", "destroy the guest");
        wait_dead(h, guest);
        print_text("its page still reads", page ? page : "");
        print_pointer("map its other page",
                      xengnttab_map_grant_ref(gt, guest, refs[1], PROT_READ));
        print_int("notify it", xenevtchn_notify(ev, (evtchn_port_t)bound));
        text = xs_read(h, XBT_NULL, path, &len);
        print_pointer("its nodes", text);
        free(text);
        print_int("unmap its page", xengnttab_unmap(gt, page, 1));
        xenevtchn_close(ev);
        xengnttab_close(gt);
        xs_close(h);
}
