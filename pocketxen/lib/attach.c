/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct px_attached *attached;

void px_attach_lock(void)
{
        pthread_mutex_lock(&lock);
}

void px_attach_unlock(void)
{
        pthread_mutex_unlock(&lock);
}

bool px_attach_dying(const struct px_attached *a)
{
        return __atomic_load_n(&a->g.header->dying, __ATOMIC_RELAXED) != 0;
}

/* Under the lock. */
static void sweep(void)
{
        struct px_attached **p = &attached, *a;

        while ((a = *p)) {
                if (__atomic_load_n(&a->users, __ATOMIC_ACQUIRE) ||
                    !px_attach_dying(a)) {
                        p = &a->next;
                        continue;
                }
                *p = a->next;
                munmap(a->map, a->map_bytes);
                close(a->mem_fd);
                free(a);
        }
}

void px_attach_sweep(void)
{
        pthread_mutex_lock(&lock);
        sweep();
        pthread_mutex_unlock(&lock);
}

static struct px_attached *fetch(struct px_conn *c, uint32_t domid)
{
        struct pxw_request r = {.op = PXW_ATTACH, .a = domid};
        struct px_attached *a = calloc(1, sizeof(*a));
        struct pxw_reply reply;
        int fds[2];

        if (!a) {
                errno = ENOMEM;
                return NULL;
        }
        if (px_call(c, &r, NULL, &reply, NULL, 0, fds) < 0)
                goto no_fds;
        a->domid = domid;
        a->slot = reply.a;
        a->mem_fd = fds[0];
        a->map_bytes = pxw_grant_bytes(reply.b);
        a->map = mmap(NULL, a->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      fds[1], 0);
        close(fds[1]);
        if (a->map == MAP_FAILED) {
                close(fds[0]);
                errno = ENOMEM;
                goto no_fds;
        }
        a->g = pxw_grants_at(a->map, reply.b);
        return a;
no_fds:
        free(a);
        return NULL;
}

struct px_attached *px_attach(struct px_conn *c, uint32_t domid)
{
        struct px_attached *a;

        pthread_mutex_lock(&lock);
        for (a = attached; a; a = a->next)
                if (a->domid == domid && !px_attach_dying(a))
                        break;
        if (!a) {
                sweep();
                a = fetch(c, domid);
                if (a) {
                        a->next = attached;
                        attached = a;
                }
        }
        if (a)
                px_attach_more(a);
        pthread_mutex_unlock(&lock);
        return a;
}

void px_attach_more(struct px_attached *a)
{
        __atomic_add_fetch(&a->users, 1, __ATOMIC_RELAXED);
}

void px_detach(struct px_attached *a)
{
        __atomic_sub_fetch(&a->users, 1, __ATOMIC_RELEASE);
}
