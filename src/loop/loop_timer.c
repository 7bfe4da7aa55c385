/* SPDX-License-Identifier: MIT */
/* Timers and turn hooks: two short lists whose members may go away, or bring
 * others, while they are called. The *_next cursor is the member that is
 * called next; removal moves it on. */
#include "loop_impl.h"

static void set_due(const struct loop *l, struct loop_timer *t, uint64_t from)
{
        uint64_t period_ms = max_u64(t->period_ms, 1);

        if (!add_u64(from, period_ms, &t->due_ms))
                t->due_ms = UINT64_MAX - 1;
        if (t->due_ms <= l->now_ms) /* missed some: do not catch up */
                t->due_ms = l->now_ms + period_ms;
}

void loop_timer_add(struct loop *l, struct loop_timer *t)
{
        set_due(l, t, l->now_ms);
        t->next = l->timers;
        l->timers = t;
}

void loop_timer_remove(struct loop *l, struct loop_timer *t)
{
        struct loop_timer **at = &l->timers;

        while (*at && *at != t)
                at = &(*at)->next;
        if (!*at)
                return;
        if (l->timer_next == t)
                l->timer_next = t->next;
        *at = t->next;
        t->next = NULL;
}

void loop_timers_fire(struct loop *l)
{
        struct loop_timer *t;

        l->timer_next = l->timers;
        while ((t = l->timer_next)) {
                l->timer_next = t->next;
                if (t->due_ms > l->now_ms)
                        continue;
                set_due(l, t, t->due_ms);
                t->fire(t);
        }
}

void loop_turn_add(struct loop *l, struct loop_turn *t)
{
        struct loop_turn **at = &l->turns;

        while (*at)
                at = &(*at)->next;
        t->next = NULL;
        *at = t;
}

void loop_turn_remove(struct loop *l, struct loop_turn *t)
{
        struct loop_turn **at = &l->turns;

        while (*at && *at != t)
                at = &(*at)->next;
        if (!*at)
                return;
        if (l->turn_next == t)
                l->turn_next = t->next;
        *at = t->next;
        t->next = NULL;
}

void loop_turns_end(struct loop *l)
{
        struct loop_turn *t;

        l->turn_next = l->turns;
        while ((t = l->turn_next)) {
                l->turn_next = t->next;
                t->end(t);
        }
}
