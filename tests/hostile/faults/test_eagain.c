/* SPDX-License-Identifier: MIT */
/* T-EAGAIN (H15): a granted page that stays paged out. libxengnttab tries for
 * ever; the request fails all the same, the thread serves others, and what the
 * library left behind goes when the disk disconnects. And a grant call that
 * takes long inside of the kernel is seen. */
#include "ask.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true};
static const char *const modes[] = {"--grants map", "--grants persistent"};

static struct fault_opts only(const struct page *p)
{
        return (struct fault_opts){.first = p->gref, .last = p->gref};
}

static void t_eagain_some_rounds_are_waited_for(void **state)
{
        for (unsigned m = 0; m < 2; m++) {
                struct zombie_base base = zombie_base();
                struct guest *g = guest_create("ram:8M", modes[m]);
                struct fault_opts o;
                struct page p;

                guest_connect(g, persistent);
                guest_page(g, &p, true);
                o = only(&p);
                o.times = 5;
                fault_set("map", "eagain", g, o);
                memset(p.bytes, 0x31, 4096);
                assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
                memset(p.bytes, 0, 4096);
                assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
                assert_int_equal(p.bytes[4095], 0x31);
                assert_int_equal(ask_counter(g, "maps_given_up"), 0);
                ask_same_account(g);
                zombie_end(&base, g);
        }
}

/* The page's request and the ring end, the rest of the batch is answered
 * before, others are served on the same thread (rig.sh starts one). */
static void for_ever(const char *mode, enum blk_abi abi, enum blk_op op,
                     bool indirect)
{
        struct guest *g = guest_create("ram:8M", mode), *other;
        struct page p, before, table, data[12];
        struct connect_opts o = {.persistent = true, .abi = abi};
        uint64_t id, victim;
        unsigned fault;

        other = guest_create("ram:8M", mode);
        guest_connect(other, persistent);
        guest_page(other, &data[0], true);
        guest_connect(g, o);
        guest_page(g, &before, true);
        guest_page(g, &p, true);
        guest_page(g, &table, true);
        for (unsigned i = 0; i < 12; i++)
                data[i] = before;
        fault = fault_set("map", "eagain", g, only(indirect ? &table : &p));
        memset(p.bytes, 0xc7, 4096);
        guest_put(g, BLK_READ, 64, &before, 1);
        victim = indirect ? guest_put_indirect(g, op, 0, data, 12, &table)
                          : guest_put(g, op, 0, &p, 1);
        guest_kick(g);
        for (int i = 0; i < 2; i++) {
                int status = guest_answer(g, &id);

                assert_int_equal(status, id == victim ? BLK_ERROR : BLK_OKAY);
        }
        assert_int_equal(p.bytes[9], 0xc7);
        assert_true(fault_given(fault) > 3);
        wait_until(ask_counter(g, "ring_broken") == 1);
        assert_int_equal(ask_counter(g, "maps_given_up"), 1);
        ask_same_account(g);
        guest_page(other, &data[1], true);
        assert_int_equal(guest_io(other, BLK_WRITE, 0, &data[1], 1), BLK_OKAY);
        /* Its patience is used up: at the next offence nobody waits. */
        guest_disconnect(g);
        guest_connect(g, o);
        id = fault_given(fault);
        if (indirect)
                guest_put_indirect(g, op, 0, data, 12, &table);
        else
                guest_put(g, op, 0, &p, 1);
        guest_kick(g);
        assert_int_equal(guest_answer(g, NULL), BLK_ERROR);
        assert_int_equal(fault_given(fault), id + 1);
        guest_disconnect(g);
        fault_clear();
        guest_connect(g, o);
        assert_int_equal(guest_io(g, op, 0, &p, 1), BLK_OKAY);
        ask_same_account(g);
        guest_destroy(g);
        assert_int_equal(guest_io(other, BLK_READ, 0, &data[1], 1), BLK_OKAY);
        guest_destroy(other);
}

static void t_eagain_for_ever(void **state)
{
        struct zombie_base base = zombie_base();

        for_ever(modes[0], BLK_ABI_NATIVE, BLK_READ, false);
        for_ever(modes[0], BLK_ABI_X86_32, BLK_WRITE, false);
        for_ever(modes[1], BLK_ABI_NATIVE, BLK_READ, false);
        for_ever(modes[1], BLK_ABI_X86_32, BLK_WRITE, false);
        for_ever(modes[0], BLK_ABI_NATIVE, BLK_READ, true);
        for_ever(modes[1], BLK_ABI_NATIVE, BLK_WRITE, true);
        /* Not one handle more than at the start. */
        zombie_check(&base, 60000);
}

