/* SPDX-License-Identifier: MIT */
/* A guest with a secret, which goes to its disk and comes back from it, each
 * step at a line on stdin, and a word on stdout when it is done: "written",
 * "inflight" (a small public write was sent, and nothing was answered),
 * "answered", "read", "filled" (a shared buffer, and written from it),
 * "freed".
 *
 *      it-front-secret VDEV TEXT [untrusted] */
#include <evergrant.h>

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SECRET_BYTES 65536u

static struct eg_disk *disk;
static char secret[SECRET_BYTES], public[512];

static void step(const char *word)
{
        char line[16];

        puts(word);
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
                errx(1, "stdin ended");
}

static void done(struct eg_io *io, int error)
{
        *(int *)io->user = error ? error : 1;
}

static void submit(struct eg_io *io, int *result)
{
        io->done = done;
        io->user = result;
        *result = 0;
        if (eg_submit(disk, io) < 0)
                errx(1, "%s", eg_error());
        eg_kick(disk);
}

static void finish(const int *result)
{
        struct pollfd fd = {.fd = eg_fd(disk), .events = POLLIN};

        while (!*result) {
                poll(&fd, 1, -1);
                eg_process(disk);
        }
        if (*result < 0)
                errx(1, "an I/O failed: %s", strerror(-*result));
}

static void through_buffer(void)
{
        struct eg_buf *buf;
        const struct iovec *v;
        unsigned n;
        int result;
        struct eg_io io = {.op = EG_WRITE, .length_bytes = SECRET_BYTES};

        if (eg_buf_alloc(disk, SECRET_BYTES, &buf) < 0)
                errx(1, "%s", eg_error());
        v = eg_buf_iov(buf, &n);
        for (unsigned i = 0; i < n; i++)
                memcpy(v[i].iov_base, secret, v[i].iov_len);
        io.buf = buf;
        submit(&io, &result);
        finish(&result);
        step("filled");
        eg_buf_free(disk, buf);
        step("freed");
}

int main(int argc, char **argv)
{
        struct iovec iov = {public, sizeof(public)};
        struct eg_io io = {.op = EG_WRITE, .iov = &iov, .niov = 1};
        struct eg_options opts;
        size_t len;
        int result;

        if (argc < 3)
                errx(2, "usage: it-front-secret VDEV TEXT [untrusted]");
        len = strlen(argv[2]);
        for (size_t at = 0; at + len <= SECRET_BYTES; at += len)
                memcpy(secret + at, argv[2], len);
        memset(public, 'p', sizeof(public));
        eg_options_init(&opts);
        opts.untrusted_backend = argc > 3;
        if (eg_open(&disk, argv[1], &opts) < 0 ||
            eg_pwrite(disk, secret, SECRET_BYTES, 0) < 0)
                errx(1, "%s", eg_error());
        step("written");
        io.offset_bytes = SECRET_BYTES;
        submit(&io, &result);
        step("inflight");
        finish(&result);
        step("answered");
        if (eg_pread(disk, secret, SECRET_BYTES, 0) < 0)
                errx(1, "%s", eg_error());
        step("read");
        through_buffer();
        eg_close(disk);
        return 0;
}
