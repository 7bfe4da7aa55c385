/* SPDX-License-Identifier: MIT */
/* A disk's life in the daemon, its neighbours played.
 *
 * A look at xenstore and what follows from it are two moments. Between them a
 * guest's program may have died and the next one come: what it finds must not
 * be the answer to its predecessor. tests/model/spin/connect.pml searches every
 * order; here are those that it found. */
#include "fake_rings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../cli/fake_store.h"

#define B "/local/domain/0/backend/evergrant/1/51712"
#define F "/local/domain/1/device/vbd/51712"

static struct daemon daemon_;
static struct disk *disk;

static void publish(const char *ref, const char *port, const char *state)
{
        fake_put(F "/ring-ref", ref);
        fake_put(F "/event-channel", port);
        fake_put(F "/protocol", "x86_64-abi");
        fake_put(F "/feature-persistent", "1");
        fake_put(F "/state", state);
}

/* And on, as long as only the crew would have to be asked again. */
static void look(void)
{
        disk->stale = DISK_LOOK_ALL;
        do
                disk_reconcile(disk);
        while (!disk_is_settled(disk) && !disk->pending);
}

static int setup(void **state)
{
        struct err e = {0};

        fake_reset();
        fake_rings_reset();
        fake_put(B "/frontend", F);
        fake_put(B "/frontend-id", "1");
        fake_put(B "/online", "1");
        fake_put(B "/state", "1");
        fake_put(B "/mode", "w");
        fake_put(B "/params", "ram:1M");
        fake_put(F "/backend", B);
        fake_put(F "/backend-id", "0");
        fake_put(F "/state", "1");
        memset(&daemon_, 0, sizeof(daemon_));
        daemon_.nthreads = 1;
        daemon_.budget.total = 60000;
        assert_int_equal(xen_store_open(&daemon_.store, &e), 0);
        disk = disk_create(&daemon_, DISK_OWN, 1, 51712);
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        return 0;
}

static int teardown(void **state)
{
        fake_on_transaction = NULL;
        if (disk->nrings)
                disk_detach(disk, DISK_AFTER_RESTART);
        disk_destroy(disk);
        xen_store_close(daemon_.store);
        return 0;
}

static void connects_with(const char *ref, const char *port)
{
        fake_on_transaction = NULL;
        publish(ref, port, "3");
        look();
        fake_rings.error = 0;
        fake_rings_report();
        look();
        assert_string_equal(fake_get(B "/state"), "4");
        assert_int_equal(fake_rings.ref, atoi(ref));
        assert_int_equal(fake_rings.held, 1);
        assert_null(fake_get("/local/domain/0/error/backend/evergrant/1/51712"
                             "/error"));
}

/* ---- closing ------------------------------------------------------------- */

static void next_one_comes(void)
{
        fake_put(F "/state", "1");
}

/* It passes through 6 on its way to 1, which is when the daemon looks. */
static void a_program_that_has_come_meanwhile_is_not_closed_on(void **state)
{
        fake_put(F "/state", "6");
        fake_rings.marks = 0;
        fake_on_transaction = next_one_comes;
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        assert_true(fake_rings.marks > 0);
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        connects_with("8", "3");
}

static void a_frontend_that_stays_closed_is_closed_on(void **state)
{
        publish("8", "3", "6");
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_null(fake_get(F "/ring-ref"));
}

/* State 7 cannot be; it is an error only if it is still there. */
static void an_impossible_state_that_has_passed_is_no_error(void **state)
{
        fake_put(F "/state", "7");
        fake_on_transaction = next_one_comes;
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        assert_false(disk->failed);
        fake_on_transaction = NULL;
        fake_put(F "/state", "7");
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_true(disk->failed);
        assert_non_null(fake_get(B "/hotplug-error"));
}

/* ---- an attach that fails ------------------------------------------------ */

static void other_ring(void)
{
        publish("9", "4", "3");
}

static void a_ring_that_failed_is_not_held_against_the_next_one(void **state)
{
        publish("8", "3", "3");
        look();
        fake_rings.error = EINVAL;
        fake_on_transaction = other_ring;
        fake_rings_report();
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        assert_false(disk->failed);
        assert_null(fake_get(B "/hotplug-error"));
        assert_int_equal(disk->nrings, 0);
        connects_with("9", "4");
}

