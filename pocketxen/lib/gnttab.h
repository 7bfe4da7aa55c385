/* SPDX-License-Identifier: MIT */
/* Inside of libxengnttab.so.1: the two kinds of handles behind the one name
 * that xengnttab.h gives them. */
#ifndef POCKETXEN_LIB_GNTTAB_H
#define POCKETXEN_LIB_GNTTAB_H

#include "attach.h"

#include <xengnttab.h>

#define PX_PUBLIC __attribute__((visibility("default")))
#define PX_DOMID_CACHE 64u
#define PX_RECORD_LOST UINT32_MAX /* the unmap of this page has failed */

/* One mapping: what one map call made and one unmap call takes back. */
struct px_mapping {
        struct px_mapping *next; /* in its hash chain, or in the free list */
        void *start;
        uint32_t count;
        uint32_t on_unmap; /* id of the server's action, 0: none */
        uint32_t one;      /* count 1: the record; else NULL and `many` */
        uint32_t *many;    /* records, malloced */
        struct px_attached *from;       /* count 1 or all from one domain */
        struct px_attached **from_each; /* else one a page, malloced */
};

#define PX_HASH_BITS 12u
struct xengntdev_handle {
        struct xengntdev_handle *next; /* all of this process, for fork */
        enum pxw_kind kind;
        bool no_copy; /* a kernel that lacks the call: PXW_ENV_COPY */
        struct px_conn conn;
        pthread_mutex_t lock; /* everything below */
        struct pxw_owner *owner;
        struct px_mapping *hash[1u << PX_HASH_BITS];
        struct px_mapping *spare;
        uint32_t *free_records; /* a stack */
        uint32_t nfree;
        uint32_t live; /* mappings, or shared pages */
        struct px_attached *warm[PX_DOMID_CACHE]; /* each holds a user */
        /* shares */
        int mem_fd;
        struct px_shared_page *pages;
};

struct px_shared_page {
        struct px_shared_page *next;
        char *start;
        uint32_t ref;
        uint32_t on_unmap; /* of the first page of a share_page_notify */
};

xengnttab_handle *px_handle_new(enum pxw_kind kind, int fds[2]);
void px_handle_free(xengnttab_handle *h);

/* map.c, called with h->lock held */
void *px_map(xengnttab_handle *h, uint32_t count, const uint32_t *domids,
             unsigned domid_step, const uint32_t *refs, int prot);
struct px_mapping *px_mapping_find(xengnttab_handle *h, void *start);
int px_unmap(xengnttab_handle *h, struct px_mapping *m);

/* records.c */
int px_record_get(xengnttab_handle *h); /* index or -1 */
void px_record_put(xengnttab_handle *h, uint32_t index);
/* Pins a ref; a GNTST_ status. */
int px_pin_ref(xengnttab_handle *h, struct px_attached *a, uint32_t ref,
               int writable, uint32_t *record, uint32_t *frame);
void px_unpin_ref(xengnttab_handle *h, struct px_attached *a, uint32_t record);
/* The attachment without a new user: stays while the handle is open. */
struct px_attached *px_warm(xengnttab_handle *h, uint32_t domid);
/* Dead domains do not stay warm: this would keep their memory. */
void px_warm_sweep(xengnttab_handle *h);

#endif
