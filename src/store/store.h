/* SPDX-License-Identifier: MIT */
/* The contract of a store: what holds a disk's bytes. One file a driver; null.c
 * is the tutorial. A store is opened by the control thread and used by I/O
 * threads through queues, one a ring. Offsets and lengths are validated by the
 * caller: inside the size, multiples of 512 bytes. A store knows nothing of
 * Xen. */
#ifndef EVERGRANT_STORE_STORE_H
#define EVERGRANT_STORE_STORE_H

#include "common/err.h"
#include "loop/loop.h"

struct store;
struct store_queue;

enum store_op { STORE_READ, STORE_WRITE, STORE_FLUSH, STORE_DISCARD };

struct store_req {
        enum store_op op;
        uint64_t offset_bytes, len_bytes; /* of the disk; flush: both 0 */
        const struct iovec *iov; /* read, write: len_bytes in all; each base is
                                    a multiple of 512; stays until done */
        unsigned niov;
        /* What is probably read next: a hint, any values are right. */
        uint64_t soon_offset_bytes;
        uint32_t soon_len_bytes;
        /* Whoever reads next what this reads runs on another processor now: a
         * hint too. What a store copies, either way, may only be there after
         * copy_settle(), which is the caller's, before it tells anybody. */
        bool read_elsewhere;
        bool secure; /* discard: no copy of the bytes may be left anywhere;
                        -EOPNOTSUPP from a store that cannot promise it */
        /* Called exactly once, on the queue's thread, with 0 or -errno;
         * possibly from inside store_submit. Short I/O is continued by the
         * store, never reported as success. */
        void (*done)(struct store_req *self, int error);
        void *arg;
        void *impl[4]; /* the driver's, between submit and done */
};

struct store_info {
        uint64_t size_bytes;  /* multiple of 512 */
        uint32_t block_bytes; /* smallest I/O without read-modify-write */
        bool readonly;
        bool can_flush; /* flush does something real */
        bool can_discard;
        bool can_discard_secure;
        uint32_t discard_granularity_bytes; /* 0 if it cannot */
};

struct store_open_opts {
        bool readonly;
        bool no_uring; /* use preadv/pwritev threads */
        /* ram: a descriptor that held this disk before a restart, or -1. The
         * store owns it on success. */
        int kept_fd;
};

/* target: "PATH", "null:SIZE", "ram:SIZE", "fault:RULES:TARGET". The format of
 * a file is never guessed from its content: it is raw. Refuses, each with a
 * sentence that says what to do: unknown driver (names those there are),
 * missing, unreadable, directory, read-only though asked read-write, size no
 * multiple of 512 or zero, in use by another (locks: OFD on QEMU's byte ranges
 * for files, O_EXCL for block devices; several readers are no conflict). */
int store_open(const char *target, const struct store_open_opts *opts,
               struct store **s, struct err *e);
/* All queues must be closed. Accepts NULL. */
void store_close(struct store *s);
void store_info(const struct store *s, struct store_info *info);
/* "null", "ram", "file", "fault". */
const char *store_driver(const struct store *s);
/* The descriptor that keeps a ram: disk's bytes alive, -1 for others. Stays
 * the store's. */
int store_keep_fd(const struct store *s);
/* file: true if transfers bypass the page cache (O_DIRECT). */
bool store_is_direct(const struct store *s);
/* ram, file: changes the size (grows or shrinks the file; a block device is
 * asked for its new size, which must be the one given). Control thread; no
 * queue may have requests past the new end. */
int store_resize(struct store *s, uint64_t size_bytes, struct err *e);

/* A queue is used by one thread, that of l. */
int store_queue_open(struct store *s, struct loop *l, struct store_queue **q);
void store_queue_close(struct store_queue *q); /* idle; accepts NULL */
void store_submit(struct store_queue *q, struct store_req *r);
/* There is probably something read or written next, in this order: a hint, any
 * values are right. */
void store_expect(struct store_queue *q, const uint64_t *offset_bytes,
                  unsigned n);

/* What a driver fills in (store.c dispatches). Each member is called as the
 * function of that name above says; NULL is not allowed unless it says so. */
struct store_ops {
        const char *name;
        int (*open)(const char *params, const struct store_open_opts *opts,
                    struct store **s, struct err *e);
        void (*close)(struct store *s);
        int (*resize)(struct store *s, uint64_t size_bytes,
                      struct err *e); /* NULL: cannot */
        int (*queue_open)(struct store *s, struct loop *l,
                          struct store_queue **q);
        void (*queue_close)(struct store_queue *q);
        void (*submit)(struct store_queue *q, struct store_req *r);
        /* NULL: has no use for it */
        void (*expect)(struct store_queue *q, const uint64_t *offset_bytes,
                       unsigned n);
};
struct store { /* the head of every driver's own struct */
        const struct store_ops *ops;
        struct store_info info;
        int keep_fd;
        bool direct;
};
struct store_queue {
        struct store *store;
        struct loop *loop;
};

#endif
