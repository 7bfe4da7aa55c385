/* SPDX-License-Identifier: MIT */
/* The inside of libevergrant. Everything that an eg_disk holds is under its
 * lock; functions of this header are called with it held, unless they say
 * otherwise.
 *
 * An I/O (struct eg_io) is cut into parts, one a ring request. A part has a
 * slot of the shadow table while it is on the ring; the id on the wire is the
 * slot's number. When the backend goes away, parts without an answer move from
 * their slots to the resend list, and to fresh slots when it is back. */
#ifndef EVERGRANT_FRONT_FRONT_H
#define EVERGRANT_FRONT_FRONT_H

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/copy.h"
#include "common/polling.h"
#include "evergrant.h"
#include "grant/pool.h"
#include "ring/front_ring.h"
#include "xen/evtchn.h"
#include "xen/store.h"

/* Requests are laid out as this program's own architecture does. */
#if defined(__x86_64__)
#define FRONT_ABI BLK_ABI_NATIVE
#elif defined(__i386__)
#define FRONT_ABI BLK_ABI_X86_32
#else
#define FRONT_ABI BLK_ABI_ARM
#endif

/* What bounds the pages that a Linux domain's processes share. */
#define FRONT_SHARE_LIMIT "/sys/module/xen_gntalloc/parameters/limit"

#define FRONT_MAX_SLOTS 512u /* ring order 4, native layout */
#define FRONT_MAX_QUEUES 16u
/* What an indirect request may carry; its segments fit into one page. */
#define FRONT_MAX_SEGS 256u
_Static_assert(FRONT_MAX_SEGS <= BLK_SEGS_PER_INDIRECT_PAGE,
               "a request would need several descriptor pages");
/* Pages that eg_buf_alloc leaves for I/O that is copied: one request's. */
#define FRONT_POOL_RESERVE BLK_DIRECT_SEGS

/* Our half of the handshake; the value written to xenstore is not always it
 * (connect.c). The row of the connect table. */
enum front_state {
        FRONT_CLOSED,       /* let go of everything; waits for a fresh start */
        FRONT_INITIALISING, /* nothing published yet */
        FRONT_INITIALISED,  /* ring and port published */
        FRONT_CONNECTED,
        FRONT_DEAD, /* for good: dead_error says why */
};
#define FRONT_LIVE_STATES FRONT_DEAD

/* ---- where the bytes of an I/O are --------------------------------------- */

struct front_cursor {
        const struct iovec *iov;
        size_t at;       /* index in iov */
        size_t in_bytes; /* offset in iov[at] */
};

/* What struct eg_io's priv holds. */
struct front_io {
        struct eg_io *next;
        struct front_cursor cursor; /* of what no part covers yet */
        uint64_t offset_bytes;      /* likewise */
        uint64_t rest_bytes;        /* likewise; flush and discard: 1 or 0 */
        uint32_t parts;             /* made and not answered */
        int32_t error;              /* the first */
        void *bounce;               /* private copy of a write's rest */
        uint64_t bounce_bytes;
        struct iovec bounce_iov;
        bool blocking; /* done at once, under the lock */
};
_Static_assert(sizeof(struct front_io) <= sizeof(((struct eg_io *)0)->priv),
               "eg_io.priv is too small");

static inline struct front_io *front_io(struct eg_io *io)
{
        return (struct front_io *)(void *)io->priv;
}

struct front_io_list {
        struct eg_io *head, **tail;
        uint64_t n;
};

/* ---- parts and slots ----------------------------------------------------- */

/* Pages of which a part needs no list elsewhere: 4 KiB of the caller's memory,
 * wherever it lies in its buffer. */
#define FRONT_FEW_PAGES 2u

/* This many cache lines, but for saved_iov: where many guests take turns on a
 * processor its caches have nothing of their parts any more, and what a part
 * has elsewhere is one more place to be fetched from. */
#define FRONT_PART_LINES 3u

