/* SPDX-License-Identifier: MIT */
#include "fault.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIN_MEM_BYTES (1u << 20)
#define MAX_MEM_BYTES (1ull << 40)
#define FIRST_RESERVED_DOMID 0x7ff0u

int px_world_create(struct px_world **w)
{
        *w = calloc(1, sizeof(**w));
        if (!*w)
                return -ENOMEM;
        (*w)->next_handle = 1;
        TAILQ_INIT(&(*w)->faults);
        return 0;
}

/* A memory file of exactly that size for ever: nobody who has it can make
 * another's access fail by shrinking it. */
static int sealed_memfd(const char *name, uint64_t bytes)
{
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        if (ftruncate(fd, (off_t)bytes) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
                    0) {
                int error = -errno;

                close(fd);
                return error;
        }
        return fd;
}

static int map_shared(const char *name, uint64_t bytes, int *fd, void **map)
{
        *fd = sealed_memfd(name, bytes);
        if (*fd < 0)
                return *fd;
        *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        if (*map == MAP_FAILED) {
                *map = NULL;
                return -ENOMEM;
        }
        return 0;
}

static void domain_free(struct px_domain *d)
{
        if (d->grants_map)
                munmap(d->grants_map, pxw_grant_bytes(d->entries));
        if (d->events)
                munmap(d->events, sizeof(*d->events));
        if (d->mem_fd >= 0)
                close(d->mem_fd);
        if (d->grants_fd >= 0)
                close(d->grants_fd);
        if (d->events_fd >= 0)
                close(d->events_fd);
        free(d->frame_used);
        free(d->grants);
        free(d->ports);
        free(d);
}

void px_world_destroy(struct px_world *w)
{
        struct px_pair *p;

        if (!w)
                return;
        px_fault_remove(w, 0);
        while (!LIST_EMPTY(&w->handles))
                px_handle_close(LIST_FIRST(&w->handles));
        for (unsigned i = 0; i < PXW_SLOTS; i++)
                if (w->domains[i])
                        domain_free(w->domains[i]);
        while ((p = LIST_FIRST(&w->pairs))) {
                LIST_REMOVE(p, link);
                free(p);
        }
        free(w);
}

static bool name_is_good(const char *name)
{
        size_t n = strlen(name);

        if (n == 0 || n >= PX_NAME_BYTES)
                return false;
        /* A name of digits only would be taken for a domid. */
        return strspn(name, "0123456789") != n &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
                            "YZ0123456789_-.+:") == n;
}

static int find_slot(struct px_world *w)
{
        for (unsigned i = 0; i < PXW_SLOTS; i++) {
                unsigned slot = (w->next_slot + i) % PXW_SLOTS;

                if (!w->domains[slot]) {
                        w->next_slot = slot + 1;
                        return (int)slot;
                }
        }
        return -ENOSPC;
}

static uint32_t next_domid(struct px_world *w)
{
        if (w->reserved) {
                w->reserved = false;
                if (w->reserved_domid >= w->next_domid)
                        w->next_domid = w->reserved_domid + 1;
                return w->reserved_domid;
        }
        while (px_domain_find(w, w->next_domid))
                w->next_domid = (w->next_domid + 1) % FIRST_RESERVED_DOMID;
        return w->next_domid++ % FIRST_RESERVED_DOMID;
}

static int domain_memory(struct px_domain *d)
{
        char name[32];
        int ret;

        snprintf(name, sizeof(name), "pocketxen-d%u-mem", d->domid);
        d->mem_fd = sealed_memfd(name, (uint64_t)d->frames * PXW_PAGE);
        if (d->mem_fd < 0)
                return d->mem_fd;
        snprintf(name, sizeof(name), "pocketxen-d%u-grants", d->domid);
        ret = map_shared(name, pxw_grant_bytes(d->entries), &d->grants_fd,
                         &d->grants_map);
        if (ret < 0)
                return ret;
        snprintf(name, sizeof(name), "pocketxen-d%u-events", d->domid);
        ret = map_shared(name, sizeof(*d->events), &d->events_fd,
                         (void **)&d->events);
        if (ret < 0)
                return ret;
        d->frame_used = calloc(d->frames, 1);
        d->grants = calloc(d->entries, sizeof(*d->grants));
        d->ports = calloc(PXW_PORTS, sizeof(*d->ports));
        return d->frame_used && d->grants && d->ports ? 0 : -ENOMEM;
}

int px_domain_reserve(struct px_world *w, uint32_t domid)
{
        if (domid >= FIRST_RESERVED_DOMID)
                return -EDOM;
        if (px_domain_find(w, domid))
                return -EBUSY;
        w->reserved_domid = domid;
        w->reserved = true;
        return 0;
}

int px_domain_create(struct px_world *w, const char *name, uint64_t mem_bytes,
                     struct px_domain **out)
{
        struct px_domain *d;
        int ret, slot;

        if (!name_is_good(name) || mem_bytes < MIN_MEM_BYTES ||
            mem_bytes > MAX_MEM_BYTES || mem_bytes % PXW_PAGE)
                return -EINVAL;
        if (px_domain_by_name(w, name))
                return -EEXIST;
        slot = find_slot(w);
        if (slot < 0)
                return slot;
        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->mem_fd = d->grants_fd = d->events_fd = -1;
        d->slot = (uint32_t)slot;
        d->domid = next_domid(w);
        d->frames = (uint32_t)(mem_bytes / PXW_PAGE);
        d->entries = PXW_GRANTS;
        d->ref_hint = GNTTAB_NR_RESERVED_ENTRIES;
        memcpy(d->name, name, strlen(name) + 1);
        ret = domain_memory(d);
        if (ret < 0) {
                domain_free(d);
                return ret;
        }
        d->g = pxw_grants_at(d->grants_map, d->entries);
        *d->g.header = (struct pxw_grant_header){
                PXW_VERSION, d->domid, d->slot, d->entries, d->frames, 0};
        w->domains[slot] = d;
        px_faults_apply(w);
        *out = d;
        return 0;
}

struct px_domain *px_domain_find(struct px_world *w, uint32_t domid)
{
        for (unsigned i = 0; i < PXW_SLOTS; i++)
                if (w->domains[i] && w->domains[i]->domid == domid)
                        return w->domains[i];
        return NULL;
}

struct px_domain *px_domain_by_name(struct px_world *w, const char *name)
{
        for (unsigned i = 0; i < PXW_SLOTS; i++)
                if (w->domains[i] && strcmp(w->domains[i]->name, name) == 0)
                        return w->domains[i];
        return NULL;
}

void px_domain_kill(struct px_domain *d)
{
        d->dying = true;
        __atomic_store_n(&d->g.header->dying, 1, __ATOMIC_SEQ_CST);
}

uint64_t px_domain_mapped(const struct px_domain *d)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < d->entries; i++)
                n += __atomic_load_n(&d->g.active[i].readers, __ATOMIC_RELAXED);
        return n;
}

bool px_domain_reap(struct px_world *w, struct px_domain *d)
{
        struct px_handle *h;

        if (!d->dying)
                return false;
        LIST_FOREACH(h, &w->handles, link)
        if (h->dom == d)
                return false;
        if (px_domain_mapped(d))
                return false;
        px_account_fold_slot(w, d);
        /* Others may still hold the descriptor: give the memory back now. */
        (void)fallocate(d->mem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        0, (off_t)d->frames * PXW_PAGE);
        w->domains[d->slot] = NULL;
        domain_free(d);
        return true;
}
