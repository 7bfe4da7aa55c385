/* SPDX-License-Identifier: MIT */
/* Options, targets, numbers with units. */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/target.h"
#include "cli/text.h"
#include "fake_store.h"

static int parsed_args;
static const char *parsed_first;
static struct {
        bool flag, given;
        uint64_t number;
        const char *choice, *string;
} got;

/* A subcommand of the test's own, to see the option table at work. */
static int parse(const char *const *args)
{
        static const char *const choices[] = {"map", "copy", NULL};
        static const struct cli_command cmd = {
                .name = "try", .args = "A [B]", .summary = "s", .text = "t"};
        const struct opt table[] = {
                {.name = "flag",
                 .kind = OPT_FLAG,
                 .value = &got.flag,
                 .help = "h"},
                {.name = "number",
                 .kind = OPT_NUMBER,
                 .value = &got.number,
                 .arg = "N",
                 .help = "h",
                 .min = 2,
                 .max = 9,
                 .given = &got.given},
                {.name = "mode",
                 .kind = OPT_CHOICE,
                 .value = &got.choice,
                 .arg = "MODE",
                 .help = "h",
                 .choices = choices},
                {.name = "name",
                 .kind = OPT_STRING,
                 .value = &got.string,
                 .arg = "S",
                 .help = "h"},
                OPT_END,
        };
        char *argv[16], **rest;
        int argc = 0;

        memset(&got, 0, sizeof(got));
        for (; args[argc]; argc++)
                argv[argc] = (char *)args[argc];
        argv[argc] = NULL;
        parsed_first = NULL;
        argc = opts_parse(&cmd, table, argc, argv, 1, 2, &rest, &parsed_args);
        if (argc == -1)
                parsed_first = rest[0];
        return argc;
}
#define PARSE(...) parse((const char *const[]){"try", __VA_ARGS__, NULL})

static void options_may_stand_anywhere(void **state)
{
        assert_int_equal(PARSE("one", "--flag", "two", "--number", "9",
                               "--mode=copy", "--name", "n"),
                         -1);
        assert_int_equal(parsed_args, 2);
        assert_string_equal(parsed_first, "one");
        assert_true(got.flag && got.given);
        assert_int_equal(got.number, 9);
        assert_string_equal(got.choice, "copy");
        assert_string_equal(got.string, "n");
        assert_int_equal(PARSE("--", "--flag"), -1);
        assert_string_equal(parsed_first, "--flag");
        assert_false(got.flag || got.given);
}

static void wrong_options_are_usage_errors(void **state)
{
        assert_int_equal(PARSE("a", "--number", "1"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--number", "10"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--number", "-3"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--number", "3x"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--number"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--flag=1"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--mode", "mapp"), CLI_USAGE);
        assert_int_equal(PARSE("a", "--name", ""), CLI_USAGE);
        assert_int_equal(PARSE("a", "--other"), CLI_USAGE);
        assert_int_equal(PARSE("a", "-x"), CLI_USAGE);
        assert_int_equal(PARSE("--flag"), CLI_USAGE);
        assert_int_equal(PARSE("a", "b", "c"), CLI_USAGE);
}

static void expect_target(const char *target, const char *want)
{
        char dst[TARGET_BYTES];
        struct err e = {0};

        assert_int_equal(target_normalize(target, dst, &e), 0);
        assert_string_equal(dst, want);
}

static void expect_bad_target(const char *target, const char *needle)
{
        char dst[TARGET_BYTES];
        struct err e = {0};

        assert_true(target_normalize(target, dst, &e) < 0);
        if (!strstr(e.text, needle))
                fail_msg("%s: \"%s\" lacks \"%s\"", target, e.text, needle);
}

static void targets_become_absolute(void **state)
{
        assert_int_equal(chdir("/tmp"), 0);
        expect_target("disk.img", "/tmp/disk.img");
        expect_target("./a:b", "/tmp/a:b");
        expect_target("dir/a:b", "/tmp/dir/a:b");
        expect_target("/dev/sda", "/dev/sda");
        expect_target("ram:64M", "ram:64M");
        expect_target("null:1T", "null:1T");
        expect_target("fault:delay=5:disk.img", "fault:delay=5:/tmp/disk.img");
        expect_target("fault:a:fault:b:ram:1M", "fault:a:fault:b:ram:1M");
        assert_int_equal(chdir("/"), 0);
        expect_target("x", "/x");
}

