/* SPDX-License-Identifier: MIT */
#include "line_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"

/* A disk's statistics take about 2 KiB; no honest answer comes near. */
#define MAX_LINE_BYTES (16u << 20)

/* Waits for events on fd until the deadline: 0 or -errno. */
static int wait_fd(int fd, short events, int64_t deadline_ms)
{
        struct pollfd p = {.fd = fd, .events = events};

        for (;;) {
                int64_t left = deadline_ms - clock_ms();
                int ret = left > 0 ? poll(&p, 1, (int)left) : 0;

                if (ret > 0)
                        return 0;
                if (ret == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
        }
}

static int connect_socket(const char *path, int64_t deadline_ms, int *fd)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int ret;

        if (strlen(path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        memcpy(a.sun_path, path, strlen(path));
        *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (*fd < 0)
                return -errno;
        /* EAGAIN is a full backlog: a daemon that does not accept. */
        while (connect(*fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                ret = poll(NULL, 0, 20);
                if (ret < 0 && errno != EINTR)
                        return -errno;
                if (clock_ms() >= deadline_ms)
                        return -ETIMEDOUT;
        }
        return 0;
}

static int send_line(int fd, const char *line, int64_t deadline_ms)
{
        CLEANUP_FREE char *text = NULL;
        int len = asprintf(&text, "%s\n", line), ret;

        if (len < 0) {
                text = NULL;
                return -ENOMEM;
        }
        for (int at = 0; at < len;) {
                ssize_t n =
                        send(fd, text + at, (size_t)(len - at), MSG_NOSIGNAL);

                if (n >= 0) {
                        at += (int)n;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                ret = wait_fd(fd, POLLOUT, deadline_ms);
                if (ret < 0)
                        return ret;
        }
        return 0;
}

static int grow(char **buf, size_t *room)
{
        size_t bytes = *room ? *room * 2 : 16384;
        char *more = bytes <= MAX_LINE_BYTES ? realloc(*buf, bytes) : NULL;

        if (!more)
                return bytes <= MAX_LINE_BYTES ? -ENOMEM : -EMSGSIZE;
        *buf = more;
        *room = bytes;
        return 0;
}

/* One line, without its end; *line is malloced whatever is returned. */
static int receive_line(int fd, char **line, int64_t deadline_ms)
{
        size_t room = 0, at = 0;
        int ret;

        for (;;) {
                char *end;
                ssize_t n;

                ret = at + 1 >= room ? grow(line, &room) : 0;
                if (ret < 0)
                        return ret;
                n = recv(fd, *line + at, room - at - 1, 0);
                if (n < 0) {
                        if (errno != EAGAIN && errno != EINTR)
                                return -errno;
                        ret = wait_fd(fd, POLLIN, deadline_ms);
                        if (ret < 0)
                                return ret;
                        continue;
                }
                if (n == 0)
                        return -EPIPE;
                end = memchr(*line + at, '\n', (size_t)n);
                at += (size_t)n;
                if (end) {
                        *end = '\0';
                        return 0;
                }
        }
}

int line_socket_call(const char *path, const char *request, int timeout_ms,
                     char **reply)
{
        CLEANUP_CLOSE int fd = -1;
        int64_t deadline_ms = clock_ms() + timeout_ms;
        int ret = connect_socket(path, deadline_ms, &fd);

        if (!ret)
                ret = send_line(fd, request, deadline_ms);
        return ret ? ret : receive_line(fd, reply, deadline_ms);
}
