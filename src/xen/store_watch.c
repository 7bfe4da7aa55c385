/* SPDX-License-Identifier: MIT */
/* Watches, and how the loss of the connection is noticed. */
#include "store_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "quiet.h"

/* Half a second at most. */
#define READER_US 1000u
#define READER_TRIES 500u

static int connect_canary(void)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        const char *path = xs_daemon_socket();
        int fd;

        if (!path || strlen(path) >= sizeof(addr.sun_path))
                return -1;
        memcpy(addr.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -1;
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

int xen_store_watch_init(struct xen_store *s)
{
        int watch_fd, ret;

        errno = 0;
        /* Not XS_UNWATCH_FILTER: up to Xen 4.17 at least it forgets to free
         * the events that it drops, and a peer decides how many those are. */
        s->watches = xs_open(0);
        if (!s->watches)
                return xen_call_error();
        watch_fd = xs_fileno(s->watches);
        if (watch_fd < 0)
                return xen_call_error();
        fcntl(watch_fd, F_SETFD, FD_CLOEXEC);
        s->canary_fd = connect_canary();
        ret = fold_init(&s->fold, s->watches, s->canary_fd);
        s->folds = ret == 0;
        return ret;
}

/* libxenstore's thread closes the descriptor of a lost connection itself, and
 * forgets it when xs_close cancels it in the middle: so it gets the time. What
 * tells that it has begun is EINVAL, and it only has to go on then. */
static void let_reader_end(struct xs_handle *xs)
{
        for (unsigned i = 0; i < READER_TRIES; i++) {
                char **fired;

                errno = 0;
                fired = xs_check_watch(xs);
                free(fired);
                if (!fired && errno != EAGAIN)
                        break;
                if (!fired)
                        usleep(READER_US);
        }
        usleep(READER_US);
}

void xen_store_watch_release(struct xen_store *s)
{
        if (s->folds) {
                bool lost = s->fold.running && fold_is_lost(&s->fold);

                fold_release(&s->fold);
                if (lost)
                        let_reader_end(s->watches);
        }
        if (s->canary_fd >= 0)
                close(s->canary_fd);
}

int xen_store_fd(struct xen_store *s)
{
        return s->fold.event_fd;
}

int xen_store_watch(struct xen_store *s, const char *path, const char *token)
{
        int ret;

        if (!xen_store_path_ok(path) || !s->folds)
                return -EINVAL;
        ret = fold_start(&s->fold);
        if (ret < 0)
                return ret;
        if (fold_is_lost(&s->fold))
                return -ECONNRESET;
        errno = 0;
        return xs_watch(s->watches, path, token) ? 0 : xen_call_error();
}

void xen_store_unwatch(struct xen_store *s, const char *path, const char *token)
{
        if (!fold_is_lost(&s->fold))
                (void)xs_unwatch(s->watches, path, token);
}

int xen_store_next_watch(struct xen_store *s, char **path, char **token)
{
        return fold_take(&s->fold, path, token);
}
