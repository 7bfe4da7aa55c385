/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "daemon/control.h"

static char dir[64], path[96];

static int setup(void **state)
{
        strcpy(dir, "/tmp/eg-sock-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/control.sock", dir);
        return 0;
}

static int teardown(void **state)
{
        char lock[128];

        snprintf(lock, sizeof(lock), "%s.lock", path);
        unlink(path);
        unlink(lock);
        return rmdir(dir);
}

static int can_connect(void)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        int ret;

        strcpy(a.sun_path, path);
        ret = connect(fd, (struct sockaddr *)&a, sizeof(a));
        close(fd);
        return ret;
}

static void opens(int *fd, int *lock_fd)
{
        struct err e = {0};

        if (control_socket_open(path, fd, lock_fd, &e) < 0)
                fail_msg("%s", e.text);
}

static void refuses(int code, const char *because)
{
        struct err e = {0};
        int fd = -1, lock_fd = -1;

        assert_int_equal(control_socket_open(path, &fd, &lock_fd, &e), code);
        assert_int_equal(fd, -1);
        assert_int_equal(lock_fd, -1);
        assert_non_null(strstr(e.text, because));
}

static void only_the_owner_may_connect(void **state)
{
        int fd, lock_fd;
        struct stat st;

        opens(&fd, &lock_fd);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(can_connect(), 0);
        close(fd);
        close(lock_fd);
}

static void a_second_daemon_is_refused_and_takes_nothing_away(void **state)
{
        int fd, lock_fd;

        opens(&fd, &lock_fd);
        refuses(-EADDRINUSE, "another evergrantd is running");
        assert_int_equal(can_connect(), 0);
        close(fd);
        close(lock_fd);
}

static void the_lock_is_enough_to_be_refused(void **state)
{
        int fd, lock_fd;

        opens(&fd, &lock_fd);
        assert_int_equal(unlink(path), 0);
        refuses(-EADDRINUSE, "another evergrantd is running");
        close(fd);
        close(lock_fd);
}

static void a_live_answer_without_the_lock_is_refused_too(void **state)
{
        char lock[128];
        int fd, lock_fd;

        opens(&fd, &lock_fd);
        snprintf(lock, sizeof(lock), "%s.lock", path);
        assert_int_equal(unlink(lock), 0);
        refuses(-EADDRINUSE, "another evergrantd is running");
        assert_int_equal(can_connect(), 0);
        close(fd);
        close(lock_fd);
}

static void a_stale_socket_is_replaced(void **state)
{
        int fd, lock_fd;

        opens(&fd, &lock_fd);
        close(fd); /* as if killed: the file stays */
        close(lock_fd);
        assert_int_equal(can_connect(), -1);
        opens(&fd, &lock_fd);
        assert_int_equal(can_connect(), 0);
        close(fd);
        close(lock_fd);
}

static void what_is_no_socket_stays(void **state)
{
        struct stat st;

        close(open(path, O_CREAT | O_WRONLY, 0600));
        refuses(-EEXIST, "is no socket");
        assert_int_equal(lstat(path, &st), 0);
        assert_true(S_ISREG(st.st_mode));
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
        char longer[200];
        struct err e = {0};
        int fd = -1, lock_fd = -1;

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_int_equal(control_socket_open(longer, &fd, &lock_fd, &e),
                         -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(only_the_owner_may_connect,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(
                        a_second_daemon_is_refused_and_takes_nothing_away,
                        setup, teardown),
                cmocka_unit_test_setup_teardown(
                        the_lock_is_enough_to_be_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        a_live_answer_without_the_lock_is_refused_too, setup,
                        teardown),
                cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_socket_stays, setup,
                                                teardown),
                cmocka_unit_test(a_path_that_does_not_fit_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
