/* SPDX-License-Identifier: MIT */
/* Inside of the file driver:
 *      file.c          the driver: open, close, resize, queues
 *      file_open.c     from a path to a checked descriptor, with the sentences
 *      file_lock.c     against double use
 *      file_direct.c   O_DIRECT: whether, and with which alignment
 *      file_discard.c  whether and how space can be given back
 *      file_io.c       a request from submit to done
 *      file_gate.c     keeps cached and direct writes apart
 *      file_threads.c  blocking calls in threads, where io_uring is not used */
#ifndef EVERGRANT_STORE_FILE_H
#define EVERGRANT_STORE_FILE_H

#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

struct file_io;
struct file_queue;
struct file_threads;

struct file_list {
        struct file_io *first, **end;
};

enum file_way { FILE_DIRECT, FILE_CACHED };

/* Where direct I/O needs more than 512 bytes of alignment, some writes go
 * through the page cache, whose pages hold neighbouring sectors as well: a
 * direct write of these at the same time could be lost when the page is
 * written back. So writes of one way wait for those of the other. */
struct file_gate {
        pthread_mutex_t lock;
        unsigned inside[2];
        struct file_list waiting;
};

struct file {
        struct store head;
        char *path;
        bool is_block;
        bool in_memory; /* tmpfs: a transfer has nothing to wait for */
        int fd;         /* through the page cache; has the locks */
        int direct_fd;  /* O_DIRECT, or -1 */
        uint32_t direct_mem_align, direct_align; /* addresses; the rest */
        bool no_uring;
        atomic_bool said_threads;
        pthread_mutex_t lock; /* threads */
        struct file_threads *threads;
        struct file_gate gate;
};

/* One request, or what is left of it. */
struct file_io {
        struct loop_op op; /* also what a thread does */
        struct loop_work work;
        struct file_queue *q;
        struct store_req *req;
        struct file_io *next; /* in spare, in the gate or for a thread */
        struct iovec *rest;   /* after a short transfer: what remains */
        unsigned rest_n;
        uint64_t done_bytes;
        enum file_way way;
        bool gated;
        bool block_discard; /* instead of op.kind */
        bool refused;       /* O_DIRECT did not like it */
        unsigned retries;
        int result;
};

struct file_queue {
        struct store_queue head;
        bool uring;
        struct file_io *spare;
};

static inline struct file *to_file(struct store *s)
{
        return container_of(s, struct file, head);
}
static inline void file_list_init(struct file_list *l)
{
        l->first = NULL;
        l->end = &l->first;
}
void file_list_append(struct file_list *l, struct file_io *io);
struct file_io *file_list_take(struct file_list *l); /* NULL: empty */

/* Opens, checks and locks path; fills fd, is_block and size and read-only in
 * info. On failure nothing is left open. */
int file_open_path(struct file *f, const char *path, bool readonly,
                   struct err *e);
int file_size(const struct file *f, uint64_t *size_bytes);

/* Keeps others out as long as fd is open. */
int file_lock(int fd, const char *path, bool readonly, struct err *e);

/* Fills direct_fd, the alignments and block_bytes; does not fail. */
void file_direct_open(struct file *f);
void file_discard_probe(struct file *f);
/* Whether a device can discard so that nothing is left; asks it. */
bool file_erases(const struct file *f);

void file_submit(struct store_queue *q, struct store_req *r);
/* On the queue's thread, which the gate has let in. */
void file_io_start(struct file_io *io);
void file_io_result(struct file_io *io, int result);

/* False: io waits and is started later. */
bool file_gate_enter(struct file_gate *g, struct file_io *io);
void file_gate_leave(struct file_gate *g, struct file_io *io);

/* Makes the call itself; answers as io_uring would. */
int file_call(const struct file_io *io);
int file_threads_create(struct file_threads **t, unsigned n);
void file_threads_destroy(struct file_threads *t); /* idle; accepts NULL */
/* file_io_result comes back on the queue's thread. */
void file_threads_run(struct file_threads *t, struct file_io *io);

#endif
