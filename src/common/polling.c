/* SPDX-License-Identifier: MIT */
/* auto, in short. The window follows what sleeping turned out to be: a sleep
 * that ended within POLLING_MOST_NS would have been found by looking, so the
 * window doubles; after a longer one it halves, down to nothing. Brakes:
 * looking around costs at most POLLING_BUDGET_PERCENT of the time, short finds
 * excepted, which are cheaper than the sleep they replace; each look in vain
 * doubles the number of short sleeps that it takes to look again, until one
 * finds something; a look that gets long offers the processor to others between
 * its steps, ends if one of them takes it, and was in vain: what is found after
 * that came from their turn, and a sleep had brought it as well; and whoever is
 * preempted for long while it looks around holds a processor that somebody
 * needs, and rests, twice as long each time it happens again. A hypervisor that
 * takes the processor for a while preempts nobody here: that only counts as
 * time spent. */
#include "polling.h"

#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static const char *const names[] = {
        [POLLING_OFF] = "off", [POLLING_AUTO] = "auto", [POLLING_ON] = "on"};

void polling_init(struct polling *p, enum polling_mode mode)
{
        *p = (struct polling){.mode = mode, .rest_ns = POLLING_REST_FIRST_NS};
}

static uint64_t percent_of_period(unsigned percent)
{
        return (uint64_t)POLLING_PERIOD_NS / 100 * percent;
}

static bool over_budget(struct polling *p, uint64_t now_ns)
{
        if (now_ns - p->period_ns >= POLLING_PERIOD_NS) {
                p->period_ns = now_ns;
                p->charged_ns = 0;
                p->taken_ns = 0;
        }
        return p->charged_ns >= percent_of_period(POLLING_BUDGET_PERCENT);
}

uint64_t polling_window(struct polling *p, uint64_t now_ns)
{
        switch (p->mode) {
        case POLLING_OFF:
                return 0;
        case POLLING_ON:
                return POLLING_ON_NS;
        case POLLING_AUTO:
                break;
        }
        if (now_ns < p->rest_until_ns || over_budget(p, now_ns))
                return 0;
        return p->window_ns;
}

static void rest(struct polling *p, uint64_t now_ns)
{
        p->taken_ns = 0;
        /* Left alone for long enough: an accident, not a crowd. */
        if (now_ns - p->rest_until_ns > 10 * p->rest_ns)
                p->rest_ns = POLLING_REST_FIRST_NS;
        p->rest_until_ns = now_ns + p->rest_ns;
        p->rest_ns = min_u64(2 * p->rest_ns, POLLING_REST_MOST_NS);
}

bool polling_let_others(const struct polling *p, struct polling_look *l)
{
        if (!polling_look_is_long(l))
                return true;
        sched_yield();
        return polling_look_yielded(p, l, clock_ns());
}

static void count_vain(struct polling *p, const struct polling_look *l)
{
        if (l->found && !l->shared)
                p->vain = 0;
        else if (p->vain < POLLING_VAIN_MOST)
                p->vain++;
        p->shorts = 0;
        /* Once is an accident: the system's own work. */
        if (l->shared && p->vain > 1)
                p->window_ns = 0;
}

void polling_looked(struct polling *p, const struct polling_look *l,
                    uint64_t preemptions)
{
        uint64_t took = l->now_ns - l->start_ns;

        p->n.looks++;
        p->n.finds += l->found;
        p->n.spent_ns += took;
        if (p->mode != POLLING_AUTO)
                return;
        count_vain(p, l);
        if (!l->found || took > POLLING_FREE_NS)
                p->charged_ns += took;
        if (!l->late_ns || preemptions == p->preemptions)
                return;
        p->preemptions = preemptions;
        p->n.preempted++;
        p->taken_ns += l->late_ns;
        if (p->taken_ns >= percent_of_period(POLLING_CROWD_PERCENT))
                rest(p, l->now_ns);
}

void polling_slept(struct polling *p, uint64_t start_ns, uint64_t now_ns)
{
        if (p->mode != POLLING_AUTO)
                return;
        if (now_ns - start_ns <= POLLING_MOST_NS) {
                if (!p->window_ns && ++p->shorts < 1u << p->vain)
                        return;
                p->window_ns =
                        p->window_ns ? 2 * p->window_ns : POLLING_FIRST_NS;
                p->window_ns = min_u64(p->window_ns, POLLING_MOST_NS);
        } else {
                p->window_ns /= 2;
                if (p->window_ns < POLLING_FIRST_NS)
                        p->window_ns = 0;
        }
}

int polling_parse(const char *text, enum polling_mode *mode)
{
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                if (strcmp(text, names[i]) == 0) {
                        *mode = (enum polling_mode)i;
                        return 0;
                }
        }
        return -EINVAL;
}

const char *polling_name(enum polling_mode mode)
{
        return names[mode];
}
