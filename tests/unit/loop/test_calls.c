/* SPDX-License-Identifier: MIT */
/* Posted work, timers, turn hooks. */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

struct node {
        struct loop_work w;
        struct poster *from;
        unsigned number;
};
struct poster {
        struct rig *r;
        pthread_t thread;
        struct node *nodes;
        unsigned n, next;
        atomic_uint *left;
};

static void got(void *arg)
{
        struct node *n = arg;
        struct poster *p = n->from;

        assert_int_equal(n->number, p->next);
        p->next++;
        if (atomic_fetch_sub(p->left, 1) == 1)
                loop_stop(p->r->l);
}

static void *post_all(void *arg)
{
        struct poster *p = arg;

        for (unsigned i = 0; i < p->n; i++) {
                struct timespec pause = {0, 20000};

                p->nodes[i].from = p;
                p->nodes[i].number = i;
                p->nodes[i].w =
                        (struct loop_work){.fn = got, .arg = &p->nodes[i]};
                loop_post(p->r->l, &p->nodes[i].w);
                if (i % 64 == 0) /* the loop falls asleep now and then */
                        nanosleep(&pause, NULL);
        }
        return NULL;
}

static void work_of_threads_arrives_in_order_and_complete(void **state)
{
        enum { THREADS = 3, N = 20000 };
        atomic_uint left = THREADS * N;
        struct poster p[THREADS] = {0};

        for (int i = 0; i < THREADS; i++) {
                p[i] = (struct poster){.r = *state, .n = N, .left = &left};
                p[i].nodes = calloc(N, sizeof(struct node));
                pthread_create(&p[i].thread, NULL, post_all, &p[i]);
        }
        loop_run(p[0].r->l);
        for (int i = 0; i < THREADS; i++) {
                pthread_join(p[i].thread, NULL);
                assert_int_equal(p[i].next, N);
                free(p[i].nodes);
        }
}

struct again {
        struct loop_work w;
        struct rig *r;
        unsigned ran;
};

static void post_again(void *arg)
{
        struct again *a = arg;

        if (++a->ran < 100)
                loop_post(a->r->l, &a->w);
        else
                loop_stop(a->r->l);
}

static void work_may_post_itself_again(void **state)
{
        struct again a = {.r = *state};

        a.w = (struct loop_work){.fn = post_again, .arg = &a};
        loop_post(a.r->l, &a.w);
        loop_run(a.r->l);
        assert_int_equal(a.ran, 100);
}

struct ticks {
        struct loop_timer t;
        struct rig *r;
        struct ticks *other;
        unsigned fired, want;
        uint64_t last_ms, start_ms;
};

static void tick(struct loop_timer *t)
{
        struct ticks *k = t->arg;
        uint64_t now_ms = loop_now_ms(k->r->l);

        if (k->fired)
                assert_true(now_ms > k->last_ms);
        k->last_ms = now_ms;
        k->fired++;
        assert_true(now_ms >= k->start_ms + k->fired * k->t.period_ms);
        if (k->fired == k->want)
                loop_stop(k->r->l);
}

static void timers_fire_again_and_again_never_early(void **state)
{
        struct rig *r = *state;
        struct ticks fast = {.r = r, .want = 40}, slow = {.r = r};

        fast.start_ms = slow.start_ms = loop_now_ms(r->l);
        fast.t =
                (struct loop_timer){.period_ms = 2, .fire = tick, .arg = &fast};
        slow.t = (struct loop_timer){
                .period_ms = 25, .fire = tick, .arg = &slow};
        loop_timer_add(r->l, &fast.t);
        loop_timer_add(r->l, &slow.t);
        loop_run(r->l);
        assert_int_equal(fast.fired, 40);
        assert_true(slow.fired > 0);
        loop_timer_remove(r->l, &fast.t);
        loop_timer_remove(r->l, &slow.t);
        loop_timer_remove(r->l, &slow.t); /* twice is no harm */
}

static void remove_both(struct loop_timer *t)
{
        struct ticks *k = t->arg;
        struct rig *r = k->r;

        loop_timer_remove(r->l, &k->other->t);
        free(k->other);
        loop_timer_remove(r->l, &k->t);
        free(k);
        loop_stop(r->l);
}

