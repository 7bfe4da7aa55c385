/* SPDX-License-Identifier: MIT */
/* File I/O on the ring, and io_uring forbidden. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct op {
        struct loop_op op;
        struct iovec iov;
        struct batch *b;
        int result;
};
struct batch {
        struct rig *r;
        unsigned left;
};

static void op_done(struct loop_op *self, int result)
{
        struct op *o = self->arg;

        o->result = result;
        if (--o->b->left == 0)
                loop_stop(o->b->r->l);
}

static void start(struct batch *b, struct op *o)
{
        o->b = b;
        o->op.done = op_done;
        o->op.arg = o;
        o->op.iov = &o->iov;
        o->op.niov = 1;
        b->left++;
        loop_op_start(b->r->l, &o->op);
}

static int run_one(struct rig *r, struct op *o)
{
        struct batch b = {.r = r};

        start(&b, o);
        loop_run(r->l);
        return o->result;
}

static bool skipped(struct rig *r)
{
        return !loop_has_uring(r->l, NULL);
}

static void reads_writes_and_the_rest_reach_the_file(void **state)
{
        char out[6] = "hello", in[6] = "";
        int fd = memfd_create("test", 0);
        struct op w = {.iov = {out, 6}}, rd = {.iov = {in, 6}}, other = {0};
        struct stat st;

        if (skipped(*state))
                skip();
        w.op = (struct loop_op){
                .kind = LOOP_WRITEV, .fd = fd, .offset_bytes = 10000};
        assert_int_equal(run_one(*state, &w), 6);
        rd.op = (struct loop_op){
                .kind = LOOP_READV, .fd = fd, .offset_bytes = 10000};
        assert_int_equal(run_one(*state, &rd), 6);
        assert_string_equal(in, "hello");
        other.op = (struct loop_op){.kind = LOOP_FSYNC, .fd = fd};
        assert_int_equal(run_one(*state, &other), 0);
        other.op = (struct loop_op){.kind = LOOP_FALLOCATE,
                                    .fd = fd,
                                    .mode = FALLOC_FL_PUNCH_HOLE |
                                            FALLOC_FL_KEEP_SIZE,
                                    .offset_bytes = 8192,
                                    .len_bytes = 4096};
        assert_int_equal(run_one(*state, &other), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_blocks, 0);
        rd.op.fd = -1;
        assert_int_equal(run_one(*state, &rd), -EBADF);
        close(fd);
}

static void more_operations_than_the_queue_holds_all_end(void **state)
{
        enum { N = 6000 };
        struct op *o = calloc(N, sizeof(*o));
        uint32_t *data = calloc(N, sizeof(*data)), got;
        int fd = memfd_create("test", 0);
        struct batch b = {.r = *state};

        if (skipped(*state))
                skip();
        for (uint32_t i = 0; i < N; i++) {
                data[i] = i * 7;
                o[i].iov = (struct iovec){&data[i], sizeof(data[i])};
                o[i].op = (struct loop_op){
                        .kind = LOOP_WRITEV, .fd = fd, .offset_bytes = i * 4};
                start(&b, &o[i]);
        }
        loop_run(b.r->l);
        assert_int_equal(b.left, 0);
        for (uint32_t i = 0; i < N; i++) {
                assert_int_equal(o[i].result, 4);
                assert_int_equal(pread(fd, &got, 4, i * 4), 4);
                assert_int_equal(got, i * 7);
        }
        close(fd);
        free(data);
        free(o);
}

/* As a container's filter does. */
static void forbid_uring(int error)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                         offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
                BPF_STMT(BPF_RET | BPF_K,
                         SECCOMP_RET_ERRNO | ((unsigned)error & 0xffff)),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog prog = {.len = ARRAY_SIZE(code), .filter = code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
                _exit(77);
}

static int try_forbidden(int error, const char *word)
{
        struct loop *l;
        struct loop_work w;
        const char *why = NULL;

        forbid_uring(error);
        if (loop_create(&l, NULL) < 0)
                return 1;
        if (loop_has_uring(l, &why) || !strstr(why, word))
                return 2;
        w = (struct loop_work){.fn = stop_work, .arg = l};
        loop_post(l, &w);
        loop_run(l);
        loop_destroy(l);
        return 0;
}

static void forbidden_uring_is_done_without(void **state)
{
        static const struct {
                int error;
                const char *word;
        } ways[] = {
                {EPERM, "io_uring_disabled"},
                {ENOSYS, "kernel has none"},
                {ENOMEM, "ulimit"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                int status;
                pid_t pid = fork();

                if (pid == 0)
                        _exit(try_forbidden(ways[i].error, ways[i].word));
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                if (WEXITSTATUS(status) == 77)
                        skip();
                assert_int_equal(WEXITSTATUS(status), 0);
        }
}

const struct CMUnitTest op_tests[] = {
        cmocka_unit_test_setup_teardown(
                reads_writes_and_the_rest_reach_the_file, rig_setup_uring,
                rig_teardown),
        cmocka_unit_test_setup_teardown(
                more_operations_than_the_queue_holds_all_end, rig_setup_uring,
                rig_teardown),
        cmocka_unit_test(forbidden_uring_is_done_without),
};
const size_t op_tests_n = ARRAY_SIZE(op_tests);
