/* SPDX-License-Identifier: MIT */
/* eg_wait: looking at the ring before sleeping, and asking for events only
 * then. */
#include <pthread.h>
#include <time.h>

#include "../common/yields.h"
#include "front/front.h"
#include "together.h"
#include "ring/ring_index.h"

/* Whether the backend, answering once more, would send an event. */
static bool event_asked(void)
{
        const struct back_ring *r = &fake.ring;
        uint32_t event = ring_load_once(ring_word(r->shared, RING_RSP_EVENT));

        return event == r->rsp_prod + 1;
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
                T(a_backend_that_goes_on_is_kept_going),
                T(who_polls_keeps_it_going_too),
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
