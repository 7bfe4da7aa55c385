/* SPDX-License-Identifier: MIT */
/* What store.c and store_watch.c share, and nobody else. */
#ifndef EVERGRANT_XEN_STORE_HANDLE_H
#define EVERGRANT_XEN_STORE_HANDLE_H

#include <errno.h>
#include <xenstore.h>

#include "store.h"
#include "store_fold.h"

struct xen_store {
        struct xs_handle *xs; /* for requests */
        /* For watches. A handle that has any gets a thread of libxenstore's
         * that reads it, and up to Xen 4.17 at least a request that finds the
         * connection lost closes the descriptor that this thread reads, which
         * it then closes again: by then it may be another file's. */
        struct xs_handle *watches;
        xs_transaction_t transaction; /* XBT_NULL outside of a body */
        /* libxenstore's reader thread says nothing on its descriptor when the
         * connection ends. So a second, silent connection to the same socket
         * is kept, whose end can be polled (-1 if xenstore is reached by
         * device, which cannot end). */
        int canary_fd;
        bool folds; /* fold is initialised */
        struct store_fold fold;
        struct xen_store_wait wait; /* NULLs: nobody wants to know */
};

/* Around each call that waits for xenstore. */
static inline void store_wait_begin(struct xen_store *s)
{
        if (s->wait.begin)
                s->wait.begin(s->wait.arg);
        errno = 0;
}

static inline void store_wait_end(struct xen_store *s)
{
        int saved = errno;

        if (s->wait.end)
                s->wait.end(s->wait.arg);
        errno = saved;
}

/* Makes fold and canary_fd. 0 or -errno. */
int xen_store_watch_init(struct xen_store *s);
void xen_store_watch_release(struct xen_store *s);
/* True for a path that xenstored would take: its characters and length. */
bool xen_store_path_ok(const char *path);

#endif
