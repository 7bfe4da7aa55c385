/* SPDX-License-Identifier: MIT */
/* I/O without a copy: the application fills and reads pages that the backend
 * has mapped already.
 *
 *      zerocopy VDEV
 *
 * It overwrites the first 64 KiB of the disk. */
#include <evergrant.h>

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BYTES 65536u

static void finished(struct eg_io *io, int error)
{
        *(int *)io->user = error ? error : 1;
}

/* One I/O on the whole buffer; waits for it. */
static int transfer(struct eg_disk *disk, enum eg_op op, struct eg_buf *buf)
{
        struct pollfd fd = {.fd = eg_fd(disk), .events = POLLIN};
        int result = 0, ret;
        struct eg_io io = {.op = op,
                           .buf = buf,
                           .length_bytes = BYTES,
                           .done = finished,
                           .user = &result};

        ret = eg_submit(disk, &io);
        if (ret < 0)
                return ret;
        eg_kick(disk);
        while (!result) {
                poll(&fd, 1, -1);
                eg_process(disk);
        }
        return result < 0 ? result : 0;
}

static int run(struct eg_disk *disk, struct eg_buf *buf)
{
        const struct iovec *v;
        unsigned n;

        v = eg_buf_iov(buf, &n);
        for (unsigned i = 0; i < n; i++)
                memset(v[i].iov_base, 'a' + (int)(i % 26), v[i].iov_len);
        if (transfer(disk, EG_WRITE, buf) < 0)
                return -1;
        for (unsigned i = 0; i < n; i++)
                memset(v[i].iov_base, 0, v[i].iov_len);
        if (transfer(disk, EG_READ, buf) < 0)
                return -1;
        for (unsigned i = 0; i < n; i++) {
                const char *page = v[i].iov_base;

                for (size_t j = 0; j < v[i].iov_len; j++) {
                        if (page[j] != 'a' + (int)(i % 26))
                                return -1;
                }
        }
        return 0;
}

int main(int argc, char **argv)
{
        struct eg_disk *disk;
        struct eg_buf *buf;
        int ret;

        if (argc != 2) {
                fprintf(stderr, "usage: zerocopy VDEV\n");
                return 2;
        }
        if (eg_open(&disk, argv[1], NULL) < 0) {
                fprintf(stderr, "zerocopy: %s\n", eg_error());
                return 1;
        }
        ret = eg_buf_alloc(disk, BYTES, &buf);
        if (ret < 0) {
                fprintf(stderr, "zerocopy: %s\n", eg_error());
        } else {
                ret = run(disk, buf);
                puts(ret < 0 ? "zerocopy: failed"
                             : "64 KiB there and back, nothing copied");
                eg_buf_free(disk, buf);
        }
        eg_close(disk);
        return ret < 0 ? 1 : 0;
}
