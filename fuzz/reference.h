/* SPDX-License-Identifier: MIT */
/* A second request parser, written from the protocol's text and nothing else:
 * slow, in 128 bit arithmetic, with the layouts derived from the alignment
 * rules of each ABI. fuzz_request.c compares it with src/ring. */
#ifndef EVERGRANT_FUZZ_REFERENCE_H
#define EVERGRANT_FUZZ_REFERENCE_H

#include "ring/request.h"

typedef unsigned __int128 u128;

struct ref_pair {
        u128 sector, sectors;
};

struct ref_request {
        bool accept;
        bool not_offered; /* refused as an operation, not for its fields */
        u128 id;
        unsigned response_op;
        unsigned npairs; /* what is read, written or discarded, in order */
        struct ref_pair pairs[BLK_DIRECT_SEGS];
        uint32_t grefs[BLK_DIRECT_SEGS];
        unsigned indirect_segs, indirect_pages;
        uint32_t indirect_grefs[8];
};

/* The segments of an accepted indirect request: n of them, copied out of the
 * indirect pages, for a request that starts at sector. pairs and grefs have
 * room for n. True: accepted. */
bool ref_parse_indirect(const uint8_t *copied, unsigned n, u128 sector,
                        const struct blk_limits *lim, struct ref_pair *pairs,
                        uint32_t *grefs);

void ref_parse(enum blk_abi abi, const uint8_t *slot,
               const struct blk_limits *lim, struct ref_request *out);

#endif
