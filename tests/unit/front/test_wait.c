/* SPDX-License-Identifier: MIT */
/* eg_wait: looking at the ring before sleeping, and asking for events only
 * then. */
#include <pthread.h>
#include <time.h>

#include "../common/yields.h"
#include "front/front.h"
#include "harness.h"
#include "ring/ring_index.h"

static struct eg_disk *open_polling(enum eg_polling mode)
{
        struct eg_options o = quiet_options();

        o.polling = mode;
        return open_disk(&o);
}

/* Whether the backend, answering once more, would send an event. */
static bool event_asked(void)
{
        const struct back_ring *r = &fake.ring;
        uint32_t event = ring_load_once(ring_word(r->shared, RING_RSP_EVENT));

        return event == r->rsp_prod + 1;
}

static uint8_t page[4096], pages[16384];

static void submit(struct eg_disk *d, struct probe *p)
{
        assert_int_equal(eg_submit(d, probe_io(p, EG_READ, page, 4096, 0)), 0);
        eg_kick(d);
}

static void a_response_is_found_by_looking_and_no_event_asked_for(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);
        struct eg_stats s;
        struct probe p;

        fake.hold = true;
        for (unsigned i = 1; i <= 5; i++) {
                submit(d, &p);
                assert_int_equal(fake_serve(1, false), 1);
                assert_int_equal(eg_wait(d, -1), 1);
                assert_int_equal(p.calls, 1);
                assert_int_equal(p.error, 0);
                assert_false(event_asked());
                eg_stats(d, &s);
                assert_int_equal(s.poll_finds, i);
        }
        assert_int_equal(eg_process(d), 0);
        assert_true(event_asked());
        eg_close(d);
}

static unsigned past_caches;

void *__wrap_copy_past_caches(void *restrict dst, const void *restrict src,
                              size_t len_bytes);

void *__wrap_copy_past_caches(void *restrict dst, const void *restrict src,
                              size_t len_bytes)
{
        past_caches++;
        return memcpy(dst, src, len_bytes);
}

void __wrap_ring_overlap_use_now(struct ring_overlap_use *u);

/* This thread never leaves its processor. */
void __wrap_ring_overlap_use_now(struct ring_overlap_use *u)
{
        *u = (struct ring_overlap_use){.now_ns = 1};
}

static struct probe many[16];

static void submit_many(struct eg_disk *d, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(eg_submit(d, probe_io(&many[i], EG_READ, page,
                                                       512, 512 * i * 2)),
                                 0);
        eg_kick(d);
}

/* Between each answer that is taken and the request in its place the backend
 * answers once more. */
static void run_together(struct eg_disk *d)
{
        struct probe p[2];

        submit(d, &p[0]);
        submit(d, &p[1]);
        assert_int_equal(fake_serve(1, false), 1);
        for (unsigned i = 0; i < 5 * RING_OVERLAP_EVERY; i++) {
                while (!p[i % 2].calls)
                        assert_true(eg_wait(d, 1000) >= 0);
                assert_int_equal(fake_serve(1, false), 1);
                submit(d, &p[i % 2]);
        }
        assert_int_equal(fake_serve(1, false), 1);
        while (!p[0].calls || !p[1].calls)
                assert_true(eg_wait(d, 1000) >= 0);
        assert_int_equal(eg_process(d), 0);
}

static void a_backend_that_goes_on_is_kept_going(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_OFF);

        fake.hold = true;
        submit_many(d, 8);
        assert_int_equal(fake_serve(8, false), 8);
        assert_int_equal(eg_wait(d, 1000), 8);
        run_together(d);
        submit_many(d, 8);
        assert_int_equal(fake_serve(7, false), 7);
        assert_int_equal(eg_wait(d, 1000), 2);
        assert_int_equal(eg_wait(d, 1000), 2);
        assert_int_equal(eg_wait(d, 1000), 2);
        assert_false(event_asked());
        assert_int_equal(eg_wait(d, 1000), 1);
        assert_int_equal(eg_wait(d, 0), 0);
        assert_true(event_asked());
        fake_serve(1, false);
        submit_many(d, 7);
        fake_serve(7, false);
        assert_int_equal(eg_process(d), 8);
        assert_true(event_asked());
        eg_close(d);
}

static uint32_t published[8];
static unsigned answers;

/* Asks once more, and notes what the backend has been told of. */
static void ask_again(struct eg_io *io, int error)
{
        struct probe *p = (struct probe *)io;
        struct eg_disk *d = io->user;

        published[answers++] =
                ring_load_once(ring_word(fake.ring.shared, RING_REQ_PROD));
        assert_int_equal(error, 0);
        assert_int_equal(eg_submit(d, probe_io(p, EG_READ, page, 512, 0)), 0);
}

/* Also without eg_wait: what the first few callbacks submit is told before the
 * last few answers are taken. */
