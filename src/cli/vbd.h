/* SPDX-License-Identifier: MIT */
/* A disk's nodes in xenstore: the backend's directory B and the frontend's
 * directory F. That is where the wish for a disk lives; evergrantd follows. */
#ifndef EVERGRANT_CLI_VBD_H
#define EVERGRANT_CLI_VBD_H

#include "common/err.h"
#include "xen/store.h"

/* The device type's directory under backend/; evergrantd scans it. */
#define VBD_KIND "evergrant"

struct vbd {
        uint32_t self, domid, vdev;
        char name[24];                    /* xvda, for people */
        char back[XEN_STORE_PATH_BYTES];  /* B */
        char front[XEN_STORE_PATH_BYTES]; /* F */
};

/* What to write at attach; strings are the caller's. */
struct vbd_options {
        const char *target;
        const char *grants;     /* NULL: not given */
        const char *block_size; /* NULL: not given */
        bool readonly;
        bool has_max_persistent, has_queues, has_ring_order;
        uint64_t max_persistent, queues, ring_order;
};

/* Opens xenstore and finds out who we are; on failure a sentence. */
int vbd_open_store(struct xen_store **s, uint32_t *self, struct err *e);
/* DOM as xen_store_domain; -ENOENT says which domains there are. */
int vbd_find_domain(struct xen_store *s, const char *dom, uint32_t *domid,
                    struct err *e);

void vbd_init(struct vbd *v, uint32_t self, uint32_t domid, uint32_t vdev);

/* Checks that the domain is there and the disk's nodes are free, and writes
 * both directories, all in one transaction. -EEXIST says by what the name is
 * taken. Nothing is written unless 0 is returned. */
int vbd_create(struct xen_store *s, const struct vbd *v,
               const struct vbd_options *o, struct err *e);
/* Asks evergrantd to let go: online 0, state 5, in one transaction. -ENOENT:
 * not attached. */
int vbd_request_close(struct xen_store *s, const struct vbd *v, struct err *e);
/* Removes B, F if it belongs to B, and the directories that this leaves
 * empty, in one transaction. What is gone already is no error. */
int vbd_remove(struct xen_store *s, const struct vbd *v, struct err *e);

/* Reads B/key for people: "" if it is not there, otherwise to be freed. */
char *vbd_text(struct xen_store *s, const struct vbd *v, const char *key);

/* xen_store_transaction with patience. A failure that body has put no words to
 * gets some: "cannot DOING domain N". */
int vbd_transaction(struct xen_store *s, const struct vbd *v,
                    int (*body)(struct xen_store *s, void *arg), void *arg,
                    const char *doing, struct err *e);

#endif
