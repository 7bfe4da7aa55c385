/* SPDX-License-Identifier: MIT */
#include "xs_ring.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define PAGE 4096
#define PATIENCE_MS 20000

struct xs_ring {
        struct xenstore_domain_interface *page;
        int events;
        int port;
        struct sockaddr_un server;
};

struct xs_ring *xs_ring_open(const char *dir, int domid)
{
        struct xs_ring *r = calloc(1, sizeof(*r));
        char path[200];
        int fd;

        if (!r)
                return NULL;
        snprintf(path, sizeof(path), "%s/ring-%d", dir, domid);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
                r->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                               fd, 0);
                close(fd);
        }
        r->port = 100 + domid; /* as xenstored_shim.c numbers them */
        r->events = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        r->server.sun_family = AF_UNIX;
        snprintf(r->server.sun_path, sizeof(r->server.sun_path), "%s/events",
                 dir);
        if (!r->page || r->page == MAP_FAILED || r->events < 0) {
                free(r);
                return NULL;
        }
        return r;
}

static void kick(struct xs_ring *r)
{
        sendto(r->events, &r->port, sizeof(r->port), 0,
               (struct sockaddr *)&r->server, sizeof(r->server));
}

/* False when the other side has moved nothing for too long. */
static bool wait_a_moment(struct xs_ring *r, int *waited_ms)
{
        kick(r);
        usleep(1000);
        return ++*waited_ms < PATIENCE_MS;
}

bool xs_ring_read(struct xs_ring *r, void *buf, size_t len)
{
        struct xenstore_domain_interface *p = r->page;
        uint8_t *to = buf;
        int waited = 0;

        while (len) {
                if (__atomic_load_n(&p->rsp_prod, __ATOMIC_ACQUIRE) ==
                    p->rsp_cons) {
                        if (!wait_a_moment(r, &waited))
                                return false;
                        continue;
                }
                *to++ = (uint8_t)p->rsp[MASK_XENSTORE_IDX(p->rsp_cons)];
                __atomic_store_n(&p->rsp_cons, p->rsp_cons + 1,
                                 __ATOMIC_RELEASE);
                len--;
        }
        kick(r);
        return true;
}

bool xs_ring_write(struct xs_ring *r, const void *buf, size_t len)
{
        struct xenstore_domain_interface *p = r->page;
        const uint8_t *from = buf;
        int waited = 0;

        while (len) {
                uint32_t cons = __atomic_load_n(&p->req_cons, __ATOMIC_ACQUIRE);

                if (p->req_prod - cons >= XENSTORE_RING_SIZE) {
                        if (!wait_a_moment(r, &waited))
                                return false;
                        continue;
                }
                p->req[MASK_XENSTORE_IDX(p->req_prod)] = (char)*from++;
                __atomic_store_n(&p->req_prod, p->req_prod + 1,
                                 __ATOMIC_RELEASE);
                len--;
        }
        kick(r);
        return true;
}
