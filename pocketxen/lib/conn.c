/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* This process, without a system call: a page that the kernel wipes in whoever
 * is forked. NULL: there is none, ask. */
static pid_t *own_pid;

static void own_pid_init(void)
{
        void *page = mmap(NULL, PXW_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page == MAP_FAILED)
                return;
        if (madvise(page, PXW_PAGE, MADV_WIPEONFORK) == 0)
                own_pid = page;
        else
                munmap(page, PXW_PAGE);
}

static pid_t this_process(void)
{
        pid_t pid = own_pid ? __atomic_load_n(own_pid, __ATOMIC_RELAXED) : 0;

        if (pid)
                return pid;
        pid = getpid();
        if (own_pid)
                __atomic_store_n(own_pid, pid, __ATOMIC_RELAXED);
        return pid;
}

static int connect_socket(bool cloexec)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        const char *path = getenv(PXW_ENV_SOCKET);
        int fd;

        if (!path || strlen(path) >= sizeof(sa.sun_path)) {
                errno = ENOENT;
                return -1;
        }
        memcpy(sa.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | (cloexec ? SOCK_CLOEXEC : 0), 0);
        if (fd < 0)
                return -1;
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
                int e = errno;

                close(fd);
                errno = e;
                return -1;
        }
        return fd;
}

/* In order, those of the message; the rest stays -1. */
static void take_fds(struct msghdr *m, int fds[2])
{
        struct cmsghdr *c = CMSG_FIRSTHDR(m);
        size_t n;

        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                return;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                if (fds && i < 2)
                        fds[i] = fd;
                else
                        close(fd);
        }
}

static int receive(int fd, struct pxw_reply *reply, struct pxw_shared *shared,
                   uint32_t max_shared, int fds[2])
{
        struct iovec iov[2] = {{reply, sizeof(*reply)},
                               {shared, max_shared * sizeof(*shared)}};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control;
        struct msghdr m = {.msg_iov = iov,
                           .msg_iovlen = 2,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        ssize_t n;

        do
                n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -1;
        take_fds(&m, fds);
        if ((size_t)n < sizeof(*reply) || (m.msg_flags & MSG_TRUNC) ||
            (size_t)n != sizeof(*reply) + reply->n * sizeof(*shared)) {
                errno = EIO;
                return -1;
        }
        if (reply->error) {
                errno = reply->error;
                return -1;
        }
        return 0;
}

static int send_request(int fd, const struct pxw_request *r,
                        const uint32_t *refs)
{
        struct iovec iov[2] = {{(void *)r, sizeof(*r)},
                               {(void *)refs, r->n * sizeof(*refs)}};
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = r->n ? 2 : 1};
        ssize_t n;

        do
                n = sendmsg(fd, &m, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -1 : 0;
}

int px_call(struct px_conn *c, const struct pxw_request *r,
            const uint32_t *refs, struct pxw_reply *reply,
            struct pxw_shared *shared, uint32_t max_shared, int fds[2])
{
        int ret, error;

        if (fds)
                fds[0] = fds[1] = -1;
        if (!px_conn_mine(c)) {
                errno = EBADF;
                return -1;
        }
        pthread_mutex_lock(&c->lock);
        ret = send_request(c->fd, r, refs);
        if (ret == 0)
                ret = receive(c->fd, reply, shared, max_shared, fds);
        error = errno;
        pthread_mutex_unlock(&c->lock);
        /* The server is gone: for the caller the device failed. */
        errno = ret < 0 && (error == EPIPE || error == ECONNRESET) ? EIO
                                                                   : error;
        return ret;
}

int px_conn_open(struct px_conn *c, enum pxw_kind kind, bool cloexec,
                 int fds[2])
{
        struct pxw_request r = {.op = PXW_HELLO, .a = kind, .b = PXW_VERSION};
        struct pxw_reply reply = {0};
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, own_pid_init);
        c->fd = connect_socket(cloexec);
        if (c->fd < 0)
                return -1;
        c->pid = this_process();
        pthread_mutex_init(&c->lock, NULL);
        if (px_call(c, &r, NULL, &reply, NULL, 0, fds) < 0) {
                int e = errno;

                px_conn_close(c);
                errno = e;
                return -1;
        }
        c->id = reply.a;
        c->domid = reply.b;
        return 0;
}

void px_conn_close(struct px_conn *c)
{
        if (c->fd >= 0)
                close(c->fd);
        c->fd = -1;
        pthread_mutex_destroy(&c->lock);
}

bool px_conn_mine(const struct px_conn *c)
{
        return c->fd >= 0 && c->pid == this_process();
}
