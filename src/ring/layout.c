/* SPDX-License-Identifier: MIT */
/* The wire layouts of the block protocol. Xen's header describes the ABI of
 * the machine that compiles it; the other rows differ in the alignment of 64
 * bit numbers: 4 bytes on i386, so that nothing is padded. */
#include "request.h"

#include <errno.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "back_ring.h"
#include "ring_index.h"

#define LAYOUT_64(protocol)                                                   \
        {                                                                     \
                .name = (protocol), .request_bytes = 112,                     \
                .response_bytes = 16, .slot_bytes = 112, .id = 8,             \
                .sector = 16, .segs = 24, .discard_sectors = 24, .ind_id = 8, \
                .ind_sector = 16, .ind_handle = 24, .ind_grefs = 28,          \
                .rsp_op = 8, .rsp_status = 10,                                \
        }

#ifdef __aarch64__
#define NATIVE_NAME XEN_IO_PROTO_ABI_ARM
#else
#define NATIVE_NAME XEN_IO_PROTO_ABI_X86_64
#endif

const struct blk_layout blk_layouts[BLK_ABIS] = {
        [BLK_ABI_NATIVE] = LAYOUT_64(NATIVE_NAME),
        [BLK_ABI_X86_32] =
                {
                        .name = XEN_IO_PROTO_ABI_X86_32,
                        .request_bytes = 108,
                        .response_bytes = 12,
                        .slot_bytes = 108,
                        .id = 4,
                        .sector = 12,
                        .segs = 20,
                        .discard_sectors = 20,
                        .ind_id = 4,
                        .ind_sector = 12,
                        .ind_handle = 20,
                        .ind_grefs = 24, /* 2 bytes of padding before them */
                        .rsp_op = 8,
                        .rsp_status = 10,
                },
        [BLK_ABI_ARM] = LAYOUT_64(XEN_IO_PROTO_ABI_ARM),
};

/* The 64 bit row against the header itself. */
#define SAME(value, type, member) \
        _Static_assert(offsetof(struct type, member) == (value), #member)
_Static_assert(sizeof(struct blkif_request) == 112, "request");
_Static_assert(sizeof(struct blkif_response) == 16, "response");
_Static_assert(sizeof(union blkif_sring_entry) == BLK_SLOT_BYTES, "slot");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "segment");
_Static_assert(offsetof(struct blkif_sring, ring) == RING_HEADER_BYTES, "ring");
_Static_assert(BLKIF_MAX_SEGMENTS_PER_REQUEST == BLK_DIRECT_SEGS, "segments");
SAME(8, blkif_request, id);
SAME(16, blkif_request, sector_number);
SAME(24, blkif_request, seg);
SAME(8, blkif_request_discard, id);
SAME(16, blkif_request_discard, sector_number);
SAME(24, blkif_request_discard, nr_sectors);
SAME(8, blkif_request_indirect, id);
SAME(16, blkif_request_indirect, sector_number);
SAME(24, blkif_request_indirect, handle);
SAME(28, blkif_request_indirect, indirect_grefs);
SAME(8, blkif_response, operation);
SAME(10, blkif_response, status);

int blk_abi_by_name(const char *protocol, enum blk_abi *abi)
{
        for (unsigned i = 0; i < BLK_ABIS; i++) {
                if (strcmp(protocol, blk_layouts[i].name) == 0) {
                        *abi = (enum blk_abi)i;
                        return 0;
                }
        }
        return -EINVAL;
}

uint32_t blk_ring_slots(enum blk_abi abi, unsigned order)
{
        uint32_t fit = ((GRANT_PAGE_BYTES << order) - RING_HEADER_BYTES) /
                       blk_layouts[abi].slot_bytes;
        uint32_t slots = 1;

        while (slots * 2 <= fit)
                slots *= 2;
        return slots;
}
