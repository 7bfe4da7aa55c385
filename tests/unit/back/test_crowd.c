/* SPDX-License-Identifier: MIT */
/* Which rings count as busy, and whether there is room; asked by a process that
 * is bound to one processor: its frontends are not. */
#include "rig.h"

#include <sched.h>
#include <sys/sysinfo.h>

#include "back/crowd.h"

#define RINGS 4096u

static void bind_to_one(void)
{
        cpu_set_t all, one;

        assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++) {
                if (CPU_ISSET(i, &all))
                        CPU_SET(i, &one);
        }
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static void fire_watch(struct rig *rig)
{
        rig_fire_timer(rig);
        rig_settle(rig);
}

static void two_processors_of_the_machine_for_each_busy_ring(void **state)
{
        static bool counted[RINGS];
        unsigned room = (unsigned)get_nprocs() / 2;

        assert_in_range(room, 0, RINGS - 1);
        bind_to_one();
        for (unsigned i = 0; i < room; i++) {
                crowd_note(&counted[i], true);
                crowd_note(&counted[i], true); /* the same ring */
                assert_true(crowd_has_room());
        }
        crowd_note(&counted[room], true);
        assert_false(crowd_has_room());
        for (unsigned i = 0; i <= room; i++)
                crowd_note(&counted[i], false);
        assert_true(crowd_has_room());
}

/* … and not half a second later, when a burst is over. */
static void a_ring_is_busy_from_its_first_request_on(void **state)
{
        static bool counted[RINGS];
        struct rig *rig = *state;
        struct blk_request req = rig_request(BLK_READ, 1, 0, 0, 1);
        unsigned room = (unsigned)get_nprocs() / 2;

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < room; i++)
                crowd_note(&counted[i], true);
        assert_true(crowd_has_room());
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_false(crowd_has_room());
        /* The watch: something in its first period, nothing in the next. */
        fire_watch(rig);
        assert_false(crowd_has_room());
        fire_watch(rig);
        assert_true(crowd_has_room());
        assert_int_equal(rig_do(rig, &req), BLK_OKAY);
        assert_false(crowd_has_room());
        rig_detach(rig, 0);
        assert_true(crowd_has_room());
        for (unsigned i = 0; i < room; i++)
                crowd_note(&counted[i], false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(
                        two_processors_of_the_machine_for_each_busy_ring),
                cmocka_unit_test_setup_teardown(
                        a_ring_is_busy_from_its_first_request_on, rig_setup,
                        rig_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
