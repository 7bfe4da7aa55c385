/* SPDX-License-Identifier: MIT */
/* Looking around for a while before sleeping: at what the poller knows, at
 * completions and at posted work. Whether and how long is common/polling.c's.
 */
#include "loop_impl.h"

void loop_set_poller(struct loop *l, struct loop_poller *p)
{
        l->poller = p;
}

static void publish(struct loop *l)
{
        const struct polling_counters *n = &l->polling.n;

        __atomic_store_n(&l->polled.looks, n->looks, __ATOMIC_RELAXED);
        __atomic_store_n(&l->polled.finds, n->finds, __ATOMIC_RELAXED);
        __atomic_store_n(&l->polled.preempted, n->preempted, __ATOMIC_RELAXED);
        __atomic_store_n(&l->polled.spent_ns, n->spent_ns, __ATOMIC_RELAXED);
}

struct polling_counters loop_polling(const struct loop *l)
{
        const struct polling_counters *n = &l->polled;

        return (struct polling_counters){
                .looks = __atomic_load_n(&n->looks, __ATOMIC_RELAXED),
                .finds = __atomic_load_n(&n->finds, __ATOMIC_RELAXED),
                .preempted = __atomic_load_n(&n->preempted, __ATOMIC_RELAXED),
                .spent_ns = __atomic_load_n(&n->spent_ns, __ATOMIC_RELAXED),
        };
}

static bool anything(struct loop *l)
{
        if (l->poller->look(l->poller))
                return true;
        if (atomic_load_explicit(&l->posted, memory_order_relaxed))
                return true;
        return l->uring_ok && loop_uring_has_news(l);
}

static bool look_around(struct loop *l, uint64_t window_ns)
{
        struct polling_look look;

        /* What the turn queued goes to the kernel first, and its time is no
         * time of looking. */
        if (l->uring_ok)
                loop_uring_wait(l, 0);
        polling_look_begin(&look, window_ns, clock_ns());
        for (;;) {
                for (unsigned i = 0; i < POLLING_LOOKS && !look.found; i++) {
                        look.found = anything(l);
                        if (!look.found)
                                polling_relax();
                }
                if (!polling_look_again(&look, clock_ns()))
                        break;
                if (!polling_let_others(&l->polling, &look))
                        break;
        }
        polling_looked(&l->polling, &look,
                       look.late_ns ? clock_preemptions() : 0);
        publish(l);
        return look.found;
}

bool loop_looks(struct loop *l, uint64_t now_ns)
{
        return polling_window(&l->polling, now_ns);
}

bool loop_spin(struct loop *l)
{
        uint64_t window_ns;

        if (!l->poller)
                return false;
        if (l->polling.mode != POLLING_OFF) {
                window_ns = polling_window(&l->polling, clock_ns());
                if (window_ns && look_around(l, window_ns))
                        return true;
        }
        return l->poller->sleep(l->poller);
}