static void a_ring_that_failed_and_is_still_there_is_refused(void **state)
{
        publish("8", "3", "3");
        look();
        fake_rings.error = EINVAL;
        fake_rings_report();
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_true(disk->failed);
        assert_string_equal(fake_get(B "/hotplug-status"), "error");
}

static void write_port(void)
{
        fake_put(F "/event-channel", "4");
}

/* Keys are read one by one: half of them may be the former program's. */
static void keys_that_make_sense_by_now_are_read_again(void **state)
{
        publish("8", "", "3");
        fake_on_transaction = write_port;
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        assert_false(disk->failed);
        connects_with("8", "4");
}

static void keys_that_stay_wrong_are_refused(void **state)
{
        publish("8", "", "3");
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_true(disk->failed);
        assert_int_equal(fake_rings.attaches, 0);
}

/* ---- an attach that works, for somebody who has gone --------------------- */

static void restarts_while_attaching(void (*meanwhile)(void), const char *ref)
{
        struct store *store;

        publish("8", "3", "3");
        look();
        store = disk->store;
        assert_non_null(store);
        meanwhile();
        fake_rings_report();
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        assert_int_equal(fake_rings.ref, 8);
        look(); /* lets go of the old ring */
        assert_int_equal(fake_rings.held, 0);
        /* The bytes of a disk in memory are nobody's restart's business. */
        assert_ptr_equal(disk->store, store);
        connects_with(ref, "4");
}

static void other_port(void)
{
        publish("8", "4", "3");
}

static void connected_is_said_for_the_ring_that_is_served(void **state)
{
        restarts_while_attaching(other_ring, "9");
}

static void another_port_is_another_ring(void **state)
{
        restarts_while_attaching(other_port, "8");
}

static void connected_is_not_said_to_one_that_starts_over(void **state)
{
        restarts_while_attaching(next_one_comes, "9");
}

/* ---- a frontend that has another backend ----------------------------------
 */

#define BLKBACK "/local/domain/0/backend/vbd/1/51712"

static void is_not_served(const char *because)
{
        look();
        assert_int_equal(fake_rings.attaches, 0);
        assert_string_equal(fake_get(B "/state"), "6");
        assert_true(disk->failed);
        assert_non_null(strstr(fake_get(B "/hotplug-error"),
                               "`evergrant detach 1 xvda`"));
        assert_non_null(strstr(disk->error, because));
        /* It connects, closes, and starts again: its keys are its own. */
        for (const char *s = "456123156"; *s; s++) {
                fake_put(F "/state", (char[]){*s, '\0'});
                look();
                look();
                assert_string_equal(fake_get(F "/ring-ref"), "8");
                assert_string_equal(fake_get(F "/event-channel"), "3");
        }
        assert_int_equal(fake_rings.attaches, 0);
        assert_string_equal(fake_get(B "/state"), "6");
}

/* Nodes that outlived their domain, and a next one of its number. */
static void a_frontend_of_another_backend_is_not_served(void **state)
{
        static const char *const others[] = {
                BLKBACK,
                B "0",
                B "/",
                "",
                "backend/evergrant/1/51712",
                "/local/domain/1/backend/evergrant/1/51712",
        };

        for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
                fake_put(F "/backend", others[i]);
                fake_put(F "/state", "1");
                look();
                publish("8", "3", "3");
                is_not_served(others[i]);
        }
        fake_put(F "/backend", B);
        fake_put(F "/state", "1");
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        connects_with("8", "3");
}

static void a_frontend_that_names_no_backend_is_not_served(void **state)
{
        fake_remove(F "/backend");
        publish("8", "3", "3");
        is_not_served("(missing)");
}

/* The guest may write there what it likes: the log and the error node stay
 * short and printable, and still say what to do. */
