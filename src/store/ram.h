/* SPDX-License-Identifier: MIT */
/* Inside of the ram driver: ram.c opens and resizes, ram_io.c serves,
 * ram_copies.c waits for who is inside, ram_discard.c gives memory back,
 * ram_image.c keeps it, ram_huge.c maps it, ram_room.c says how much more there
 * is. */
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
 *      2 MiB   the disk's bytes (a huge page's alignment, ram_huge.c), whole
 *              extents
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
        uint8_t *joined; /* by huge page; the lock's */
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
        atomic_ulong inside; /* odd: a copy is under way; see ram_copies.c */
};

struct ram {
        struct store head;
        /* NULL while huge pages are taken apart, by who holds the lock. */
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
void ram_expect(struct store_queue *q, const uint64_t *offset_bytes,
                unsigned n);
void ram_discard(struct ram_queue *q, struct store_req *r);
/* Gives back the memory of the extents from first to before end, which no view
 * has any more since `was`, that may be the present one. Waits for who is
 * inside. The lock is held. */
int ram_give_back(struct ram *s, const struct ram_view *was, size_t first,
                  size_t end);

/* Once, before the first copy. */
void ram_copies_init(void);
extern bool ram_copies_cheap;
/* Around what looks at the view and copies; on the queue's thread. */
static inline void ram_copy_begin(struct ram_queue *q)
{
        unsigned long at =
                atomic_load_explicit(&q->inside, memory_order_relaxed) + 1;

        if (ram_copies_cheap) {
                atomic_store_explicit(&q->inside, at, memory_order_relaxed);
                atomic_signal_fence(memory_order_seq_cst);
        } else {
                atomic_store(&q->inside, at);
        }
}
static inline void ram_copy_end(struct ram_queue *q)
{
        atomic_store_explicit(
                &q->inside,
                atomic_load_explicit(&q->inside, memory_order_relaxed) + 1,
                memory_order_release);
}
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
/* The disk's bytes, mapped where huge pages can be. MAP_FAILED and errno. */
void *ram_huge_map(int fd, size_t map_bytes);
/* This extent's memory is there now: if that is so for all of a huge page,
 * makes one of them, once in a view's life. The lock is held. */
void ram_huge_join(struct ram_view *v, size_t extent);
/* Any extent from first to before end is, or was, part of one. */
bool ram_huge_any(const struct ram_view *v, size_t first, size_t end);
#define RAM_HUGE_BYTES (2u << 20)
#define RAM_HUGE_EXTENTS (RAM_HUGE_BYTES / RAM_EXTENT_BYTES)
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
