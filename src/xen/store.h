/* SPDX-License-Identifier: MIT */
/* xenstore through libxenstore, with strict values and bounded retries. A
 * handle may be used by one thread at a time; the first watch starts a thread
 * of its own (store_fold.h), which nothing here waits for. Values of peers are
 * data: lengths are bounded, numbers are parsed whole or refused. */
#ifndef EVERGRANT_XEN_STORE_H
#define EVERGRANT_XEN_STORE_H

#include "common/err.h"
#include "xenbus.h"

struct xen_store;

/* Longest path that this project forms. */
#define XEN_STORE_PATH_BYTES 256

/* On failure the error says how to get a xenstore: start xenstored, or
 * `pocketxen run -- CMD`. */
int xen_store_open(struct xen_store **s, struct err *e);
/* The same for requests only: a descriptor and no thread, no watches. Around
 * each request the two functions are called, so that a lock can be let go of
 * while xenstore takes its time. */
struct xen_store_wait {
        void (*begin)(void *arg);
        void (*end)(void *arg);
        void *arg;
};
int xen_store_open_bare(struct xen_store **s, const struct xen_store_wait *w);
void xen_store_close(struct xen_store *s); /* accepts NULL */
/* Readable: watches may have fired, or the connection is lost. Call
 * xen_store_next_watch until it returns 0, or an error. */
int xen_store_fd(struct xen_store *s);

/* A transaction; at most 16 tries on EAGAIN, from the fifth on after pauses
 * that get longer, then -EAGAIN (XSA-206). body returns 0 to commit, or -errno
 * to abandon, which is returned. It may run several times, and does not nest:
 * -EINVAL. */
int xen_store_transaction(struct xen_store *s,
                          int (*body)(struct xen_store *s, void *arg),
                          void *arg);

/* Within xen_store_transaction's body these run inside the transaction.
 * Paths are absolute, or relative to /local/domain/SELF. */

/* *value is malloced and terminated; -ENOENT, -EACCES…; a value with a NUL
 * inside or over 2,048 bytes is -EINVAL. */
int xen_store_read(struct xen_store *s, const char *path, char **value);
/* A plain decimal number, at most max; -EINVAL if it is something else. */
int xen_store_read_u64(struct xen_store *s, const char *path, uint64_t max,
                       uint64_t *value);
/* The same, but *value = absent if there is no such node. */
int xen_store_read_u64_or(struct xen_store *s, const char *path, uint64_t max,
                          uint64_t absent, uint64_t *value);
/* XENBUS_UNKNOWN for anything that is not a state. */
enum xenbus_state xen_store_read_state(struct xen_store *s, const char *path);
int xen_store_write(struct xen_store *s, const char *path, const char *value);
int xen_store_printf(struct xen_store *s, const char *path, const char *fmt,
                     ...) PRINTF_LIKE(3, 4);
int xen_store_rm(struct xen_store *s, const char *path); /* absent is 0 */
/* Also true for a node that this domain may not read. */
bool xen_store_exists(struct xen_store *s, const char *path);
/* Names of the children; free() the array once, it is one block. */
int xen_store_list(struct xen_store *s, const char *path, char ***names,
                   unsigned *n);
/* Owner has all rights; reader (or ~0u for nobody) may read, others nothing. */
int xen_store_set_owner(struct xen_store *s, const char *path, uint32_t owner,
                        uint32_t reader);
/* Owner of a node: the first entry of its permissions. */
int xen_store_owner(struct xen_store *s, const char *path, uint32_t *domid);

/* A token names one path: not the same one for a path and one below it. Events
 * that fired before the unwatch may still be delivered after it. */
int xen_store_watch(struct xen_store *s, const char *path, const char *token);
void xen_store_unwatch(struct xen_store *s, const char *path,
                       const char *token);
/* Events that wait are told once, and many paths of one token as one event of a
 * node above them: a peer's million writes cost no memory.
 * The next fired watch: 1 and malloced strings, 0 if none is waiting,
 * -ECONNRESET when the connection is lost (for good: xenstore loses all watches
 * and transactions with it), or -ENOMEM. Never blocks. */
int xen_store_next_watch(struct xen_store *s, char **path, char **token);

/* This domain's id, from the node "domid"; Domain-0 without one is 0. */
int xen_store_self(struct xen_store *s, uint32_t *domid);
/* A domid, or a name looked up in /local/domain/N/name. -ENOENT and a
 * sentence if there is no such domain. */
int xen_store_domain(struct xen_store *s, const char *dom, uint32_t *domid,
                     struct err *e);

#endif
