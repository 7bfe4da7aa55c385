/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "wire.h"

#define DISK_SECTORS 100000u
#define ID 0x0123456789abcdefull

static const struct blk_limits everything = {
        .sectors = DISK_SECTORS,
        .block_bytes = 512,
        .flush = true,
        .barrier = true,
        .discard = true,
        .discard_secure = true,
        .max_indirect_segs = 256,
};

static const enum blk_abi abis[] = {BLK_ABI_NATIVE, BLK_ABI_X86_32,
                                    BLK_ABI_ARM};
#define FOR_ABIS(abi)                                                      \
        for (size_t abi##_i = 0; abi##_i < ARRAY_SIZE(abis); abi##_i++)    \
                for (enum blk_abi abi = abis[abi##_i], *once = &abi; once; \
                     once = NULL)

static enum blk_verdict parse(enum blk_abi abi, const union slot *s,
                              const struct blk_limits *lim,
                              struct blk_request *req)
{
        memset(req, 0xaa, sizeof(*req));
        return blk_parse(abi, s->bytes, lim, req);
}

/* The verdict alone, after the id was checked. */
static enum blk_verdict judge(enum blk_abi abi, const union slot *s,
                              const struct blk_limits *lim)
{
        struct blk_request req;
        enum blk_verdict v = parse(abi, s, lim, &req);

        assert_true(req.id == ID);
        return v;
}

static void each_abi_finds_every_field(void **state)
{
        FOR_ABIS(abi)
        {
                struct blk_request req;
                union slot s;

                wire_rw(&s, abi, BLK_WRITE, 11, ID, 0x1234);
                for (uint8_t i = 0; i < 11; i++)
                        wire_seg(&s, abi, i, 0xf0000000u + i, i % 8, 7);
                assert_int_equal(parse(abi, &s, &everything, &req), BLK_VALID);
                assert_true(req.id == ID);
                assert_int_equal(req.wire_op, BLK_WRITE);
                assert_int_equal(req.op, BLK_WRITE);
                assert_int_equal(req.sector, 0x1234);
                assert_int_equal(req.nsegs, 11);
                assert_int_equal(req.nindirect, 0);
                assert_int_equal(req.handle, 0xbeef);
                for (uint8_t i = 0; i < 11; i++) {
                        assert_int_equal(req.segs[i].gref, 0xf0000000u + i);
                        assert_int_equal(req.segs[i].first_sector, i % 8);
                        assert_int_equal(req.segs[i].last_sector, 7);
                }
                /* 8 + 7 + … + 1, then 8 + 7 + 6. */
                assert_int_equal(req.sectors, 57);
        }
}

static void all_pairs_of_first_and_last_sector(void **state)
{
        FOR_ABIS(abi)
        {
                union slot s;

                wire_rw(&s, abi, BLK_READ, 2, ID, 0);
                for (unsigned at = 0; at < 2; at++) {
                        wire_seg(&s, abi, 1 - at, 1, 0, 7);
                        for (unsigned f = 0; f < 256; f++) {
                                for (unsigned l = 0; l < 256; l++) {
                                        bool good = f <= l && l < 8;

                                        wire_seg(&s, abi, at, 2, (uint8_t)f,
                                                 (uint8_t)l);
                                        assert_int_equal(
                                                judge(abi, &s, &everything),
                                                good ? BLK_VALID : BLK_BAD_SEG);
                                }
                        }
                }
        }
}

static void bad_segment_is_found_wherever_it_is(void **state)
{
        FOR_ABIS(abi)
        {
                for (unsigned bad = 0; bad < 11; bad++) {
                        union slot s;

                        wire_rw(&s, abi, BLK_READ, 11, ID, 0);
                        for (unsigned i = 0; i < 11; i++)
                                wire_seg(&s, abi, i, 1, 0, i == bad ? 8 : 7);
                        assert_int_equal(judge(abi, &s, &everything),
                                         BLK_BAD_SEG);
                }
        }
}

static void all_segment_counts(void **state)
{
        static const uint8_t ops[] = {BLK_READ, BLK_WRITE, BLK_FLUSH,
                                      BLK_BARRIER};

        FOR_ABIS(abi)
        {
                for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
                        bool may_be_empty = o >= 2;
                        union slot s;

                        for (unsigned n = 0; n < 256; n++) {
                                bool good = n <= 11 && (n || may_be_empty);

                                wire_rw(&s, abi, ops[o], (uint8_t)n, ID, 5);
                                for (unsigned i = 0; i < 11; i++)
                                        wire_seg(&s, abi, i, 1, 0, 7);
                                assert_int_equal(judge(abi, &s, &everything),
                                                 good ? BLK_VALID
                                                      : BLK_BAD_NSEGS);
                        }
                }
        }
}

static void flush_without_segments_has_no_sector(void **state)
{
        FOR_ABIS(abi)
        {
                struct blk_request req;
                union slot s;

                wire_rw(&s, abi, BLK_FLUSH, 0, ID, UINT64_MAX);
                assert_int_equal(parse(abi, &s, &everything, &req), BLK_VALID);
                assert_int_equal(req.nsegs, 0);
                assert_int_equal(req.sector, 0);
                assert_int_equal(req.sectors, 0);
                /* With a segment it is a write too, and checked as one. */
                wire_rw(&s, abi, BLK_FLUSH, 1, ID, DISK_SECTORS);
                wire_seg(&s, abi, 0, 1, 0, 0);
                assert_int_equal(judge(abi, &s, &everything), BLK_BAD_RANGE);
        }
}

static void range_ends_at_the_last_sector(void **state)
{
        static const struct {
                uint64_t sector;
                bool good; /* for 8 + 8 sectors */
        } cases[] = {
                {0, true},
                {DISK_SECTORS - 16, true},
                {DISK_SECTORS - 15, false},
                {DISK_SECTORS - 1, false},
                {DISK_SECTORS, false},
                {UINT32_MAX, false},
                {1ull << 63, false},
                {UINT64_MAX - 16, false},
                {UINT64_MAX - 15, false}, /* the sum is 0 */
                {UINT64_MAX - 14, false}, /* … and 1 */
                {UINT64_MAX, false},
                {(1ull << 55), false}, /* in bytes it would be 0 */
        };

        FOR_ABIS(abi)
        {
                for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                        union slot s;

                        wire_rw(&s, abi, BLK_WRITE, 2, ID, cases[i].sector);
                        wire_seg(&s, abi, 0, 1, 0, 7);
                        wire_seg(&s, abi, 1, 2, 0, 7);
                        assert_int_equal(judge(abi, &s, &everything),
                                         cases[i].good ? BLK_VALID
                                                       : BLK_BAD_RANGE);
                }
        }
}

