/* SPDX-License-Identifier: MIT */
#include "features.h"

#include <errno.h>
#include <stdio.h>

#define BOOLEAN(key, text, written)                                     \
        {                                                               \
                .name = (key), .type = BLK_KEY_BOOL, .when = (written), \
                .max = 1, .meaning = (text)                             \
        }
#define NUMBER(key, most, or_else, text, written)                         \
        {                                                                 \
                .name = (key), .type = BLK_KEY_NUMBER, .when = (written), \
                .max = (most), .absent = (or_else), .meaning = (text)     \
        }

/* Keeps sectors * 512 from wrapping, and apart from BLK_KEY_REQUIRED. */
#define SECTORS_MAX (INT64_MAX / SECTOR_BYTES)

const struct blk_key blk_back_keys[BLK_BACK_KEYS] = {
        [BLK_BACK_MAX_INDIRECT_SEGS] = NUMBER(
                "feature-max-indirect-segments", UINT32_MAX, 0,
                "most segments of an indirect request, 0: none", BLK_KEY_EARLY),
        [BLK_BACK_MAX_QUEUES] = NUMBER("multi-queue-max-queues", UINT32_MAX, 1,
                                       "most rings of a disk", BLK_KEY_EARLY),
        [BLK_BACK_MAX_RING_ORDER] = NUMBER(
                "max-ring-page-order", UINT32_MAX, 0,
                "largest ring, as a power of two of pages", BLK_KEY_EARLY),
        [BLK_BACK_PERSISTENT] =
                BOOLEAN("feature-persistent", "keeps the data pages mapped",
                        BLK_KEY_ANY),
        [BLK_BACK_FLUSH] = BOOLEAN("feature-flush-cache",
                                   "takes flush requests", BLK_KEY_ANY),
        [BLK_BACK_BARRIER] =
                BOOLEAN("feature-barrier", "takes barrier writes", BLK_KEY_ANY),
        [BLK_BACK_DISCARD] = BOOLEAN("feature-discard",
                                     "takes discard requests", BLK_KEY_ANY),
        [BLK_BACK_SECTORS] =
                NUMBER("sectors", SECTORS_MAX, BLK_KEY_REQUIRED,
                       "size of the disk in 512 byte units", BLK_KEY_CONNECT),
        [BLK_BACK_SECTOR_BYTES] =
                NUMBER("sector-size", UINT32_MAX, BLK_KEY_REQUIRED,
                       "logical block in bytes", BLK_KEY_CONNECT),
        [BLK_BACK_PHYSICAL_SECTOR_BYTES] =
                {
                        .name = "physical-sector-size",
                        .type = BLK_KEY_NUMBER,
                        .when = BLK_KEY_CONNECT,
                        .max = UINT32_MAX,
                        .absent_from = BLK_BACK_SECTOR_BYTES + 1,
                        .meaning = "physical block in bytes",
                },
        [BLK_BACK_DISCARD_GRANULARITY] =
                {
                        .name = "discard-granularity",
                        .type = BLK_KEY_NUMBER,
                        .when = BLK_KEY_CONNECT,
                        .max = UINT32_MAX,
                        .absent_from = BLK_BACK_SECTOR_BYTES + 1,
                        .meaning = "extent that can be discarded, in bytes",
                },
        [BLK_BACK_DISCARD_ALIGNMENT] =
                NUMBER("discard-alignment", UINT32_MAX, 0,
                       "offset of the first extent, in bytes", BLK_KEY_CONNECT),
        [BLK_BACK_DISCARD_SECURE] = BOOLEAN(
                "discard-secure", "honours the secure flag of a discard",
                BLK_KEY_CONNECT),
        [BLK_BACK_INFO] =
                NUMBER("info", UINT32_MAX, 0,
                       "1 CD-ROM, 2 removable, 4 read-only", BLK_KEY_CONNECT),
};

const struct blk_key blk_front_keys[BLK_FRONT_KEYS] = {
        [BLK_FRONT_PROTOCOL] =
                {
                        .name = "protocol",
                        .type = BLK_KEY_TEXT,
                        .when = BLK_KEY_CONNECT,
                        .meaning = "layout of the slots: blk_abi_by_name",
                },
        [BLK_FRONT_PERSISTENT] =
                BOOLEAN("feature-persistent",
                        "uses the same granted pages again", BLK_KEY_CONNECT),
        [BLK_FRONT_NUM_QUEUES] = NUMBER("multi-queue-num-queues", UINT32_MAX, 1,
                                        "rings of this disk", BLK_KEY_CONNECT),
        [BLK_FRONT_RING_ORDER] =
                NUMBER("ring-page-order", UINT32_MAX, 0,
                       "size of each ring, as a power of two of pages",
                       BLK_KEY_CONNECT),
        [BLK_FRONT_RING_REF] =
                NUMBER("ring-ref", UINT32_MAX, BLK_KEY_REQUIRED,
                       "grant of the ring's only page", BLK_KEY_CONNECT),
        [BLK_FRONT_RING_REF_N] =
                {
                        .name = "ring-ref%u",
                        .type = BLK_KEY_PATTERN,
                        .when = BLK_KEY_CONNECT,
                        .max = UINT32_MAX,
                        .absent = BLK_KEY_REQUIRED,
                        .meaning = "grant of one page of several",
                },
        [BLK_FRONT_EVENT_CHANNEL] =
                NUMBER("event-channel", UINT32_MAX, BLK_KEY_REQUIRED,
                       "port that the frontend listens on", BLK_KEY_CONNECT),
};

static bool has_number(const struct blk_key *k)
{
        return k->type == BLK_KEY_BOOL || k->type == BLK_KEY_NUMBER;
}

static uint64_t default_of(const struct blk_key *k, const uint64_t *value)
{
        return k->absent_from ? value[k->absent_from - 1] : k->absent;
}

void blk_keys_defaults(const struct blk_key *keys, unsigned n, uint64_t *value)
{
        for (unsigned i = 0; i < n; i++) {
                uint64_t v = default_of(&keys[i], value);

                value[i] = v == BLK_KEY_REQUIRED ? 0 : v;
        }
}

int blk_keys_write(const struct blk_key *keys, unsigned n, unsigned when,
                   const uint64_t *value, blk_key_write write, void *arg)
{
        for (unsigned i = 0; i < n; i++) {
                const struct blk_key *k = &keys[i];
                uint64_t v = value[i];
                int ret;

                if (!has_number(k) || !(k->when & when))
                        continue;
                if (k->type == BLK_KEY_BOOL)
                        v = v != 0;
                if (v > k->max)
                        return -ERANGE;
                ret = write(arg, k->name, v);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

int blk_keys_read(const struct blk_key *keys, unsigned n, uint64_t *value,
                  blk_key_read read, void *arg, const char **failed)
{
        for (unsigned i = 0; i < n; i++) {
                const struct blk_key *k = &keys[i];
                uint64_t absent = default_of(k, value);
                int ret;

                value[i] = 0;
                if (!has_number(k))
                        continue;
                ret = read(arg, k->name, k->max, absent, &value[i]);
                if (ret == 0 && value[i] == BLK_KEY_REQUIRED)
                        ret = -ENOENT;
                if (ret < 0) {
                        if (failed)
                                *failed = k->name;
                        return ret;
                }
        }
        return 0;
}

char *blk_ring_ref_name(char *dst, size_t dst_bytes, unsigned order,
                        unsigned page)
{
        if (order == 0)
                snprintf(dst, dst_bytes, "ring-ref");
        else
                snprintf(dst, dst_bytes, "ring-ref%u", page);
        return dst;
}
