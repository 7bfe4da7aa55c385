/* SPDX-License-Identifier: MIT */
/* A block request after it was copied out of the ring and validated, and the
 * wire layouts that it comes from. Pure: no allocation, no Xen library. */
#ifndef EVERGRANT_RING_REQUEST_H
#define EVERGRANT_RING_REQUEST_H

#include "common/util.h"

/* xen/io/blkif.h: segments in the slot, the most that indirect pages carry. */
#define BLK_DIRECT_SEGS 11u
/* What one indirect page carries, the most pages, and so the most segments. */
#define BLK_SEGS_PER_INDIRECT_PAGE 512u
#define BLK_MAX_INDIRECT_PAGES 8u
#define BLK_MAX_INDIRECT_SEGS \
        (BLK_SEGS_PER_INDIRECT_PAGE * BLK_MAX_INDIRECT_PAGES)
/* Bytes of one segment in a slot and in an indirect page, in every ABI. */
#define BLK_SEG_WIRE_BYTES 8u
#define BLK_MAX_RING_PAGES 16u
#define BLK_MAX_RING_ORDER 4u

/* Values as on the wire. */
enum blk_op {
        BLK_READ = 0,
        BLK_WRITE = 1,
        BLK_BARRIER = 2,
        BLK_FLUSH = 3,
        BLK_DISCARD = 5,
        BLK_INDIRECT = 6,
};

enum blk_status { BLK_OKAY = 0, BLK_ERROR = -1, BLK_EOPNOTSUPP = -2 };

/* The slot layouts (PROTOCOL.md Q5); NATIVE is the 64-bit one here. */
enum blk_abi { BLK_ABI_NATIVE, BLK_ABI_X86_32, BLK_ABI_ARM };
#define BLK_ABIS 3

/* Offsets in a request and response slot: one row an ABI, no twin parsers. */
struct blk_layout {
        const char *name; /* value of the key "protocol" */
        uint16_t request_bytes, response_bytes, slot_bytes;
        uint16_t id, sector, segs; /* read and write */
        uint16_t discard_sectors;
        uint16_t ind_id, ind_sector, ind_handle, ind_grefs; /* indirect */
        uint16_t rsp_op, rsp_status;
};
extern const struct blk_layout blk_layouts[BLK_ABIS];
/* By the key's value; NULL (absent) is chosen by the caller. -EINVAL. */
int blk_abi_by_name(const char *protocol, enum blk_abi *abi);

struct blk_seg {
        uint32_t gref;
        uint8_t first_sector, last_sector; /* in the page, inclusive */
};

static inline unsigned blk_seg_bytes(const struct blk_seg *s)
{
        return (unsigned)(s->last_sector - s->first_sector + 1) * SECTOR_BYTES;
}
static inline unsigned blk_seg_offset(const struct blk_seg *s)
{
        return s->first_sector * SECTOR_BYTES;
}

/* What a disk allows; the validator's only input besides the slot. */
struct blk_limits {
        uint64_t sectors;     /* size of the disk */
        uint32_t block_bytes; /* logical block: starts and lengths align */
        bool readonly;
        bool flush, barrier, discard, discard_secure; /* offered */
        uint32_t max_indirect_segs;                   /* 0: not offered */
};

/* Why a request was refused; BLK_VALID is not a refusal. */
enum blk_verdict {
        BLK_VALID,
        BLK_BAD_OP,       /* unknown or not offered: answer EOPNOTSUPP */
        BLK_BAD_NSEGS,    /* 0 for a read or write, or over the limit */
        BLK_BAD_SEG,      /* first > last, or last past the page */
        BLK_BAD_ALIGN,    /* not on the logical block */
        BLK_BAD_RANGE,    /* past the end, or wraps */
        BLK_BAD_READONLY, /* would change a read-only disk */
        BLK_VERDICTS
};
const char *blk_verdict_name(enum blk_verdict v);
/* The status that the verdict is answered with. */
enum blk_status blk_verdict_status(enum blk_verdict v);

struct blk_request {
        uint64_t id;
        uint8_t wire_op; /* as in the slot: what the response repeats, except
                            for indirect, where it is the inner op */
        enum blk_op op;  /* READ, WRITE, FLUSH, BARRIER or DISCARD */
        bool secure;     /* discard: no copy may be left */
        uint16_t handle; /* put in by the frontend; no backend may rely on it
                            (FreeBSD leaves bits of a pointer there) */
        uint64_t sector;
        uint64_t sectors; /* the sum over segs, 0 while indirect pages are
                             unread; discard: the range */
        unsigned nsegs;
        struct blk_seg segs[BLK_DIRECT_SEGS];
        /* indirect: nsegs > 0, segs unused until the pages are read */
        unsigned nindirect;
        uint32_t indirect_grefs[BLK_MAX_INDIRECT_PAGES];
};

/* Parses the private copy of a slot (never shared memory) and validates it.
 * id and wire_op are set whatever the verdict, so that it can be answered.
 * FLUSH and BARRIER may carry segments (to be written after the flush) or
 * none; a DISCARD of 0 sectors is valid and does nothing. */
enum blk_verdict blk_parse(enum blk_abi abi, const void *slot,
                           const struct blk_limits *lim,
                           struct blk_request *req);

/* The second half of an indirect request: checks its req->nsegs segments, all
 * copied out of the indirect pages one after the other, and fills segs and
 * req->sectors. */
enum blk_verdict blk_parse_indirect(const void *copied,
                                    const struct blk_limits *lim,
                                    struct blk_request *req,
                                    struct blk_seg *segs);

/* The frontend's direction: fills a request slot in shared memory from req,
 * writing every byte of the layout that req needs. */
void blk_build(enum blk_abi abi, void *slot, const struct blk_request *req);

#endif