static void bad_targets_say_what_there_is(void **state)
{
        char longer[TARGET_BYTES + 10];

        expect_bad_target("nbd://host/x", "no driver nbd:, it has ram:SIZE");
        expect_bad_target("nbd+unix:///x", "no driver nbd+unix:");
        expect_bad_target("rbd:pool/image", "no driver rbd:");
        expect_bad_target("qcow2:x", "no driver qcow2:");
        expect_bad_target("qcow2:x", "./qcow2:x");
        expect_bad_target("fault:a:nbd:x", "no driver nbd:");
        expect_bad_target("fault:a", "fault:RULES:TARGET");
        expect_bad_target("", "empty");
        expect_bad_target("fault:a:", "empty");
        expect_bad_target("ram:", "no size");
        expect_bad_target("ram:0", "no size");
        expect_bad_target("ram:5q", "no size");
        expect_bad_target("null:1000", "multiple of 512");
        memset(longer, 'x', sizeof(longer) - 1);
        longer[0] = '/';
        longer[sizeof(longer) - 1] = '\0';
        expect_bad_target(longer, "longer than");
}

static void numbers_have_units(void **state)
{
        char b[TEXT_NUMBER_BYTES];

        assert_string_equal(text_bytes(b, sizeof(b), 0), "0 B");
        assert_string_equal(text_bytes(b, sizeof(b), 1023), "1023 B");
        assert_string_equal(text_bytes(b, sizeof(b), 67108864), "64 MiB");
        assert_string_equal(text_bytes(b, sizeof(b), 1610612736), "1.50 GiB");
        assert_string_equal(text_bytes(b, sizeof(b), -1), "?");
        assert_string_equal(text_duration_ns(b, sizeof(b), 870), "870 ns");
        assert_string_equal(text_duration_ns(b, sizeof(b), 12345), "12.3 µs");
        assert_string_equal(text_duration_ns(b, sizeof(b), 2e9), "2 s");
        assert_string_equal(text_count(b, sizeof(b), 0), "0");
        assert_string_equal(text_count(b, sizeof(b), 999), "999");
        assert_string_equal(text_count(b, sizeof(b), 1000), "1,000");
        assert_string_equal(text_count(b, sizeof(b), UINT64_MAX),
                            "18,446,744,073,709,551,615");
        assert_string_equal(text_rate(b, sizeof(b), 12.345), "12.3");
        assert_string_equal(text_rate(b, sizeof(b), 123456.7), "123,457");
        assert_int_equal(text_width("12 µs"), 5);
}

static void control_characters_never_reach_the_terminal(void **state)
{
        char b[64], small[6];

        assert_string_equal(text_plain(b, sizeof(b), "a\033[2Jb\n\x7f"),
                            "a\\x1b[2Jb\\x0a\\x7f");
        assert_string_equal(text_plain(b, sizeof(b), "ü\xc2\x9b"),
                            "ü\\xc2\\x9b");
        assert_string_equal(text_plain(small, sizeof(small), "ab\ncd"), "ab");
        cli("\033[31m");
        assert_null(strchr(last.err, '\033'));
        assert_said("\\x1b[31m");
}

static void help_and_version_succeed(void **state)
{
        static const char *const commands[] = {"attach", "detach", "resize",
                                               "list", "stat"};

        assert_int_equal(cli("--version"), CLI_DONE);
        assert_printed("evergrant ");
        assert_int_equal(cli("--help"), CLI_DONE);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                assert_printed(commands[i]);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                assert_int_equal(cli(commands[i], "--help"), CLI_DONE);
                assert_printed(commands[i]);
                assert_string_equal(last.err, "");
        }
        cli("attach", "--help");
        assert_printed("--max-persistent N");
        assert_printed("--grants MODE");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_may_stand_anywhere),
                cmocka_unit_test(wrong_options_are_usage_errors),
                cmocka_unit_test(targets_become_absolute),
                cmocka_unit_test(bad_targets_say_what_there_is),
                cmocka_unit_test(numbers_have_units),
                cmocka_unit_test(control_characters_never_reach_the_terminal),
                cmocka_unit_test(help_and_version_succeed),
        };

        fake_reset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
