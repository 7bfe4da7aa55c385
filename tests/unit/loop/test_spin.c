/* SPDX-License-Identifier: MIT */
/* What a loop does with its poller before it sleeps. */
#include "../common/yields.h"
#include "loop/loop_impl.h"
#include "rig.h"

struct seen {
        struct loop_poller p;
        struct loop_work stop;
        struct loop *l;
        unsigned looks, sleeps;
        unsigned find_at, busy_until; /* looks, sleeps */
};

static bool look(struct loop_poller *self)
{
        struct seen *s = self->arg;

        return ++s->looks == s->find_at;
}

/* Says "there is something" for a while; then the loop is stopped by work that
 * arrives while it would sleep. */
static bool before_sleep(struct loop_poller *self)
{
        struct seen *s = self->arg;

        if (++s->sleeps <= s->busy_until)
                return true;
        loop_post(s->l, &s->stop);
        return false;
}

static void set_up(struct rig *r, enum polling_mode mode, struct seen *s,
                   bool (*look_fn)(struct loop_poller *))
{
        struct loop_opts opts = {.no_uring = r->no_uring, .polling = mode};

        assert_int_equal(loop_create(&s->l, &opts), 0);
        s->p = (struct loop_poller){look_fn, before_sleep, s};
        s->stop = (struct loop_work){.fn = stop_work, .arg = s->l};
        loop_set_poller(s->l, &s->p);
}

static void run(struct rig *r, enum polling_mode mode, struct seen *s)
{
        set_up(r, mode, s, look);
        loop_run(s->l);
}

static void without_polling_only_the_sleep_is_announced(void **state)
{
        struct seen s = {.busy_until = 3};
        struct polling_counters n;

        run(*state, POLLING_OFF, &s);
        n = loop_polling(s.l);
        assert_int_equal(s.looks, 0);
        assert_int_equal(s.sleeps, 4);
        assert_int_equal(n.looks, 0);
        loop_destroy(s.l);
}

static void with_polling_it_looks_first(void **state)
{
        struct seen s = {0};
        struct polling_counters n;

        run(*state, POLLING_ON, &s);
        n = loop_polling(s.l);
        assert_true(s.looks > 1);
        assert_int_equal(s.sleeps, 1);
        assert_int_equal(n.looks, 1);
        assert_int_equal(n.finds, 0);
        assert_true(n.spent_ns >= POLLING_ON_NS);
        loop_destroy(s.l);
}

static void a_find_is_no_sleep(void **state)
{
        struct seen s = {.find_at = 5};
        struct polling_counters n;

        run(*state, POLLING_ON, &s);
        n = loop_polling(s.l);
        assert_int_equal(n.looks, 2);
        assert_int_equal(n.finds, 1);
        assert_int_equal(s.sleeps, 1);
        loop_destroy(s.l);
}

/* Work that is posted ends the look at once, not after its 10 ms. */
static bool post_in_look(struct loop_poller *self)
{
        struct seen *s = self->arg;

        if (s->looks++ == 0)
                loop_post(s->l, &s->stop);
        return false;
}

static void posted_work_ends_a_look(void **state)
{
        struct seen s = {0};

        set_up(*state, POLLING_ON, &s, post_in_look);
        loop_run(s.l);
        assert_int_equal(s.looks, 1);
        assert_int_equal(s.sleeps, 0);
        loop_destroy(s.l);
}

static void a_look_ends_when_somebody_takes_the_processor(void **state)
{
        struct seen s = {0};

        set_up(*state, POLLING_AUTO, &s, look);
        s.l->polling.window_ns = 1000 * CLOCK_NS_PER_MS;
        yields = 0;
        loop_run(s.l);
        assert_int_equal(yields, 1);
        assert_int_equal(s.sleeps, 1);
        loop_destroy(s.l);
}

const struct CMUnitTest spin_tests[] = {
        BOTH_WAYS(without_polling_only_the_sleep_is_announced),
        BOTH_WAYS(with_polling_it_looks_first),
        BOTH_WAYS(a_find_is_no_sleep),
        BOTH_WAYS(posted_work_ends_a_look),
        BOTH_WAYS(a_look_ends_when_somebody_takes_the_processor),
};
const size_t spin_tests_n = ARRAY_SIZE(spin_tests);