static void who_polls_keeps_it_going_too(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_OFF);

        fake.hold = true;
        run_together(d);
        for (unsigned i = 0; i < 8; i++) {
                probe_io(&many[i], EG_READ, page, 512, 0);
                many[i].io.done = ask_again;
                many[i].io.user = d;
                assert_int_equal(eg_submit(d, &many[i].io), 0);
        }
        eg_kick(d);
        assert_int_equal(fake_serve(8, false), 8);
        answers = 0;
        assert_int_equal(eg_process(d), 8);
        assert_int_equal(answers, 8);
        for (unsigned i = 2; i < 8; i++)
                assert_int_equal(published[i] - published[0], i / 2 * 2);
        assert_true(event_asked());
        assert_int_equal(fake_serve(8, false), 8);
        assert_int_equal(eg_process(d), 8);
        eg_close(d);
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

/* NULL: no event was asked for within 10 s. */
static void *serve_when_asked(void *arg)
{
        struct timespec t = {0, 1000000};
        bool asked = event_asked();

        for (unsigned i = 0; i < 10000 && !asked; i++) {
                nanosleep(&t, NULL);
                asked = event_asked();
        }
        fake_serve(1, false);
        fake_event();
        return asked ? arg : NULL;
}

/* Nobody asked for an event when the last of a few was taken. */
static void whoever_sleeps_after_a_few_is_woken(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_OFF);
        pthread_t t;
        void *ret;

        fake.hold = true;
        run_together(d);
        submit_many(d, 3);
        assert_int_equal(fake_serve(2, false), 2);
        assert_int_equal(eg_wait(d, 1000), 2);
        pthread_create(&t, NULL, serve_when_asked, d);
        assert_int_equal(eg_wait(d, -1), 1);
        pthread_join(t, &ret);
        assert_ptr_equal(ret, d);
        eg_close(d);
}

static void *serve_later(void *arg)
{
        struct timespec t = {0, 50000000};

        nanosleep(&t, NULL);
        return fake_serve(1, false) == 1 ? arg : NULL;
}

/* In each mode, and also right after a look that asked for no event. */
static void whoever_sleeps_is_woken(void **state)
{
        for (unsigned mode = EG_POLLING_OFF; mode <= EG_POLLING_ON; mode++) {
                struct eg_disk *d = open_polling((enum eg_polling)mode);
                struct probe p;
                pthread_t t;
                void *ret;

                fake.hold = true;
                for (unsigned i = 0; i < 3; i++) {
                        submit(d, &p);
                        fake_serve(1, false);
                        assert_int_equal(eg_wait(d, -1), 1);
                        submit(d, &p);
                        pthread_create(&t, NULL, serve_later, d);
                        while (!p.calls)
                                assert_true(eg_wait(d, -1) >= 0);
                        pthread_join(t, &ret);
                        assert_ptr_equal(ret, d);
                }
                eg_close(d);
                fake_check_clean();
                fake_reset();
        }
}

static void without_news_it_ends_with_nothing(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);

        assert_int_equal(eg_wait(d, 0), 0);
        assert_int_equal(eg_wait(d, 1), 0);
        assert_true(event_asked());
        eg_close(d);
}

/* A new size is noticed although responses keep coming in. */
static void looking_does_not_hide_the_rest_of_the_world(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);
        struct eg_info info;
        struct probe p;
        unsigned n = 0;

        fake.hold = true;
        fake_set(FAKE_B "/sectors", "8192");
        fake_back_state(XENBUS_CONNECTED);
        do {
                submit(d, &p);
                assert_int_equal(fake_serve(1, false), 1);
                assert_int_equal(eg_wait(d, -1), 1);
                eg_info(d, &info);
                assert_true(++n < 1000);
        } while (info.size_bytes != 8192 * 512);
        eg_close(d);
}

static void a_broken_ring_ends_the_wait(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_ON);
        struct probe p;

        fake.hold = true;
        submit(d, &p);
        *(uint32_t *)ring_word(fake.ring.shared, RING_RSP_PROD) = 77;
        while (!p.calls)
                (void)eg_wait(d, -1);
        assert_int_equal(p.error, -EIO);
        assert_int_equal(eg_wait(d, -1), -EIO);
        eg_close(d);
}

static void a_look_ends_when_somebody_takes_the_processor(void **state)
{
        struct eg_disk *d = open_polling(EG_POLLING_AUTO);

        d->polling.window_ns = 1000 * CLOCK_NS_PER_MS;
        yields = 0;
        assert_int_equal(eg_wait(d, 1), 0);
        assert_int_equal(yields, 1);
        assert_true(event_asked());
        eg_close(d);
}

static void an_unknown_mode_is_refused(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d = NULL;

        o.polling = (enum eg_polling)3;
        assert_int_equal(eg_open(&d, "xvda", &o), -EINVAL);
        assert_non_null(strstr(eg_error(), "polling"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_response_is_found_by_looking_and_no_event_asked_for),
                T(what_is_read_elsewhere_is_written_past_the_caches),
                T(few_or_long_ones_are_written_through_the_caches),
                T(after_a_look_in_vain_it_is_written_through_the_caches),
                T(a_backend_that_goes_on_is_kept_going),
                T(who_polls_keeps_it_going_too),
                T(what_it_reads_is_written_past_the_caches),
                T(whoever_sleeps_is_woken),
                T(whoever_sleeps_after_a_few_is_woken),
                T(without_news_it_ends_with_nothing),
                T(looking_does_not_hide_the_rest_of_the_world),
                T(a_broken_ring_ends_the_wait),
                T(a_look_ends_when_somebody_takes_the_processor),
                T(an_unknown_mode_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