static void any_bytes_for_a_backend_are_shown_safely(void **state)
{
        char longest[2048];

        memset(longest, '\033', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        fake_put(F "/backend", longest);
        publish("8", "3", "3");
        look();
        for (const char *c = fake_get(B "/hotplug-error"); *c; c++)
                assert_in_range(*c, 0x20, 0x7e);
        is_not_served("\"\\x1b\\x1b");
        fake_put(F "/backend", "%s%n");
        fake_put(F "/state", "1");
        look();
        publish("8", "3", "3");
        is_not_served("\"%s%n\"");
}

static void is_made_anew(void)
{
        fake_put(F "/backend", BLKBACK);
}

static void connected_is_not_said_to_one_that_has_another_backend(void **state)
{
        publish("8", "3", "3");
        look();
        is_made_anew();
        fake_rings_report();
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        look(); /* lets go */
        assert_int_equal(fake_rings.held, 0);
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_int_equal(fake_rings.attaches, 1);
}

/* The next daemon does not go on with a ring that is somebody else's by now. */
static void a_ring_of_another_backend_is_not_taken_over(void **state)
{
        connects_with("8", "3");
        fake_put(F "/state", "4");
        disk->after = DISK_AFTER_STOP;
        disk_stop(disk);
        fake_rings_report();
        look();
        disk_destroy(disk);
        assert_string_equal(fake_get(B "/state"), "4");
        fake_put(B "/params", "null:1M");
        disk = disk_create(&daemon_, DISK_OWN, 1, 51712);
        is_made_anew();
        fake_rings.attaches = 0;
        look();
        assert_int_equal(fake_rings.attaches, 0);
        assert_string_equal(fake_get(B "/state"), "6");
        assert_non_null(strstr(disk->error, "not \"" B "\""));
        assert_string_equal(fake_get(F "/state"), "4");
        assert_string_equal(fake_get(F "/ring-ref"), "8");
}

static void what_to_remove_is_said_for_disks_of_xl_too(void **state)
{
        struct err e = {0};

        is_made_anew();
        disk->kind = DISK_XL;
        assert_int_equal(disk_check_front(disk, &e), -EINVAL);
        assert_non_null(strstr(e.text, "`xenstore-rm " B "`"));
        disk->kind = DISK_OWN;
}

/* ---- looks that follow an event ------------------------------------------ */

static void a_state_that_is_missing_has_us_look_at_all(void **state)
{
        connects_with("8", "3");
        look();
        fake_remove("/local/domain/1");
        disk->stale = DISK_LOOK_FRONT; /* all that an event has named */
        disk_reconcile(disk);
        assert_true(disk->view.dead);
        while (!disk_is_settled(disk) && !disk->pending)
                disk_reconcile(disk);
        assert_true(disk->removed);
}

static void next_domain_comes(void)
{
        fake_put(F "/state", "1");
        fake_put(B "/params", "ram:2M");
        fake_put(B "/state", "1");
}

/* Its number is free as soon as nothing of it is mapped. */
static void nodes_of_a_number_that_has_come_again_stay(void **state)
{
        connects_with("8", "3");
        fake_remove("/local/domain/1");
        fake_on_transaction = next_domain_comes;
        look();
        assert_true(disk->view.dead);
        assert_int_equal(fake_rings.held, 0);
        assert_true(disk->removed);
        assert_string_equal(fake_get(B "/params"), "ram:2M");
        assert_string_equal(fake_get(B "/state"), "1");
}

/* The toolstack takes the nodes away without a word. */
static void a_disk_whose_nodes_are_gone_is_let_go(void **state)
{
        connects_with("8", "3");
        fake_remove(B);
        look();
        assert_true(disk->view.gone);
        assert_false(disk->view.dead);
        assert_int_equal(fake_rings.held, 0);
        assert_true(disk->removed);
}

/* All that was read since is the frontend's state. */
static void frontend_event(void)
{
        disk->stale = DISK_LOOK_FRONT;
        disk_reconcile(disk);
}

static void make_anew(void)
{
        fake_put(B "/state", "1");
}

/* Its event comes later. Steps that follow from what the former disk was would
 * give the next domain its bytes. */
static void a_disk_that_is_made_anew_is_seen_as_new(void **state)
{
        static const char *const fronts[] = {"3", "4", "5", "6", "7"};

        for (unsigned i = 0; i < ARRAY_SIZE(fronts); i++) {
                make_anew();
                publish("8", "3", fronts[i]);
                frontend_event();
                assert_string_equal(fake_get(B "/state"), "1");
                assert_int_equal(fake_rings.attaches, 0);
                assert_null(fake_get(B "/hotplug-error"));
                fake_put(F "/state", "1");
                look();
                assert_string_equal(fake_get(B "/state"), "2");
        }
        publish("8", "3", "6");
        look();
        assert_string_equal(fake_get(B "/state"), "6");
        assert_non_null(disk->store);
        make_anew();
        fake_put(F "/state", "1");
        frontend_event();
        assert_string_equal(fake_get(B "/state"), "1");
        look();
        assert_string_equal(fake_get(B "/state"), "2");
        connects_with("9", "4");
}

static void a_former_daemons_disk_that_is_made_anew_is_seen_as_new(void **state)
{
        disk_destroy(disk);
        fake_put(B "/state", "4");
        fake_put(B "/params", "null:1M");
        publish("8", "3", "4");
        fake_on_transaction = make_anew;
        disk = disk_create(&daemon_, DISK_OWN, 1, 51712);
        disk_reconcile(disk);
        assert_int_equal(fake_rings.attaches, 0);
        assert_string_equal(fake_get(B "/state"), "1");
        fake_on_transaction = NULL;
        fake_put(F "/state", "1");
        look();
        connects_with("9", "4");
}

static void what_no_event_has_named_is_not_read_again(void **state)
{
        connects_with("8", "3");
        look();
        fake_put(F "/state", "4");
        disk->stale = DISK_LOOK_OWN;
        disk_reconcile(disk);
        assert_int_equal(disk->view.front, XENBUS_INITIALISED);
        assert_int_equal(disk_look_parts("state"), DISK_LOOK_OWN);
        assert_int_equal(disk_look_parts(""), DISK_LOOK_ALL);
        assert_int_equal(disk_look_parts("state/x"), DISK_LOOK_ALL);
        assert_int_equal(disk_look_parts("frontend-id"), DISK_LOOK_ALL);
        assert_int_equal(disk_look_parts("params"), DISK_LOOK_ALL);
        assert_int_equal(disk_look_parts("sectors"), 0);
}

/* ---- what is offered ----------------------------------------------------- */

static void secure_discard_is_offered_where_the_store_can(void **state)
{
        connects_with("8", "3");
        assert_string_equal(fake_get(B "/feature-discard"), "1");
        assert_string_equal(fake_get(B "/discard-secure"), "0");
        assert_false(disk->params.limits.discard_secure);
}

static void secure_discard_is_offered_with_discard_only(void **state)
{
        for (int plain = 1; plain >= 0; plain--) {
                disk->store->info.can_discard_secure = true;
                disk->config.discard = plain;
                connects_with("8", "3");
                assert_string_equal(fake_get(B "/discard-secure"),
                                    plain ? "1" : "0");
                assert_int_equal(disk->params.limits.discard_secure, plain);
                publish("8", "3", "6");
                look();
                fake_put(F "/state", "1");
                look();
                assert_string_equal(fake_get(B "/state"), "2");
        }
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_program_that_has_come_meanwhile_is_not_closed_on),
                TEST(a_frontend_that_stays_closed_is_closed_on),
                TEST(an_impossible_state_that_has_passed_is_no_error),
                TEST(a_ring_that_failed_is_not_held_against_the_next_one),
                TEST(a_ring_that_failed_and_is_still_there_is_refused),
                TEST(keys_that_make_sense_by_now_are_read_again),
                TEST(keys_that_stay_wrong_are_refused),
                TEST(connected_is_said_for_the_ring_that_is_served),
                TEST(another_port_is_another_ring),
                TEST(secure_discard_is_offered_where_the_store_can),
                TEST(secure_discard_is_offered_with_discard_only),
                TEST(connected_is_not_said_to_one_that_starts_over),
                TEST(a_frontend_of_another_backend_is_not_served),
                TEST(a_frontend_that_names_no_backend_is_not_served),
                TEST(any_bytes_for_a_backend_are_shown_safely),
                TEST(connected_is_not_said_to_one_that_has_another_backend),
                TEST(a_ring_of_another_backend_is_not_taken_over),
                TEST(what_to_remove_is_said_for_disks_of_xl_too),
                TEST(a_state_that_is_missing_has_us_look_at_all),
                TEST(nodes_of_a_number_that_has_come_again_stay),
                TEST(a_disk_whose_nodes_are_gone_is_let_go),
                TEST(a_disk_that_is_made_anew_is_seen_as_new),
                TEST(a_former_daemons_disk_that_is_made_anew_is_seen_as_new),
                TEST(what_no_event_has_named_is_not_read_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
