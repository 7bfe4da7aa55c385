/* SPDX-License-Identifier: MIT */
/* A drop-in's connection to the pocketxen server: one a handle. Silent: errors
 * are errno only, as the real libraries' documentation promises. */
#ifndef POCKETXEN_LIB_CONN_H
#define POCKETXEN_LIB_CONN_H

#include "../wire.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct px_conn {
        int fd;
        pid_t pid; /* of the process that opened it: a fork has no claim */
        uint32_t id, domid;
        pthread_mutex_t lock; /* one request at a time */
};

/* Connects and says hello; fds (2, -1 where none came) belong to the caller.
 * 0, or -1 and errno (ENOENT: not in a pocketxen domain). */
int px_conn_open(struct px_conn *c, enum pxw_kind kind, bool cloexec,
                 int fds[2]);
void px_conn_close(struct px_conn *c);
/* True if this process opened it. */
bool px_conn_mine(const struct px_conn *c);

/* Sends r with r->n refs, receives *reply with up to max_shared entries. fds
 * may be NULL. 0, or -1 and errno (the server's answer, or EIO). */
int px_call(struct px_conn *c, const struct pxw_request *r,
            const uint32_t *refs, struct pxw_reply *reply,
            struct pxw_shared *shared, uint32_t max_shared, int fds[2]);

#endif
