/* SPDX-License-Identifier: MIT */
/* The frontend's direction: slots must be what other backends read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "wire.h"

#define ID 0xfedcba9876543210ull

static const struct blk_limits lim = {
        .sectors = 1u << 30,
        .block_bytes = 512,
        .flush = true,
        .barrier = true,
        .discard = true,
        .discard_secure = true,
        .max_indirect_segs = 4096,
};

static struct blk_request sample(enum blk_op op, unsigned nsegs)
{
        struct blk_request r = {.id = ID, .op = op, .handle = 51712};

        r.nsegs = nsegs;
        r.sector = 4242;
        for (unsigned i = 0; i < nsegs; i++)
                r.segs[i] = (struct blk_seg){.gref = 8 + i,
                                             .first_sector = (uint8_t)(i % 4),
                                             .last_sector = 7};
        return r;
}

static void direct_requests_as_the_header_says(void **state)
{
        for (unsigned n = 1; n <= 11; n++) {
                struct blk_request r = sample(BLK_WRITE, n);
                union slot s;

                memset(&s, 0xee, sizeof(s));
                blk_build(BLK_ABI_NATIVE, s.bytes, &r);
                assert_int_equal(s.rw.operation, BLKIF_OP_WRITE);
                assert_int_equal(s.rw.nr_segments, n);
                assert_int_equal(s.rw.handle, 51712);
                assert_true(s.rw.id == ID);
                assert_int_equal(s.rw.sector_number, 4242);
                for (unsigned i = 0; i < n; i++) {
                        assert_int_equal(s.rw.seg[i].gref, 8 + i);
                        assert_int_equal(s.rw.seg[i].first_sect, i % 4);
                        assert_int_equal(s.rw.seg[i].last_sect, 7);
                }
                /* Padding carries nothing; unused segments stay alone. */
                for (unsigned i = 4; i < 8; i++)
                        assert_int_equal(s.bytes[i], 0);
                for (unsigned i = 24 + n * 8; i < sizeof(s); i++)
                        assert_int_equal(s.bytes[i], 0xee);
        }
}

static void i386_slots_are_108_bytes_with_the_id_at_4(void **state)
{
        struct blk_request r = sample(BLK_READ, 11);
        union slot s;

        memset(&s, 0xee, sizeof(s));
        blk_build(BLK_ABI_X86_32, s.bytes, &r);
        assert_int_equal(sizeof(s.rw_i386), 108);
        assert_int_equal(s.rw_i386.operation, BLKIF_OP_READ);
        assert_int_equal(s.rw_i386.nr_segments, 11);
        assert_int_equal(s.rw_i386.handle, 51712);
        assert_true(s.rw_i386.id == ID);
        assert_int_equal(s.rw_i386.sector_number, 4242);
        for (unsigned i = 0; i < 11; i++)
                assert_int_equal(s.rw_i386.seg[i].gref, 8 + i);
        assert_int_equal(s.bytes[108], 0xee);
}

static void discard_and_flush(void **state)
{
        struct blk_request r = sample(BLK_DISCARD, 0);
        union slot s;

        r.sectors = 1ull << 33;
        r.secure = true;
        memset(&s, 0xee, sizeof(s));
        blk_build(BLK_ABI_NATIVE, s.bytes, &r);
        assert_int_equal(s.discard.operation, BLKIF_OP_DISCARD);
        assert_int_equal(s.discard.flag, BLKIF_DISCARD_SECURE);
        assert_true(s.discard.id == ID);
        assert_int_equal(s.discard.sector_number, 4242);
        assert_true(s.discard.nr_sectors == 1ull << 33);
        blk_build(BLK_ABI_X86_32, s.bytes, &r);
        assert_int_equal(s.discard_i386.flag, BLKIF_DISCARD_SECURE);
        assert_true(s.discard_i386.id == ID);
        assert_true(s.discard_i386.nr_sectors == 1ull << 33);
        r = sample(BLK_FLUSH, 0);
        blk_build(BLK_ABI_NATIVE, s.bytes, &r);
        assert_int_equal(s.rw.operation, BLKIF_OP_FLUSH_DISKCACHE);
        assert_int_equal(s.rw.nr_segments, 0);
}

static void what_is_built_is_parsed_back(void **state)
{
        static const enum blk_op ops[] = {BLK_READ, BLK_WRITE, BLK_FLUSH,
                                          BLK_BARRIER};

        for (int abi = 0; abi < BLK_ABIS; abi++) {
                for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
                        for (unsigned n = o < 2; n <= 11; n++) {
                                struct blk_request r = sample(ops[o], n), p;
                                union slot s;

                                blk_build((enum blk_abi)abi, s.bytes, &r);
                                assert_int_equal(blk_parse((enum blk_abi)abi,
                                                           s.bytes, &lim, &p),
                                                 BLK_VALID);
                                assert_true(p.id == r.id);
                                assert_int_equal(p.op, r.op);
                                assert_int_equal(p.nsegs, n);
                                for (unsigned i = 0; i < n; i++) {
                                        assert_int_equal(p.segs[i].gref, 8 + i);
                                        assert_int_equal(p.segs[i].first_sector,
                                                         i % 4);
                                        assert_int_equal(p.segs[i].last_sector,
                                                         7);
                                }
                        }
                }
        }
}

static void indirect_is_parsed_back(void **state)
{
        for (int abi = 0; abi < BLK_ABIS; abi++) {
                struct blk_request r = sample(BLK_WRITE, 0), p;
                union slot s;

                r.nsegs = 600;
                r.nindirect = 2;
                r.indirect_grefs[0] = 77;
                r.indirect_grefs[1] = 0xffffffff;
                blk_build((enum blk_abi)abi, s.bytes, &r);
                assert_int_equal(s.bytes[0], BLKIF_OP_INDIRECT);
                assert_int_equal(
                        blk_parse((enum blk_abi)abi, s.bytes, &lim, &p),
                        BLK_VALID);
                assert_true(p.id == ID);
                assert_int_equal(p.op, BLK_WRITE);
                assert_int_equal(p.nsegs, 600);
                assert_int_equal(p.nindirect, 2);
                assert_int_equal(p.indirect_grefs[0], 77);
                assert_int_equal(p.indirect_grefs[1], 0xffffffff);
                assert_int_equal(p.sector, 4242);
                assert_int_equal(p.handle, 51712);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(direct_requests_as_the_header_says),
                cmocka_unit_test(i386_slots_are_108_bytes_with_the_id_at_4),
                cmocka_unit_test(discard_and_flush),
                cmocka_unit_test(what_is_built_is_parsed_back),
                cmocka_unit_test(indirect_is_parsed_back),
        };

        return cmocka_run_group_tests_name("request builder", tests, NULL,
                                           NULL);
}