/* Requests are taken some at a time: the others of a batch, whose pages are
 * away too, are not asked for in their turn. */
static void t_eagain_of_a_batch(void **state)
{
        enum { BATCH = 12, TAKEN = 9 };
        struct zombie_base base = zombie_base();

        for (unsigned m = 0; m < 2; m++) {
                struct guest *g = guest_create("ram:8M", modes[m]);
                struct page p[BATCH];

                guest_connect(g, persistent);
                for (unsigned i = 0; i < BATCH; i++)
                        guest_page(g, &p[i], true);
                fault_set("map", "eagain", g, (struct fault_opts){0});
                for (unsigned i = 0; i < BATCH; i++)
                        guest_put(g, BLK_READ, i * 8, &p[i], 1);
                guest_kick(g);
                for (unsigned i = 0; i < TAKEN; i++)
                        assert_int_equal(guest_answer(g, NULL), BLK_ERROR);
                wait_until(ask_counter(g, "ring_broken") == 1);
                wait_until(ask_counter(g, "inflight") == 0);
                assert_int_equal(ask_counter(g, "errors"), TAKEN);
                assert_int_equal(ask_counter(g, "maps_given_up"), 1);
                ask_same_account(g);
                fault_clear();
                guest_disconnect(g);
                guest_connect(g, persistent);
                assert_int_equal(guest_io(g, BLK_READ, 0, &p[1], 1), BLK_OKAY);
                zombie_end(&base, g);
        }
}

/* The ring's own page: the connection is refused, the next one is not. */
static void t_eagain_of_the_ring(void **state)
{
        struct zombie_base base = zombie_base();
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        fault_set("map", "eagain", g, (struct fault_opts){0});
        guest_begin(g);
        guest_publish(g, persistent);
        guest_state(g, XENBUS_INITIALISED);
        guest_refused(g, "cannot map the frontend's ring");
        fault_clear();
        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        zombie_end(&base, g);
}

/* Disk after disk spoils the handle: none stays but that of somebody else. */
static void t_eagain_leaves_no_handle_behind(void **state)
{
        struct zombie_base base = zombie_base();
        struct guest *quiet = guest_create("ram:8M", "--grants map");

        guest_connect(quiet, persistent);
        for (int round = 0; round < 4; round++) {
                struct guest *g = guest_create("ram:8M", "--grants map");
                struct page p;

                guest_connect(g, persistent);
                guest_page(g, &p, true);
                fault_set("map", "eagain", g, only(&p));
                assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_ERROR);
                fault_clear();
                guest_destroy(g);
                /* The spoilt one that `quiet` uses, and a fresh one. */
                wait_until(ask_domain(0, "handles") ==
                           base.handles + (round > 0));
        }
        zombie_end(&base, quiet);
}

/* Linux waits inside of the call, where nobody can reach it: it is seen. */
static void a_long_call_is_seen(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants map");
        uint64_t stalls = ask_about_daemon("stalls");
        struct fault_opts o;
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        o = only(&p);
        o.times = 1;
        fault_set("map", "slow=2500", g, o);
        guest_put(g, BLK_READ, 0, &p, 1);
        guest_kick(g);
        wait_until(ask_about_daemon("stalls") == stalls + 1);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        assert_true(guest_counter(g, "slow_grant_calls") > 0);
        guest_destroy(g);
}

/* rig.sh sends SIGTERM in the middle of one; the daemon ends with status 0. */
static void a_kept_thread_does_not_keep_the_daemon(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants map");
        struct page p[2];
        unsigned id;

        guest_connect(g, persistent);
        guest_page(g, &p[0], true);
        guest_page(g, &p[1], true);
        id = fault_set("map", "slow=2000", g, only(&p[0]));
        fault_set("map", "eagain", g, only(&p[1]));
        guest_put(g, BLK_READ, 0, &p[0], 1);
        guest_put(g, BLK_READ, 0, &p[1], 1);
        guest_kick(g);
        wait_until(fault_given(id) > 0);
        guest_leave(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_eagain_some_rounds_are_waited_for),
                cmocka_unit_test(t_eagain_for_ever),
                cmocka_unit_test(t_eagain_of_a_batch),
                cmocka_unit_test(t_eagain_of_the_ring),
                cmocka_unit_test(t_eagain_leaves_no_handle_behind),
                cmocka_unit_test(a_long_call_is_seen),
                cmocka_unit_test(a_kept_thread_does_not_keep_the_daemon),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
