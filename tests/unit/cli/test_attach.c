/* SPDX-License-Identifier: MIT */
/* attach and detach on an xenstore in memory, with evergrantd's part played by
 * what happens while the program sleeps. */
#include "harness.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "fake_store.h"

#define B "/local/domain/0/backend/evergrant/1/51712"
#define F "/local/domain/1/device/vbd/51712"

static const char *answer_ping(const char *request)
{
        return ANSWER_PING;
}

static int begin(void **state)
{
        fake_reset();
        server_start(answer_ping);
        return 0;
}

static int end(void **state)
{
        server_stop();
        return 0;
}

static void node_is(const char *path, const char *value)
{
        if (!fake_get(path))
                fail_msg("no node %s", path);
        assert_string_equal(fake_get(path), value);
}

static void serve_disk(void)
{
        fake_put(B "/state", "2");
        fake_put(B "/hotplug-status", "connected");
}

static void refuse_disk(void)
{
        fake_put(B "/hotplug-error", "/x: no such file");
        fake_put(B "/hotplug-status", "error");
}

static void close_disk(void)
{
        if (fake_get(B "/state") && strcmp(fake_get(B "/state"), "5") == 0)
                fake_put(B "/state", "6");
}

static void attached_disk(void)
{
        fake_on_sleep = serve_disk;
        assert_int_equal(cli("attach", "g1", "xvda", "ram:64M"), CLI_DONE);
}

static void attach_writes_both_sides(void **state)
{
        assert_int_equal(chdir("/tmp"), 0);
        fake_on_sleep = serve_disk;
        assert_int_equal(cli("attach", "g1", "xvda", "disk.img", "--readonly",
                             "--grants", "map", "--max-persistent", "0",
                             "--queues", "4", "--ring-order", "0",
                             "--block-size", "4096"),
                         CLI_DONE);
        assert_string_equal(last.out, "xvda attached to g1: /tmp/disk.img, "
                                      "read-only\n");
        assert_int_equal(fake_commits, 1);
        node_is(B "/frontend", F);
        node_is(B "/frontend-id", "1");
        node_is(B "/online", "1");
        node_is(B "/removable", "0");
        node_is(B "/bootable", "0");
        node_is(B "/dev", "xvda");
        node_is(B "/type", "evergrant");
        node_is(B "/mode", "r");
        node_is(B "/device-type", "disk");
        node_is(B "/params", "/tmp/disk.img");
        node_is(B "/discard-enable", "1");
        node_is(B "/eg-grants", "map");
        node_is(B "/eg-max-persistent", "0");
        node_is(B "/eg-queues", "4");
        node_is(B "/eg-ring-order", "0");
        node_is(B "/eg-block-size", "4096");
        node_is(F "/backend", B);
        node_is(F "/backend-id", "0");
        node_is(F "/state", "1");
        node_is(F "/virtual-device", "51712");
        node_is(F "/device-type", "disk");
}

static void each_side_reads_what_the_other_owns(void **state)
{
        attached_disk();
        assert_int_equal(fake_owner(B), 0);
        assert_int_equal(fake_reader(B "/state"), 1);
        assert_int_equal(fake_owner(F), 1);
        assert_int_equal(fake_owner(F "/state"), 1);
        assert_int_equal(fake_reader(F "/state"), 0);
        assert_int_equal(fake_owner("/local/domain/1/device"), 0);
        assert_int_equal(fake_reader("/local/domain/1/device/vbd"), 1);
}

static void options_not_given_are_not_written(void **state)
{
        attached_disk();
        node_is(B "/mode", "w");
        assert_null(fake_get(B "/eg-grants"));
        assert_null(fake_get(B "/eg-max-persistent"));
        assert_null(fake_get(B "/eg-queues"));
        assert_null(fake_get(B "/eg-ring-order"));
        assert_null(fake_get(B "/eg-block-size"));
}

