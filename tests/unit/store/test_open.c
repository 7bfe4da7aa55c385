/* SPDX-License-Identifier: MIT */
/* Each refusal is a sentence that says what to do. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void what_is_no_image_is_refused(void **state)
{
        struct rig *r = *state;
        char path[160];

        rig_refused(r, r->path, false, -ENOENT, "truncate -s");
        rig_refused(r, r->dir, false, -EISDIR, "is a directory");
        rig_refused(r, "/dev/null", false, -EINVAL, "neither a regular file");
        assert_int_equal(mkfifo(r->path, 0600), 0);
        rig_refused(r, r->path, true, -EINVAL, "neither a regular file");
        assert_int_equal(unlink(r->path), 0);
        rig_image(r, 1 << 20);
        snprintf(path, sizeof(path), "%s/x", r->path);
        rig_refused(r, path, false, -ENOTDIR, path);
}

static void bad_sizes_are_refused(void **state)
{
        struct rig *r = *state;

        rig_image(r, 0);
        rig_refused(r, r->path, false, -EINVAL, "zero");
        rig_image(r, 1000);
        rig_refused(r, r->path, false, -EINVAL, "the next one is 1024");
        rig_refused(r, r->path, true, -EINVAL, "multiple of 512");
        rig_image(r, 512);
        rig_open(r, r->path);
}

/* As a user who may read but not write. */
static int as_nobody(struct rig *r)
{
        struct store_open_opts opts = {.kept_fd = -1};
        struct store *s;
        struct err e;

        if (setuid(65534) < 0)
                return 77;
        chmod(r->path, 0444);
        if (store_open(r->path, &opts, &s, &e) != -EACCES ||
            !strstr(e.text, "--readonly"))
                return 1;
        opts.readonly = true;
        if (store_open(r->path, &opts, &s, &e) != 0)
                return 2;
        store_close(s);
        return 0;
}

static int as_stranger(struct rig *r)
{
        struct store_open_opts opts = {.kept_fd = -1};
        struct store *s;
        struct err e;

        if (setuid(65534) < 0)
                return 77;
        if (store_open(r->path, &opts, &s, &e) != -EACCES ||
            !strstr(e.text, "cannot be read"))
                return 1;
        opts.readonly = true;
        if (store_open(r->path, &opts, &s, &e) != -EACCES)
                return 2;
        return 0;
}

static void in_child(struct rig *r, int (*f)(struct rig *))
{
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(f(r));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void missing_permissions_are_explained(void **state)
{
        struct rig *r = *state;

        rig_image(r, 1 << 20);
        assert_int_equal(chmod(r->dir, 0755), 0);
        assert_int_equal(chmod(r->path, 0444), 0);
        in_child(r, as_nobody);
        assert_int_equal(chmod(r->path, 0), 0);
        in_child(r, as_stranger);
}

static void a_read_only_file_system_is_explained(void **state)
{
        struct rig *r = *state;

        if (mount("none", r->dir, "tmpfs", 0, "size=1m") < 0)
                skip();
        rig_image(r, 65536);
        assert_int_equal(mount("none", r->dir, "tmpfs", MS_REMOUNT | MS_RDONLY,
                               "size=1m"),
                         0);
        rig_refused(r, r->path, false, -EROFS, "--readonly");
        rig_open_readonly(r, r->path);
        rig_close(r);
        assert_int_equal(umount(r->dir), 0);
}

static void relative_paths_and_the_long_form_are_taken(void **state)
{
        struct rig *r = *state;
        char long_form[160];
        int cwd = open(".", O_RDONLY | O_DIRECTORY);

        rig_image(r, 65536);
        assert_int_equal(chdir(r->dir), 0);
        rig_open(r, "image");
        assert_string_equal(store_driver(r->s), "file");
        rig_close(r);
        assert_int_equal(rename("image", "a:b"), 0);
        rig_open(r, "file:a:b");
        rig_close(r);
        rig_open(r, "./a:b");
        rig_close(r);
        rig_refused(r, "a:b", false, -EPROTONOSUPPORT, "file:a:b");
        assert_int_equal(fchdir(cwd), 0);
        close(cwd);
        snprintf(long_form, sizeof(long_form), "file:%s/a:b", r->dir);
        rig_open(r, long_form);
}

const struct CMUnitTest open_tests[] = {
        ONE_WAY(what_is_no_image_is_refused),
        ONE_WAY(bad_sizes_are_refused),
        ONE_WAY(missing_permissions_are_explained),
        ONE_WAY(a_read_only_file_system_is_explained),
        ONE_WAY(relative_paths_and_the_long_form_are_taken),
};
const size_t open_tests_n = ARRAY_SIZE(open_tests);
