/* SPDX-License-Identifier: MIT */
/* Double use is refused, among ourselves and with QEMU's programs. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void two_writers_in_one_process_are_refused(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        rig_refused(r, r->path, false, -EBUSY, "in use for writing");
        rig_close(r);
        rig_open(r, r->path);
}

static void a_reader_and_a_writer_are_refused_either_way(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        rig_refused(r, r->path, true, -EBUSY, "in use for writing");
        rig_open_readonly(r, r->path);
        rig_refused(r, r->path, false, -EBUSY, "attach with --readonly");
}

static void readers_share(void **state)
{
        struct store_open_opts opts = {.readonly = true, .kept_fd = -1};
        struct rig *r = *state;
        struct store *s[3];
        struct err e;

        rig_image(r, 1 << 20);
        rig_open_readonly(r, r->path);
        for (int i = 0; i < 3; i++)
                assert_int_equal(store_open(r->path, &opts, &s[i], &e), 0);
        for (int i = 0; i < 3; i++)
                store_close(s[i]);
}

static int other_process(struct rig *r, bool readonly)
{
        struct store_open_opts opts = {.readonly = readonly, .kept_fd = -1};
        struct store *s;
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(-store_open(r->path, &opts, &s, NULL));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WEXITSTATUS(status);
}

static void another_process_is_refused(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_int_equal(other_process(r, false), EBUSY);
        assert_int_equal(other_process(r, true), EBUSY);
        rig_open_readonly(r, r->path);
        assert_int_equal(other_process(r, false), EBUSY);
        assert_int_equal(other_process(r, true), 0);
        rig_close(r);
        assert_int_equal(other_process(r, false), 0);
}

/* The exit status of a shell command about $I, the image. */
static int shell(struct rig *r, const char *command)
{
        char line[400];

        setenv("I", r->path, 1);
        snprintf(line, sizeof(line), "{ %s; } >%s/out 2>&1", command, r->dir);
        return WEXITSTATUS(system(line));
}

static bool said(struct rig *r, const char *words)
{
        char line[400];

        snprintf(line, sizeof(line), "grep -q '%s' %s/out", words, r->dir);
        return system(line) == 0;
}

static void qemus_programs_are_refused_by_our_locks(void **state)
{
        struct rig *r = *state;

        if (shell(r, "qemu-img --version && qemu-io --version") != 0)
                skip();
        rig_image(r, 1 << 20);
        rig_open(r, r->path);
        assert_int_not_equal(shell(r, "qemu-io -f raw -c 'write 0 4k' $I"), 0);
        assert_true(said(r, "lock"));
        assert_int_not_equal(shell(r, "qemu-img convert -f raw $I $I.copy"), 0);
        assert_true(said(r, "lock"));
        rig_open_readonly(r, r->path);
        assert_int_not_equal(shell(r, "qemu-io -f raw -c 'write 0 4k' $I"), 0);
        assert_true(said(r, "lock"));
        assert_int_equal(shell(r, "qemu-img convert -f raw $I $I.copy"), 0);
        rig_close(r);
        assert_int_equal(shell(r, "qemu-io -f raw -c 'write 0 4k' $I"), 0);
}

#define ASK_NBD "timeout 60 qemu-img info nbd+unix:///?socket=$I.s"

/* Starts qemu-nbd with the image, which it has open when it answers. The
 * teardown ends it. */
static bool start_nbd(struct rig *r, const char *options)
{
        char line[400];

        r->child = fork();
        if (r->child == 0) {
                snprintf(line, sizeof(line),
                         "exec qemu-nbd -t %s -f raw -k %s.s %s >%s/nbd 2>&1",
                         options, r->path, r->path, r->dir);
                execl("/bin/sh", "sh", "-c", line, NULL);
                _exit(127);
        }
        for (int i = 0; i < 2000; i++) {
                if (shell(r, ASK_NBD) == 0)
                        return true;
                usleep(10000);
        }
        return false;
}

static void we_are_refused_by_qemus_locks(void **state)
{
        struct rig *r = *state;

        if (shell(r, "qemu-nbd --version") != 0)
                skip();
        rig_image(r, 1 << 20);
        assert_true(start_nbd(r, ""));
        rig_refused(r, r->path, false, -EBUSY, "qemu-nbd");
        rig_refused(r, r->path, true, -EBUSY, "for writing");
        rig_end_child(r);
        rig_open(r, r->path);
        assert_int_equal(shell(r, "timeout 60 qemu-nbd -f raw -k $I.s $I"), 1);
        assert_true(said(r, "lock"));
}

static void qemu_and_we_may_both_read(void **state)
{
        struct rig *r = *state;

        if (shell(r, "qemu-nbd --version") != 0)
                skip();
        rig_image(r, 1 << 20);
        rig_open_readonly(r, r->path);
        assert_true(start_nbd(r, "--read-only"));
        rig_close(r);
        rig_open_readonly(r, r->path);
}

const struct CMUnitTest lock_tests[] = {
        ONE_WAY(two_writers_in_one_process_are_refused),
        ONE_WAY(a_reader_and_a_writer_are_refused_either_way),
        ONE_WAY(readers_share),
        ONE_WAY(another_process_is_refused),
        ONE_WAY(qemus_programs_are_refused_by_our_locks),
        ONE_WAY(we_are_refused_by_qemus_locks),
        ONE_WAY(qemu_and_we_may_both_read),
};
const size_t lock_tests_n = ARRAY_SIZE(lock_tests);
