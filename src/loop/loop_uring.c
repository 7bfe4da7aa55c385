/* SPDX-License-Identifier: MIT */
/* Waiting with io_uring: polls are one-shot and are armed again after each
 * callback, which makes them level-triggered at the price of one entry in the
 * submission queue, and no system call. */
#include "loop_impl.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define SQ_ENTRIES 512
#define CQ_ENTRIES 4096

/* user_data is a pointer with one of these in its low bits. */
enum tag { TAG_OP, TAG_WATCH, TAG_WAKE, TAG_IGNORE, TAG_MASK = 7 };

static void say_why(struct loop *l, int ret)
{
        const char *hint = "";

        if (ret == -EPERM)
                hint = " (see sysctl kernel.io_uring_disabled, and the seccomp "
                       "filter of a container or unit)";
        else if (ret == -ENOSYS)
                hint = " (this kernel has none, or a seccomp filter hides it)";
        else if (ret == -ENOMEM)
                hint = " (see ulimit -l and the memory limit)";
        snprintf(l->why, sizeof(l->why), "io_uring cannot be used: %s%s",
                 strerror(-ret), hint);
}

int loop_uring_init(struct loop *l)
{
        /* Best first; older kernels refuse flags that they do not know.
         * R_DISABLED: the ring belongs to the thread that enables it, the one
         * that runs the loop, not to the one that creates it. */
        static const unsigned flags[] = {
                IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED |
                        IORING_SETUP_SUBMIT_ALL,
                IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                        IORING_SETUP_SUBMIT_ALL,
                0,
        };
        int ret = -EINVAL;

        for (size_t i = 0; i < ARRAY_SIZE(flags) && ret == -EINVAL; i++) {
                struct io_uring_params p = {
                        .flags = flags[i] | IORING_SETUP_CQSIZE,
                        .cq_entries = CQ_ENTRIES,
                };

                ret = io_uring_queue_init_params(SQ_ENTRIES, &l->ring, &p);
                l->enabled = !(flags[i] & IORING_SETUP_R_DISABLED);
        }
        if (ret == 0 && !(l->ring.features & IORING_FEAT_EXT_ARG)) {
                io_uring_queue_exit(&l->ring);
                ret = -ENOSYS; /* before Linux 5.11 */
        }
        if (ret < 0)
                say_why(l, ret);
        return ret;
}

void loop_uring_exit(struct loop *l)
{
        io_uring_queue_exit(&l->ring);
}

static void enable(struct loop *l)
{
        if (l->enabled)
                return;
        l->enabled = true;
        /* liburing 2.3 declares io_uring_enable_rings but does not export it.
         */
        if (syscall(__NR_io_uring_register, l->ring.ring_fd,
                    IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
                log_err("loop: cannot enable the io_uring: %m");
}

void loop_uring_begin(struct loop *l)
{
        enable(l);
        /* Spares the lookup of the descriptor in each call; may fail. */
        io_uring_register_ring_fd(&l->ring);
}

void loop_uring_end(struct loop *l)
{
        io_uring_submit(&l->ring);
        io_uring_unregister_ring_fd(&l->ring);
}

static struct io_uring_sqe *get_sqe(struct loop *l)
{
        struct io_uring_sqe *sqe;

        while (!(sqe = io_uring_get_sqe(&l->ring))) {
                int ret;

                enable(l);
                ret = io_uring_submit(&l->ring);
                /* The kernel is short of memory, or the completion queue is
                 * full to the brim: both pass. */
                if (ret < 0 && ret != -EINTR)
                        usleep(1000);
        }
        return sqe;
}

static void set_data(struct io_uring_sqe *sqe, void *p, enum tag tag)
{
        io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)p | tag);
}

void loop_uring_cancel(struct loop *l, struct loop_watch *w)
{
        struct io_uring_sqe *sqe = get_sqe(l);

        io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)w | TAG_WATCH);
        set_data(sqe, NULL, TAG_IGNORE);
}