static void timers_may_go_in_callbacks(void **state)
{
        struct rig *r = *state;

        for (int i = 0; i < 20; i++) {
                struct ticks *k[2];

                for (int j = 0; j < 2; j++) {
                        k[j] = calloc(1, sizeof(**k));
                        k[j]->r = r;
                        k[j]->t = (struct loop_timer){.period_ms = 1,
                                                      .fire = remove_both,
                                                      .arg = k[j]};
                        loop_timer_add(r->l, &k[j]->t);
                }
                k[0]->other = k[1];
                k[1]->other = k[0];
                loop_run(r->l);
        }
}

struct hook {
        struct loop_turn t;
        struct rig *r;
        struct hook *other;
        unsigned ran;
        bool *order_ok;
        bool work_ran;
};

static void hook_end(struct loop_turn *t)
{
        struct hook *h = t->arg;

        h->ran++;
        if (h->work_ran)
                loop_stop(h->r->l);
}

static void hook_work(void *arg)
{
        struct hook *h = arg;

        h->work_ran = true;
        assert_int_equal(h->ran, 0);
}

static void hooks_run_after_the_events_of_the_turn(void **state)
{
        struct hook h = {.r = *state};
        struct loop_work w = {.fn = hook_work, .arg = &h};

        h.t = (struct loop_turn){.end = hook_end, .arg = &h};
        loop_turn_add(h.r->l, &h.t);
        loop_post(h.r->l, &w);
        loop_run(h.r->l);
        assert_int_equal(h.ran, 1);
        loop_turn_remove(h.r->l, &h.t);
}

static void hook_remove_both(struct loop_turn *t)
{
        struct hook *h = t->arg;
        struct rig *r = h->r;

        loop_turn_remove(r->l, &h->other->t);
        free(h->other);
        loop_turn_remove(r->l, &h->t);
        free(h);
        loop_stop(r->l);
}

static void hooks_may_go_in_hooks(void **state)
{
        struct rig *r = *state;
        struct hook *h[2];

        for (int j = 0; j < 2; j++) {
                h[j] = calloc(1, sizeof(**h));
                h[j]->r = r;
                h[j]->t = (struct loop_turn){.end = hook_remove_both,
                                             .arg = h[j]};
                loop_turn_add(r->l, &h[j]->t);
        }
        h[0]->other = h[1];
        h[1]->other = h[0];
        {
                struct loop_work w = {.fn = stop_work, .arg = r->l};

                loop_post(r->l, &w);
                loop_run(r->l);
        }
}

static void *run_it(void *arg)
{
        loop_run(arg);
        return NULL;
}

struct seen {
        struct loop_fd f;
        atomic_uint n;
};

static void see(struct loop_fd *f)
{
        struct seen *s = container_of(f, struct seen, f);
        eventfd_t v;

        assert_int_equal(eventfd_read(f->fd, &v), 0);
        atomic_fetch_add(&s->n, 1);
}

/* Made and given a descriptor by one thread, run by another. */
static void a_loop_may_run_on_another_thread(void **state)
{
        struct rig *r = *state;
        struct loop_work w = {.fn = stop_work, .arg = r->l};
        struct seen s = {.f = {.fd = eventfd(0, EFD_CLOEXEC), .ready = see}};
        pthread_t thread;

        assert_int_equal(loop_fd_add(r->l, &s.f), 0);
        pthread_create(&thread, NULL, run_it, r->l);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(eventfd_write(s.f.fd, 1), 0);
                while (atomic_load(&s.n) < i)
                        usleep(100);
        }
        loop_post(r->l, &w);
        pthread_join(thread, NULL);
        loop_fd_remove(r->l, &s.f);
        close(s.f.fd);
}

static void why_there_is_no_uring_is_said(void **state)
{
        struct rig *r = *state;
        const char *why = "?";

        if (loop_has_uring(r->l, &why)) {
                assert_false(r->no_uring);
                assert_null(why);
        } else {
                assert_non_null(strstr(why, "io_uring"));
        }
        assert_int_equal(loop_has_uring(r->l, NULL), why == NULL);
        loop_destroy(NULL);
}

const struct CMUnitTest call_tests[] = {
        BOTH_WAYS(work_of_threads_arrives_in_order_and_complete),
        BOTH_WAYS(work_may_post_itself_again),
        BOTH_WAYS(timers_fire_again_and_again_never_early),
        BOTH_WAYS(timers_may_go_in_callbacks),
        BOTH_WAYS(hooks_run_after_the_events_of_the_turn),
        BOTH_WAYS(hooks_may_go_in_hooks),
        BOTH_WAYS(a_loop_may_run_on_another_thread),
        BOTH_WAYS(why_there_is_no_uring_is_said),
};
const size_t call_tests_n = ARRAY_SIZE(call_tests);
