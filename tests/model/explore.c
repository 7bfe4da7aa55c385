/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <string.h>
#include <ucontext.h>

#include "random.h"
#include "ring_steps.h"

#define MAX_STEPS 4096
#define STACK_BYTES (128 * 1024)
#define BUFFERED 16

/* What may happen at a step. The first is the usual one. */
enum choice { GO_ON, OTHER_SIDE, DRAIN_MINE, DRAIN_OTHERS, CHOICES };

struct coroutine {
        ucontext_t ctx;
        bool asleep, done, pending;
        struct {
                uint32_t *p;
                uint32_t v;
        } buffer[BUFFERED];
        unsigned nbuffer;
};

static struct coroutine co[SIDES];
static char stacks[SIDES][STACK_BYTES] __attribute__((aligned(64)));
static ucontext_t scheduler;
static enum side now;
static const struct explore *running;

/* The order of this run: its first nfixed choices are given. */
static uint8_t order[MAX_STEPS];
static unsigned nfixed, nsteps;
static unsigned random_odds; /* 0: not random */
static bool possible[MAX_STEPS][CHOICES];

void explore_fail(const char *why)
{
        static const char letters[] = ".sdD";

        fprintf(stderr,
                "%s: %s\norder (s: other side, d, D: a store of this, "
                "the other side is seen):\n",
                running->name, why);
        for (unsigned i = 0; i < nsteps; i++)
                fputc(letters[order[i]], stderr);
        fputc('\n', stderr);
        exit(1);
}

static void drain(enum side s)
{
        struct coroutine *c = &co[s];

        if (c->nbuffer == 0)
                return;
        *c->buffer[0].p = c->buffer[0].v;
        c->nbuffer--;
        memmove(c->buffer, c->buffer + 1, c->nbuffer * sizeof(c->buffer[0]));
}

static void drain_all(enum side s)
{
        while (co[s].nbuffer)
                drain(s);
}

static bool runnable(enum side s)
{
        return !co[s].done && (!co[s].asleep || co[s].pending);
}

static void yield(void)
{
        swapcontext(&co[now].ctx, &scheduler);
}

static enum choice choose(void)
{
        bool *can = possible[nsteps];
        enum side other = (enum side) !now;
        unsigned at = nsteps;

        if (at == MAX_STEPS - 1)
                explore_fail("endless");
        can[GO_ON] = true;
        can[OTHER_SIDE] = runnable(other);
        can[DRAIN_MINE] = co[now].nbuffer > 0;
        can[DRAIN_OTHERS] = co[other].nbuffer > 0;
        nsteps++;
        if (at >= nfixed) {
                order[at] = GO_ON;
                if (random_odds && rnd_below(random_odds) == 0)
                        order[at] = (uint8_t)rnd_below(CHOICES);
        }
        if (!can[order[at]])
                order[at] = GO_ON;
        return (enum choice)order[at];
}

static void step(void)
{
        for (;;) {
                switch (choose()) {
                case OTHER_SIDE:
                        yield();
                        return;
                case DRAIN_MINE:
                        drain(now);
                        break;
                case DRAIN_OTHERS:
                        drain((enum side) !now);
                        break;
                default:
                        return;
                }
        }
}

uint32_t steps_load(const uint32_t *p)
{
        struct coroutine *c;

        step();
        c = &co[now];
        for (unsigned i = c->nbuffer; i-- > 0;)
                if (c->buffer[i].p == p)
                        return c->buffer[i].v;
        return *p;
}

void steps_store(uint32_t *p, uint32_t v)
{
        struct coroutine *c;

        step();
        c = &co[now];
        if (c->nbuffer == BUFFERED)
                drain(now);
        c->buffer[c->nbuffer].p = p;
        c->buffer[c->nbuffer++].v = v;
}

void steps_fence(void)
{
        step();
        drain_all(now);
}

void explore_notify(enum side to)
{
        step();
        drain_all(now); /* a hypercall orders what came before it */
        co[to].pending = true;
}

void explore_sleep(void)
{
        struct coroutine *c = &co[now];

        c->asleep = true;
        while (!c->pending)
                yield();
        c->asleep = c->pending = false;
}

static void enter(void)
{
        running->side[now]();
        co[now].done = true;
        yield();
        abort();
}

static void run(const struct explore *e)
{
        running = e;
        nsteps = 0;
        e->start();
        memset(co, 0, sizeof(co));
        for (int s = 0; s < SIDES; s++) {
                getcontext(&co[s].ctx);
                co[s].ctx.uc_stack.ss_sp = stacks[s];
                co[s].ctx.uc_stack.ss_size = STACK_BYTES;
                makecontext(&co[s].ctx, enter, 0);
        }
        now = FRONT;
        while (!co[FRONT].done || !co[BACK].done) {
                if (runnable((enum side) !now)) {
                        now = (enum side) !now;
                } else if (!runnable(now)) {
                        drain_all(FRONT);
                        drain_all(BACK);
                        explore_fail("a wake-up was lost: somebody sleeps, no "
                                     "event is pending, work waits");
                }
                swapcontext(&scheduler, &co[now].ctx);
        }
        drain_all(FRONT);
        drain_all(BACK);
        e->end();
}

/* Makes the next order: the last choice that can become a later one does.
 * False when all are through. */
static bool next_order(unsigned departures)
{
        unsigned used = 0;

        for (unsigned i = 0; i < nsteps; i++)
                used += order[i] != GO_ON;
        for (unsigned i = nsteps; i-- > 0;) {
                bool departed = order[i] != GO_ON;

                if (!departed && used >= departures)
                        continue;
                for (unsigned c = order[i] + 1u; c < CHOICES; c++) {
                        if (!possible[i][c])
                                continue;
                        order[i] = (uint8_t)c;
                        nfixed = i + 1;
                        return true;
                }
                used -= departed;
        }
        return false;
}

uint64_t explore_all(const struct explore *e, unsigned departures)
{
        uint64_t runs = 0;

        nfixed = 0;
        random_odds = 0;
        do {
                run(e);
                runs++;
        } while (next_order(departures));
        return runs;
}

void explore_random(const struct explore *e, unsigned runs, unsigned odds)
{
        nfixed = 0;
        random_odds = odds;
        for (unsigned i = 0; i < runs; i++)
                run(e);
}