/* Right before the submission: no callback can close a descriptor between. */
static void arm_all(struct loop *l)
{
        struct loop_watch *w;
        struct io_uring_sqe *sqe;

        if (!l->wake_armed) {
                sqe = get_sqe(l);
                io_uring_prep_read(sqe, l->wake_fd, &l->wake_count,
                                   sizeof(l->wake_count), 0);
                set_data(sqe, NULL, TAG_WAKE);
                l->wake_armed = true;
        }
        while ((w = LIST_FIRST(&l->idle))) {
                sqe = get_sqe(l);
                io_uring_prep_poll_add(sqe, w->fd, POLLIN);
                set_data(sqe, w, TAG_WATCH);
                w->armed = true;
                LIST_REMOVE(w, link);
                LIST_INSERT_HEAD(&l->armed, w, link);
        }
}

bool loop_uring_has_news(struct loop *l)
{
        return io_uring_cq_ready(&l->ring) ||
               (IO_URING_READ_ONCE(*l->ring.sq.kflags) &
                (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

static int enter(struct loop *l, uint64_t timeout_ms)
{
        struct __kernel_timespec ts = {
                .tv_sec = (int64_t)(timeout_ms / 1000),
                .tv_nsec = (int64_t)(timeout_ms % 1000) * 1000000,
        };
        struct io_uring_cqe *cqe;
        unsigned flags;

        if (timeout_ms)
                return io_uring_submit_and_wait_timeout(
                        &l->ring, &cqe, 1,
                        timeout_ms == WAIT_FOREVER ? NULL : &ts, NULL);
        if (io_uring_sq_ready(&l->ring))
                return io_uring_submit_and_get_events(&l->ring);
        flags = IO_URING_READ_ONCE(*l->ring.sq.kflags);
        if (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))
                return io_uring_get_events(&l->ring);
        return 0;
}

void loop_uring_wait(struct loop *l, uint64_t timeout_ms)
{
        uint64_t left_out;
        int ret;

        arm_all(l);
        ret = enter(l, timeout_ms);
        if (ret >= 0 || ret == -ETIME || ret == -EINTR || ret == -EAGAIN ||
            ret == -EBUSY)
                return;
        if (log_bucket_take(&l->errors, l->now_ms, &left_out))
                log_err("loop: io_uring_enter: %s (%llu more left out)",
                        strerror(-ret), (unsigned long long)left_out);
        usleep(1000);
}

static void watch_done(struct loop *l, struct loop_watch *w, int res)
{
        w->armed = false;
        LIST_REMOVE(w, link);
        if (!w->user) { /* removed; this was the last word about it */
                free(w);
                return;
        }
        if (res < 0 && res != -ECANCELED) {
                log_err("loop: cannot watch descriptor %d: %s", w->fd,
                        strerror(-res));
                LIST_INSERT_HEAD(&l->failed, w, link);
                return;
        }
        LIST_INSERT_HEAD(&l->idle, w, link);
        if (res >= 0)
                loop_watch_ready(w); /* w may be gone after this */
}

void loop_uring_dispatch(struct loop *l)
{
        /* No more than are there now: what callbacks cause waits its turn. */
        unsigned n = io_uring_cq_ready(&l->ring);
        struct io_uring_cqe *cqe;

        while (n-- && io_uring_peek_cqe(&l->ring, &cqe) == 0) {
                uint64_t data = cqe->user_data;
                void *p = (void *)(uintptr_t)(data & ~(uint64_t)TAG_MASK);
                int res = cqe->res;

                io_uring_cqe_seen(&l->ring, cqe);
                switch ((enum tag)(data & TAG_MASK)) {
                case TAG_OP:
                        ((struct loop_op *)p)->done(p, res);
                        break;
                case TAG_WATCH:
                        watch_done(l, p, res);
                        break;
                case TAG_WAKE:
                        l->wake_armed = false;
                        break;
                default:
                        break;
                }
        }
}

void loop_op_start(struct loop *l, struct loop_op *op)
{
        struct io_uring_sqe *sqe = get_sqe(l);

        switch (op->kind) {
        case LOOP_READV:
                io_uring_prep_readv(sqe, op->fd, op->iov, op->niov,
                                    op->offset_bytes);
                break;
        case LOOP_WRITEV:
                io_uring_prep_writev(sqe, op->fd, op->iov, op->niov,
                                     op->offset_bytes);
                break;
        case LOOP_FSYNC:
                io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
                break;
        case LOOP_FALLOCATE:
                io_uring_prep_fallocate(sqe, op->fd, op->mode,
                                        (off_t)op->offset_bytes,
                                        (off_t)op->len_bytes);
                break;
        }
        set_data(sqe, op, TAG_OP);
}
