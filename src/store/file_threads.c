/* SPDX-License-Identifier: MIT */
/* A few threads that make blocking calls for a disk. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

struct file_threads {
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct file_list todo;
        bool stop;
        unsigned n;
        pthread_t thread[];
};

static int block_discard(const struct file_io *io)
{
        uint64_t range[2] = {io->op.offset_bytes, io->op.len_bytes};

        return ioctl(io->op.fd, io->req->secure ? BLKSECDISCARD : BLKDISCARD,
                     range);
}

int file_call(const struct file_io *io)
{
        const struct loop_op *op = &io->op;
        ssize_t n = -1;

        errno = EINVAL;
        if (io->block_discard) {
                n = block_discard(io);
        } else {
                switch (op->kind) {
                case LOOP_READV:
                        n = preadv(op->fd, op->iov, (int)op->niov,
                                   (off_t)op->offset_bytes);
                        break;
                case LOOP_WRITEV:
                        n = pwritev(op->fd, op->iov, (int)op->niov,
                                    (off_t)op->offset_bytes);
                        break;
                case LOOP_FSYNC:
                        n = fdatasync(op->fd);
                        break;
                case LOOP_FALLOCATE:
                        n = fallocate(op->fd, op->mode, (off_t)op->offset_bytes,
                                      (off_t)op->len_bytes);
                        break;
                }
        }
        return n < 0 ? -errno : (int)n;
}

static void give_result(void *arg)
{
        struct file_io *io = arg;

        file_io_result(io, io->result);
}

static void *thread_main(void *arg)
{
        struct file_threads *t = arg;
        struct file_io *io;

        pthread_mutex_lock(&t->lock);
        for (;;) {
                io = file_list_take(&t->todo);
                if (!io && t->stop)
                        break;
                if (!io) {
                        pthread_cond_wait(&t->wake, &t->lock);
                        continue;
                }
                pthread_mutex_unlock(&t->lock);
                io->result = file_call(io);
                io->work = (struct loop_work){.fn = give_result, .arg = io};
                loop_post(io->q->head.loop, &io->work);
                pthread_mutex_lock(&t->lock);
        }
        pthread_mutex_unlock(&t->lock);
        return NULL;
}

int file_threads_create(struct file_threads **out, unsigned n)
{
        struct file_threads *t = calloc(1, sizeof(*t) + n * sizeof(pthread_t));
        sigset_t all, old;
        int ret = 0;

        if (!t)
                return -ENOMEM;
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->wake, NULL);
        file_list_init(&t->todo);
        /* Signals are for the threads that expect them. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        while (t->n < n && ret == 0) {
                ret = -pthread_create(&t->thread[t->n], NULL, thread_main, t);
                if (ret == 0)
                        t->n++;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (!t->n) {
                file_threads_destroy(t);
                return ret;
        }
        *out = t;
        return 0;
}

void file_threads_destroy(struct file_threads *t)
{
        if (!t)
                return;
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_broadcast(&t->wake);
        pthread_mutex_unlock(&t->lock);
        for (unsigned i = 0; i < t->n; i++)
                pthread_join(t->thread[i], NULL);
        pthread_cond_destroy(&t->wake);
        pthread_mutex_destroy(&t->lock);
        free(t);
}

void file_threads_run(struct file_threads *t, struct file_io *io)
{
        pthread_mutex_lock(&t->lock);
        file_list_append(&t->todo, io);
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
}
