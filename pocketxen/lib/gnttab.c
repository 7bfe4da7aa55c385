/* SPDX-License-Identifier: MIT */
/* libxengnttab.so.1 on pocketxen: handles, and the mapping half of the API. */
#include "gnttab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static struct xengntdev_handle *handles;

static void before_fork(void)
{
        pthread_mutex_lock(&handles_lock);
        for (struct xengntdev_handle *h = handles; h; h = h->next)
                pthread_mutex_lock(&h->lock);
        px_attach_lock();
}

static void after_fork_parent(void)
{
        px_attach_unlock();
        for (struct xengntdev_handle *h = handles; h; h = h->next)
                pthread_mutex_unlock(&h->lock);
        pthread_mutex_unlock(&handles_lock);
}

/* As on Linux, where these mappings are not inherited: a child must not reach
 * pages that the server no longer accounts for. */
static void after_fork_child(void)
{
        for (struct xengntdev_handle *h = handles; h; h = h->next) {
                for (unsigned i = 0; i < 1u << PX_HASH_BITS; i++)
                        for (struct px_mapping *m = h->hash[i]; m; m = m->next)
                                munmap(m->start, (size_t)m->count * PXW_PAGE);
                close(h->conn.fd);
                h->conn.fd = -1;
        }
        after_fork_parent();
}

__attribute__((constructor)) static void start(void)
{
        pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static int grants_setup(xengnttab_handle *h, int fd)
{
        const char *copy = getenv(PXW_ENV_COPY);

        h->no_copy = copy && strcmp(copy, "off") == 0;
        h->free_records = malloc(PXW_RECORDS * sizeof(*h->free_records));
        h->owner = mmap(NULL, sizeof(*h->owner), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
        close(fd);
        if (h->owner == MAP_FAILED)
                h->owner = NULL;
        if (!h->free_records || !h->owner) {
                errno = ENOMEM;
                return -1;
        }
        return 0;
}

xengnttab_handle *px_handle_new(enum pxw_kind kind, int fds[2])
{
        xengnttab_handle *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        h->kind = kind;
        h->mem_fd = -1;
        if (px_conn_open(&h->conn, kind, true, fds) < 0) {
                free(h);
                return NULL;
        }
        pthread_mutex_init(&h->lock, NULL);
        pthread_mutex_lock(&handles_lock);
        h->next = handles;
        handles = h;
        pthread_mutex_unlock(&handles_lock);
        return h;
}

static void free_list(struct px_mapping *m)
{
        while (m) {
                struct px_mapping *next = m->next;

                free(m->many);
                free(m->from_each);
                free(m);
                m = next;
        }
}

void px_handle_free(xengnttab_handle *h)
{
        struct xengntdev_handle **p = &handles;

        pthread_mutex_lock(&handles_lock);
        while (*p != h)
                p = &(*p)->next;
        *p = h->next;
        pthread_mutex_unlock(&handles_lock);
        for (unsigned i = 0; i < PX_DOMID_CACHE; i++)
                if (h->warm[i])
                        px_detach(h->warm[i]);
        px_attach_sweep();
        for (unsigned i = 0; i < 1u << PX_HASH_BITS; i++)
                free_list(h->hash[i]);
        free_list(h->spare);
        if (h->owner)
                munmap(h->owner, sizeof(*h->owner));
        if (h->mem_fd >= 0)
                close(h->mem_fd);
        px_conn_close(&h->conn);
        free(h->free_records);
        free(h);
}

PX_PUBLIC xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                           unsigned open_flags)
{
        int fds[2];
        xengnttab_handle *h = px_handle_new(PXW_GRANTS_HANDLE, fds);

        (void)logger;
        (void)open_flags;
        if (h && grants_setup(h, fds[0]) < 0) {
                px_handle_free(h);
                errno = ENOMEM;
                return NULL;
        }
        return h;
}

PX_PUBLIC int xengnttab_close(xengnttab_handle *h)
{
        if (!h)
                return 0;
        /* As with gntdev, what is mapped outlives the handle: the connection
         * stays until the process ends. */
        if (px_conn_mine(&h->conn) && h->live)
                return 0;
        px_handle_free(h);
        return 0;
}

PX_PUBLIC int xengnttab_fd(xengnttab_handle *h)
{
        return h->conn.fd;
}

PX_PUBLIC int xengnttab_set_max_grants(xengnttab_handle *h, uint32_t nr_grants)
{
        (void)h;
        (void)nr_grants; /* as in today's Linux: accepted, without effect */
        return 0;
}

static void *map_locked(xengnttab_handle *h, uint32_t count,
                        const uint32_t *domids, unsigned step,
                        const uint32_t *refs, int prot)
{
        void *p = NULL;

retry:
        pthread_mutex_lock(&h->lock);
        if (!px_conn_mine(&h->conn) || !h->owner)
                errno = EBADF;
        else
                p = px_map(h, count, domids, step, refs, prot);
        pthread_mutex_unlock(&h->lock);
        if (!p && errno == EAGAIN) {
                /* As in the real library, without an end: the page is paged
                 * out, and nobody tells when it is back. */
                usleep(1000);
                goto retry;
        }
        return p;
}

PX_PUBLIC void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid,
                                        uint32_t ref, int prot)
{
        return map_locked(h, 1, &domid, 0, &ref, prot);
}

