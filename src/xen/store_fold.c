/* SPDX-License-Identifier: MIT */
#include "store_fold.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

/* Events taken while the lock is held. */
#define EVENTS_A_TURN 64u

struct folded {
        struct folded *next;
        char **fired; /* path and token, one block of libxenstore's */
};

/* ---- folding: all with the lock held ------------------------------------- */

static void tell(struct store_fold *f)
{
        if (!f->told && eventfd_write(f->event_fd, 1) == 0)
                f->told = true;
}

static void tell_no_more(struct store_fold *f)
{
        eventfd_t n;

        if (f->told && eventfd_read(f->event_fd, &n) == 0)
                f->told = false;
}

/* Cuts the path of an event to what it has in common with another one. */
static void widen(char *path, const char *other)
{
        size_t i = 0, cut = 0;

        for (; path[i] && path[i] == other[i]; i++)
                if (path[i] == '/')
                        cut = i;
        if ((path[i] == '\0' || path[i] == '/') &&
            (other[i] == '\0' || other[i] == '/'))
                cut = i;
        if (cut == 0 && *path == '/')
                cut = 1;
        path[cut] = '\0';
}

/* True if what waits already says it. */
static bool waits(struct store_fold *f, char **fired)
{
        struct folded *first = NULL;
        unsigned paths = 0;

        for (struct folded *e = f->head; e; e = e->next) {
                if (strcmp(e->fired[XS_WATCH_TOKEN], fired[XS_WATCH_TOKEN]) !=
                    0)
                        continue;
                if (strcmp(e->fired[XS_WATCH_PATH], fired[XS_WATCH_PATH]) == 0)
                        return true;
                if (!first)
                        first = e;
                paths++;
        }
        if (paths < FOLD_PATHS)
                return false;
        widen(first->fired[XS_WATCH_PATH], fired[XS_WATCH_PATH]);
        return true;
}

static void fold(struct store_fold *f, char **fired)
{
        struct folded *e = NULL;

        if (!waits(f, fired)) {
                e = malloc(sizeof(*e));
                if (!e)
                        f->no_memory = true;
        }
        if (!e) {
                free(fired);
                return;
        }
        *e = (struct folded){.fired = fired};
        *f->tail = e;
        f->tail = &e->next;
}

/* Libxenstore's list is emptied by whoever comes first. */
static void fold_some(struct store_fold *f)
{
        for (unsigned i = 0; i < EVENTS_A_TURN && !f->lost; i++) {
                char **fired;

                errno = 0;
                fired = xs_check_watch(f->xs);
                if (fired) {
                        fold(f, fired);
                        continue;
                }
                /* Nothing waiting is EAGAIN; without a connection it is
                 * EINVAL once the reader thread has noticed. */
                if (errno == EAGAIN)
                        break;
                if (errno == ENOMEM)
                        f->no_memory = true;
                else
                        f->lost = true;
                break;
        }
        if (f->head || f->lost || f->no_memory)
                tell(f);
}

/* ---- the thread ---------------------------------------------------------- */

static void *fold_thread(void *arg)
{
        struct store_fold *f = arg;
        struct pollfd p[3] = {
                {.fd = f->stop_fd, .events = POLLIN},
                {.fd = xs_fileno(f->xs), .events = POLLIN},
                {.fd = f->canary_fd, .events = POLLIN},
        };
        bool lost = false;

        while (!lost) {
                if (poll(p, 3, -1) < 0)
                        continue; /* EINTR, or memory that comes back */
                if (p[0].revents)
                        break;
                pthread_mutex_lock(&f->lock);
                /* Nobody ever writes to the canary: that is its end. */
                if (p[2].revents)
                        f->lost = true;
                fold_some(f);
                lost = f->lost;
                pthread_mutex_unlock(&f->lock);
        }
        return NULL;
}

int fold_start(struct store_fold *f)
{
        sigset_t all, before;
        int ret;

        if (f->running)
                return 0;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        ret = pthread_create(&f->thread, NULL, fold_thread, f);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        f->running = ret == 0;
        return -ret;
}

/* ---- from outside -------------------------------------------------------- */

int fold_init(struct store_fold *f, struct xs_handle *xs, int canary_fd)
{
        *f = (struct store_fold){.xs = xs, .canary_fd = canary_fd};
        f->tail = &f->head;
        f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (f->event_fd < 0 || f->stop_fd < 0) {
                int ret = -errno;

                if (f->event_fd >= 0)
                        close(f->event_fd);
                if (f->stop_fd >= 0)
                        close(f->stop_fd);
                return ret;
        }
        pthread_mutex_init(&f->lock, NULL);
        return 0;
}

void fold_release(struct store_fold *f)
{
        if (f->running) {
                eventfd_write(f->stop_fd, 1);
                pthread_join(f->thread, NULL);
        }
        while (f->head) {
                struct folded *e = f->head;

                f->head = e->next;
                free(e->fired);
                free(e);
        }
        pthread_mutex_destroy(&f->lock);
        close(f->event_fd);
        close(f->stop_fd);
}

static struct folded *pop(struct store_fold *f)
{
        struct folded *e = f->head;

        if (!e)
                return NULL;
        f->head = e->next;
        if (!f->head)
                f->tail = &f->head;
        return e;
}

static int unfold(struct folded *e, char **path, char **token)
{
        *path = strdup(e->fired[XS_WATCH_PATH]);
        *token = strdup(e->fired[XS_WATCH_TOKEN]);
        free(e->fired);
        free(e);
        if (*path && *token)
                return 1;
        free(*path);
        free(*token);
        *path = *token = NULL;
        return -ENOMEM;
}

static bool is_lost(struct store_fold *f)
{
        struct pollfd p = {.fd = f->canary_fd, .events = POLLIN};

        return f->lost || (f->canary_fd >= 0 && poll(&p, 1, 0) > 0);
}

bool fold_is_lost(struct store_fold *f)
{
        bool lost;

        pthread_mutex_lock(&f->lock);
        lost = is_lost(f);
        pthread_mutex_unlock(&f->lock);
        return lost;
}

int fold_take(struct store_fold *f, char **path, char **token)
{
        struct folded *e;
        int ret = 0;

        *path = *token = NULL;
        pthread_mutex_lock(&f->lock);
        fold_some(f);
        e = pop(f);
        if (f->no_memory && !e) {
                f->no_memory = false;
                ret = -ENOMEM;
        } else if (!e && is_lost(f)) {
                ret = -ECONNRESET;
        }
        if (!f->head && !f->no_memory && !f->lost)
                tell_no_more(f);
        pthread_mutex_unlock(&f->lock);
        return e ? unfold(e, path, token) : ret;
}
