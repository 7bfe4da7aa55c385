/* SPDX-License-Identifier: MIT */
/* list, stat and resize against a control socket of the test's own. */
#include "harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "answers.h"
#include "fake_store.h"

static const char *fixed;
static const char *answer_fixed(const char *request)
{
        return fixed;
}

static void list_asks_and_prints(void **state)
{
        fixed = ANSWER_LIST;
        server_start(answer_fixed);
        assert_int_equal(cli("list"), CLI_DONE);
        assert_string_equal(server_heard,
                            "{\"version\":1,\"command\":\"list\"}");
        assert_printed("g1 (1)      xvda  64 MiB");
        assert_int_equal(cli("list", "--json"), CLI_DONE);
        assert_printed("\"version\": 1");
        assert_printed("\"size_bytes\": 67108864");
        assert_null(strstr(last.out, "\"ok\""));
        server_stop();
}

static void disks_are_sorted(void **state)
{
        fixed = "{\"version\":1,\"ok\":true,\"disks\":["
                "{\"domid\":2,\"vdev\":51712,\"name\":\"xvda\","
                "\"grants_asked\":\"auto\",\"grants_served\":\"copy\"},{},"
                "{\"domid\":1,\"vdev\":51728,\"name\":\"xvdb\"},"
                "{\"domid\":1,\"vdev\":51712,\"name\":\"xvda\","
                "\"grants_asked\":\"map\",\"grants_served\":null}]}";
        server_start(answer_fixed);
        assert_int_equal(cli("list"), CLI_DONE);
        assert_string_equal(
                last.out, "DOMAIN  VDEV  SIZE  MODE  STATE  GRANTS     TARGET\n"
                          "1       xvda     -  rw    ?      asked map  ?\n"
                          "1       xvdb     -  rw    ?      -          ?\n"
                          "2       xvda     -  rw    ?      copy       ?\n"
                          "?       ?        -  rw    ?      -          ?\n");
        server_stop();
}

static void stat_names_the_disk(void **state)
{
        static char text[8192];

        snprintf(text, sizeof(text), ANSWER_STAT_FORMAT, "5", "");
        fixed = text;
        server_start(answer_fixed);
        assert_int_equal(cli("stat", "g1", "xvda", "--prometheus"), CLI_DONE);
        assert_string_equal(server_heard, "{\"version\":1,\"command\":\"stat\","
                                          "\"domain\":\"g1\",\"vdev\":51712}");
        assert_int_equal(cli("stat", "7"), CLI_DONE);
        assert_string_equal(
                server_heard,
                "{\"version\":1,\"command\":\"stat\",\"domain\":7}");
        server_stop();
}

static void resize_sends_bytes(void **state)
{
        fixed = ANSWER_PING;
        server_start(answer_fixed);
        assert_int_equal(cli("resize", "g1", "xvdb", "128M"), CLI_DONE);
        assert_string_equal(server_heard,
                            "{\"version\":1,\"command\":\"resize\","
                            "\"domain\":\"g1\",\"vdev\":51728,"
                            "\"size_bytes\":134217728}");
        assert_printed("xvdb of g1 is now 128 MiB (262144 sectors");
        server_heard[0] = '\0';
        assert_int_equal(cli("resize", "g1", "xvdb", "1000"), CLI_USAGE);
        assert_int_equal(cli("resize", "g1", "xvdb", "0"), CLI_USAGE);
        assert_string_equal(server_heard, "");
        server_stop();
}

static void failures_are_named(void **state)
{
        static const struct {
                const char *answer, *needle;
        } rows[] = {
                {"{\"version\":1,\"ok\":false,\"error\":\"no disk xvda\"}",
                 "no disk xvda"},
                {"{\"version\":1,\"ok\":false}", "gave no reason"},
                {"{\"version\":1,\"ok\":false,\"error\":7}", "gave no reason"},
                {"{\"version\":2,\"ok\":true}", "speaks version 2"},
                {"{\"ok\":true}", "no version"},
                {"{\"version\":\"1\",\"ok\":true}", "no version"},
                {"[1]", "no JSON object"},
                {"SSH-2.0-x", "no JSON object"},
                {NULL, "without an answer"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                fixed = rows[i].answer;
                server_start(answer_fixed);
                assert_int_equal(cli("list"), CLI_FAILED);
                assert_said(rows[i].needle);
                assert_string_equal(last.out, "");
                server_stop();
        }
}

static void endless_answer_is_refused(void **state)
{
        size_t n = 17u << 20;
        char *big = malloc(n);

        memset(big, 'x', n);
        big[n - 1] = '\0';
        fixed = big;
        server_start(answer_fixed);
        assert_int_equal(cli("list"), CLI_FAILED);
        assert_said("Message too long");
        server_stop();
        free(big);
}

static void silence_ends_in_a_timeout(void **state)
{
        fixed = "";
        server_start(answer_fixed);
        assert_int_equal(cli("list"), CLI_FAILED);
        assert_said("does not answer");
        server_stop();
}

static void no_daemon_says_how_to_start_it(void **state)
{
        assert_int_equal(cli("list", "--socket", "/nonexistent/s"), CLI_FAILED);
        assert_said("not running");
        assert_said("systemctl start evergrantd");
}

static void stale_socket_is_told_apart(void **state)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        char dir[] = "/tmp/evergrant-cli-XXXXXX";
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        assert_non_null(mkdtemp(dir));
        snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        close(fd); /* its name stays, as after a SIGKILL */
        assert_int_equal(cli("stat", "--socket", a.sun_path), CLI_FAILED);
        assert_said("was left by one that has ended");
        unlink(a.sun_path);
        rmdir(dir);
}

static void long_socket_path_is_an_error(void **state)
{
        char path[300];

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(cli("list", "--socket", path), CLI_FAILED);
        assert_said("name too long");
}

static atomic_int asked;
static const char *answer_growing(const char *request)
{
        static char text[8192];
        char reads[24];
        int n = atomic_fetch_add(&asked, 1);

        snprintf(reads, sizeof(reads), "%d", 1000 * n);
        snprintf(text, sizeof(text), ANSWER_STAT_FORMAT, reads, "");
        if (n == 2)
                kill(getpid(), SIGINT); /* the user's Ctrl-C */
        return text;
}

static void watch_refreshes_until_interrupted(void **state)
{
        asked = 0;
        server_start(answer_growing);
        assert_int_equal(cli("stat", "--watch"), CLI_DONE);
        server_stop();
        assert_int_equal(asked, 3);
        assert_printed("READ IOPS");
        assert_non_null(strstr(strstr(last.out, "READ IOPS") + 9, "READ IOPS"));
}

static void watch_is_for_people(void **state)
{
        assert_int_equal(cli("stat", "--watch", "--json"), CLI_USAGE);
        assert_int_equal(cli("stat", "--json", "--prometheus"), CLI_USAGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_asks_and_prints),
                cmocka_unit_test(disks_are_sorted),
                cmocka_unit_test(stat_names_the_disk),
                cmocka_unit_test(resize_sends_bytes),
                cmocka_unit_test(failures_are_named),
                cmocka_unit_test(endless_answer_is_refused),
                cmocka_unit_test(silence_ends_in_a_timeout),
                cmocka_unit_test(no_daemon_says_how_to_start_it),
                cmocka_unit_test(stale_socket_is_told_apart),
                cmocka_unit_test(long_socket_path_is_an_error),
                cmocka_unit_test(watch_refreshes_until_interrupted),
                cmocka_unit_test(watch_is_for_people),
        };

        fake_reset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
