/* SPDX-License-Identifier: MIT */
/* What waits to be told about watches, bounded: events of one token wait once
 * for each path, and beyond FOLD_PATHS paths as one event of a node above all
 * of them. Without it libxenstore keeps each event until somebody asks, while
 * its reader thread makes xenstored send more (XSA-349). */
#ifndef EVERGRANT_XEN_STORE_FOLD_H
#define EVERGRANT_XEN_STORE_FOLD_H

#include <pthread.h>
#include <stdbool.h>

struct xs_handle;

#define FOLD_PATHS 16u

struct folded;

struct store_fold {
        struct xs_handle *xs;
        int canary_fd; /* -1: none; hangs up when xenstore does */
        int event_fd;  /* readable: there is something for fold_take */
        int stop_fd;
        bool running;
        pthread_t thread;
        pthread_mutex_t lock; /* of all below */
        struct folded *head, **tail;
        bool told; /* event_fd is readable */
        bool lost; /* for good */
        bool no_memory;
};

/* 0 or -errno; on failure there is nothing to release. */
int fold_init(struct store_fold *f, struct xs_handle *xs, int canary_fd);
/* Before xs_close. */
void fold_release(struct store_fold *f);
/* Starts the thread that empties libxenstore's list, whoever else is held up;
 * a no-op when it runs. 0 or -errno. */
int fold_start(struct store_fold *f);
/* The connection has ended, as far as can be seen. */
bool fold_is_lost(struct store_fold *f);
/* As xen_store_next_watch. */
int fold_take(struct store_fold *f, char **path, char **token);

#endif
