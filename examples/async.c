/* SPDX-License-Identifier: MIT */
/* Many I/Os in flight from one thread: submit, kick, poll, process.
 *
 *      async VDEV
 *
 * Reads the whole disk, 32 pieces at a time, and prints the sum of its bytes.
 * The descriptor of eg_fd would go as well into anybody's event loop. */
#include <evergrant.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 32
#define PIECE 65536u

struct reader {
        struct eg_disk *disk;
        uint64_t size, next; /* bytes */
        unsigned inflight;
        uint64_t sum;
        int error;
};

struct piece {
        struct eg_io io;
        struct iovec iov;
        struct reader *reader;
        unsigned char mem[PIECE];
};

static void piece_done(struct eg_io *io, int error);

static void piece_start(struct reader *r, struct piece *p)
{
        uint64_t left = r->size - r->next;
        int ret;

        if (r->error || left == 0)
                return;
        p->reader = r;
        p->iov.iov_base = p->mem;
        p->iov.iov_len = left < PIECE ? left : PIECE;
        p->io = (struct eg_io){.op = EG_READ,
                               .offset_bytes = r->next,
                               .iov = &p->iov,
                               .niov = 1,
                               .done = piece_done,
                               .user = p};
        ret = eg_submit(r->disk, &p->io);
        if (ret < 0) {
                r->error = ret;
                fprintf(stderr, "async: %s\n", eg_error());
                return;
        }
        r->next += p->iov.iov_len;
        r->inflight++;
}

static void piece_done(struct eg_io *io, int error)
{
        struct piece *p = io->user;
        struct reader *r = p->reader;

        r->inflight--;
        if (error && !r->error) {
                r->error = error;
                fprintf(stderr, "async: reading at %" PRIu64 " failed: %d\n",
                        io->offset_bytes, error);
        }
        for (size_t i = 0; !error && i < p->iov.iov_len; i++)
                r->sum += p->mem[i];
        piece_start(r, p);
}

static void read_all(struct reader *r, struct piece *pieces)
{
        struct pollfd fd = {.fd = eg_fd(r->disk), .events = POLLIN};

        for (int i = 0; i < DEPTH; i++)
                piece_start(r, &pieces[i]);
        eg_kick(r->disk);
        while (r->inflight) {
                if (poll(&fd, 1, -1) < 0 && errno != EINTR)
                        break;
                eg_process(r->disk); /* runs piece_done, kicks what it adds */
        }
}

int main(int argc, char **argv)
{
        struct reader r = {0};
        struct eg_info info;
        struct piece *pieces;

        if (argc != 2) {
                fprintf(stderr, "usage: async VDEV\n");
                return 2;
        }
        pieces = calloc(DEPTH, sizeof(*pieces));
        if (!pieces || eg_open(&r.disk, argv[1], NULL) < 0) {
                fprintf(stderr, "async: %s\n",
                        pieces ? eg_error() : "out of memory");
                free(pieces);
                return 1;
        }
        eg_info(r.disk, &info);
        r.size = info.size_bytes;
        read_all(&r, pieces);
        eg_close(r.disk);
        free(pieces);
        if (r.error)
                return 1;
        printf("%" PRIu64 " bytes, sum %" PRIu64 "\n", r.size, r.sum);
        return 0;
}
