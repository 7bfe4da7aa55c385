/* SPDX-License-Identifier: MIT */
/* Slots as other implementations write them: Xen's header for the 64-bit ABI,
 * and the i386 one spelled out. Independent of the layout table under test. */
#ifndef EVERGRANT_TESTS_WIRE_H
#define EVERGRANT_TESTS_WIRE_H

#include <stdint.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "ring/back_ring.h"

#define PACKED __attribute__((packed))

struct PACKED i386_request {
        uint8_t operation, nr_segments;
        uint16_t handle;
        uint64_t id;
        uint64_t sector_number;
        struct blkif_request_segment seg[11];
};

struct PACKED i386_discard {
        uint8_t operation, flag;
        uint16_t handle;
        uint64_t id;
        uint64_t sector_number;
        uint64_t nr_sectors;
};

struct PACKED i386_indirect {
        uint8_t operation, indirect_op;
        uint16_t nr_segments;
        uint64_t id;
        uint64_t sector_number;
        uint16_t handle, pad;
        uint32_t indirect_grefs[8];
        uint64_t pad2;
};

struct PACKED i386_response {
        uint64_t id;
        uint8_t operation;
        uint8_t pad;
        int16_t status;
};

union slot {
        uint8_t bytes[BLK_SLOT_BYTES];
        struct blkif_request rw;
        struct blkif_request_discard discard;
        struct blkif_request_indirect ind;
        struct i386_request rw_i386;
        struct i386_discard discard_i386;
        struct i386_indirect ind_i386;
};

/* One parsed field set, filled into a slot of either kind. */
#define WIRE_SET(s, abi, kind, field, value)              \
        do {                                              \
                if ((abi) == BLK_ABI_X86_32)              \
                        (s)->kind##_i386.field = (value); \
                else                                      \
                        (s)->kind.field = (value);        \
        } while (0)

static inline void wire_rw(union slot *s, enum blk_abi abi, uint8_t op,
                           uint8_t nsegs, uint64_t id, uint64_t sector)
{
        memset(s, 0xee, sizeof(*s));
        WIRE_SET(s, abi, rw, operation, op);
        WIRE_SET(s, abi, rw, nr_segments, nsegs);
        WIRE_SET(s, abi, rw, handle, 0xbeef);
        WIRE_SET(s, abi, rw, id, id);
        WIRE_SET(s, abi, rw, sector_number, sector);
}

static inline void wire_seg(union slot *s, enum blk_abi abi, unsigned i,
                            uint32_t gref, uint8_t first, uint8_t last)
{
        WIRE_SET(s, abi, rw, seg[i].gref, gref);
        WIRE_SET(s, abi, rw, seg[i].first_sect, first);
        WIRE_SET(s, abi, rw, seg[i].last_sect, last);
}

static inline void wire_discard(union slot *s, enum blk_abi abi, uint8_t flag,
                                uint64_t id, uint64_t sector, uint64_t sectors)
{
        memset(s, 0xee, sizeof(*s));
        WIRE_SET(s, abi, discard, operation, BLKIF_OP_DISCARD);
        WIRE_SET(s, abi, discard, flag, flag);
        WIRE_SET(s, abi, discard, id, id);
        WIRE_SET(s, abi, discard, sector_number, sector);
        WIRE_SET(s, abi, discard, nr_sectors, sectors);
}

static inline void wire_indirect(union slot *s, enum blk_abi abi, uint8_t op,
                                 uint16_t nsegs, uint64_t id, uint64_t sector)
{
        memset(s, 0xee, sizeof(*s));
        WIRE_SET(s, abi, ind, operation, BLKIF_OP_INDIRECT);
        WIRE_SET(s, abi, ind, indirect_op, op);
        WIRE_SET(s, abi, ind, nr_segments, nsegs);
        WIRE_SET(s, abi, ind, id, id);
        WIRE_SET(s, abi, ind, sector_number, sector);
        WIRE_SET(s, abi, ind, handle, 0xbeef);
        for (uint32_t i = 0; i < 8; i++)
                WIRE_SET(s, abi, ind, indirect_grefs[i], 1000 + i);
}

#endif
