/* SPDX-License-Identifier: MIT */
/* null:SIZE, a disk that forgets: reads give zeroes, writes are dropped. Good
 * for measuring everything but the disk, and the tutorial of the driver
 * contract in store.h. A driver has
 *
 * - its own struct, whose first member is struct store, made by open;
 * - its own queue, whose first member is struct store_queue, one for each ring,
 *   made by queue_open and used by a single thread;
 * - submit, which starts a request; its done is called once, now or later.
 *
 * This one needs no queue state and finishes each request at once. */
#include "drivers.h"

#include <errno.h>
#include <string.h>

static int null_open(const char *params, const struct store_open_opts *opts,
                     struct store **out, struct err *e)
{
        struct store *s;
        uint64_t size_bytes;
        int ret;

        ret = store_parse_size("null", params, &size_bytes, e);
        if (ret < 0)
                return ret;
        s = calloc(1, sizeof(*s));
        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        s->ops = &store_null_ops;
        s->keep_fd = -1; /* nothing outlives this process */
        s->info = (struct store_info){
                .size_bytes = size_bytes,
                .block_bytes = SECTOR_BYTES,
                .readonly = opts->readonly,
        };
        *out = s;
        return 0;
}

static void null_close(struct store *s)
{
        free(s);
}

static int null_resize(struct store *s, uint64_t size_bytes, struct err *e)
{
        s->info.size_bytes = size_bytes;
        return 0;
}

static int null_queue_open(struct store *s, struct loop *l,
                           struct store_queue **out)
{
        struct store_queue *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->store = s;
        q->loop = l;
        *out = q;
        return 0;
}

static void null_queue_close(struct store_queue *q)
{
        free(q);
}

static void null_submit(struct store_queue *q, struct store_req *r)
{
        /* A read must fill its buffers: what lay in them may be another
         * guest's. */
        if (r->op == STORE_READ) {
                for (unsigned i = 0; i < r->niov; i++)
                        memset(r->iov[i].iov_base, 0, r->iov[i].iov_len);
        }
        r->done(r, r->op == STORE_DISCARD ? -EOPNOTSUPP : 0);
}

const struct store_ops store_null_ops = {
        .name = "null",
        .open = null_open,
        .close = null_close,
        .resize = null_resize,
        .queue_open = null_queue_open,
        .queue_close = null_queue_close,
        .submit = null_submit,
};
