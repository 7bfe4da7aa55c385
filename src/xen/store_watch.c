/* SPDX-License-Identifier: MIT */
/* Watches, and how the loss of the connection is noticed. */
#include "store_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "quiet.h"

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

static int poll_add(int epoll_fd, int fd)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

        return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int xen_store_watch_init(struct xen_store *s)
{
        int watch_fd = xs_fileno(s->xs);
        int ret;

        if (watch_fd < 0)
                return xen_call_error();
        fcntl(watch_fd, F_SETFD, FD_CLOEXEC);
        s->poll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (s->poll_fd < 0)
                return -errno;
        ret = poll_add(s->poll_fd, watch_fd);
        if (ret < 0)
                return ret;
        s->canary_fd = connect_canary();
        return s->canary_fd < 0 ? 0 : poll_add(s->poll_fd, s->canary_fd);
}

void xen_store_watch_release(struct xen_store *s)
{
        if (s->canary_fd >= 0)
                close(s->canary_fd);
        if (s->poll_fd >= 0)
                close(s->poll_fd);
}

int xen_store_fd(struct xen_store *s)
{
        return s->poll_fd;
}

int xen_store_watch(struct xen_store *s, const char *path, const char *token)
{
        if (!xen_store_path_ok(path))
                return -EINVAL;
        errno = 0;
        return xs_watch(s->xs, path, token) ? 0 : xen_call_error();
}

void xen_store_unwatch(struct xen_store *s, const char *path, const char *token)
{
        (void)xs_unwatch(s->xs, path, token);
}

/* Nobody ever writes to the canary, so anything on it is its end. */
static bool connection_lost(const struct xen_store *s)
{
        struct pollfd p = {.fd = s->canary_fd, .events = POLLIN};

        return s->canary_fd >= 0 && poll(&p, 1, 0) > 0;
}

int xen_store_next_watch(struct xen_store *s, char **path, char **token)
{
        char **fired;

        *path = *token = NULL;
        errno = 0;
        fired = xs_check_watch(s->xs);
        if (!fired) {
                /* Nothing waiting is EAGAIN; without a connection it is
                 * EINVAL once the reader thread has noticed. */
                if (errno == ENOMEM)
                        return -ENOMEM;
                if (errno != EAGAIN || connection_lost(s))
                        return -ECONNRESET;
                return 0;
        }
        *path = strdup(fired[XS_WATCH_PATH]);
        *token = strdup(fired[XS_WATCH_TOKEN]);
        free(fired);
        if (*path && *token)
                return 1;
        free(*path);
        free(*token);
        *path = *token = NULL;
        return -ENOMEM;
}
