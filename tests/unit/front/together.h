/* SPDX-License-Identifier: MIT */
/* What the tests of a frontend share that looks, or whose backend goes on
 * meanwhile; linked with --wrap=ring_overlap_use_now. */
#ifndef EVERGRANT_TESTS_FRONT_TOGETHER_H
#define EVERGRANT_TESTS_FRONT_TOGETHER_H

#include "harness.h"
#include "ring/overlap.h"

static inline struct eg_disk *open_polling(enum eg_polling mode)
{
        struct eg_options o = quiet_options();

        o.polling = mode;
        return open_disk(&o);
}

static uint8_t page[4096];

static inline void submit(struct eg_disk *d, struct probe *p)
{
        assert_int_equal(eg_submit(d, probe_io(p, EG_READ, page, 4096, 0)), 0);
        eg_kick(d);
}

static struct probe many[16];

static inline void submit_many(struct eg_disk *d, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(eg_submit(d, probe_io(&many[i], EG_READ, page,
                                                       512, 512 * i * 2)),
                                 0);
        eg_kick(d);
}

void __wrap_ring_overlap_use_now(struct ring_overlap_use *u);

/* This thread never leaves its processor. */
void __wrap_ring_overlap_use_now(struct ring_overlap_use *u)
{
        *u = (struct ring_overlap_use){.now_ns = 1};
}

/* Between each answer that is taken and the request in its place the backend
 * answers once more. */
static inline void run_together(struct eg_disk *d)
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

#endif