static void discard_range_cannot_wrap(void **state)
{
        static const struct {
                uint64_t sector, sectors;
                bool good;
        } cases[] = {
                {0, 0, true},
                {0, 1, true},
                {0, DISK_SECTORS, true},
                {DISK_SECTORS, 0, true},
                {0, DISK_SECTORS + 1, false},
                {1, DISK_SECTORS, false},
                {DISK_SECTORS, 1, false},
                {DISK_SECTORS + 1, 0, false},
                {1, UINT64_MAX, false},
                {2, UINT64_MAX, false},
                {UINT64_MAX, 1, false},
                {UINT64_MAX, 2, false},
                {UINT64_MAX, UINT64_MAX, false},
                {1ull << 63, 1ull << 63, false},
        };

        FOR_ABIS(abi)
        {
                for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                        struct blk_request req;
                        union slot s;

                        wire_discard(&s, abi, 0, ID, cases[i].sector,
                                     cases[i].sectors);
                        assert_int_equal(parse(abi, &s, &everything, &req),
                                         cases[i].good ? BLK_VALID
                                                       : BLK_BAD_RANGE);
                        assert_true(req.id == ID);
                        assert_true(req.sector == cases[i].sector);
                        assert_true(req.sectors == cases[i].sectors);
                        assert_int_equal(req.wire_op, BLK_DISCARD);
                }
        }
}

static void secure_only_if_asked_and_offered(void **state)
{
        struct blk_limits no_secure = everything;

        no_secure.discard_secure = false;
        FOR_ABIS(abi)
        {
                for (unsigned flag = 0; flag < 256; flag++) {
                        struct blk_request req;
                        union slot s;

                        wire_discard(&s, abi, (uint8_t)flag, ID, 0, 8);
                        assert_int_equal(parse(abi, &s, &everything, &req),
                                         BLK_VALID);
                        assert_int_equal(req.secure, flag & 1);
                        assert_int_equal(parse(abi, &s, &no_secure, &req),
                                         flag & 1 ? BLK_BAD_OP : BLK_VALID);
                }
        }
}