static void refused_disk_leaves_nothing(void **state)
{
        int nodes;

        /* Directories that were there before. */
        fake_put("/local/domain/1/device/vif/0/state", "4");
        fake_put("/local/domain/0/backend/evergrant", "");
        nodes = fake_nodes();
        fake_on_sleep = refuse_disk;
        assert_int_equal(cli("attach", "g1", "xvda", "/x"), CLI_FAILED);
        assert_said("/x: no such file");
        assert_string_equal(last.out, "");
        assert_int_equal(fake_nodes(), nodes);
}

static void taken_names_are_refused(void **state)
{
        attached_disk();
        fake_on_sleep = NULL;
        assert_int_equal(cli("attach", "1", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("is taken: evergrantd has ram:64M there (state InitWait)");
        node_is(B "/params", "ram:64M");
        fake_remove(B);
        fake_put(F "/backend", "/local/domain/0/backend/vbd/1/51712");
        assert_int_equal(cli("attach", "1", "51712", "ram:1M"), CLI_FAILED);
        assert_said("taken by backend /local/domain/0/backend/vbd/1/51712");
        assert_null(fake_get(B));
        node_is(F "/backend", "/local/domain/0/backend/vbd/1/51712");
}

static void unknown_domain_lists_the_others(void **state)
{
        assert_int_equal(cli("attach", "g9", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("no domain 'g9'; there are 0 (Domain-0), 1 (g1)");
        assert_int_equal(cli("detach", "77", "xvda"), CLI_FAILED);
        assert_said("there are 0 (Domain-0), 1 (g1)");
        assert_int_equal(fake_commits, 0);
}

static void conflicts_are_tried_again(void **state)
{
        fake_conflicts_left = 200; /* those of a dozen transactions */
        attached_disk();
        assert_int_equal(fake_commits, 1);
        node_is(B "/params", "ram:64M");
        fake_conflicts_left = 1000;
        assert_int_equal(cli("attach", "g1", "xvdb", "ram:1M"), CLI_FAILED);
        assert_said("too busy");
}

static void without_a_daemon_nothing_is_written(void **state)
{
        int nodes = fake_nodes();

        setenv("EVERGRANT_SOCKET", "/nonexistent/s", 1);
        assert_int_equal(cli("attach", "g1", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("evergrantd is not running");
        assert_int_equal(fake_nodes(), nodes);
        setenv("EVERGRANT_SOCKET", server_path, 1);
        attached_disk();
        setenv("EVERGRANT_SOCKET", "/nonexistent/s", 1);
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_FAILED);
        assert_said("nothing was changed: evergrantd is not running");
        node_is(B "/online", "1");
        setenv("EVERGRANT_SOCKET", server_path, 1);
}

static void silent_daemon_is_given_up(void **state)
{
        int nodes;

        fake_put("/local/domain/0/backend/evergrant", "");
        fake_put("/local/domain/1/device", "");
        nodes = fake_nodes();
        assert_int_equal(
                cli("attach", "g1", "xvda", "ram:1M", "--timeout", "1"),
                CLI_FAILED);
        assert_said("did not take the disk in 1 s");
        assert_int_equal(fake_nodes(), nodes);
}

static void press_ctrl_c(void)
{
        kill(getpid(), SIGINT);
}

static void ctrl_c_removes_the_nodes(void **state)
{
        fake_on_sleep = press_ctrl_c;
        assert_int_equal(cli("attach", "g1", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("interrupted");
        assert_null(fake_get(B));
        assert_null(fake_get(F));
}

static void domain_gone(void)
{
        fake_remove("/local/domain/1");
        fake_remove(B);
}

static void domain_that_ends_meanwhile_is_told(void **state)
{
        fake_on_sleep = domain_gone;
        assert_int_equal(cli("attach", "g1", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("the domain ended");
        assert_null(fake_get("/local/domain/1"));
}

static void detach_removes_all(void **state)
{
        attached_disk();
        fake_put("/local/domain/0/backend/evergrant/2/51712/state", "4");
        fake_on_sleep = close_disk;
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_DONE);
        assert_string_equal(last.out, "xvda detached from g1\n");
        assert_null(fake_get("/local/domain/0/backend/evergrant/1"));
        assert_null(fake_get("/local/domain/1/device/vbd"));
        node_is("/local/domain/0/backend/evergrant/2/51712/state", "4");
        node_is("/local/domain/1/name", "g1");
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_FAILED);
        assert_said("not attached");
}

/* serve_disk goes on writing to xvda, which wakes the one who waits for xvdb.
 */
static void endless_changes_do_not_put_the_deadline_off(void **state)
{
        attached_disk();
        assert_int_equal(
                cli("attach", "g1", "xvdb", "ram:1M", "--timeout", "1"),
                CLI_FAILED);
        assert_said("did not take the disk in 1 s");
        node_is(B "/params", "ram:64M");
        node_is(F "/backend", B);
}

static void detach_keeps_the_other_disks(void **state)
{
        attached_disk();
        fake_put("/local/domain/0/backend/evergrant/1/51728/params", "x");
        fake_put("/local/domain/1/device/vbd/51728/state", "4");
        fake_on_sleep = close_disk;
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_DONE);
        assert_null(fake_get(B));
        assert_null(fake_get(F));
        node_is("/local/domain/0/backend/evergrant/1/51728/params", "x");
        node_is("/local/domain/1/device/vbd/51728/state", "4");
}

static void detach_waits_for_the_daemon(void **state)
{
        attached_disk();
        fake_on_sleep = NULL;
        assert_int_equal(cli("detach", "g1", "xvda", "--timeout", "1"),
                         CLI_FAILED);
        assert_said("did not let go of xvda of g1 in 1 s (state Closing)");
        node_is(B "/online", "0");
        node_is(B "/state", "5");
        node_is(F "/backend", B);
        fake_on_sleep = close_disk;
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_DONE);
}

static void disk_of_a_dead_domain_is_removed(void **state)
{
        attached_disk();
        fake_remove("/local/domain/1");
        fake_on_sleep = close_disk;
        assert_int_equal(cli("detach", "1", "xvda"), CLI_DONE);
        assert_null(fake_get(B));
        assert_null(fake_get("/local/domain/1"));
}

static void detach_leaves_another_backends_frontend(void **state)
{
        attached_disk();
        fake_put(F "/backend", "/local/domain/0/backend/vbd/1/51712");
        fake_on_sleep = close_disk;
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_DONE);
        assert_null(fake_get(B));
        node_is(F "/backend", "/local/domain/0/backend/vbd/1/51712");
}

static void no_xenstore_is_told(void **state)
{
        fake_no_xenstore = true;
        assert_int_equal(cli("attach", "g1", "xvda", "ram:1M"), CLI_FAILED);
        assert_said("cannot reach xenstore");
        assert_int_equal(cli("detach", "g1", "xvda"), CLI_FAILED);
        assert_said("cannot reach xenstore");
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(attach_writes_both_sides),
                T(each_side_reads_what_the_other_owns),
                T(options_not_given_are_not_written),
                T(refused_disk_leaves_nothing),
                T(taken_names_are_refused),
                T(unknown_domain_lists_the_others),
                T(conflicts_are_tried_again),
                T(without_a_daemon_nothing_is_written),
                T(silent_daemon_is_given_up),
                T(domain_that_ends_meanwhile_is_told),
                T(detach_removes_all),
                T(endless_changes_do_not_put_the_deadline_off),
                T(detach_keeps_the_other_disks),
                T(detach_waits_for_the_daemon),
                T(disk_of_a_dead_domain_is_removed),
                T(detach_leaves_another_backends_frontend),
                T(no_xenstore_is_told),
                T(ctrl_c_removes_the_nodes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
