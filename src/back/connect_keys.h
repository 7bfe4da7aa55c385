/* SPDX-License-Identifier: MIT */
/* Reads and checks what a frontend publishes about its ring. Every value is
 * the guest's: strict numbers, bounded, refused with a sentence. Pure: the
 * nodes come through a function pointer. */
#ifndef EVERGRANT_BACK_CONNECT_KEYS_H
#define EVERGRANT_BACK_CONNECT_KEYS_H

#include "common/err.h"
#include "ring/request.h"

#define CONNECT_MAX_QUEUES 16u

/* What this backend offered to this frontend. */
struct connect_offer {
        unsigned max_order, max_queues;
};

struct connect_ring {
        uint32_t refs[BLK_MAX_RING_PAGES]; /* 1 << ring_order of them */
        uint32_t event_channel;
};

struct connect_keys {
        unsigned nrings, ring_order; /* one order for all of them */
        struct connect_ring rings[CONNECT_MAX_QUEUES];
        enum blk_abi abi;
        bool persistent; /* feature-persistent = 1 */
};

/* The value of a key below the frontend's directory: 0 and a malloced string,
 * -ENOENT, or another -errno (which ends the reading and is returned). */
typedef int (*connect_read)(void *arg, const char *key, char **value);

/* -EINVAL and a sentence when a key is missing or wrong. */
int connect_keys_read(connect_read read, void *arg,
                      const struct connect_offer *offer, struct connect_keys *k,
                      struct err *e);

/* Only what tells one ring from another: nrings, ring_order, rings. */
int connect_keys_rings(connect_read read, void *arg,
                       const struct connect_offer *offer,
                       struct connect_keys *k, struct err *e);

#define CONNECT_KEY_BYTES 40u
/* Where the keys of a ring are: one ring has them at the top, also where the
 * number 1 was written (PROTOCOL.md Q13), several below queue-0 and so on. */
char *connect_ring_key(char *dst, unsigned nrings, unsigned ring,
                       const char *name);

#endif
