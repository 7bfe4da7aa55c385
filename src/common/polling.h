/* SPDX-License-Identifier: MIT */
/* When a thread with nothing to do should look again instead of sleeping: a
 * sleep and a wake-up cost more processor time, and far more latency, than a
 * short look around. Pure but for polling_let_others: the caller brings the
 * clock, in ns. One thread. */
#ifndef EVERGRANT_COMMON_POLLING_H
#define EVERGRANT_COMMON_POLLING_H

#include "util.h"

enum polling_mode {
        POLLING_OFF,  /* sleep at once */
        POLLING_AUTO, /* as long as it has paid lately, within the budget */
        POLLING_ON,   /* always, POLLING_ON_NS at a time */
};

#define POLLING_MOST_NS 100000u      /* auto: about two wake-ups */
#define POLLING_FIRST_NS 12500u      /* auto: what it starts and ends with */
#define POLLING_ON_NS 10000000u      /* on: then an idle thread sleeps */
#define POLLING_FREE_NS 10000u       /* a find so soon cost less than a sleep */
#define POLLING_PERIOD_NS 100000000u /* what the budget is a share of */
#define POLLING_BUDGET_PERCENT 25u
/* Nobody looks at the clock so seldom: the processor was somebody else's. */
#define POLLING_LATE_NS 30000u
/* Of a period, taken by other threads: less is the system's own small work. */
#define POLLING_CROWD_PERCENT 5u
/* Nobody gives the processor away and has it back so late: somebody else was
 * waiting for it. */
#define POLLING_SHARED_NS 5000u
#define POLLING_VAIN_MOST 6u
#define POLLING_REST_FIRST_NS 2000000u
#define POLLING_REST_MOST_NS 1000000000u

struct polling_counters {
        uint64_t looks; /* times that it polled */
        uint64_t finds; /* of these, with success */
        uint64_t preempted;
        uint64_t spent_ns;
};

struct polling {
        enum polling_mode mode;
        uint64_t window_ns; /* auto: of the next look */
        unsigned vain;      /* looks in a row without a find of their own */
        unsigned shorts;    /* short sleeps since the last look */
        uint64_t period_ns, charged_ns, taken_ns;
        uint64_t rest_until_ns, rest_ns;
        uint64_t preemptions; /* of its thread, when it was last late */
        struct polling_counters n;
};

void polling_init(struct polling *p, enum polling_mode mode);

/* How long to look around before sleeping; 0: not at all. */
uint64_t polling_window(struct polling *p, uint64_t now_ns);

/* One look around: POLLING_LOOKS looks, the clock, and so on until `found`,
 * which the caller sets, or the end of the window. */
struct polling_look {
        uint64_t start_ns, now_ns, window_ns;
        bool found;
        bool shared;      /* somebody else was waiting for the processor */
        uint64_t late_ns; /* sum of what is over POLLING_LATE_NS at once */
};
#define POLLING_LOOKS 32u

static inline void polling_look_begin(struct polling_look *l,
                                      uint64_t window_ns, uint64_t now_ns)
{
        *l = (struct polling_look){
                .start_ns = now_ns, .now_ns = now_ns, .window_ns = window_ns};
}

/* True: look again. */
static inline bool polling_look_again(struct polling_look *l, uint64_t now_ns)
{
        if (!l->found && now_ns - l->now_ns > POLLING_LATE_NS)
                l->late_ns += now_ns - l->now_ns;
        l->now_ns = now_ns;
        return !l->found && now_ns - l->start_ns < l->window_ns;
}

/* Then others get the processor before each further look: somebody may be
 * waiting for it, perhaps the very thread that is waited for. */
static inline bool polling_look_is_long(const struct polling_look *l)
{
        return l->now_ns - l->start_ns > POLLING_FREE_NS;
}

/* They had it until now. False: the look is over. */
static inline bool polling_look_yielded(const struct polling *p,
                                        struct polling_look *l, uint64_t now_ns)
{
        l->shared = now_ns - l->now_ns > POLLING_SHARED_NS;
        l->now_ns = now_ns;
        return !l->shared || p->mode != POLLING_AUTO;
}

/* Between two looks; in a short look it does nothing. False: the look is over.
 */
bool polling_let_others(const struct polling *p, struct polling_look *l);

/* It has looked from `start` to `now`. preemptions: of this thread until now
 * (clock_preemptions), asked for if it was late. */
void polling_looked(struct polling *p, const struct polling_look *l,
                    uint64_t preemptions);

/* It has slept from `start` to `now`. */
void polling_slept(struct polling *p, uint64_t start_ns, uint64_t now_ns);

/* -EINVAL for what is none of off, auto, on. */
int polling_parse(const char *text, enum polling_mode *mode);
const char *polling_name(enum polling_mode mode);

static inline void polling_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
        __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
