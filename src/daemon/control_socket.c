/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int busy(const char *path, struct err *e)
{
        return err_set(e, -EADDRINUSE,
                       "another evergrantd is running on %s: stop that one, or "
                       "give this one a socket of its own with --socket",
                       path);
}

static int fill_address(const char *path, struct sockaddr_un *addr,
                        struct err *e)
{
        memset(addr, 0, sizeof(*addr));
        addr->sun_family = AF_UNIX;
        if (strlen(path) >= sizeof(addr->sun_path))
                return err_set(e, -ENAMETOOLONG,
                               "the control socket's path is too long (%zu "
                               "bytes, at most %zu): %s",
                               strlen(path), sizeof(addr->sun_path) - 1, path);
        memcpy(addr->sun_path, path, strlen(path) + 1);
        return 0;
}

/* /run/evergrant is made by systemd, or here. */
static int make_directory(const char *path, struct err *e)
{
        char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
        char *slash;

        snprintf(dir, sizeof(dir), "%s", path);
        slash = strrchr(dir, '/');
        if (!slash || slash == dir)
                return 0;
        *slash = '\0';
        if (mkdir(dir, 0755) == 0 || errno == EEXIST)
                return 0;
        return err_set(e, -errno,
                       "cannot make %s for the control socket: %s; choose "
                       "another place with --socket",
                       dir, strerror(errno));
}

static int take_lock(const char *path, struct err *e)
{
        char lock[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
        int fd;

        snprintf(lock, sizeof(lock), "%s.lock", path);
        fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_set(e, -errno, "cannot open %s: %s", lock,
                               strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return fd;
        close(fd);
        return busy(path, e);
}

/* We hold the lock: a socket that nobody answers on is a leftover. */
static int clear_stale(const char *path, const struct sockaddr_un *addr,
                       struct err *e)
{
        CLEANUP_CLOSE int fd = -1;
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0
                                       : err_set(e, -errno, "%s: %s", path,
                                                 strerror(errno));
        if (!S_ISSOCK(st.st_mode))
                return err_set(e, -EEXIST,
                               "%s exists and is no socket; remove it, or "
                               "choose another place with --socket",
                               path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_set(e, -errno, "socket: %s", strerror(errno));
        if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
            errno == EAGAIN)
                return busy(path, e);
        if (unlink(path) < 0 && errno != ENOENT)
                return err_set(e, -errno, "cannot remove %s: %s", path,
                               strerror(errno));
        return 0;
}

static int listen_at(const char *path, const struct sockaddr_un *addr,
                     struct err *e)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t old;
        int ret;

        if (fd < 0)
                return err_set(e, -errno, "socket: %s", strerror(errno));
        old = umask(0177);
        ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
        umask(old);
        if (ret == 0)
                ret = listen(fd, 128);
        if (ret == 0)
                return fd;
        ret = err_set(e, -errno,
                      "cannot listen on %s: %s; choose another place with "
                      "--socket",
                      path, strerror(errno));
        close(fd);
        return ret;
}

int control_socket_open(const char *path, int *fd, int *lock_fd, struct err *e)
{
        struct sockaddr_un addr;
        int ret = fill_address(path, &addr, e);

        if (ret == 0)
                ret = make_directory(path, e);
        if (ret < 0)
                return ret;
        ret = take_lock(path, e);
        if (ret < 0)
                return ret;
        *lock_fd = ret;
        ret = clear_stale(path, &addr, e);
        if (ret == 0)
                ret = listen_at(path, &addr, e);
        if (ret >= 0) {
                *fd = ret;
                return 0;
        }
        close(*lock_fd);
        *lock_fd = -1;
        return ret;
}