PX_PUBLIC void *xengnttab_map_grant_refs(xengnttab_handle *h, uint32_t count,
                                         uint32_t *domids, uint32_t *refs,
                                         int prot)
{
        return map_locked(h, count, domids, 1, refs, prot);
}

PX_PUBLIC void *xengnttab_map_domain_grant_refs(xengnttab_handle *h,
                                                uint32_t count, uint32_t domid,
                                                uint32_t *refs, int prot)
{
        return map_locked(h, count, &domid, 0, refs, prot);
}

PX_PUBLIC void *xengnttab_map_grant_ref_notify(xengnttab_handle *h,
                                               uint32_t domid, uint32_t ref,
                                               int prot, uint32_t notify_offset,
                                               evtchn_port_t notify_port)
{
        struct pxw_request r = {.op = PXW_ON_UNMAP,
                                .a = domid,
                                .b = ref,
                                .c = notify_offset < PXW_PAGE ? notify_offset
                                                              : ~0u,
                                .d = notify_port};
        void *p = map_locked(h, 1, &domid, 0, &ref, prot);
        struct pxw_reply reply;

        if (!p || (r.c == ~0u && r.d == ~0u))
                return p;
        if (px_call(&h->conn, &r, NULL, &reply, NULL, 0, NULL) < 0) {
                int e = errno;

                xengnttab_unmap(h, p, 1);
                errno = e;
                return NULL;
        }
        pthread_mutex_lock(&h->lock);
        px_mapping_find(h, p)->on_unmap = reply.a;
        pthread_mutex_unlock(&h->lock);
        return p;
}

PX_PUBLIC int xengnttab_unmap(xengnttab_handle *h, void *start, uint32_t count)
{
        struct pxw_request r = {.op = PXW_ON_UNMAP_FIRE};
        struct pxw_reply reply;
        struct px_mapping *m;
        int ret = -1;

        pthread_mutex_lock(&h->lock);
        m = px_conn_mine(&h->conn) ? px_mapping_find(h, start) : NULL;
        /* A part of a mapping cannot be unmapped: the kernel says so too. */
        if (!m || m->count != count) {
                errno = EINVAL;
        } else {
                r.a = m->on_unmap;
                ret = px_unmap(h, m);
        }
        pthread_mutex_unlock(&h->lock);
        if (ret == 0 && r.a)
                px_call(&h->conn, &r, NULL, &reply, NULL, 0, NULL);
        return ret;
}
