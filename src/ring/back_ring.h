/* SPDX-License-Identifier: MIT */
/* The backend's end of a blkif ring: indices and slots, nothing else. All
 * state that decides is private; the shared page is only read once a use. */
#ifndef EVERGRANT_RING_BACK_RING_H
#define EVERGRANT_RING_BACK_RING_H

#include "distance.h"
#include "overlap.h"
#include "request.h"

/* Large enough for one request slot of any ABI. */
#define BLK_SLOT_BYTES 112u

struct back_ring {
        void *shared; /* 1 << order contiguous pages, mapped by the caller */
        enum blk_abi abi;
        uint32_t slots;      /* power of two */
        uint32_t req_cons;   /* next request to take */
        uint32_t rsp_prod;   /* next response to write */
        uint32_t rsp_pushed; /* responses up to here are visible */
        uint32_t rsp_told;   /* … when the peer last wanted an event */
        struct ring_distance distance;
        struct ring_overlap overlap;
        bool broken; /* the peer's index ran more than a ring ahead: nothing
                        is taken any more until a reconnect (XSA-39) */
};

/* Slots of a ring of 1 << order pages in an ABI: 32, 64, … 512. */
uint32_t blk_ring_slots(enum blk_abi abi, unsigned order);

/* A fresh ring: the indices start at 0. */
void back_ring_init(struct back_ring *r, void *shared, unsigned order,
                    enum blk_abi abi);
/* A live ring whose former backend answered all that it took: goes on at the
 * shared rsp_prod. -EPROTO if the peer's indices are impossible. */
int back_ring_attach(struct back_ring *r, void *shared, unsigned order,
                     enum blk_abi abi);

/* Requests waiting to be taken; reads req_prod once. Sets broken, and returns
 * 0, if the peer claims more than a ring. */
uint32_t back_ring_waiting(struct back_ring *r);
/* The n that back_ring_waiting returned are taken now, as one batch. */
static inline void back_ring_batch(struct back_ring *r, uint32_t n)
{
        ring_overlap_begin(&r->overlap, r->req_cons + n);
}
/* Copies the next slot; only after back_ring_waiting said there is one (one
 * call covers as many takes as it returned). */
void back_ring_take(struct back_ring *r, uint8_t slot[BLK_SLOT_BYTES]);
/* Asks the peer to send an event for the next request, then looks again: true
 * if something came in meanwhile (go on draining instead of sleeping). */
bool back_ring_final_check(struct back_ring *r);

/* Writes one response in place, no padding byte of ours (XSA-216). Not
 * visible before the push. */
void back_ring_respond(struct back_ring *r, uint64_t id, uint8_t op,
                       enum blk_status status);
/* Makes the responses visible; true if the peer wants an event. */
bool back_ring_push(struct back_ring *r);
/* The peer took a whole ring of responses without asking for one event: it
 * looks by itself, so it runs on another processor at this moment. */
static inline bool back_ring_peer_looks(const struct back_ring *r)
{
        return r->rsp_pushed - r->rsp_told > r->slots;
}
/* So it does, whether it looks or not: it was seen to go on while we did. */
static inline bool back_ring_peer_overlaps(const struct back_ring *r)
{
        return ring_overlap_is_seen(&r->overlap);
}
/* The processor where it looked last is far away: lines that both write are
 * dear (common/copy.h). So far that it cannot be this one; but on a crowded
 * machine the line may just have been driven out of all caches. */
static inline bool back_ring_peer_is_far(const struct back_ring *r)
{
        return ring_distance_is_far(&r->distance);
}

#endif
