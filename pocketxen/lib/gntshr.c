/* SPDX-License-Identifier: MIT */
/* The sharing half of libxengnttab: fresh pages of this domain's memory. */
#include "gnttab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

PX_PUBLIC xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
                                           unsigned open_flags)
{
        int fds[2];
        xengntshr_handle *h = px_handle_new(PXW_SHARES_HANDLE, fds);

        (void)logger;
        (void)open_flags;
        if (h)
                h->mem_fd = fds[0];
        return h;
}

PX_PUBLIC int xengntshr_close(xengntshr_handle *h)
{
        if (!h)
                return 0;
        /* Does not free shares that are still mapped here (XEN.md). */
        if (px_conn_mine(&h->conn) && h->live)
                return 0;
        while (h->pages) {
                struct px_shared_page *next = h->pages->next;

                free(h->pages);
                h->pages = next;
        }
        px_handle_free(h);
        return 0;
}

PX_PUBLIC int xengntshr_fd(xengntshr_handle *h)
{
        return h->conn.fd;
}

static void *map_shared(xengntshr_handle *h, const struct pxw_shared *s,
                        uint32_t n)
{
        char *at = mmap(NULL, (size_t)n * PXW_PAGE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (at == MAP_FAILED)
                return NULL;
        for (uint32_t i = 0, run; i < n; i += run) {
                for (run = 1; i + run < n; run++)
                        if (s[i + run].frame != s[i].frame + run)
                                break;
                if (mmap(at + (size_t)i * PXW_PAGE, (size_t)run * PXW_PAGE,
                         PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                         h->mem_fd,
                         (off_t)s[i].frame * PXW_PAGE) == MAP_FAILED) {
                        munmap(at, (size_t)n * PXW_PAGE);
                        return NULL;
                }
        }
        return at;
}

static int remember(xengntshr_handle *h, char *at, const uint32_t *refs,
                    uint32_t n)
{
        struct px_shared_page *made = NULL;

        for (uint32_t i = 0; i < n; i++) {
                struct px_shared_page *p = calloc(1, sizeof(*p));

                if (!p) {
                        while (made) {
                                p = made->next;
                                free(made);
                                made = p;
                        }
                        return -1;
                }
                p->start = at + (size_t)i * PXW_PAGE;
                p->ref = refs[i];
                p->next = made;
                made = p;
        }
        while (made) {
                struct px_shared_page *next = made->next;

                made->next = h->pages;
                h->pages = made;
                made = next;
        }
        h->live += n;
        return 0;
}

static int server_unshare(xengntshr_handle *h, const uint32_t *refs, uint32_t n)
{
        struct pxw_request r = {.op = PXW_UNSHARE, .n = n};
        struct pxw_reply reply;

        return px_call(&h->conn, &r, refs, &reply, NULL, 0, NULL);
}

static void *share_locked(xengntshr_handle *h, uint32_t domid, uint32_t n,
                          uint32_t *refs, int writable)
{
        struct pxw_request r = {
                .op = PXW_SHARE, .a = domid, .b = n, .c = writable != 0};
        struct pxw_shared *s = malloc(n * sizeof(*s));
        struct pxw_reply reply;
        char *at = NULL;

        if (!s || px_call(&h->conn, &r, NULL, &reply, s, n, NULL) < 0)
                goto out;
        for (uint32_t i = 0; i < n; i++)
                refs[i] = s[i].ref;
        at = map_shared(h, s, n);
        if (at && remember(h, at, refs, n) < 0) {
                munmap(at, (size_t)n * PXW_PAGE);
                at = NULL;
        }
        if (!at) {
                server_unshare(h, refs, n);
                errno = ENOMEM;
        }
out:
        free(s);
        return at;
}

PX_PUBLIC void *xengntshr_share_pages(xengntshr_handle *h, uint32_t domid,
                                      int count, uint32_t *refs, int writable)
{
        void *at = NULL;

        if (count <= 0 || (unsigned)count > PXW_SHARE_MAX) {
                errno = EINVAL;
                return NULL;
        }
        pthread_mutex_lock(&h->lock);
        if (!px_conn_mine(&h->conn) || h->mem_fd < 0)
                errno = EBADF;
        else
                at = share_locked(h, domid, (uint32_t)count, refs, writable);
        pthread_mutex_unlock(&h->lock);
        return at;
}

PX_PUBLIC void *xengntshr_share_page_notify(xengntshr_handle *h, uint32_t domid,
                                            uint32_t *ref, int writable,
                                            uint32_t notify_offset,
                                            evtchn_port_t notify_port)
{
        struct pxw_request r = {.op = PXW_ON_UNMAP,
                                .c = notify_offset < PXW_PAGE ? notify_offset
                                                              : ~0u,
                                .d = notify_port};
        void *at = xengntshr_share_pages(h, domid, 1, ref, writable);
        struct pxw_reply reply;

        if (!at || (r.c == ~0u && r.d == ~0u))
                return at;
        r.a = h->conn.domid;
        r.b = *ref;
        if (px_call(&h->conn, &r, NULL, &reply, NULL, 0, NULL) < 0) {
                int e = errno;

                xengntshr_unshare(h, at, 1);
                errno = e;
                return NULL;
        }
        pthread_mutex_lock(&h->lock);
        for (struct px_shared_page *p = h->pages; p; p = p->next)
                if (p->start == at)
                        p->on_unmap = reply.a;
        pthread_mutex_unlock(&h->lock);
        return at;
}

/* Forgets the page that starts there: its ref, or -1 if there is none. */
static int64_t forget(xengntshr_handle *h, const char *start)
{
        struct px_shared_page **p = &h->pages, *page;
        struct pxw_request r = {.op = PXW_ON_UNMAP_FIRE};
        struct pxw_reply reply;
        int64_t ref;

        while (*p && (*p)->start != start)
                p = &(*p)->next;
        page = *p;
        if (!page)
                return -1;
        *p = page->next;
        ref = page->ref;
        r.a = page->on_unmap;
        free(page);
        h->live--;
        if (r.a)
                px_call(&h->conn, &r, NULL, &reply, NULL, 0, NULL);
        return ref;
}

PX_PUBLIC int xengntshr_unshare(xengntshr_handle *h, void *start,
                                uint32_t count)
{
        uint32_t *refs = malloc((count + 1) * sizeof(*refs));
        uint32_t n = 0;

        if (!refs)
                return -1;
        pthread_mutex_lock(&h->lock);
        for (uint32_t i = 0; i < count; i++) {
                int64_t ref = forget(h, (char *)start + (size_t)i * PXW_PAGE);

                if (ref >= 0)
                        refs[n++] = (uint32_t)ref;
        }
        munmap(start, (size_t)count * PXW_PAGE);
        if (n && px_conn_mine(&h->conn))
                server_unshare(h, refs, n);
        pthread_mutex_unlock(&h->lock);
        free(refs);
        return 0;
}
