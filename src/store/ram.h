/* SPDX-License-Identifier: MIT */
/* Inside of the ram driver: ram.c opens and resizes, ram_io.c serves,
 * ram_image.c keeps the memory, ram_room.c says how much more there is. */
#ifndef EVERGRANT_STORE_RAM_H
#define EVERGRANT_STORE_RAM_H

#include "common/err.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

/* Memory is had and given back in pieces of this size. */
#define RAM_EXTENT_BYTES (64u << 10)

/* A ram: disk is a memfd, sealed against shrinking so that no holder of the
 * descriptor can make us fault:
 *      0       struct ram_header
 *      2 MiB   the disk's bytes (a huge page's alignment), whole extents
 * The header knows the size, so that a resize neither copies nor changes the
 * descriptor: growing makes the memfd longer, shrinking leaves a hole. */
struct ram_header {
        char magic[8];
        uint64_t size_bytes;
};
#define RAM_MAGIC "EVGRAM1"
#define RAM_DATA_OFFSET (2u << 20)

/* How the memfd is mapped at present. A bit says that the extent's memory has
 * been had: only then may the mapping be touched, by reads too (a fault in a
 * hole takes memory, and kills with SIGBUS where there is none). */
struct ram_view {
        uint8_t *map;
        uint64_t size_bytes;
        size_t extents;
        atomic_ulong bits[];
};
#define RAM_WORD_BITS (8 * sizeof(unsigned long))

static inline bool ram_view_has(struct ram_view *v, size_t extent)
{
        return atomic_load(&v->bits[extent / RAM_WORD_BITS]) >>
                       (extent % RAM_WORD_BITS) &
               1;
}
static inline void ram_view_set(struct ram_view *v, size_t extent)
{
        atomic_fetch_or(&v->bits[extent / RAM_WORD_BITS],
                        1ul << (extent % RAM_WORD_BITS));
}
/* True if it was set. */
static inline bool ram_view_clear(struct ram_view *v, size_t extent)
{
        unsigned long bit = 1ul << (extent % RAM_WORD_BITS);

        return atomic_fetch_and(&v->bits[extent / RAM_WORD_BITS], ~bit) & bit;
}

struct ram_queue {
        struct store_queue head;
        struct ram_queue *next;
        atomic_ulong inside; /* odd: a copy is under way */
};

struct ram {
        struct store head;
        _Atomic(struct ram_view *) view;
        pthread_mutex_t lock; /* for all below and to change bits or view */
        struct ram_queue *queues;
        uint64_t room_bytes; /* may be taken before room is asked again */
};

static inline struct ram *to_ram(struct store *s)
{
        return container_of(s, struct ram, head);
}

void ram_submit(struct store_queue *q, struct store_req *r);
/* s->lock is held: no copy that may have seen older bits, or an older view,
 * is under way after this. */
void ram_wait_for_copies(struct ram *s);

/* A new, empty memfd. The descriptor or -errno. */
int ram_image_create(uint64_t size_bytes, struct err *e);
/* Checks a descriptor that was kept over a restart. */
int ram_image_check(int fd, uint64_t *size_bytes, struct err *e);
/* Makes the memfd long enough and records the size. */
int ram_image_set_size(int fd, uint64_t size_bytes, struct err *e);
int ram_view_create(int fd, uint64_t size_bytes, struct ram_view **v,
                    struct err *e);
void ram_view_destroy(struct ram_view *v); /* accepts NULL */
/* Finds the extents of a kept memfd that hold data. */
int ram_view_scan(int fd, struct ram_view *v, struct err *e);
/* Gets the memory of one extent: 0, -ENOSPC. */
int ram_image_fill(int fd, size_t extent);
/* Gives back the memory of n extents. */
int ram_image_punch(int fd, size_t extent, size_t n);

/* How many bytes this process may still take before the machine or its
 * control group runs short, less a reserve. root: "" (a test has its own). */
uint64_t ram_room_bytes(const char *root);

#endif
