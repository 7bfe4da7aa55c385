/* SPDX-License-Identifier: MIT */
/* One turn: wait (and submit what the turn before queued), descriptors and
 * file I/O, posted work, timers, turn hooks. */
#include "loop_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

static void read_clock(struct loop *l)
{
        l->now_ms = clock_ms();
}

int loop_create(struct loop **out, const struct loop_opts *opts)
{
        struct loop *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        LIST_INIT(&l->idle);
        LIST_INIT(&l->armed);
        LIST_INIT(&l->dying);
        LIST_INIT(&l->failed);
        l->changed = true;
        polling_init(&l->polling, opts ? opts->polling : POLLING_OFF);
        l->wake_fd = eventfd(0, EFD_CLOEXEC);
        if (l->wake_fd < 0) {
                int ret = -errno;

                free(l);
                return ret;
        }
        if (opts && opts->no_uring)
                strcpy(l->why, "io_uring is switched off by an option");
        else
                l->uring_ok = loop_uring_init(l) == 0;
        read_clock(l);
        *out = l;
        return 0;
}

static void free_watches(struct loop_watches *list)
{
        struct loop_watch *w;

        while ((w = LIST_FIRST(list))) {
                LIST_REMOVE(w, link);
                free(w);
        }
}

void loop_destroy(struct loop *l)
{
        if (!l)
                return;
        /* First the ring: the kernel may write wake_count until it is gone. */
        if (l->uring_ok)
                loop_uring_exit(l);
        free_watches(&l->idle);
        free_watches(&l->armed);
        free_watches(&l->dying);
        free_watches(&l->failed);
        free(l->pollfds);
        free(l->placed);
        close(l->wake_fd);
        free(l);
}

bool loop_has_uring(const struct loop *l, const char **why)
{
        if (why)
                *why = l->uring_ok ? NULL : l->why;
        return l->uring_ok;
}

uint64_t loop_now_ms(const struct loop *l)
{
        return l->now_ms;
}

int loop_fd_add(struct loop *l, struct loop_fd *f)
{
        struct loop_watch *w;

        if (fcntl(f->fd, F_GETFD) < 0)
                return -errno;
        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->user = f;
        w->fd = f->fd;
        w->index = NOT_PLACED;
        f->impl = w;
        LIST_INSERT_HEAD(&l->idle, w, link);
        l->changed = true;
        return 0;
}

void loop_fd_remove(struct loop *l, struct loop_fd *f)
{
        struct loop_watch *w = f->impl;

        if (!w)
                return;
        f->impl = NULL;
        LIST_REMOVE(w, link);
        if (w->armed) {
                /* The kernel knows its address: it lives until the poll is
                 * over. */
                w->user = NULL;
                LIST_INSERT_HEAD(&l->dying, w, link);
                loop_uring_cancel(l, w);
                return;
        }
        loop_poll_forget(l, w);
        free(w);
}

void loop_watch_ready(struct loop_watch *w)
{
        w->user->ready(w->user);
}

void loop_post(struct loop *l, struct loop_work *w)
{
        struct loop_work *head = atomic_load(&l->posted);
        const uint64_t one = 1;

        do {
                w->next = head;
        } while (!atomic_compare_exchange_weak(&l->posted, &head, w));
        /* The loop sets sleeping before it looks at posted, this pushes before
         * it looks at sleeping: one of the two sees the other. */
        if (atomic_exchange(&l->sleeping, false))
                (void)!write(l->wake_fd, &one, sizeof(one));
}

static void run_posted(struct loop *l)
{
        struct loop_work *w, *next, *in_order = NULL;

        if (!atomic_load_explicit(&l->posted, memory_order_relaxed))
                return;
        for (w = atomic_exchange(&l->posted, NULL); w; w = next) {
                next = w->next;
                w->next = in_order;
                in_order = w;
        }
        for (w = in_order; w; w = next) {
                next = w->next; /* fn may free or post the node again */
                w->fn(w->arg);
        }
}

static uint64_t until_next_timer(const struct loop *l)
{
        uint64_t due = WAIT_FOREVER;

        for (const struct loop_timer *t = l->timers; t; t = t->next)
                due = min_u64(due, t->due_ms);
        if (due == WAIT_FOREVER)
                return WAIT_FOREVER;
        return due > l->now_ms ? due - l->now_ms : 0;
}

static void wait_for_events(struct loop *l)
{
        uint64_t timeout_ms = until_next_timer(l), start_ns = 0;

        if (timeout_ms && (atomic_load(&l->posted) || loop_spin(l)))
                timeout_ms = 0;
        if (timeout_ms) {
                atomic_store(&l->sleeping, true);
                if (atomic_load(&l->posted))
                        timeout_ms = 0;
                else if (l->polling.mode == POLLING_AUTO)
                        start_ns = clock_ns();
        }
        if (l->uring_ok)
                loop_uring_wait(l, timeout_ms);
        else
                loop_poll_wait(l, timeout_ms);
        atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
        if (start_ns)
                polling_slept(&l->polling, start_ns, clock_ns());
}

void loop_run(struct loop *l)
{
        if (l->uring_ok)
                loop_uring_begin(l);
        read_clock(l);
        while (!l->stop) {
                wait_for_events(l);
                read_clock(l);
                if (l->uring_ok)
                        loop_uring_dispatch(l);
                else
                        loop_poll_dispatch(l);
                run_posted(l);
                loop_timers_fire(l);
                loop_turns_end(l);
        }
        l->stop = false;
        if (l->uring_ok)
                loop_uring_end(l);
}

void loop_stop(struct loop *l)
{
        l->stop = true;
}
