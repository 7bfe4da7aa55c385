/* SPDX-License-Identifier: MIT */
/* ram:SIZE, a disk in a memfd. Requests are copied inside submit; once an
 * extent's memory has been had, there is no system call. The bytes live as long
 * as anybody holds the descriptor (store_keep_fd): a service manager over a
 * restart of the daemon. */
#include "ram.h"

#include "drivers.h"
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int get_image(uint64_t asked_bytes, const struct store_open_opts *opts,
                     int *fd, uint64_t *size_bytes, struct err *e)
{
        if (opts->kept_fd >= 0) {
                *fd = opts->kept_fd;
                return ram_image_check(*fd, size_bytes, e);
        }
        *size_bytes = asked_bytes;
        *fd = ram_image_create(asked_bytes, e);
        return *fd < 0 ? *fd : 0;
}

static int ram_open(const char *params, const struct store_open_opts *opts,
                    struct store **out, struct err *e)
{
        struct ram_view *view = NULL;
        uint64_t asked_bytes, size_bytes;
        struct ram *s;
        int fd, ret;

        ret = store_parse_size("ram", params, &asked_bytes, e);
        if (ret < 0)
                return ret;
        ret = get_image(asked_bytes, opts, &fd, &size_bytes, e);
        if (ret < 0)
                return ret;
        ret = ram_view_create(fd, size_bytes, &view, e);
        if (ret == 0 && opts->kept_fd >= 0)
                ret = ram_view_scan(fd, view, e);
        if (ret < 0)
                goto drop;
        s = calloc(1, sizeof(*s));
        if (!s) {
                ret = err_set(e, -ENOMEM, "out of memory");
                goto drop;
        }
        ram_copies_init();
        pthread_mutex_init(&s->lock, NULL);
        atomic_store(&s->view, view);
        s->head.ops = &store_ram_ops;
        s->head.keep_fd = fd;
        s->head.info = (struct store_info){
                .size_bytes = size_bytes,
                .block_bytes = SECTOR_BYTES,
                .readonly = opts->readonly,
                .can_discard = !opts->readonly,
                .discard_granularity_bytes =
                        opts->readonly ? 0 : RAM_EXTENT_BYTES,
        };
        if (size_bytes != asked_bytes)
                log_info("ram:%s: the disk kept from before has %" PRIu64
                         " bytes; this size stays",
                         params, size_bytes);
        *out = &s->head;
        return 0;
drop:
        ram_view_destroy(view);
        if (opts->kept_fd < 0)
                close(fd);
        return ret;
}

static void ram_close(struct store *store)
{
        struct ram *s = to_ram(store);

        ram_view_destroy(atomic_load(&s->view));
        close(s->head.keep_fd);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

static int ram_queue_open(struct store *store, struct loop *l,
                          struct store_queue **out)
{
        struct ram *s = to_ram(store);
        struct ram_queue *q = aligned_alloc(64, 64);

        static_assert(sizeof(*q) <= 64, "a queue has its own cache line");
        if (!q)
                return -ENOMEM;
        *q = (struct ram_queue){.head = {store, l}};
        pthread_mutex_lock(&s->lock);
        q->next = s->queues;
        s->queues = q;
        pthread_mutex_unlock(&s->lock);
        *out = &q->head;
        return 0;
}

static void ram_queue_close(struct store_queue *head)
{
        struct ram_queue *q = container_of(head, struct ram_queue, head);
        struct ram *s = to_ram(head->store);
        struct ram_queue **at;

        pthread_mutex_lock(&s->lock);
        for (at = &s->queues; *at != q; at = &(*at)->next)
                ;
        *at = q->next;
        pthread_mutex_unlock(&s->lock);
        free(q);
}

/* What is known of the extents; the lock is held, so none changes meanwhile. */
static void copy_known(struct ram_view *to, struct ram_view *from)
{
        size_t n = min_u64(to->extents, from->extents);

        for (size_t i = 0; i < n; i++) {
                if (ram_view_has(from, i))
                        ram_view_set(to, i);
        }
        memcpy(to->joined, from->joined, n / RAM_HUGE_EXTENTS);
}

/* After shrinking: what lies behind the end is gone, also inside of the last
 * extent, so that growing again brings zeroes. */
static void forget_tail(struct ram *s, struct ram_view *v,
                        const struct ram_view *old)
{
        size_t last = v->size_bytes / RAM_EXTENT_BYTES;
        size_t used = v->size_bytes % RAM_EXTENT_BYTES;

        if (used && ram_view_has(v, last))
                memset(v->map + v->size_bytes, 0, RAM_EXTENT_BYTES - used);
        if (old->extents > v->extents)
                ram_give_back(s, old, v->extents, old->extents);
}

static int ram_resize(struct store *store, uint64_t size_bytes, struct err *e)
{
        struct ram *s = to_ram(store);
        struct ram_view *old, *view = NULL;
        int ret;

        pthread_mutex_lock(&s->lock);
        old = atomic_load(&s->view);
        ret = ram_image_set_size(s->head.keep_fd, size_bytes, e);
        if (ret < 0)
                goto unlock;
        ret = ram_view_create(s->head.keep_fd, size_bytes, &view, e);
        if (ret < 0) {
                ram_image_set_size(s->head.keep_fd, old->size_bytes, NULL);
                goto unlock;
        }
        copy_known(view, old);
        atomic_store(&s->view, view);
        ram_wait_for_copies(s);
        if (size_bytes < old->size_bytes)
                forget_tail(s, view, old);
        ram_view_destroy(old);
        s->head.info.size_bytes = size_bytes;
unlock:
        pthread_mutex_unlock(&s->lock);
        return ret;
}

const struct store_ops store_ram_ops = {
        .name = "ram",
        .open = ram_open,
        .close = ram_close,
        .resize = ram_resize,
        .queue_open = ram_queue_open,
        .queue_close = ram_queue_close,
        .submit = ram_submit,
        .expect = ram_expect,
};
