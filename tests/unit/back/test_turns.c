/* SPDX-License-Identifier: MIT */
/* What the rings of one I/O thread leave to each other. The thread goes on by
 * one request at a time, when the test says so: no line depends on the clock.
 */
#include "rig.h"

#include <stdatomic.h>
#include <time.h>

#define STEPS 200u

static void put(struct rig_ring *r, uint64_t id)
{
        struct blk_request req = rig_request(BLK_READ, id, 0, 0, 1);

        rig_put(r, &req);
}

/* Whoever looks finds four requests in this ring, always. */
static void keep_busy(struct rig_ring *r)
{
        struct blk_response rsp;

        while (rig_response_waits(r))
                front_ring_take(&r->front, &rsp);
        while (r->front.req_prod - r->front.rsp_cons < 4)
                put(r, 1);
        (void)front_ring_push(&r->front); /* and never an event */
}

static void step(struct rig *rig)
{
        rig_until(test_store_stopped(rig->store));
        keep_busy(&rig->rings[0]);
        test_store_step(rig->store);
}

static bool answered_soon(struct rig *rig, struct rig_ring *r)
{
        for (unsigned i = 0; i < STEPS && !rig_response_waits(r); i++)
                step(rig);
        return rig_response_waits(r);
}

/* A ring that was served gives no event until the thread is about to sleep,
 * and a busy neighbour keeps it from that. */
static void a_busy_ring_starves_no_other(void **state)
{
        struct rig *rig = *state;
        struct rig_ring *quiet = &rig->rings[1];
        struct blk_response rsp;

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_int_equal(rig_attach(rig, 1), 0);
        test_store_stop_at(rig->store, 0);
        put(&rig->rings[0], 1);
        rig_push(&rig->rings[0]);
        rig_until(test_store_stopped(rig->store));
        put(quiet, 2);
        rig_push(quiet);
        assert_true(answered_soon(rig, quiet));
        for (unsigned i = 0; i < 3; i++) {
                front_ring_take(&quiet->front, &rsp);
                put(quiet, 3);
                assert_false(front_ring_push(&quiet->front));
                assert_true(answered_soon(rig, quiet));
        }
}

static unsigned asked_for(struct rig *rig, unsigned events)
{
        unsigned before = fake_ports_asked();

        for (unsigned i = 0; i < events; i++) {
                put(&rig->rings[0], i);
                rig_push(&rig->rings[0]);
                rig_await(&rig->rings[0]);
                rig_settle(rig);
        }
        return fake_ports_asked() - before;
}

/* Each time is a system call: a ring alone can have one event only. */
static void a_ring_alone_is_asked_for_one_event(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        rig_settle(rig);
        assert_int_equal(asked_for(rig, 10), 10);
        assert_int_equal(rig_attach(rig, 1), 0);
        rig_settle(rig);
        assert_int_equal(asked_for(rig, 10), 20);
}

/* One read, answered; the guest looks for the answer and asks for no event. */
static bool read_was_copied_for_elsewhere(struct rig *rig)
{
        struct rig_ring *r = &rig->rings[0];
        struct blk_response rsp;

        put(r, 1);
        rig_push(r);
        rig_until(rig_response_waits(r));
        front_ring_take(&r->front, &rsp);
        return test_store_record(rig->store, test_store_count(rig->store) - 1)
                .read_elsewhere;
}

static bool ever_copied_for_elsewhere(struct rig *rig, unsigned tries)
{
        bool ever = false;

        for (unsigned i = 0; i < tries && !ever; i++)
                ever = read_was_copied_for_elsewhere(rig);
        return ever;
}

/* Both ends look, so they run at the same time, on two processors. */
static void who_looks_while_we_look_reads_elsewhere(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_false(ever_copied_for_elsewhere(rig, 10));
                /* A slow machine lets one of the ends fall asleep. */
                assert_true(ever_copied_for_elsewhere(rig, 100000));
                assert_false(front_ring_final_check(&rig->rings[0].front));
                /* Its answer brings the event. */
                (void)read_was_copied_for_elsewhere(rig);
        }
}

static atomic_bool room = true, far;

bool __wrap_crowd_has_room(void);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_clock_gettime(clockid_t id, struct timespec *ts);

bool __wrap_crowd_has_room(void)
{
        return room;
}

/* Far: whatever is timed takes 1 us at least. Near: nothing takes any time. */
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
        static atomic_long ns;
        int ret = __real_clock_gettime(id, ts);

        ts->tv_nsec = far ? (ns += 1000) % 1000000000 : 0;
        return ret;
}

/* Who works for others may not have slept for long, and the guest waits for
 * this processor. */
static void who_does_not_look_copies_for_itself(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        assert_false(ever_copied_for_elsewhere(rig, 300));
        far = true;
        room = false;
        assert_false(ever_copied_for_elsewhere(rig, 300));
        room = true;
        far = false;
}

/* Without a look too: so far away is no other cache of this processor's. */
static void a_far_guest_reads_elsewhere_where_there_is_room(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        far = true;
        assert_true(ever_copied_for_elsewhere(rig, 300));
        far = false;
}

void __wrap_ring_overlap_use_now(struct ring_overlap_use *u);

/* The I/O thread never leaves its processor: it stops only for the test. */
void __wrap_ring_overlap_use_now(struct ring_overlap_use *u)
{
        *u = (struct ring_overlap_use){.now_ns = 1};
}

static bool last_was_for_elsewhere(struct rig *rig)
{
        return test_store_record(rig->store, test_store_count(rig->store) - 1)
                .read_elsewhere;
}

/* The guest puts requests in while others are served. */
static void who_goes_on_meanwhile_reads_elsewhere(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rig_attach(rig, 0), 0);
        test_store_stop_at(rig->store, 0);
        put(&rig->rings[0], 1);
        rig_push(&rig->rings[0]);
        for (unsigned i = 0; i < 40 * RING_OVERLAP_EVERY; i++)
                step(rig);
        rig_until(test_store_stopped(rig->store));
        assert_true(last_was_for_elsewhere(rig));
        room = false;
        for (unsigned i = 0; i < 10; i++)
                step(rig);
        rig_until(test_store_stopped(rig->store));
        assert_false(last_was_for_elsewhere(rig));
        room = true;
        test_store_go(rig->store);
}

static int setup_looking(void **state)
{
        int ret;

        rig_polling = POLLING_ON;
        ret = rig_setup(state);
        rig_polling = POLLING_OFF;
        return ret;
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_busy_ring_starves_no_other),
                T(a_ring_alone_is_asked_for_one_event),
                cmocka_unit_test_setup_teardown(
                        who_looks_while_we_look_reads_elsewhere, setup_looking,
                        rig_teardown),
                T(who_does_not_look_copies_for_itself),
                T(a_far_guest_reads_elsewhere_where_there_is_room),
                T(who_goes_on_meanwhile_reads_elsewhere),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