struct front_part {
        /* free or resend list, or `along` */
        _Alignas(COPY_LINE_BYTES) struct front_part *next;
        struct eg_io *io;
        struct front_queue *queue; /* whose ring and pool it uses */
        uint64_t offset_bytes;
        uint64_t len_bytes;
        uint32_t ring_index; /* position on the ring */
        uint8_t wire_op;
        bool direct; /* the segments are pages of the caller's eg_buf */
        bool indirect;
        uint16_t nsegs;
        /* Pages of its own: those of the segments, unless it is direct, and
         * after them the one that describes the segments of an indirect
         * request. */
        uint16_t npages;
        uint32_t desc_gref;
        struct front_cursor cursor;
        /* Whole I/Os that go along in this one's request, in the order of their
         * places on the disk, behind its own own_bytes; merge.c. */
        struct front_part *along;
        uint64_t own_bytes;
        void *shared; /* share_per_request: npages in one piece */
        void *saved;  /* a write's bytes, while there is no backend */
        /* The lists in use: `few`, or in `many`, which is made when it is first
         * needed and has room for eg_disk.part_segs segments. */
        uint8_t **mem;            /* npages, filled from byte 0 */
        struct pool_page **pages; /* npages, unless shared */
        struct blk_seg *segs;
        void *many;
        struct {
                uint8_t *mem[FRONT_FEW_PAGES];
                struct pool_page *pages[FRONT_FEW_PAGES];
                struct blk_seg segs[FRONT_FEW_PAGES];
        } few;
        struct iovec saved_iov;
};
_Static_assert(offsetof(struct front_part, saved_iov) <=
                       (size_t)FRONT_PART_LINES * COPY_LINE_BYTES,
               "what is used of a part has grown");

struct front_shadow {
        uint32_t slots;
        uint32_t used;
        struct front_part *part[FRONT_MAX_SLOTS];
        uint16_t free[FRONT_MAX_SLOTS]; /* a stack; slots - used are in it */
};

/* A pool outlives its connection while buffers hold pages of it; it has no
 * queue then. */
struct front_pool {
        struct front_queue *queue;
        struct grant_pool *grants;
        uint32_t bufs;      /* eg_bufs */
        uint32_t buf_pages; /* of those */
};

struct eg_buf {
        struct front_pool *pool;
        size_t bytes;
        unsigned n;
        struct pool_page **pages;
        struct iovec *iov;
};

/* One ring with what belongs to it. A pool each: the backend keeps mappings by
 * ring, and a page that wandered would be mapped once a ring. */
struct front_queue {
        int port;
        void *ring_pages;
        uint32_t ring_refs[BLK_MAX_RING_PAGES];
        struct front_ring ring;
        struct front_shadow shadow;
        struct front_pool *pool;
};

/* ---- a disk -------------------------------------------------------------- */

/* What the backend says at connect, checked. */
struct front_facts {
        uint64_t sectors;
        uint32_t block_bytes, physical_bytes;
        bool readonly, removable, cdrom;
        bool flush, barrier, discard, discard_secure;
        bool persistent; /* the backend's word */
        uint32_t segs;   /* that a request may have, by both sides' words */
        uint32_t discard_granularity_bytes;
};

struct eg_disk {
        pthread_mutex_t lock;
        struct eg_options opts;
        uint32_t vdev;
        char name[32];

        /* control */
        struct xen_store *xs;
        bool xs_lost;
        uint32_t self, backend_domid;
        char front_path[XEN_STORE_PATH_BYTES];
        char back_path[XEN_STORE_PATH_BYTES];
        enum front_state state;
        bool was_connected;
        bool closing;
        struct err why; /* what made it dead */
        struct front_facts facts;
        bool untrusted;
        int owner_fd; /* the one-process lock */
        int timer_fd; /* the reconnect deadline */

        /* connection */
        struct xen_shares *shares;
        struct xen_evtchn *evtchn;
        unsigned order;
        unsigned nqueues; /* 0: no connection */
        struct front_queue queue[FRONT_MAX_QUEUES];

