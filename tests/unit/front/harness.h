/* SPDX-License-Identifier: MIT */
/* What the disk tests share. */
#ifndef EVERGRANT_TESTS_FRONT_HARNESS_H
#define EVERGRANT_TESTS_FRONT_HARNESS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "evergrant.h"
#include "fake_xen.h"

struct probe {
        struct eg_io io;
        struct iovec iov;
        int calls, error;
};

static inline void probe_done(struct eg_io *io, int error)
{
        struct probe *p = (struct probe *)io;

        p->calls++;
        p->error = error;
}

static inline struct eg_io *probe_io(struct probe *p, enum eg_op op, void *mem,
                                     size_t len, uint64_t offset)
{
        memset(p, 0, sizeof(*p));
        p->iov = (struct iovec){mem, len};
        p->io.op = op;
        p->io.offset_bytes = offset;
        p->io.iov = &p->iov;
        p->io.niov = 1;
        p->io.done = probe_done;
        return &p->io;
}

static inline void quiet(void *arg, enum eg_log_level level, const char *line)
{
}

static inline struct eg_options quiet_options(void)
{
        struct eg_options o;

        eg_options_init(&o);
        o.log = quiet;
        o.connect_timeout_ms = 50;
        o.close_timeout_ms = 50;
        return o;
}

static inline struct eg_disk *open_disk(const struct eg_options *o)
{
        struct eg_options q = quiet_options();
        struct eg_disk *d = NULL;

        assert_int_equal(eg_open(&d, "xvda", o ? o : &q), 0);
        assert_non_null(d);
        return d;
}

static inline void paint(void *mem, size_t len, unsigned seed)
{
        uint8_t *p = mem;

        for (size_t i = 0; i < len; i++)
                p[i] = (uint8_t)(seed + i * 31 + i / 509);
}

static inline int setup(void **state)
{
        fake_reset();
        return 0;
}

static inline int teardown(void **state)
{
        fake_check_clean();
        return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
