/* SPDX-License-Identifier: MIT */
/* Waiting with ppoll(2), where io_uring is absent or forbidden. */
#include "loop_impl.h"

#include "common/log.h"

#include <errno.h>
#include <time.h>

static int make_room(struct loop *l, size_t want)
{
        size_t room = l->room ? l->room : 16;
        struct loop_watch **placed;
        struct pollfd *pollfds;

        while (room < want)
                room *= 2;
        if (room == l->room)
                return 0;
        pollfds = reallocarray(l->pollfds, room + 1, sizeof(*pollfds));
        if (pollfds)
                l->pollfds = pollfds;
        placed = reallocarray(l->placed, room, sizeof(struct loop_watch *));
        if (placed)
                l->placed = placed;
        if (!pollfds || !placed)
                return -ENOMEM;
        l->room = room;
        return 0;
}

/* Fills the arrays from the list; without memory the old ones stay in use and
 * the next turn tries again. */
static void place_all(struct loop *l)
{
        struct loop_watch *w;
        size_t n = 0;

        for (w = LIST_FIRST(&l->idle); w; w = LIST_NEXT(w, link))
                n++;
        if (make_room(l, n) < 0 && !l->room) {
                usleep(1000);
                return;
        }
        n = 0;
        for (w = LIST_FIRST(&l->idle); w; w = LIST_NEXT(w, link)) {
                w->index = NOT_PLACED;
                if (n == l->room)
                        continue;
                w->index = n;
                l->placed[n] = w;
                l->pollfds[++n] = (struct pollfd){w->fd, POLLIN, 0};
        }
        l->pollfds[0] = (struct pollfd){l->wake_fd, POLLIN, 0};
        l->nplaced = n;
        l->changed = false;
}

void loop_poll_wait(struct loop *l, uint64_t timeout_ms)
{
        struct timespec ts = {0};
        int n;

        if (l->changed)
                place_all(l);
        if (!l->pollfds)
                return;
        ts.tv_sec = (time_t)(timeout_ms / 1000);
        ts.tv_nsec = (long)(timeout_ms % 1000) * 1000000;
        n = ppoll(l->pollfds, l->nplaced + 1,
                  timeout_ms == WAIT_FOREVER ? NULL : &ts, NULL);
        if (n >= 0)
                return;
        for (size_t i = 0; i <= l->nplaced; i++)
                l->pollfds[i].revents = 0;
        if (errno != EINTR) {
                log_err("loop: ppoll: %m");
                usleep(1000);
        }
}

void loop_poll_dispatch(struct loop *l)
{
        uint64_t count;

        if (!l->pollfds)
                return;
        if (l->pollfds[0].revents)
                (void)!read(l->wake_fd, &count, sizeof(count));
        /* Callbacks add to idle only and clear their place in the arrays, so
         * the arrays stay as they are until the next wait. */
        for (size_t i = 0; i < l->nplaced; i++) {
                struct loop_watch *w = l->placed[i];
                short revents = l->pollfds[i + 1].revents;

                if (!w || !revents)
                        continue;
                if (revents & POLLNVAL) {
                        log_err("loop: descriptor %d was closed while it was "
                                "watched",
                                w->fd);
                        l->pollfds[i + 1].fd = -1;
                        continue;
                }
                loop_watch_ready(w);
        }
}

void loop_poll_forget(struct loop *l, struct loop_watch *w)
{
        if (w->index != NOT_PLACED) {
                l->placed[w->index] = NULL;
                l->pollfds[w->index + 1].fd = -1;
        }
        l->changed = true;
}
