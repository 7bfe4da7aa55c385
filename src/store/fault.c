/* SPDX-License-Identifier: MIT */
/* fault:RULES:TARGET, any other target with errors and delays by rule, for
 * tests of whoever must cope with them. RULES are separated by commas:
 *
 *      [OP-]error=ERRNO[@WHICH]     fails, the inner disk never sees it
 *      [OP-]delay-ms=MS[@WHICH]     the answer comes that much later
 *
 * OP is read, write, flush or discard; without it all requests are meant.
 * ERRNO is EIO, ENOSPC, ENOMEM, EROFS, EINVAL, EAGAIN, EPERM, EOPNOTSUPP,
 * ENODEV or ETIMEDOUT. WHICH counts the requests that OP names, over all
 * queues, from 1: "3" is the third only, "3+" it and all later, "3-5" third to
 * fifth; without it each one. The first error rule that fits counts; of delays
 * the longest; both together give a late error. RULES may be empty. */
#include "fault.h"

#include "drivers.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct fault {
        struct store head;
        struct store *inner;
        struct fault_rules rules;
        atomic_ullong count[4], count_any;
};

struct fault_queue {
        struct store_queue head;
        struct store_queue *inner;
        struct loop_timer timer;
        struct fault_req *late; /* by due_ms */
        struct fault_req *spare;
};

/* What the inner store gets in place of the caller's request. */
struct fault_req {
        struct store_req inner;
        struct store_req *outer;
        struct fault_queue *q;
        uint64_t delay_ms, due_ms;
        int error;
        struct fault_req *next;
};

static int fault_open(const char *params, const struct store_open_opts *opts,
                      struct store **out, struct err *e)
{
        const char *colon = strchr(params, ':');
        struct fault *s;
        int ret;

        if (!colon)
                return err_set(e, -EINVAL,
                               "fault: write fault:RULES:TARGET, "
                               "as in "
                               "fault:read-error=EIO@3:ram:64M");
        s = calloc(1, sizeof(*s));
        if (!s)
                return err_set(e, -ENOMEM, "out of memory");
        ret = fault_rules_parse(params, (size_t)(colon - params), &s->rules, e);
        if (ret == 0)
                ret = store_open(colon + 1, opts, &s->inner, e);
        if (ret < 0) {
                free(s);
                return ret;
        }
        s->head = *s->inner;
        s->head.ops = &store_fault_ops;
        *out = &s->head;
        return 0;
}

static void fault_close(struct store *store)
{
        struct fault *s = container_of(store, struct fault, head);

        store_close(s->inner);
        free(s);
}

static int fault_resize(struct store *store, uint64_t size_bytes, struct err *e)
{
        struct fault *s = container_of(store, struct fault, head);
        int ret = store_resize(s->inner, size_bytes, e);

        s->head.info = s->inner->info;
        return ret;
}

static void finish(struct fault_req *f)
{
        struct fault_queue *q = f->q;
        struct store_req *outer = f->outer;
        int error = f->error;

        f->next = q->spare;
        q->spare = f;
        outer->done(outer, error);
}

/* Sets the timer for the first of the late ones. */
static void set_timer(struct fault_queue *q)
{
        struct loop *l = q->head.loop;
        uint64_t now_ms = loop_now_ms(l);

        loop_timer_remove(l, &q->timer);
        if (!q->late)
                return;
        q->timer.period_ms =
                q->late->due_ms > now_ms ? q->late->due_ms - now_ms : 1;
        loop_timer_add(l, &q->timer);
}

static void fire(struct loop_timer *t)
{
        struct fault_queue *q = t->arg;
        uint64_t now_ms = loop_now_ms(q->head.loop);
        struct fault_req *due = q->late, **at = &due, *next;

        while (*at && (*at)->due_ms <= now_ms)
                at = &(*at)->next;
        q->late = *at;
        *at = NULL;
        set_timer(q);
        /* The last one's done may close the queue. */
        for (struct fault_req *f = due; f; f = next) {
                next = f->next;
                finish(f);
        }
}

static void finish_late(struct fault_req *f)
{
        struct fault_req **at = &f->q->late;

        if (!f->delay_ms) {
                finish(f);
                return;
        }
        f->due_ms = loop_now_ms(f->q->head.loop) + f->delay_ms;
        while (*at && (*at)->due_ms <= f->due_ms)
                at = &(*at)->next;
        f->next = *at;
        *at = f;
        set_timer(f->q);
}

static void inner_done(struct store_req *inner, int error)
{
        struct fault_req *f = container_of(inner, struct fault_req, inner);

        f->error = error;
        finish_late(f);
}

static int fault_queue_open(struct store *store, struct loop *l,
                            struct store_queue **out)
{
        struct fault *s = container_of(store, struct fault, head);
        struct fault_queue *q = calloc(1, sizeof(*q));
        int ret;

        if (!q)
                return -ENOMEM;
        q->head = (struct store_queue){store, l};
        q->timer = (struct loop_timer){.fire = fire, .arg = q};
        ret = store_queue_open(s->inner, l, &q->inner);
        if (ret < 0) {
                free(q);
                return ret;
        }
        *out = &q->head;
        return 0;
}

static void fault_queue_close(struct store_queue *head)
{
        struct fault_queue *q = container_of(head, struct fault_queue, head);
        struct fault_req *f;

        loop_timer_remove(head->loop, &q->timer);
        while ((f = q->spare)) {
                q->spare = f->next;
                free(f);
        }
        store_queue_close(q->inner);
        free(q);
}

static struct fault_req *get_req(struct fault_queue *q)
{
        struct fault_req *f = q->spare;

        if (!f)
                return calloc(1, sizeof(*f));
        q->spare = f->next;
        return f;
}

static void fault_submit(struct store_queue *head, struct store_req *r)
{
        struct fault_queue *q = container_of(head, struct fault_queue, head);
        struct fault *s = container_of(head->store, struct fault, head);
        struct fault_req *f = get_req(q);

        if (!f) {
                r->done(r, -ENOMEM);
                return;
        }
        f->outer = r;
        f->q = q;
        fault_rules_judge(&s->rules, r->op,
                          atomic_fetch_add(&s->count[r->op], 1) + 1,
                          atomic_fetch_add(&s->count_any, 1) + 1, &f->error,
                          &f->delay_ms);
        if (f->error) {
                finish_late(f);
                return;
        }
        f->inner = *r;
        f->inner.done = inner_done;
        store_submit(q->inner, &f->inner);
}

const struct store_ops store_fault_ops = {
        .name = "fault",
        .open = fault_open,
        .close = fault_close,
        .resize = fault_resize,
        .queue_open = fault_queue_open,
        .queue_close = fault_queue_close,
        .submit = fault_submit,
};