static void starts_and_lengths_lie_on_the_block(void **state)
{
        struct blk_limits lim = everything;

        FOR_ABIS(abi)
        {
                for (uint32_t block = 512; block <= 4096; block *= 2) {
                        uint32_t n = block / 512;

                        lim.block_bytes = block;
                        for (unsigned sector = 0; sector < 17; sector++) {
                                for (unsigned len = 1; len <= 8; len++) {
                                        bool good =
                                                sector % n == 0 && len % n == 0;
                                        union slot s;

                                        wire_rw(&s, abi, BLK_READ, 2, ID,
                                                sector);
                                        wire_seg(&s, abi, 0, 1, 0, 7);
                                        wire_seg(&s, abi, 1, 1,
                                                 (uint8_t)(8 - len), 7);
                                        assert_int_equal(judge(abi, &s, &lim),
                                                         good ? BLK_VALID
                                                              : BLK_BAD_ALIGN);
                                        wire_discard(&s, abi, 0, ID, sector,
                                                     len);
                                        assert_int_equal(judge(abi, &s, &lim),
                                                         good ? BLK_VALID
                                                              : BLK_BAD_ALIGN);
                                }
                        }
                }
        }
}

static void readonly_disk_refuses_what_would_change_it(void **state)
{
        struct blk_limits ro = everything;

        ro.readonly = true;
        FOR_ABIS(abi)
        {
                union slot s;

                for (uint8_t op = 0; op < 4; op++) {
                        wire_rw(&s, abi, op, 1, ID, 0);
                        wire_seg(&s, abi, 0, 1, 0, 7);
                        assert_int_equal(judge(abi, &s, &ro),
                                         op == BLK_READ ? BLK_VALID
                                                        : BLK_BAD_READONLY);
                }
                wire_rw(&s, abi, BLK_FLUSH, 0, ID, 0);
                assert_int_equal(judge(abi, &s, &ro), BLK_VALID);
                wire_rw(&s, abi, BLK_BARRIER, 0, ID, 0);
                assert_int_equal(judge(abi, &s, &ro), BLK_VALID);
                wire_discard(&s, abi, 0, ID, 0, 8);
                assert_int_equal(judge(abi, &s, &ro), BLK_BAD_READONLY);
                wire_indirect(&s, abi, BLK_READ, 1, ID, 0);
                assert_int_equal(judge(abi, &s, &ro), BLK_VALID);
                wire_indirect(&s, abi, BLK_WRITE, 1, ID, 0);
                assert_int_equal(judge(abi, &s, &ro), BLK_BAD_READONLY);
        }
}

static void unknown_and_unoffered_operations(void **state)
{
        struct blk_limits plain = {.sectors = DISK_SECTORS, .block_bytes = 512};

        FOR_ABIS(abi)
        {
                for (unsigned op = 0; op < 256; op++) {
                        bool known = op <= 1;
                        struct blk_request req;
                        union slot s;

                        wire_rw(&s, abi, (uint8_t)op, 1, ID, 0);
                        wire_seg(&s, abi, 0, 1, 0, 7);
                        assert_int_equal(parse(abi, &s, &plain, &req),
                                         known ? BLK_VALID : BLK_BAD_OP);
                        assert_true(req.id == ID);
                        if (op != BLK_INDIRECT)
                                assert_int_equal(req.wire_op, op);
                        known = op <= 3 || op == 5 || op == 6;
                        if (op == BLK_INDIRECT || op == BLK_DISCARD)
                                continue; /* these bytes are no such request */
                        assert_int_equal(judge(abi, &s, &everything),
                                         known ? BLK_VALID : BLK_BAD_OP);
                }
        }
}

static void indirect_slot(void **state)
{
        struct blk_limits lim = everything;

        lim.sectors = 1 << 20;
        lim.max_indirect_segs = 4096;
        FOR_ABIS(abi)
        {
                static const uint16_t counts[] = {1, 11, 12, 512, 513, 4096};
                struct blk_request req;
                union slot s;

                for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                        wire_indirect(&s, abi, BLK_WRITE, counts[i], ID, 77);
                        assert_int_equal(parse(abi, &s, &lim, &req), BLK_VALID);
                        assert_true(req.id == ID);
                        assert_int_equal(req.op, BLK_WRITE);
                        assert_int_equal(req.wire_op, BLK_WRITE);
                        assert_int_equal(req.sector, 77);
                        assert_int_equal(req.nsegs, counts[i]);
                        assert_int_equal(req.handle, 0xbeef);
                        assert_int_equal(req.nindirect,
                                         (counts[i] + 511) / 512);
                        for (unsigned g = 0; g < req.nindirect; g++)
                                assert_int_equal(req.indirect_grefs[g],
                                                 1000 + g);
                }
        }
}

