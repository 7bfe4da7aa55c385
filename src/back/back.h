/* SPDX-License-Identifier: MIT */
/* The data plane of the backend, as the control plane sees it. The control
 * thread reads xenstore, decides and opens stores; I/O threads serve rings and
 * get plain numbers and pointers, never a path or a key (DESIGN.md 4).
 *
 * What crosses threads, all of it:
 *  - struct back_queue_params, copied at attach;
 *  - loop_post() of attach and detach to the I/O thread, and one relaxed word
 *    for the size after a resize;
 *  - their done callbacks, back to the control thread: back_control_fd();
 *  - struct back_stats: single writer (the I/O thread), relaxed atomic words,
 *    read by anyone while the queue exists;
 *  - one relaxed word a thread: since when it is inside of a grant call;
 *  - struct store: immutable for I/O threads except its size, which changes
 *    by resize only.
 * Everything else that a ring points to belongs to its I/O thread. */
#ifndef EVERGRANT_BACK_BACK_H
#define EVERGRANT_BACK_BACK_H

#include "common/err.h"
#include "common/latency.h"
#include "common/polling.h"
#include "ring/request.h"
#include "store/store.h"

/* ---- how data pages are reached --------------------------------------- */

/* What the operator asked for: --grants. */
enum back_grants {
        BACK_AUTO,
        BACK_PERSISTENT,
        BACK_MAP,
        BACK_COPY,
};
const char *back_grants_name(enum back_grants g);
int back_grants_parse(const char *s, enum back_grants *g);

/* The rule of `auto` for frontends without persistence: a request of n segments
 * is copied if copy_ns(n) <= map_ns(n), each linear in n. */
struct back_rule {
        bool measured; /* false: the platform gave no way, built-in constants */
        double map_base_ns, map_seg_ns;
        double copy_base_ns, copy_seg_ns;
        unsigned copy_up_to_segs; /* what follows: copy for 1..this, else map */
};
/* Measures on this platform by sharing pages with this domain itself and
 * mapping, touching, unmapping and copying them, some milliseconds in all;
 * falls back to constants measured on Xen (XEN.md). */
void back_rule_measure(struct back_rule *rule, uint32_t self_domid);

/* ---- counters ----------------------------------------------------------- */

/* One per queue. Exact. Single writer, relaxed; see stats.h for the adders. */
struct back_stats {
        uint64_t reads, writes, flushes, barriers, discards;
        uint64_t read_bytes, write_bytes, discard_bytes;
        uint64_t errors;                /* answered with BLK_ERROR */
        uint64_t unsupported;           /* answered with BLK_EOPNOTSUPP */
        uint64_t refused[BLK_VERDICTS]; /* by the validator, by reason */
        uint64_t bad_grants;            /* requests failed for a grant */
        uint64_t kicks, empty_kicks, notifies; /* events in, out */
        uint64_t inflight, inflight_high;      /* requests */
        /* requests by how their data was reached; mixed counts as persistent */
        uint64_t via_persistent, via_map, via_copy;
        /* the cache */
        uint64_t hits, misses, in_use, overflows, no_memory;
        uint64_t evicted_lru, evicted_idle;
        uint64_t kept, kept_high, cap;
        /* grant operations of this queue, ring pages included */
        uint64_t map_calls, map_pages, unmap_calls, unmap_pages, map_failures;
        uint64_t maps_given_up;  /* the domain kept the page away, patience.h */
        uint64_t unmap_failures; /* these pages stay mapped */
        uint64_t copy_calls, copy_segments;
        uint64_t slow_grant_calls; /* over 10 ms */
        uint64_t held_events; /* times that the port stayed masked, storm.c */
        uint64_t lost_events; /* times that requests came without one */
        uint64_t ring_broken; /* 1 once the peer's index was impossible */
        uint64_t latency[LATENCY_BUCKETS]; /* log-linear, see latency.h */
};

/* ---- I/O threads ---------------------------------------------------------*/

struct back_thread_opts {
        bool no_uring;
        enum polling_mode polling; /* before the thread sleeps */
        bool bounce_mapped; /* no I/O on what is mapped for one request */
        struct back_rule rule;
};
struct back_thread;

/* Starts a thread with its loop, gnttab handle and event-channel handle. */
int back_thread_start(struct back_thread **t, unsigned index,
                      const struct back_thread_opts *opts, struct err *e);
/* No queue may be attached. Accepts NULL. */
void back_thread_stop(struct back_thread *t);
unsigned back_thread_queues(const struct back_thread *t); /* control thread */
/* What looking before sleeping came to. */
struct polling_counters back_thread_polling(const struct back_thread *t);
/* How long it has been inside of one grant call by now; 0: it is not. */
uint64_t back_thread_stuck_ms(const struct back_thread *t);
bool back_thread_has_uring(const struct back_thread *t, const char **why);

/* Readable when done callbacks wait; back_control_run calls them. */
int back_control_init(void);
int back_control_fd(void);
void back_control_run(void);

/* ---- queues -------------------------------------------------------------- */

struct back_queue_params {
        uint32_t domid;
        uint32_t ring_refs[BLK_MAX_RING_PAGES];
        unsigned ring_order;
        uint32_t remote_port;
        enum blk_abi abi;
        bool persistent;         /* both sides said 1 */
        enum back_grants grants; /* for what is not persistent */
        uint32_t max_persistent; /* the cache's cap, already budgeted */
        uint64_t idle_ms;        /* 0: kept grants never idle out */
        struct blk_limits limits;
        struct store *store; /* outlives the queue */
        bool reattach;       /* the ring is live: go on at its rsp_prod */
        /* With reattach, after a crash: nobody knows what was answered, so
         * refuse with -EBUSY unless the ring's req_prod == rsp_prod. */
        bool only_if_quiet;
        /* May be NULL. Called like a done, with attach's arg, between those of
         * attach and detach: something of the peer's that an operator should
         * know, a sentence. A ring that is not served any more is said once. */
        void (*trouble)(void *arg, const char *what);
};

struct back_queue;

/* Every done runs once, on the control thread, out of back_control_run. */
typedef void (*back_done)(void *arg, int error, const char *why);

/* Maps the ring, binds the port, starts serving (as if kicked, and notifies
 * once after a re-attach). *q is valid at once for back_queue_stats and
 * back_queue_detach. If done reports an error nothing is mapped or bound, and
 * the queue still has to be detached to be freed. */
int back_queue_attach(struct back_thread *t, const struct back_queue_params *p,
                      struct back_queue **q, back_done done, void *arg);
/* Stops consuming, waits for what was consumed, answers it, then unmaps
 * everything and unbinds the port; then done, after which q is gone. */
void back_queue_detach(struct back_queue *q, back_done done, void *arg);
/* New size and limits, from the next request on. */
void back_queue_set_sectors(struct back_queue *q, uint64_t sectors);
/* A consistent enough copy: each counter exact, not all of one instant. */
void back_queue_stats(const struct back_queue *q, struct back_stats *out);
/* Adds one queue's to the sum of several; "high" is then an upper bound. */
void back_stats_sum(struct back_stats *sum, const struct back_stats *one);
struct back_thread *back_queue_thread(const struct back_queue *q);

#endif
