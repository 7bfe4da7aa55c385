/* SPDX-License-Identifier: MIT */
/* Watched descriptors. */
#include "rig.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

struct watch {
        struct loop_fd f;
        struct rig *r;
        struct watch *other;
        struct loop_work after;
        unsigned fired, want;
        bool drain;
};

static void add(struct rig *r, struct watch *w, void (*ready)(struct loop_fd *))
{
        w->r = r;
        w->f.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        w->f.ready = ready;
        w->f.arg = w;
        assert_int_equal(loop_fd_add(r->l, &w->f), 0);
}

static void drop(struct watch *w)
{
        loop_fd_remove(w->r->l, &w->f);
        close(w->f.fd);
}

static void signal_fd(struct watch *w)
{
        assert_int_equal(eventfd_write(w->f.fd, 1), 0);
}

static void count(struct loop_fd *f)
{
        struct watch *w = f->arg;
        eventfd_t v;

        if (w->drain)
                assert_int_equal(eventfd_read(f->fd, &v), 0);
        if (++w->fired == w->want)
                loop_stop(w->r->l);
}

static void a_ready_descriptor_is_told_until_it_is_drained(void **state)
{
        struct watch w = {.want = 5};
        uint64_t v;

        add(*state, &w, count);
        signal_fd(&w);
        loop_run(w.r->l); /* nobody reads: five times */
        assert_int_equal(w.fired, 5);
        assert_int_equal(read(w.f.fd, &v, sizeof(v)), sizeof(v));
        assert_int_equal(v, 1);
        drop(&w);
}

static void signal_other(void *arg)
{
        struct watch *w = arg;

        if (w->fired < w->want) {
                signal_fd(w);
                loop_post(w->r->l, &w->after);
        }
}

static void each_edge_is_told_once_when_drained(void **state)
{
        struct watch w = {.want = 1000, .drain = true};

        add(*state, &w, count);
        w.after = (struct loop_work){.fn = signal_other, .arg = &w};
        loop_post(w.r->l, &w.after);
        loop_run(w.r->l);
        assert_int_equal(w.fired, 1000);
        drop(&w);
}

static void remove_self(struct loop_fd *f)
{
        struct watch *w = f->arg;
        struct loop *l = w->r->l;

        w->fired++;
        drop(w);
        memset(w, 0x5a, sizeof(*w)); /* nobody may look at it again */
        free(w);
        loop_stop(l);
}

static void a_descriptor_may_go_in_its_own_callback(void **state)
{
        struct rig *r = *state;

        for (int i = 0; i < 50; i++) {
                struct watch *w = calloc(1, sizeof(*w));

                add(r, w, remove_self);
                signal_fd(w);
                loop_run(r->l);
        }
}

static void remove_other(struct loop_fd *f)
{
        struct watch *w = f->arg, *other = w->other;
        struct loop *l = w->r->l;

        assert_non_null(other);
        other->other = NULL;
        drop(other);
        free(other);
        drop(w);
        free(w);
        loop_stop(l);
}

/* Both are ready in the same turn; whichever comes first takes the other. */
static void a_descriptor_may_go_in_anothers_callback(void **state)
{
        struct rig *r = *state;

        for (int i = 0; i < 50; i++) {
                struct watch *a = calloc(1, sizeof(*a));
                struct watch *b = calloc(1, sizeof(*b));

                add(r, a, remove_other);
                add(r, b, remove_other);
                a->other = b;
                b->other = a;
                signal_fd(a);
                signal_fd(b);
                loop_run(r->l);
        }
}

/* The poll is in the kernel when the descriptor goes: its completion must find
 * no freed memory, and the new one of the same number must work. */
static void a_removed_armed_descriptor_is_never_told(void **state)
{
        struct rig *r = *state;

        for (int i = 0; i < 200; i++) {
                struct watch *idle = calloc(1, sizeof(*idle));
                struct watch w = {.want = 1, .drain = true};

                add(r, idle, count);
                add(r, &w, count);
                signal_fd(&w);
                loop_run(r->l);
                if (i % 2)
                        signal_fd(idle); /* ready and removed at once */
                assert_int_equal(idle->fired, 0);
                drop(idle);
                memset(idle, 0x5a, sizeof(*idle));
                free(idle);
                drop(&w);
        }
}

struct adder {
        struct watch w, added;
};

static void add_in_callback(struct loop_fd *f)
{
        struct watch *w = f->arg;
        struct adder *a = container_of(w, struct adder, w);

        loop_fd_remove(w->r->l, &w->f);
        a->added.want = 1;
        add(w->r, &a->added, count);
        signal_fd(&a->added);
}

static void a_descriptor_may_come_in_a_callback(void **state)
{
        struct adder a = {0};

        add(*state, &a.w, add_in_callback);
        signal_fd(&a.w);
        loop_run(a.w.r->l);
        assert_int_equal(a.added.fired, 1);
        drop(&a.added);
        close(a.w.f.fd);
}

static void many_descriptors_are_all_told(void **state)
{
        enum { N = 700 }; /* more than the submission queue holds */
        struct watch *w = calloc(N, sizeof(*w));
        struct rig *r = *state;

        for (int i = 0; i < N; i++) {
                w[i].drain = true;
                add(r, &w[i], count);
        }
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < N; i++) {
                        w[i].want = w[i].fired + 1;
                        signal_fd(&w[i]);
                }
                for (int i = 0; i < N; i++) {
                        while (w[i].fired <= (unsigned)round)
                                loop_run(r->l);
                }
        }
        for (int i = 0; i < N; i++) {
                assert_int_equal(w[i].fired, 3);
                drop(&w[i]);
        }
        free(w);
}

static void a_peer_that_hangs_up_is_told(void **state)
{
        struct watch w = {.want = 1};
        struct rig *r = *state;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        close(fds[1]);
        w.r = r;
        w.f = (struct loop_fd){.fd = fds[0], .ready = count, .arg = &w};
        assert_int_equal(loop_fd_add(r->l, &w.f), 0);
        loop_run(r->l);
        assert_int_equal(w.fired, 1);
        drop(&w);
}

static void a_closed_descriptor_is_refused(void **state)
{
        struct loop_fd f = {.fd = 9999, .ready = count};
        struct rig *r = *state;

        assert_int_equal(loop_fd_add(r->l, &f), -EBADF);
        loop_fd_remove(r->l, &f);
}

const struct CMUnitTest watch_tests[] = {
        BOTH_WAYS(a_ready_descriptor_is_told_until_it_is_drained),
        BOTH_WAYS(each_edge_is_told_once_when_drained),
        BOTH_WAYS(a_descriptor_may_go_in_its_own_callback),
        BOTH_WAYS(a_descriptor_may_go_in_anothers_callback),
        BOTH_WAYS(a_removed_armed_descriptor_is_never_told),
        BOTH_WAYS(a_descriptor_may_come_in_a_callback),
        BOTH_WAYS(many_descriptors_are_all_told),
        BOTH_WAYS(a_peer_that_hangs_up_is_told),
        BOTH_WAYS(a_closed_descriptor_is_refused),
};
const size_t watch_tests_n = ARRAY_SIZE(watch_tests);
