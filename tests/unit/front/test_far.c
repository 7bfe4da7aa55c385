/* SPDX-License-Identifier: MIT */
/* Which writes are copied past the caches, which through them (merge.c). */
#include "front/front.h"
#include "together.h"

static uint8_t pages[16384];

static unsigned past_caches;

void *__wrap_copy_past_caches(void *restrict dst, const void *restrict src,
                              size_t len_bytes);

void *__wrap_copy_past_caches(void *restrict dst, const void *restrict src,
                              size_t len_bytes)
{
        past_caches++;
        return memcpy(dst, src, len_bytes);
}

static struct blk_request on_the_ring[ARRAY_SIZE(many)];

/* n that the backend has taken and does not answer before answer_these. */
static void leave_on_the_ring(struct eg_disk *d, unsigned n)
{
        submit_many(d, n);
        for (unsigned i = 0; i < n; i++)
                assert_true(fake_take(&on_the_ring[i]));
}

static void push(void)
{
        if (back_ring_push(&fake.rings[0]))
                fake_event();
}

static void answer_these(struct eg_disk *d, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                fake_answer(on_the_ring[i].id, on_the_ring[i].wire_op,
                            BLK_OKAY);
        push();
        for (unsigned i = 0; i < n; i++) {
                while (!many[i].calls)
                        assert_true(eg_wait(d, 1000) >= 0);
        }
}

static void what_it_reads_is_written_past_the_caches(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_OFF);
        struct probe p;

        fake.hold = true;
        run_together(d);
        leave_on_the_ring(d, 8);
        past_caches = 0;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_WRITE, page, 4096, 0)),
                         0);
        assert_true(past_caches > 0);
        eg_kick(d);
        fake_serve(1, false);
        assert_int_equal(eg_wait(d, 1000), 1);
        answer_these(d, 8);
        eg_close(d);
}

/* Written, and answered by a backend that asks for no event. */
static void write_one(struct eg_disk *d, size_t len_bytes)
{
        struct blk_request req;
        struct probe p;

        assert_int_equal(
                eg_submit(d, probe_io(&p, EG_WRITE, pages, len_bytes, 0)), 0);
        eg_kick(d);
        assert_true(fake_take(&req));
        fake_answer(req.id, req.wire_op, BLK_OKAY);
        push();
        while (!p.calls)
                assert_true(eg_wait(d, -1) >= 0);
        assert_int_equal(p.error, 0);
}

/* One after the other, a ring of them, beside `others` that stay there; the
 * pushes took as long as `distance` says. */
static unsigned written_past_caches(struct eg_disk *d, unsigned others,
                                    size_t len_bytes, uint32_t distance)
{
        past_caches = 0;
        leave_on_the_ring(d, others);
        for (unsigned i = 0; i < 32; i++) {
                d->queue[0].ring.distance.score = distance;
                write_one(d, len_bytes);
        }
        answer_these(d, others);
        return past_caches;
}

static void done_with(struct eg_disk *d)
{
        eg_close(d);
        fake_check_clean();
        fake_reset();
}

/* Both ends look, so they run at the same time, on two processors. */
static void what_is_read_elsewhere_is_written_past_the_caches(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);

        fake.hold = true;
        assert_int_equal(written_past_caches(d, 8, 4096, 0), 0);
        assert_int_equal(written_past_caches(d, 8, 4096, 0), 32);
        done_with(d);
        d = open_polling(EG_POLLING_OFF);
        fake.hold = true;
        assert_int_equal(written_past_caches(d, 8, 4096, 0), 0);
        assert_int_equal(written_past_caches(d, 8, 4096, 0), 0);
        done_with(d);
}

/* But where the other processor is far: there they cost more than memory. */
static void few_or_long_ones_are_written_through_the_caches(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);

        fake.hold = true;
        /* Until it is known that both look. */
        written_past_caches(d, 0, 4096, 0);
        assert_int_equal(written_past_caches(d, 0, 4096, 0), 0);
        assert_int_equal(written_past_caches(d, 7, 4096, 0), 0);
        assert_int_equal(written_past_caches(d, 8, 4096, 0), 32);
        assert_int_equal(written_past_caches(d, 8, sizeof(pages), 0), 0);
        assert_int_equal(written_past_caches(d, 0, 4096, RING_EVIDENCE_MOST),
                         32);
        assert_int_equal(
                written_past_caches(d, 8, sizeof(pages), RING_EVIDENCE_MOST),
                4 * 32);
        done_with(d);
}

/* Where all processors are busy it looks in vain, and who is to read it has
 * this one next. */
static void after_a_look_in_vain_it_is_written_through_the_caches(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);
        unsigned n;

        fake.hold = true;
        past_caches = 0;
        leave_on_the_ring(d, 8);
        for (unsigned i = 0; i < 64; i++)
                write_one(d, 4096);
        n = past_caches;
        assert_true(n > 0);
        assert_int_equal(eg_wait(d, 20), 0);
        write_one(d, 4096);
        assert_int_equal(past_caches, n);
        for (unsigned i = 0; i < 32; i++)
                write_one(d, 4096);
        assert_true(past_caches > n);
        answer_these(d, 8);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(what_it_reads_is_written_past_the_caches),
                T(what_is_read_elsewhere_is_written_past_the_caches),
                T(few_or_long_ones_are_written_through_the_caches),
                T(after_a_look_in_vain_it_is_written_through_the_caches),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
