/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int srv_listen(const char *path, int type)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        mode_t old;
        int fd, ret;

        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        memcpy(sa.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        unlink(path);
        old = umask(0177);
        ret = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
        umask(old);
        if (ret < 0 || listen(fd, 256) < 0) {
                ret = -errno;
                close(fd);
                return ret;
        }
        return fd;
}
