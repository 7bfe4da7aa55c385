/* SPDX-License-Identifier: MIT */
/* The xenstore keys with which the two ends of a disk describe themselves, as
 * one table a side: name, default if absent, bound, meaning. Pure: reading and
 * writing go through functions of the caller, so nothing here knows xenstore.
 *
 * A backend writes every key of its table, features that it lacks as 0: some
 * frontends refuse a backend that leaves one out (Unikraft), and a reader
 * must take an absent key for its default. */
#ifndef EVERGRANT_RING_FEATURES_H
#define EVERGRANT_RING_FEATURES_H

#include "request.h"

/* In the backend's directory, written by the backend. */
enum blk_back_key {
        BLK_BACK_MAX_INDIRECT_SEGS,
        BLK_BACK_MAX_QUEUES,
        BLK_BACK_MAX_RING_ORDER,
        BLK_BACK_PERSISTENT,
        BLK_BACK_FLUSH,
        BLK_BACK_BARRIER,
        BLK_BACK_DISCARD,
        BLK_BACK_SECTORS,
        BLK_BACK_SECTOR_BYTES,
        BLK_BACK_PHYSICAL_SECTOR_BYTES,
        BLK_BACK_DISCARD_GRANULARITY,
        BLK_BACK_DISCARD_ALIGNMENT,
        BLK_BACK_DISCARD_SECURE,
        BLK_BACK_INFO,
        BLK_BACK_KEYS
};

/* In the frontend's directory, written by the frontend. */
enum blk_front_key {
        BLK_FRONT_PROTOCOL, /* text */
        BLK_FRONT_PERSISTENT,
        BLK_FRONT_NUM_QUEUES, /* the rest is per queue from 2 queues on */
        BLK_FRONT_RING_ORDER,
        BLK_FRONT_RING_REF,   /* one page */
        BLK_FRONT_RING_REF_N, /* several: a pattern */
        BLK_FRONT_EVENT_CHANNEL,
        BLK_FRONT_KEYS
};

/* Bits of "info". */
#define BLK_INFO_CDROM 1u
#define BLK_INFO_REMOVABLE 2u
#define BLK_INFO_READONLY 4u

enum blk_key_type {
        BLK_KEY_BOOL,    /* 0 or 1 */
        BLK_KEY_NUMBER,  /* decimal */
        BLK_KEY_TEXT,    /* not for blk_keys_read and _write */
        BLK_KEY_PATTERN, /* the name has a %u: blk_ring_ref_name */
};

/* When its writer writes it at the latest. */
#define BLK_KEY_EARLY                                          \
        1u /* before InitWait: the other side negotiates on it \
            */
#define BLK_KEY_CONNECT                                      \
        2u /* before Connected (back) or Initialised (front) \
            */
#define BLK_KEY_ANY (BLK_KEY_EARLY | BLK_KEY_CONNECT)

/* As an absent value: there is no default, the key must be there. */
#define BLK_KEY_REQUIRED UINT64_MAX

struct blk_key {
        const char *name;
        enum blk_key_type type;
        unsigned when;
        uint64_t max;
        uint64_t absent; /* default, or BLK_KEY_REQUIRED */
        /* > 0: the default is the value of another key (sector-size):
         * index - 1 into the same table, always an earlier row. */
        unsigned absent_from;
        const char *meaning; /* for documents and error texts */
};

extern const struct blk_key blk_back_keys[BLK_BACK_KEYS];
extern const struct blk_key blk_front_keys[BLK_FRONT_KEYS];

/* value[i] = default of keys[i] (0 where there is none). */
void blk_keys_defaults(const struct blk_key *keys, unsigned n, uint64_t *value);

/* Called once a key; 0 or -errno. Has the shape of xen_store_printf's use. */
typedef int (*blk_key_write)(void *arg, const char *name, uint64_t value);
/* Writes all boolean and number keys that are written at `when`, absent
 * features explicitly as 0. Booleans become 0 or 1. Stops at the first
 * failure, and returns it; -ERANGE if a value is over its bound. */
int blk_keys_write(const struct blk_key *keys, unsigned n, unsigned when,
                   const uint64_t *value, blk_key_write write, void *arg);

/* Called once a key: *value, or `absent` if there is no such node. Has the
 * shape of xen_store_read_u64_or. */
typedef int (*blk_key_read)(void *arg, const char *name, uint64_t max,
                            uint64_t absent, uint64_t *value);
/* Reads all boolean and number keys. 0; -ENOENT if a required key is absent,
 * or what the reader returned; *failed (may be NULL) then names the key. */
int blk_keys_read(const struct blk_key *keys, unsigned n, uint64_t *value,
                  blk_key_read read, void *arg, const char **failed);

/* "ring-ref" for a ring of one page, else "ring-ref0" and so on: a one-page
 * ring never has a number (PROTOCOL.md Q2, Q3). Returns dst. */
char *blk_ring_ref_name(char *dst, size_t dst_bytes, unsigned order,
                        unsigned page);

#endif
