/* SPDX-License-Identifier: MIT */
/* A regular file or a block device, raw. */
#include "file.h"

#include "drivers.h"
#include "common/log.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define IO_THREADS 4
#define DISCARD_THREADS 1

static int file_open(const char *path, const struct store_open_opts *opts,
                     struct store **out, struct err *e)
{
        struct file *f = calloc(1, sizeof(*f));
        struct statfs fs;
        int ret;

        if (!f)
                return err_set(e, -ENOMEM, "out of memory");
        f->head.ops = &store_file_ops;
        f->head.keep_fd = -1;
        f->no_uring = opts->no_uring;
        f->fd = f->direct_fd = -1;
        f->path = strdup(path);
        if (!f->path) {
                ret = err_set(e, -ENOMEM, "out of memory");
                goto drop;
        }
        ret = file_open_path(f, path, opts->readonly, e);
        if (ret < 0)
                goto drop;
        pthread_mutex_init(&f->lock, NULL);
        pthread_mutex_init(&f->gate.lock, NULL);
        file_list_init(&f->gate.waiting);
        f->head.info.can_flush = true;
        f->in_memory = fstatfs(f->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
                       !f->is_block;
        file_direct_open(f);
        if (!opts->readonly)
                file_discard_probe(f);
        *out = &f->head;
        return 0;
drop:
        free(f->path);
        free(f);
        return ret;
}

static void file_close(struct store *store)
{
        struct file *f = to_file(store);

        file_threads_destroy(f->threads);
        if (f->direct_fd >= 0)
                close(f->direct_fd);
        close(f->fd);
        pthread_mutex_destroy(&f->gate.lock);
        pthread_mutex_destroy(&f->lock);
        free(f->path);
        free(f);
}

static int resize_block(struct file *f, uint64_t size_bytes, struct err *e)
{
        uint64_t now_bytes;
        int ret = file_size(f, &now_bytes);

        if (ret < 0)
                return err_set(e, ret, "%s: cannot ask for its size: %s",
                               f->path, strerror(-ret));
        if (now_bytes != size_bytes)
                return err_set(e, -EINVAL,
                               "%s: the device has %llu bytes, not %llu; "
                               "resize the device first, then give its size",
                               f->path, (unsigned long long)now_bytes,
                               (unsigned long long)size_bytes);
        return 0;
}

static int file_resize(struct store *store, uint64_t size_bytes, struct err *e)
{
        struct file *f = to_file(store);
        int ret = 0;

        if (f->is_block) {
                ret = resize_block(f, size_bytes, e);
        } else if (size_bytes > INT64_MAX) {
                ret = err_set(e, -EFBIG, "%s: the size is too large", f->path);
        } else if (ftruncate(f->fd, (off_t)size_bytes) < 0) {
                ret = -errno;
                err_set(e, ret, "%s: cannot change the size: %s", f->path,
                        strerror(-ret));
        }
        if (ret == 0)
                f->head.info.size_bytes = size_bytes;
        return ret;
}

/* The first queue makes the threads, so that a disk nobody uses has none. */
static int need_threads(struct file *f, unsigned n)
{
        int ret = 0;

        pthread_mutex_lock(&f->lock);
        if (!f->threads)
                ret = file_threads_create(&f->threads, n);
        pthread_mutex_unlock(&f->lock);
        return ret;
}

static int file_queue_open(struct store *store, struct loop *l,
                           struct store_queue **out)
{
        struct file *f = to_file(store);
        struct file_queue *q = calloc(1, sizeof(*q));
        const char *why;
        int ret = 0;

        if (!q)
                return -ENOMEM;
        q->head = (struct store_queue){store, l};
        q->uring = loop_has_uring(l, &why) && !f->no_uring;
        if (!q->uring) {
                ret = need_threads(f, IO_THREADS);
                /* Not so in memory: only discards are theirs. */
                if (!f->in_memory && !atomic_exchange(&f->said_threads, true))
                        log_warn("%s: %s; using preadv and pwritev in %d "
                                 "threads, which is slower",
                                 f->path,
                                 why ? why
                                     : "io_uring is switched off by an "
                                       "option",
                                 IO_THREADS);
        } else if (f->is_block && f->head.info.can_discard) {
                ret = need_threads(f, DISCARD_THREADS);
        }
        if (ret < 0) {
                free(q);
                return ret;
        }
        *out = &q->head;
        return 0;
}

static void file_queue_close(struct store_queue *head)
{
        struct file_queue *q = container_of(head, struct file_queue, head);
        struct file_io *io;

        while ((io = q->spare)) {
                q->spare = io->next;
                free(io);
        }
        free(q);
}

const struct store_ops store_file_ops = {
        .name = "file",
        .open = file_open,
        .close = file_close,
        .resize = file_resize,
        .queue_open = file_queue_open,
        .queue_close = file_queue_close,
        .submit = file_submit,
};
