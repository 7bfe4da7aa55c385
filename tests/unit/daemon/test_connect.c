/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "back/connect.h"

/* One letter a cell, columns are the frontend's states 0 (unknown) to 8:
 * . none, O offer, A attach, R re-attach, C close, F finish, L release,
 * S restart, U unexpected, N announce. Written down a second time on purpose: a
 * cell that changes has to be changed twice. */
struct expected {
        enum connect_own own;
        const char *online, *offline;
};

static const struct expected table[] = {
        {CONNECT_ABSENT, ".........", "........."},
        {CONNECT_EARLY, "NNNNNNNNN", "........."},
        {CONNECT_WAITING, ".........", "CCCCCCCCC"},
        {CONNECT_NEW, "OOOOOOOOO", "........."},
        {CONNECT_REPLACED, "SSSSSSSSS", "SSSSSSSSS"},
        {CONNECT_OFFERED, "...AACCUU", "CCCCCCCCC"},
        {CONNECT_SERVING, "CCU..CCUU", "CCU..CCUU"},
        {CONNECT_STOPPED, "CCURRCCUU", "CCURRCCUU"},
        {CONNECT_ENDING, "FFU..FFUU", "FFU..FFUU"},
        {CONNECT_ENDED, "FFFFFFFFF", "FFFFFFFFF"},
        {CONNECT_CLOSED, ".OO......", "LLLLLLLLL"},
        {CONNECT_FAILED, ".........", "LLLLLLLLL"},
        {CONNECT_ODD, "UUUUUUUUU", "UUUUUUUUU"},
};

static const char letter[] = {
        [CONNECT_UNDEFINED] = '?',  [CONNECT_NONE] = '.',
        [CONNECT_OFFER] = 'O',      [CONNECT_ATTACH] = 'A',
        [CONNECT_REATTACH] = 'R',   [CONNECT_CLOSE] = 'C',
        [CONNECT_FINISH] = 'F',     [CONNECT_RELEASE] = 'L',
        [CONNECT_RESTART] = 'S',    [CONNECT_REMOVE] = 'D',
        [CONNECT_UNEXPECTED] = 'U', [CONNECT_ANNOUNCE] = 'N',
};

static char cell(enum connect_own own, unsigned front, bool online, bool dead)
{
        struct connect_input in = {
                .own = own,
                .front = (enum xenbus_state)front,
                .online = online,
                .dead = dead,
        };

        return letter[connect_action(&in)];
}

static void every_cell_is_as_written_down(void **state)
{
        assert_int_equal(ARRAY_SIZE(table), CONNECT_OWNS);
        for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
                assert_int_equal(table[i].own, i);
                for (unsigned f = 0; f < XENBUS_STATES; f++) {
                        assert_int_equal(cell(i, f, true, false),
                                         table[i].online[f]);
                        assert_int_equal(cell(i, f, false, false),
                                         table[i].offline[f]);
                }
        }
}

static void a_dead_domain_is_let_go_from_everywhere(void **state)
{
        for (unsigned own = 0; own < CONNECT_OWNS; own++) {
                for (unsigned f = 0; f < XENBUS_STATES; f++) {
                        assert_int_equal(cell(own, f, true, true), 'D');
                        assert_int_equal(cell(own, f, false, true), 'D');
                }
        }
}

static void a_state_out_of_range_reads_no_other_row(void **state)
{
        assert_int_equal(cell(CONNECT_OFFERED, 12, true, false), '.');
        assert_int_equal(cell(CONNECT_SERVING, ~0u, true, false), 'C');
}

static void connected_and_initialised_are_the_same(void **state)
{
        for (unsigned own = 0; own < CONNECT_OWNS; own++) {
                for (int online = 0; online < 2; online++)
                        assert_int_equal(cell(own, 3, online, false),
                                         cell(own, 4, online, false));
        }
}

static void what_is_held_decides_the_row(void **state)
{
        static const enum connect_own free_of[] = {
                CONNECT_ABSENT,  CONNECT_NEW,     CONNECT_OFFERED,
                CONNECT_OFFERED, CONNECT_STOPPED, CONNECT_ENDED,
                CONNECT_CLOSED,  CONNECT_ODD,     CONNECT_ODD,
        };
        static const enum connect_own held_of[] = {
                CONNECT_ODD,      CONNECT_REPLACED, CONNECT_REPLACED,
                CONNECT_REPLACED, CONNECT_SERVING,  CONNECT_ENDING,
                CONNECT_ODD,      CONNECT_ODD,      CONNECT_ODD,
        };

        for (unsigned s = 0; s < XENBUS_STATES; s++) {
                enum xenbus_state st = (enum xenbus_state)s;

                assert_int_equal(connect_own(st, false, false), free_of[s]);
                assert_int_equal(connect_own(st, true, false), held_of[s]);
                /* An error is latched only where nothing else is left. */
                assert_int_equal(connect_own(st, false, true),
                                 s == XENBUS_CLOSED ? CONNECT_FAILED
                                                    : free_of[s]);
        }
        assert_int_equal(connect_own((enum xenbus_state)99, false, false),
                         CONNECT_ODD);
}

static void the_toolstacks_script_comes_before_the_offer(void **state)
{
        static const enum connect_own before[] = {
                CONNECT_ABSENT,  CONNECT_EARLY,   CONNECT_WAITING,
                CONNECT_WAITING, CONNECT_WAITING, CONNECT_ENDED,
                CONNECT_FAILED,  CONNECT_ODD,     CONNECT_ODD,
        };
        static const enum connect_own after[] = {
                CONNECT_ABSENT, CONNECT_NEW,     CONNECT_NEW,
                CONNECT_NEW,    CONNECT_WAITING, CONNECT_ENDED,
                CONNECT_CLOSED, CONNECT_ODD,     CONNECT_ODD,
        };

        for (unsigned s = 0; s < XENBUS_STATES; s++) {
                enum xenbus_state st = (enum xenbus_state)s;

                assert_int_equal(connect_own_scripted(st, false, false),
                                 before[s]);
                assert_int_equal(connect_own_scripted(st, true, false),
                                 after[s]);
                assert_int_equal(connect_own_scripted(st, true, true),
                                 s == XENBUS_CLOSED ? CONNECT_FAILED
                                                    : after[s]);
        }
}

static void every_row_and_action_has_a_name(void **state)
{
        for (unsigned own = 0; own < CONNECT_OWNS; own++)
                assert_string_not_equal(connect_own_name(own), "?");
        for (unsigned a = 0; a <= CONNECT_UNEXPECTED; a++)
                assert_string_not_equal(connect_action_name(a), "?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_cell_is_as_written_down),
                cmocka_unit_test(a_dead_domain_is_let_go_from_everywhere),
                cmocka_unit_test(a_state_out_of_range_reads_no_other_row),
                cmocka_unit_test(connected_and_initialised_are_the_same),
                cmocka_unit_test(what_is_held_decides_the_row),
                cmocka_unit_test(the_toolstacks_script_comes_before_the_offer),
                cmocka_unit_test(every_row_and_action_has_a_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
