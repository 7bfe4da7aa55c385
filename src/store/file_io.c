/* SPDX-License-Identifier: MIT */
/* A request from submit to done: through io_uring or a thread, again after a
 * short transfer, through the page cache where O_DIRECT cannot. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define RETRIES 100 /* of -EAGAIN, -EINTR */

static struct file_io *get_io(struct file_queue *q)
{
        struct file_io *io = q->spare;

        if (!io)
                return calloc(1, sizeof(*io));
        q->spare = io->next;
        *io = (struct file_io){0};
        return io;
}

static void finish(struct file_io *io, int error)
{
        struct file_queue *q = io->q;
        struct store_req *r = io->req;

        free(io->rest);
        if (io->gated)
                file_gate_leave(&to_file(q->head.store)->gate, io);
        io->next = q->spare;
        q->spare = io;
        r->done(r, error); /* may close the queue */
}

static bool meets_alignment(const struct file *f, const struct loop_op *op)
{
        if (op->offset_bytes % f->direct_align)
                return false;
        for (unsigned i = 0; i < op->niov; i++) {
                if ((uintptr_t)op->iov[i].iov_base % f->direct_mem_align ||
                    op->iov[i].iov_len % f->direct_align)
                        return false;
        }
        return true;
}

/* More than the 512 bytes that each request has. */
static bool is_demanding(const struct file *f)
{
        return f->direct_fd >= 0 && (f->direct_align > SECTOR_BYTES ||
                                     f->direct_mem_align > SECTOR_BYTES);
}

static enum file_way choose_way(const struct file *f, const struct file_io *io)
{
        if (f->direct_fd < 0 || io->refused)
                return FILE_CACHED;
        /* What is left after a short transfer can start anywhere. */
        if (!is_demanding(f) && !io->done_bytes)
                return FILE_DIRECT;
        return meets_alignment(f, &io->op) ? FILE_DIRECT : FILE_CACHED;
}

static void op_done(struct loop_op *op, int result)
{
        file_io_result(container_of(op, struct file_io, op), result);
}

/* On tmpfs io_uring hands each one to a thread, which costs more than the copy
 * that it is. */
static bool is_mere_copy(const struct file_io *io)
{
        return to_file(io->q->head.store)->in_memory &&
               io->op.kind != LOOP_FALLOCATE;
}

void file_io_start(struct file_io *io)
{
        struct file_queue *q = io->q;

        io->op.done = op_done;
        if (is_mere_copy(io))
                file_io_result(io, file_call(io));
        else if (q->uring && !io->block_discard)
                loop_op_start(q->head.loop, &io->op);
        else
                file_threads_run(to_file(q->head.store)->threads, io);
}

static void start_transfer(struct file_io *io)
{
        struct file *f = to_file(io->q->head.store);
        enum file_way way = choose_way(f, io);

        io->op.fd = way == FILE_DIRECT ? f->direct_fd : f->fd;
        if (io->op.kind == LOOP_WRITEV && is_demanding(f) && !io->gated) {
                io->gated = true;
                io->way = way;
                if (!file_gate_enter(&f->gate, io))
                        return;
        }
        file_io_start(io);
}

/* Points op at what is left after n more bytes. */
static int advance(struct file_io *io, size_t n)
{
        struct loop_op *op = &io->op;
        struct iovec *v = io->rest;
        unsigned left;

        io->done_bytes += n;
        op->offset_bytes += n;
        if (!v) {
                left = io->req->niov;
                v = malloc(left * sizeof(*v));
                if (!v)
                        return -ENOMEM;
                memcpy(v, io->req->iov, left * sizeof(*v));
        } else {
                left = io->rest_n;
        }
        io->rest = v;
        while (left && n >= v->iov_len) {
                n -= v->iov_len;
                v++;
                left--;
        }
        if (left) {
                v->iov_base = (char *)v->iov_base + n;
                v->iov_len -= n;
        }
        memmove(io->rest, v, left * sizeof(*v));
        io->rest_n = left;
        op->iov = io->rest;
        op->niov = (unsigned)min_u64(left, IOV_MAX);
        return 0;
}

static void transfer_result(struct file_io *io, int result)
{
        struct file *f = to_file(io->q->head.store);
        int ret = result;

        if (result == -EINVAL && io->op.fd == f->direct_fd) {
                io->refused = true; /* whatever it has said about alignment */
                start_transfer(io);
                return;
        }
        if (result == 0)
                ret = -EIO; /* the file is shorter than the disk */
        if (ret > 0 && io->done_bytes + (unsigned)ret == io->req->len_bytes)
                ret = 0;
        else if (ret > 0)
                ret = advance(io, (size_t)ret) < 0 ? -ENOMEM : 1;
        if (ret > 0)
                start_transfer(io);
        else
                finish(io, ret);
}

void file_io_result(struct file_io *io, int result)
{
        if ((result == -EINTR || result == -EAGAIN) && io->retries < RETRIES) {
                io->retries++;
                file_io_start(io);
                return;
        }
        if (io->op.kind == LOOP_READV || io->op.kind == LOOP_WRITEV)
                transfer_result(io, result);
        else
                finish(io, result);
}

/* Whole blocks only: a discard is advice, unless it is secure. 1; 0 if there is
 * no whole block; -EINVAL. */
static int set_discard(struct file_io *io, const struct file *f)
{
        uint64_t unit = f->is_block ? f->head.info.block_bytes : 1;
        uint64_t end = io->req->offset_bytes + io->req->len_bytes;

        if (io->req->secure && (io->req->offset_bytes % unit || end % unit))
                return -EINVAL;
        io->op.kind = LOOP_FALLOCATE;
        io->op.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        io->block_discard = f->is_block;
        io->op.offset_bytes = (io->req->offset_bytes + unit - 1) / unit * unit;
        end = end / unit * unit;
        if (end <= io->op.offset_bytes)
                return 0;
        io->op.len_bytes = end - io->op.offset_bytes;
        return 1;
}

static void submit_discard(struct file_io *io, const struct file *f)
{
        int ret = -EOPNOTSUPP;

        io->op.kind = LOOP_FALLOCATE;
        if (f->head.info.can_discard)
                ret = set_discard(io, f);
        if (ret > 0)
                file_io_start(io);
        else
                finish(io, ret);
}

void file_submit(struct store_queue *head, struct store_req *r)
{
        struct file_queue *q = container_of(head, struct file_queue, head);
        struct file *f = to_file(head->store);
        struct file_io *io = get_io(q);

        if (!io) {
                r->done(r, -ENOMEM);
                return;
        }
        io->q = q;
        io->req = r;
        io->op.fd = f->fd;
        switch (r->op) {
        case STORE_READ:
        case STORE_WRITE:
                io->op.kind = r->op == STORE_READ ? LOOP_READV : LOOP_WRITEV;
                io->op.iov = r->iov;
                io->op.niov = (unsigned)min_u64(r->niov, IOV_MAX);
                io->op.offset_bytes = r->offset_bytes;
                start_transfer(io);
                break;
        case STORE_FLUSH:
                io->op.kind = LOOP_FSYNC;
                file_io_start(io);
                break;
        case STORE_DISCARD:
                submit_discard(io, f);
                break;
        }
}
