/* SPDX-License-Identifier: MIT */
/* The frontend's connect table alone: what its cells call is played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "front/front.h"

/* One letter a cell, columns are the backend's states 0 (unknown) to 8: . wait,
 * R restart, P publish, C connect, S read the size, K let go and say Closed,
 * G gone, F refused, L lost, U unexpected. Written down a second time on
 * purpose: a cell that changes has to be changed twice. */
static const struct expected {
        enum front_state own;
        const char *online, *offline;
} table[] = {
        {FRONT_CLOSED, ".RR...R..", "GRR..GR.."},
        {FRONT_INITIALISING, "..P.PK.UU", "G.P.PGGUU"},
        {FRONT_INITIALISED, "L...CFFUU", "L...CFFUU"},
        {FRONT_CONNECTED, "LLLUSLL.S", "LLLUSLL.S"},
        {FRONT_DEAD, ".........", "........."},
};

static enum xenbus_state backend;
static bool offline;
static char done[16], said[400];
static int fail_error;

static void note(char letter)
{
        size_t n = strlen(done);

        assert_true(n + 1 < sizeof(done));
        done[n] = letter;
        done[n + 1] = '\0';
}

/* ---- what connect.c calls ------------------------------------------------ */

enum xenbus_state front_keys_backend_state(struct eg_disk *d)
{
        return backend;
}

bool front_keys_offline(struct eg_disk *d)
{
        return offline;
}

int front_keys_find(struct eg_disk *d, struct err *e)
{
        return 0; /* the same backend as before */
}

void front_keys_set_state(struct eg_disk *d, enum xenbus_state s)
{
        note(s == XENBUS_CLOSED ? 'K' : '?');
}

void front_fail(struct eg_disk *d, int error, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(said, sizeof(said), fmt, ap);
        va_end(ap);
        fail_error = error;
        note('U');
}

void front_gone(struct eg_disk *d)
{
        note('G');
}

void front_restart(struct eg_disk *d)
{
        note('R');
}

void front_publish_link(struct eg_disk *d)
{
        note('P');
}

void front_connect_disk(struct eg_disk *d)
{
        note('C');
}

void front_resize(struct eg_disk *d)
{
        note('S');
}

void front_lost(struct eg_disk *d, enum xenbus_state back)
{
        assert_int_equal(back, backend);
        note('L');
}

void front_refused(struct eg_disk *d, enum xenbus_state back)
{
        assert_int_equal(back, backend);
        note('F');
}

void front_link_drop(struct eg_disk *d)
{
        note('?');
}

void front_log(struct eg_disk *d, enum eg_log_level level, const char *fmt, ...)
{
        note('?');
}

/* ---- tests --------------------------------------------------------------- */

static void step(struct eg_disk *d, enum front_state own, unsigned back)
{
        memset(d, 0, sizeof(*d));
        d->state = own;
        backend = (enum xenbus_state)back;
        done[0] = said[0] = '\0';
        fail_error = 0;
        front_connect_step(d);
}

static void check_cell(const struct expected *row, unsigned back)
{
        char want[2] = {(offline ? row->offline : row->online)[back], 0};
        static struct eg_disk d;

        step(&d, row->own, back);
        if (strcmp(done, want[0] == '.' ? "" : want) != 0)
                fail_msg("row %u, backend %u, %s: '%s', not '%s'", row->own,
                         back, offline ? "offline" : "online", done, want);
        if (want[0] == 'K')
                assert_int_equal(d.state, FRONT_CLOSED);
        else
                assert_int_equal(d.state, row->own);
        if (want[0] != 'U')
                return;
        /* The log says which pair it was. */
        assert_int_equal(fail_error, -EIO);
        assert_non_null(
                strstr(said, xenbus_state_name((enum xenbus_state)back)));
        assert_non_null(strstr(said, row->own == FRONT_CONNECTED ? "Connected"
                                     : row->own == FRONT_INITIALISED
                                             ? "Initialised"
                                             : "Initialising"));
}

static void every_cell_is_as_written_down(void **state)
{
        assert_int_equal(ARRAY_SIZE(table), FRONT_LIVE_STATES + 1);
        for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
                assert_int_equal(table[i].own, i);
                for (unsigned back = 0; back < XENBUS_STATES; back++) {
                        offline = false;
                        check_cell(&table[i], back);
                        offline = true;
                        check_cell(&table[i], back);
                }
        }
}

static void a_disk_that_closes_follows_nothing(void **state)
{
        static struct eg_disk d;

        for (unsigned own = 0; own <= FRONT_DEAD; own++) {
                for (unsigned back = 0; back < XENBUS_STATES; back++) {
                        memset(&d, 0, sizeof(d));
                        d.state = (enum front_state)own;
                        d.closing = true;
                        backend = (enum xenbus_state)back;
                        done[0] = '\0';
                        front_connect_step(&d);
                        assert_string_equal(done, "");
                        assert_int_equal(d.state, own);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_cell_is_as_written_down),
                cmocka_unit_test(a_disk_that_closes_follows_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
