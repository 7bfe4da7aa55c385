/* SPDX-License-Identifier: MIT */
/* Memory goes back to the machine: discards, step by step, and shrinking. */
#include "ram.h"

#include <errno.h>

#define DISCARD_STEP_EXTENTS 1024u /* 64 MiB; others are served between */

/* A huge page that somebody uses cannot be taken apart, so that nobody may use
 * the disk for this moment. What is left of one is in pieces that are large
 * still (Linux 6.15 and later), so this holds for the next time too. */
static int take_apart(struct ram *s, const struct ram_view *was, size_t first,
                      size_t end)
{
        struct ram_view *v = atomic_load(&s->view);
        int ret;

        if (first >= end)
                return 0;
        if (ram_huge_any(was, first, end)) {
                atomic_store(&s->view, NULL);
                ram_wait_for_copies(s);
        }
        ret = ram_image_punch(s->head.keep_fd, first, end - first);
        atomic_store(&s->view, v);
        return ret;
}

int ram_give_back(struct ram *s, const struct ram_view *was, size_t first,
                  size_t end)
{
        size_t whole = (first + RAM_HUGE_EXTENTS - 1) / RAM_HUGE_EXTENTS *
                       RAM_HUGE_EXTENTS;
        size_t rest = end / RAM_HUGE_EXTENTS * RAM_HUGE_EXTENTS;
        int ret;

        ram_wait_for_copies(s);
        if (whole >= rest)
                return take_apart(s, was, first, end);
        ret = take_apart(s, was, first, whole);
        if (ret == 0)
                ret = ram_image_punch(s->head.keep_fd, whole, rest - whole);
        return ret ? ret : take_apart(s, was, rest, end);
}

static int discard_extents(struct ram *s, size_t first, size_t n)
{
        struct ram_view *v;
        bool any = false;
        int ret = 0;

        pthread_mutex_lock(&s->lock);
        v = atomic_load(&s->view);
        for (size_t i = first; i < first + n && i < v->extents; i++)
                any |= ram_view_clear(v, i);
        if (any)
                ret = ram_give_back(s, v, first, first + n);
        pthread_mutex_unlock(&s->lock);
        return ret;
}

struct discard {
        struct loop_work again;
        struct store_req *req;
        struct ram_queue *q;
        size_t at, end; /* extents */
};

static void discard_step(void *arg)
{
        struct discard *d = arg;
        struct store_req *r = d->req;
        int ret = 0;

        if (d->at < d->end) {
                size_t n = min_u64(d->end - d->at, DISCARD_STEP_EXTENTS);

                ret = discard_extents(to_ram(d->q->head.store), d->at, n);
                d->at += n;
        }
        if (ret == 0 && d->at < d->end) {
                loop_post(d->q->head.loop, &d->again);
                return;
        }
        free(d);
        r->done(r, ret);
}

/* Whole extents only: a discard is advice. The last extent counts as whole
 * when the request ends where the disk ends. */
void ram_discard(struct ram_queue *q, struct store_req *r)
{
        uint64_t end_bytes = r->offset_bytes + r->len_bytes;
        struct ram *s = to_ram(q->head.store);
        struct discard *d = calloc(1, sizeof(*d));

        if (!d) {
                r->done(r, -ENOMEM);
                return;
        }
        pthread_mutex_lock(&s->lock);
        if (end_bytes == atomic_load(&s->view)->size_bytes)
                end_bytes += RAM_EXTENT_BYTES - 1;
        pthread_mutex_unlock(&s->lock);
        *d = (struct discard){
                .again = {.fn = discard_step, .arg = d},
                .req = r,
                .q = q,
                .at = (r->offset_bytes + RAM_EXTENT_BYTES - 1) /
                      RAM_EXTENT_BYTES,
                .end = end_bytes / RAM_EXTENT_BYTES,
        };
        discard_step(d);
}