static void indirect_bounds(void **state)
{
        struct blk_limits lim = everything;

        FOR_ABIS(abi)
        {
                struct blk_request req;
                union slot s;

                for (unsigned n = 0; n <= UINT16_MAX; n++) {
                        bool good = n >= 1 && n <= 256;

                        wire_indirect(&s, abi, BLK_READ, (uint16_t)n, ID, 0);
                        assert_int_equal(judge(abi, &s, &everything),
                                         good ? BLK_VALID : BLK_BAD_NSEGS);
                }
                /* Eight pages carry 4096, whatever was offered. */
                lim.max_indirect_segs = UINT32_MAX;
                wire_indirect(&s, abi, BLK_READ, 4097, ID, 0);
                assert_int_equal(judge(abi, &s, &lim), BLK_BAD_NSEGS);
                lim.max_indirect_segs = 0;
                wire_indirect(&s, abi, BLK_READ, 1, ID, 0);
                assert_int_equal(judge(abi, &s, &lim), BLK_BAD_OP);
                /* Only reads and writes; the answer repeats the inner one. */
                for (unsigned op = 2; op < 256; op++) {
                        wire_indirect(&s, abi, (uint8_t)op, 1, ID, 0);
                        assert_int_equal(parse(abi, &s, &everything, &req),
                                         BLK_BAD_OP);
                        assert_int_equal(req.wire_op, op);
                }
                wire_indirect(&s, abi, BLK_READ, 2, ID, DISK_SECTORS - 1);
                assert_int_equal(judge(abi, &s, &everything), BLK_BAD_RANGE);
                wire_indirect(&s, abi, BLK_READ, 2, ID, UINT64_MAX);
                assert_int_equal(judge(abi, &s, &everything), BLK_BAD_RANGE);
                lim = everything;
                lim.block_bytes = 4096;
                wire_indirect(&s, abi, BLK_READ, 2, ID, 4);
                assert_int_equal(judge(abi, &s, &lim), BLK_BAD_ALIGN);
        }
}

static void refusals_have_names_and_answers(void **state)
{
        for (int v = 0; v < BLK_VERDICTS; v++) {
                assert_non_null(blk_verdict_name((enum blk_verdict)v));
                for (int w = 0; w < v; w++)
                        assert_string_not_equal(
                                blk_verdict_name((enum blk_verdict)v),
                                blk_verdict_name((enum blk_verdict)w));
                assert_int_equal(blk_verdict_status((enum blk_verdict)v),
                                 v == BLK_VALID    ? BLK_OKAY
                                 : v == BLK_BAD_OP ? BLK_EOPNOTSUPP
                                                   : BLK_ERROR);
        }
        assert_non_null(blk_verdict_name(BLK_VERDICTS));
}

static void abi_names(void **state)
{
        enum blk_abi abi;

        assert_int_equal(blk_abi_by_name("x86_32-abi", &abi), 0);
        assert_int_equal(abi, BLK_ABI_X86_32);
        assert_int_equal(
                blk_abi_by_name(blk_layouts[BLK_ABI_NATIVE].name, &abi), 0);
        assert_int_equal(abi, BLK_ABI_NATIVE);
        assert_int_equal(blk_abi_by_name("arm-abi", &abi), 0);
        assert_int_not_equal(abi, BLK_ABI_X86_32);
        assert_true(blk_abi_by_name("", &abi) < 0);
        assert_true(blk_abi_by_name("x86_32-abi ", &abi) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_abi_finds_every_field),
                cmocka_unit_test(all_pairs_of_first_and_last_sector),
                cmocka_unit_test(bad_segment_is_found_wherever_it_is),
                cmocka_unit_test(all_segment_counts),
                cmocka_unit_test(flush_without_segments_has_no_sector),
                cmocka_unit_test(range_ends_at_the_last_sector),
                cmocka_unit_test(discard_range_cannot_wrap),
                cmocka_unit_test(secure_only_if_asked_and_offered),
                cmocka_unit_test(starts_and_lengths_lie_on_the_block),
                cmocka_unit_test(readonly_disk_refuses_what_would_change_it),
                cmocka_unit_test(unknown_and_unoffered_operations),
                cmocka_unit_test(indirect_slot),
                cmocka_unit_test(indirect_bounds),
                cmocka_unit_test(refusals_have_names_and_answers),
                cmocka_unit_test(abi_names),
        };

        return cmocka_run_group_tests_name("request parser", tests, NULL, NULL);
}
