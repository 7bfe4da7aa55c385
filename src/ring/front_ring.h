/* SPDX-License-Identifier: MIT */
/* The frontend's end of a blkif ring. */
#ifndef EVERGRANT_RING_FRONT_RING_H
#define EVERGRANT_RING_FRONT_RING_H

#include "distance.h"
#include "overlap.h"
#include "request.h"

struct front_ring {
        void *shared;
        enum blk_abi abi;
        uint32_t slots;
        uint32_t req_prod;   /* next request to write */
        uint32_t req_pushed; /* requests up to here are visible */
        uint32_t req_told;   /* … when the backend last wanted an event */
        uint32_t rsp_cons;   /* next response to take */
        struct ring_distance distance;
        struct ring_overlap overlap;
        bool broken;
};

struct blk_response {
        uint64_t id;
        uint8_t op;
        int16_t status;
};

/* Zeroes the pages and writes the initial indices. */
void front_ring_init(struct front_ring *r, void *shared, unsigned order,
                     enum blk_abi abi);
static inline uint32_t front_ring_free(const struct front_ring *r)
{
        return r->slots - (r->req_prod - r->rsp_cons);
}
/* Fills the next slot; the caller has checked front_ring_free. */
void front_ring_put(struct front_ring *r, const struct blk_request *req);
/* Makes the requests visible; true if the backend wants an event. */
bool front_ring_push(struct front_ring *r);
/* As those of back_ring.h. */
static inline bool front_ring_peer_looks(const struct front_ring *r)
{
        return r->req_pushed - r->req_told > r->slots;
}
static inline bool front_ring_peer_overlaps(const struct front_ring *r)
{
        return ring_overlap_is_seen(&r->overlap);
}
static inline bool front_ring_peer_is_far(const struct front_ring *r)
{
        return ring_distance_is_far(&r->distance);
}
/* Responses waiting; sets broken, and returns 0, if the backend claims more
 * than were asked. */
uint32_t front_ring_waiting(struct front_ring *r);
/* The n that front_ring_waiting returned are taken now, as one batch. */
static inline void front_ring_batch(struct front_ring *r, uint32_t n)
{
        ring_overlap_begin(&r->overlap, r->rsp_cons + n);
}
/* Copies the next response once. */
void front_ring_take(struct front_ring *r, struct blk_response *rsp);
bool front_ring_final_check(struct front_ring *r);

#endif
