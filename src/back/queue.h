/* SPDX-License-Identifier: MIT */
/* One ring and everything that belongs to it, inside the data plane. All of it
 * is the I/O thread's, except what is marked. */
#ifndef EVERGRANT_BACK_QUEUE_H
#define EVERGRANT_BACK_QUEUE_H

#include "back.h"
#include "bounce.h"
#include "control.h"
#include "grant/cache.h"
#include "loop/loop.h"
#include "ring/back_ring.h"
#include "storm.h"

#include <sys/queue.h>

enum back_request_state {
        BACK_FREE,        /* on q->free */
        BACK_WAIT_BOUNCE, /* on q->waiting, for a bounce block */
        BACK_WAIT_DRAIN,  /* is q->barrier, waits for those before it */
        BACK_AT_STORE,
};

enum back_via { BACK_VIA_PERSISTENT, BACK_VIA_MAP, BACK_VIA_COPY };

/* One row of the table of unanswered requests: all that is known of them. */
struct back_request {
        enum back_request_state state;
        struct back_queue *q;
        struct back_request *next; /* on q->free or q->waiting */
        struct blk_request blk;
        uint64_t taken_ns;

        const enum store_op *steps; /* what is still asked of the store */
        unsigned nsteps;
        struct store_req io;
        /* room for max_segs each, one allocation a queue */
        struct blk_seg *segs;     /* blk.segs, or those of indirect pages */
        struct blk_seg *big_segs; /* where the latter go */
        struct grant_page **kept; /* NULL: in `mapped` */
        struct iovec *iov;
        unsigned niov;

        /* data.c: how the data is reached */
        enum back_via via;
        bool must_copy; /* this process had no room for a mapping */
        void *mapped;   /* the transient ones, one mapping */
        unsigned nmapped;
        void *bounce;
};

struct back_queue {
        struct back_thread *thread;
        struct back_grant_handle *grants; /* while attached */
        struct back_queue_params p;
        uint64_t sectors; /* set by the control thread, relaxed */
        struct back_stats stats;

        struct back_ring ring;
        void *ring_pages;
        int port;
        struct grant_cache *cache; /* NULL: not persistent */
        struct store_queue *store;
        struct bounce bounce, big_bounce;
        struct loop_timer evict;
        struct back_storm storm;

        struct back_request *requests; /* ring.slots rows */
        uint32_t nrequests;
        uint32_t max_segs; /* of a request: 11, or what indirect ones may */
        void *arrays;      /* what the requests' pointers point into */
        /* for one request at a time, max_segs each */
        uint32_t *refs;
        struct xen_copy_seg *copies;
        uint8_t *descriptors; /* indirect pages, copied out once */
        struct back_request *free;
        struct back_request *waiting, **waiting_last;
        struct back_request *barrier; /* nothing is taken past it */
        uint32_t inflight;

        uint64_t batch_ns;  /* when this batch was taken */
        uint64_t *answered; /* taken_ns of what the next push makes visible */
        uint32_t nanswered;

        bool attached, detaching, settling;
        bool gave_up;     /* a page was away for too long: nothing is mapped
                             any more, of what was taken before that either */
        bool owes_notify; /* once after a re-attach, asked for or not */
        bool marked;      /* on thread->dirty */
        bool unasked; /* on thread->unasked: the frontend owes us no event */
        bool posted;  /* `again` is in the loop's hands */
        bool looks;   /* the thread does, before it sleeps */
        bool apart;   /* there is a processor for each end of each ring */
        struct back_queue *next_dirty;
        LIST_ENTRY(back_queue) attached_link;
        LIST_ENTRY(back_queue) unasked_link;
        struct loop_work again;

        /* the two ends of life, between the threads */
        struct loop_work attach_work, detach_work;
        struct back_control_work attach_done, detach_done, broken, unmaps;
        const char *broken_why;
        uint64_t unmaps_posted; /* 0 or 1, relaxed */
        back_done attach_fn, detach_fn;
        void *attach_arg, *detach_arg;
        int attach_error;
        char why[160];
};

/* service.c. Takes and serves what waits: after a kick, at attach, and when
 * the end of a turn found more. */
void back_service_run(struct back_queue *q);
/* Pushes responses, notifies, looks once more. */
void back_service_turn_end(struct back_queue *q);
/* True if it is to run again, because there is more to do. */
bool back_service_again(struct back_queue *q);
/* Takes what has been put in since without an event. False: nothing. */
bool back_service_look(struct back_queue *q);
/* The thread is going to sleep: asks for an event. True: something came. */
bool back_service_ask(struct back_queue *q);

/* serve.c. r is parsed and has its steps; it ends in back_respond(), now or
 * later. */
void back_serve(struct back_request *r);

/* answer.c. What a request has moved, if it was ok. */
void back_count(struct back_stats *s, const struct blk_request *b, bool ok);
/* Ends r: its row is free. Not visible to the guest before the next push. */
void back_respond(struct back_request *r, enum blk_status status);
/* Makes responses visible, and notifies if the frontend wants that. */
void back_push(struct back_queue *q);
/* The same, in the middle of a batch, if it is worth it. */
void back_push_early(struct back_queue *q);

/* queue.c. Called when a detaching queue has nothing in flight any more. */
void back_queue_finish_detach(struct back_queue *q);

/* The bounce blocks that fit r. */
static inline struct bounce *back_bounce_of(struct back_request *r)
{
        return r->blk.nsegs > BLK_DIRECT_SEGS ? &r->q->big_bounce
                                              : &r->q->bounce;
}

/* indirect.c. Reads and checks the segments of an indirect request, each page
 * once. -EINVAL: a grant is bad. */
int back_indirect_read(struct back_request *r, enum blk_verdict *verdict);

/* data.c */
enum back_data {
        BACK_DATA_READY,
        BACK_DATA_WAIT, /* for a bounce block; nothing is held */
        BACK_DATA_BAD,  /* a grant is bad; nothing is held */
};
/* Makes r's segments reachable and fills iov; writes have their data. */
enum back_data back_data_get(struct back_request *r);
/* Ends it, before the response is written: an answered request has nothing
 * mapped but what the cache keeps. ok: the store did its part; only then does
 * a read's data go to the guest. -EIO if it could not be brought there. */
int back_data_put(struct back_request *r, bool ok);

#endif
