/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ring/back_ring.h"
#include "ring/front_ring.h"
#include "ring/ring_index.h"

#define MS 1000000u

static struct ring_overlap o;
static struct ring_overlap_use use;

void __real_ring_overlap_use_now(struct ring_overlap_use *u);
void __wrap_ring_overlap_use_now(struct ring_overlap_use *u);

/* Not this thread's own: others may have its processor at any time. */
void __wrap_ring_overlap_use_now(struct ring_overlap_use *u)
{
        *u = use;
}

static int fresh(void **state)
{
        memset(&o, 0, sizeof(o));
        use = (struct ring_overlap_use){.now_ns = 1000 * MS, .cpu_ns = 1};
        return 0;
}

/* 1 ms later, which this thread had a processor for. */
static void work(void)
{
        use.now_ns += MS;
        use.cpu_ns += MS;
}

/* A batch that is sampled, in which the peer's index moves that far. */
static void batch(uint32_t moves)
{
        work();
        ring_overlap_sample(&o, 7, &use);
        if (o.watches)
                ring_overlap_result(&o, 7 + moves, &use);
}

static void batches(unsigned n, uint32_t moves)
{
        while (n--)
                batch(moves);
}

static void a_peer_that_goes_on_meanwhile_is_seen(void **state)
{
        batches(3, 1);
        assert_false(ring_overlap_is_seen(&o));
        batch(1);
        assert_true(ring_overlap_is_seen(&o));
        batches(100, 0);
        assert_false(ring_overlap_is_seen(&o));
}

static void now_and_then_is_enough(void **state)
{
        for (unsigned i = 0; i < 100; i++)
                batch(i % 4 == 0);
        assert_true(ring_overlap_is_seen(&o));
        for (unsigned i = 0; i < 100; i++)
                batch(i % 10 == 0);
        assert_false(ring_overlap_is_seen(&o));
}

/* It may have had this very processor. */
static void what_moved_while_we_were_off_says_nothing(void **state)
{
        for (unsigned i = 0; i < 100; i++) {
                work();
                ring_overlap_sample(&o, 7, &use);
                if (i % 2)
                        use.leaves.slept++;
                else
                        use.leaves.preempted++;
                ring_overlap_result(&o, 8, &use);
        }
        assert_false(ring_overlap_is_seen(&o));
}

/* For 3 ms somebody else had the processor, and nobody slept. */
static void who_shares_a_processor_with_others_sees_nothing(void **state)
{
        batches(10, 1);
        assert_true(ring_overlap_is_seen(&o));
        use.leaves.preempted++;
        use.now_ns += 3 * MS;
        batch(1);
        assert_false(ring_overlap_is_seen(&o));
        batches(98, 1);
        assert_false(ring_overlap_is_seen(&o));
        batches(10, 1);
        assert_true(ring_overlap_is_seen(&o));
}

static void who_slept_or_was_off_for_a_moment_goes_on(void **state)
{
        batches(10, 1);
        use.leaves.preempted++;
        use.now_ns += 50000;
        batch(1);
        assert_true(ring_overlap_is_seen(&o));
        use.leaves.preempted++;
        use.leaves.slept++;
        use.now_ns += 3 * MS;
        batch(1);
        assert_true(ring_overlap_is_seen(&o));
        use.now_ns += 3 * MS; /* the machine stood still */
        batch(1);
        assert_true(ring_overlap_is_seen(&o));
}

static uint32_t page[1024];

/* In the 64th batch each end looks, and not before its push. */
static void each_end_looks_now_and_then(void **state)
{
        struct blk_request req = {.op = BLK_FLUSH, .wire_op = BLK_FLUSH};
        uint8_t slot[BLK_SLOT_BYTES];
        struct blk_response rsp;
        struct front_ring f;
        struct back_ring b;

        front_ring_init(&f, page, 0, BLK_ABI_NATIVE);
        back_ring_init(&b, page, 0, BLK_ABI_NATIVE);
        for (unsigned i = 1; i <= 3 * RING_OVERLAP_EVERY; i++) {
                front_ring_put(&f, &req);
                (void)front_ring_push(&f);
                assert_false(f.overlap.watches);
                back_ring_batch(&b, back_ring_waiting(&b));
                back_ring_take(&b, slot);
                back_ring_respond(&b, 0, BLK_FLUSH, BLK_OKAY);
                assert_int_equal(b.overlap.watches, i % 64 == 0);
                (void)back_ring_push(&b);
                assert_false(b.overlap.watches);
                front_ring_batch(&f, front_ring_waiting(&f));
                front_ring_take(&f, &rsp);
                assert_int_equal(f.overlap.watches, i % 64 == 0);
        }
        /* One of them at a time. */
        assert_false(back_ring_peer_overlaps(&b));
        assert_false(front_ring_peer_overlaps(&f));
}

/* Whatever a peer writes where it is only looked at: the push says nothing of
 * it, the next look at the ring does. */
static void an_impossible_index_breaks_no_push(void **state)
{
        static const uint32_t lies[] = {33, 0x7fffffff, 0xffffffff};
        struct front_ring f;
        struct back_ring b;

        for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
                front_ring_init(&f, page, 0, BLK_ABI_NATIVE);
                back_ring_init(&b, page, 0, BLK_ABI_NATIVE);
                ring_overlap_sample(&b.overlap, 0, &use);
                ring_overlap_sample(&f.overlap, 0, &use);
                page[RING_REQ_PROD] = page[RING_RSP_PROD] = lies[i];
                (void)back_ring_push(&b);
                assert_false(b.overlap.watches);
                assert_false(b.broken);
                assert_int_equal(back_ring_waiting(&b), 0);
                assert_true(b.broken);
                page[RING_RSP_PROD] = lies[i];
                (void)front_ring_push(&f);
                assert_false(f.overlap.watches);
                assert_false(f.broken);
                assert_int_equal(front_ring_waiting(&f), 0);
                assert_true(f.broken);
        }
}

/* A use of this thread's own, of which the parts are about right. */
static void a_threads_use_is_its_own(void **state)
{
        struct ring_overlap_use a, b;
        struct timespec t = {0, 1000000};

        __real_ring_overlap_use_now(&a);
        nanosleep(&t, NULL);
        __real_ring_overlap_use_now(&b);
        assert_true(b.now_ns - a.now_ns >= 1000000);
        assert_true(b.cpu_ns >= a.cpu_ns);
        assert_true(b.cpu_ns - a.cpu_ns < b.now_ns - a.now_ns);
        assert_true(b.leaves.slept > a.leaves.slept);
        assert_true(b.leaves.preempted >= a.leaves.preempted);
}

#define T(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_peer_that_goes_on_meanwhile_is_seen),
                T(now_and_then_is_enough),
                T(what_moved_while_we_were_off_says_nothing),
                T(who_shares_a_processor_with_others_sees_nothing),
                T(who_slept_or_was_off_for_a_moment_goes_on),
                T(each_end_looks_now_and_then),
                T(an_impossible_index_breaks_no_push),
                T(a_threads_use_is_its_own),
        };

        return cmocka_run_group_tests_name("ring overlap", tests, NULL, NULL);
}
