/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "common/err.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void bytes_of_a_peer_are_escaped(void **state)
{
        char text[64];

        log_escape(text, sizeof(text), "a\n\x1b[31m\\\xff", 9);
        assert_string_equal(text, "a\\x0a\\x1b[31m\\x5c\\xff");
        log_escape(text, sizeof(text), "\0\x7f\xff~", 4);
        assert_string_equal(text, "\\x00\\x7f\\xff~");
}

static void escaping_is_cut_to_size_at_a_whole_byte(void **state)
{
        char text[8];

        for (size_t room = 1; room <= sizeof(text); room++) {
                memset(text, 'X', sizeof(text));
                log_escape(text, room, "\n\n\n\n", 4);
                assert_int_equal(strlen(text), (room - 1) / 4 * 4);
                for (size_t i = room; i < sizeof(text); i++)
                        assert_int_equal(text[i], 'X');
        }
        assert_ptr_equal(log_escape(text, 0, "abc", 3), text);
}

static void a_second_has_so_many_lines(void **state)
{
        struct log_bucket b = {0};
        uint64_t left_out = 99;

        for (unsigned i = 0; i < LOG_LINES_PER_S; i++) {
                assert_true(log_bucket_take(&b, 5000 + i, &left_out));
                assert_int_equal(left_out, 0);
        }
        for (unsigned i = 0; i < 1000; i++)
                assert_false(log_bucket_take(&b, 5999, &left_out));
        assert_true(log_bucket_take(&b, 6000, &left_out));
        assert_int_equal(left_out, 1000);
        assert_true(log_bucket_take(&b, 6000, &left_out));
        assert_int_equal(left_out, 0);
}

static void long_errors_are_cut(void **state)
{
        struct err e;
        char big[2000];

        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        assert_int_equal(err_set(&e, -EIO, "%s", big), -EIO);
        assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
        assert_int_equal(err_prefix(&e, "disk %d", 7), -EIO);
        assert_int_equal(strncmp(e.text, "disk 7: xxx", 11), 0);
        assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
        assert_int_equal(err_set(NULL, -EIO, "nobody listens"), -EIO);
}

/* What log_line writes to stderr. */
static void line_of(char *line, size_t room, const char *text)
{
        int pipe_fd[2], old = dup(STDERR_FILENO);
        ssize_t n;

        assert_int_equal(pipe(pipe_fd), 0);
        dup2(pipe_fd[1], STDERR_FILENO);
        log_warn("%s", text);
        dup2(old, STDERR_FILENO);
        close(old);
        close(pipe_fd[1]);
        n = read(pipe_fd[0], line, room - 1);
        line[n > 0 ? n : 0] = '\0';
        close(pipe_fd[0]);
}

static void lines_are_one_line_with_a_priority_for_journald(void **state)
{
        char line[2048], big[1500];

        log_set_name("unit");
        unsetenv("JOURNAL_STREAM");
        line_of(line, sizeof(line), "hello");
        assert_string_equal(line, "unit: warning: hello\n");
        setenv("JOURNAL_STREAM", "1:1", 1);
        line_of(line, sizeof(line), "hello");
        assert_string_equal(line, "<4>unit: warning: hello\n");
        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        line_of(line, sizeof(line), big);
        assert_int_equal(strlen(line), 1023);
        assert_int_equal(line[1022], '\n');
        log_set_level(LOG_LVL_ERR);
        line_of(line, sizeof(line), "hello");
        assert_string_equal(line, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_of_a_peer_are_escaped),
                cmocka_unit_test(escaping_is_cut_to_size_at_a_whole_byte),
                cmocka_unit_test(a_second_has_so_many_lines),
                cmocka_unit_test(long_errors_are_cut),
                cmocka_unit_test(
                        lines_are_one_line_with_a_priority_for_journald),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