        /* I/O */
        struct front_io_list waiting; /* not wholly cut into parts */
        struct front_io_list done;    /* callbacks due */
        struct front_part *resend, **resend_tail;
        struct front_part *free_parts;
        unsigned part_segs;          /* for which parts may have lists */
        uint64_t accepted, finished; /* I/Os */
        uint64_t queued_bytes;       /* in bounce buffers */

        /* waking */
        int epoll_fd; /* what eg_fd gives */
        int wake_fd;  /* in it: `done` is not empty */
        bool woken;   /* … is readable */
        int leader_fd;
        bool leading; /* a blocking caller waits for all */
        bool asleep;  /* … in front_sleep_apart */
        struct polling polling;
        unsigned looks;  /* that found something, since the descriptors */
        bool polls;      /* looks before it sleeps, at present */
        bool finds;      /* … and the last look found something at once */
        bool unasked;    /* no event was asked for: look before sleeping */
        bool processing; /* by who runs callbacks then: no need to wake it */
        struct front_waiter *waiters;

        struct eg_stats stats;               /* but its pool and state fields */
        uint64_t past_shares, past_unshares; /* of pools that are gone */
};

/* What I/O on a dead disk gets; err says more. */
static inline int front_dead_error(const struct eg_disk *d)
{
        return d->why.code == -ENODEV ? -ENODEV : -EIO;
}

/* Whether the backend takes this discard. */
static inline bool front_discards(const struct eg_disk *d,
                                  const struct eg_io *io)
{
        return io->flags & EG_IO_SECURE ? d->facts.discard_secure
                                        : d->facts.discard;
}

/* ---- options.c ----------------------------------------------------------- */

int front_options_check(struct eg_options *opts, struct err *e);
/* This thread's error: what eg_error gives. */
struct err *front_err(void);
void front_log(struct eg_disk *d, enum eg_log_level level, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/* ---- keys.c, facts.c: xenstore, and nothing else ------------------------- */

/* Reads and checks backend and backend-id of d->front_path. -ENOENT: there is
 * no such device (any more); -EPERM: refused. */
int front_keys_find(struct eg_disk *d, struct err *e);
/* Rings, ports and features, in one transaction, stale keys removed. */
int front_keys_publish(struct eg_disk *d);
int front_keys_facts(struct eg_disk *d, struct front_facts *f, struct err *e);
/* Only the size; 0 if it makes no sense. */
uint64_t front_keys_sectors(struct eg_disk *d);
unsigned front_keys_max_order(struct eg_disk *d);
unsigned front_keys_max_queues(struct eg_disk *d); /* at least 1 */
bool front_keys_untrusted(struct eg_disk *d);
enum xenbus_state front_keys_backend_state(struct eg_disk *d);
enum xenbus_state front_keys_own_state(struct eg_disk *d);
void front_keys_set_state(struct eg_disk *d, enum xenbus_state s);
/* True if the toolstack says that the backend will not be back. */
bool front_keys_offline(struct eg_disk *d);

/* ---- fds.c --------------------------------------------------------------- */

/* 0 once the deadline is there. */
int front_remaining_ms(uint64_t deadline_ms);
/* -EBUSY: another process of this domain has the disk. */
int front_take_ownership(struct eg_disk *d, struct err *e);
int front_open_fds(struct eg_disk *d, struct err *e);
void front_close_fds(struct eg_disk *d);

enum { FRONT_READY_EVTCHN = 1, FRONT_READY_XS = 2, FRONT_READY_TIMER = 4 };
/* What eg_fd is readable for, of those. */
unsigned front_ready(struct eg_disk *d);
/* The same after at most timeout_ms (-1: no limit) without the lock. Ends also
 * when callbacks become due: for who runs them. */
unsigned front_sleep(struct eg_disk *d, int timeout_ms);
/* The same for who does not; leads: ends also when front_wake_leader is
 * called, and nobody else may be in here. */
unsigned front_sleep_apart(struct eg_disk *d, int timeout_ms, bool leads);
void front_wake_leader(struct eg_disk *d);

/* ---- disk.c -------------------------------------------------------------- */

void front_disk_free(struct eg_disk *d);

/* ---- actions.c: what connect.c's table does ------------------------------ */

/* Ends the disk for good: everything outstanding gets error. */
void front_fail(struct eg_disk *d, int error, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
/* The backend broke the protocol. */
void front_broken(struct eg_disk *d, const char *what);

void front_gone(struct eg_disk *d);
void front_restart(struct eg_disk *d);
void front_publish_link(struct eg_disk *d);
void front_connect_disk(struct eg_disk *d);
void front_resize(struct eg_disk *d);
void front_lost(struct eg_disk *d, enum xenbus_state back);
void front_refused(struct eg_disk *d, enum xenbus_state back);

/* ---- connect.c ----------------------------------------------------------- */

/* Follows the backend's state as far as it goes now. */
void front_connect_step(struct eg_disk *d);
/* ---- link.c: what a connection holds ------------------------------------- */

int front_link_create(struct eg_disk *d, unsigned queues, struct err *e);
/* Takes parts off the ring (to the resend list), unbinds, unshares. Accepts a
 * disk without a connection. */
void front_link_drop(struct eg_disk *d);
void front_pool_release(struct eg_disk *d, struct front_pool *p);

/* ---- cursor.c: pure ------------------------------------------------------ */

void front_cursor_init(struct front_cursor *c, const struct iovec *iov,
                       size_t skip_bytes);
/* Copies between the cursor's place and pages, from at_bytes of these on. */
/* read_elsewhere: whoever reads the pages runs on another processor now. */
void front_cursor_to_pages(struct front_cursor c, uint8_t *const *mem,
                           size_t at_bytes, size_t len_bytes,
                           bool read_elsewhere);
void front_cursor_from_pages(struct front_cursor c, uint8_t *const *mem,
                             size_t at_bytes, size_t len_bytes);
void front_cursor_copy_out(struct front_cursor c, void *dst, size_t len_bytes);
void front_cursor_skip(struct front_cursor *c, size_t len_bytes);
/* The sum of iov, or -EINVAL if it is 0 or too large. */
int front_iov_bytes(const struct iovec *iov, unsigned niov, uint64_t *bytes);

/* ---- pages.c ------------------------------------------------------------- */

/* How many bytes the next part may take, and its segments' geometry. Pure. */
uint64_t front_part_plan(uint64_t rest_bytes, size_t buf_offset_bytes,
                         unsigned max_pages, unsigned *nsegs);
/* Segments over the caller's own pool pages (S7 holds: they are pool pages
 * too). Like front_part_copied if it takes a page to describe them. */
int front_part_direct(struct eg_disk *d, struct front_part *p,
                      const struct eg_buf *buf, size_t buf_offset_bytes);
/* Takes pages for p->len_bytes, to be filled from byte 0 on. -EAGAIN or
 * -ENOSPC as in grant/pool.h. */
int front_part_copied(struct eg_disk *d, struct front_part *p);
/* Gives back what the two took. */
void front_pages_give(struct eg_disk *d, struct front_part *p);

/* ---- merge.c: contiguous I/Os in one request ------------------------------
 */

/* Takes along what waits behind p's I/O and continues it, as far as a request
 * of max_bytes holds all of it; the bytes of the request then. Nothing is
 * taken off the waiting I/Os before front_merge_commit; _undo forgets it. */
uint64_t front_merge(struct eg_disk *d, struct front_part *p,
                     uint64_t rest_bytes, uint64_t max_bytes);
void front_merge_commit(struct eg_disk *d, struct front_part *p);
void front_merge_undo(struct eg_disk *d, struct front_part *p);
/* A write's bytes, of all of them, into the request's pages; a read's out. */
void front_merge_to_pages(const struct eg_disk *d, const struct front_part *p);
void front_merge_from_pages(const struct front_part *p);

/* ---- part.c -------------------------------------------------------------- */

/* Cuts the next part of io and puts it on the ring; 0, -EAGAIN (no slot or no
 * pages now) or an error that fails io. */
int front_part_start(struct eg_disk *d, struct eg_io *io);
/* An empty one; NULL: no memory. */
struct front_part *front_part_alloc(struct eg_disk *d);
/* Lists with room for n segments and as many pages, and one to describe them.
 * -ENOMEM. */
int front_part_lists(const struct eg_disk *d, struct front_part *p, unsigned n);
void front_part_free(struct eg_disk *d, struct front_part *p);
/* The same for a part that was unanswered when the backend went away. What is
 * more than a request takes now becomes *rest, which is NULL otherwise. */
int front_part_again(struct eg_disk *d, struct front_part *p,
                     struct front_part **rest);
/* The backend answered: data to the caller, pages back, part freed; tells the
 * I/O. */
void front_part_answered(struct eg_disk *d, struct front_part *p, int status);
/* Keeps what is needed to send it again, what went along apart; without pages
 * then. */
void front_part_park(struct eg_disk *d, struct front_part *p);
/* Frees it and tells its I/O. */
void front_part_end(struct eg_disk *d, struct front_part *p, int error);
void front_parts_free(struct eg_disk *d);

/* ---- shadow.c: pure ------------------------------------------------------ */

void front_shadow_init(struct front_shadow *s, uint32_t slots);
/* -1 if all are taken. */
int front_shadow_put(struct front_shadow *s, struct front_part *p);
/* Starts to bring the part that rsp names into the first cache. A hint. */
void front_shadow_expect(const struct front_shadow *s,
                         const struct blk_response *rsp);
/* NULL unless rsp answers a part that is on the ring and was published before
 * req_pushed; *why then says what is wrong. Takes it out. */
struct front_part *front_shadow_match(struct front_shadow *s,
                                      const struct blk_response *rsp,
                                      uint32_t req_pushed, const char **why);
/* Takes out the part that was put on the ring first; NULL if there is none. */
struct front_part *front_shadow_oldest(struct front_shadow *s);

/* ---- link.c, once more --------------------------------------------------- */

/* Requests on all rings. */
uint32_t front_inflight(const struct eg_disk *d);
/* The queue with the fewest requests, the first of several; NULL if all rings
 * are full. */
struct front_queue *front_queue_idlest(struct eg_disk *d);

/* ---- queue.c ------------------------------------------------------------- */

void front_io_list_init(struct front_io_list *l);
void front_io_list_add(struct front_io_list *l, struct eg_io *io);
struct eg_io *front_io_list_take(struct front_io_list *l);
/* Checks and accepts io; see eg_submit. */
int front_submit(struct eg_disk *d, struct eg_io *io, bool blocking);
/* Puts what waits on the ring, as far as it goes. Not published. */
void front_dispatch(struct eg_disk *d);
void front_publish(struct eg_disk *d);
/* A part of io is over. */
void front_io_part_done(struct eg_disk *d, struct eg_io *io, int error);
void front_fail_all(struct eg_disk *d, int error);

/* ---- process.c ----------------------------------------------------------- */

/* Which responses, and whether an event is asked for when there is no more. */
enum front_take {
        FRONT_TAKE_ALL,   /* all, and it is */
        FRONT_TAKE_SOME,  /* a few, if the backend goes on meanwhile; it is, or
                             d->unasked says that it was not */
        FRONT_TAKE_FOUND, /* a few likewise, and it is not */
};

/* Events, responses, xenstore, timer, dispatch, publish; of what is ready. */
void front_process(struct eg_disk *d, unsigned ready, enum front_take take);
/* Runs the callbacks that are due, without the lock; their number. */
int front_run_callbacks(struct eg_disk *d);
/* Only the rings; no system call unless the backend wants one. */
void front_process_responses(struct eg_disk *d, enum front_take take);

/* ---- wait.c -------------------------------------------------------------- */

bool front_any_response(struct eg_disk *d);

/* Looks around, then waits for up to timeout_ms, then processes. Ends early
 * when *stop (may be NULL) becomes true: another thread did the work. */
void front_wait_and_process(struct eg_disk *d, int timeout_ms,
                            const bool *stop);

/* ---- block.c ------------------------------------------------------------- */

void front_wake_waiter(struct eg_disk *d, struct eg_io *io, int error);

#endif
