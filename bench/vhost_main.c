/* SPDX-License-Identifier: MIT */
/* evergrant-bench-vhost [--seed N] SOCKET: opens a vhost-user-blk disk and
 * obeys the same lines as evergrant-bench-load. As there, data are copied
 * between the shared memory and memory of our own. evergrant-bench is its only
 * caller. */
#include "job.h"
#include "vhost.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS 30000000000u

struct result {
        uint64_t errors, requests, counted, counted_ns;
};

struct client {
        struct vhost_disk disk;
        char *own; /* the application's memory */
        unsigned idle[VHOST_MOST], nidle;
        uint64_t random;
};

static void submit_all(struct client *c, const struct job *j)
{
        uint64_t blocks = c->disk.size_bytes / j->bs;
        bool any = c->nidle > 0;

        while (c->nidle) {
                unsigned slot = c->idle[--c->nidle];

                if (j->write)
                        memcpy(c->disk.data + slot * j->bs,
                               c->own + slot * j->bs, j->bs);
                vhost_submit(&c->disk, slot, j->write,
                             job_random(&c->random) % blocks * j->bs,
                             (uint32_t)j->bs);
        }
        if (any)
                vhost_kick(&c->disk);
}

/* All that is answered by now. */
static unsigned take_answers(struct client *c, const struct job *j,
                             struct result *r)
{
        unsigned n = 0;
        bool ok;
        int slot;

        while ((slot = vhost_answer(&c->disk, &ok)) >= 0) {
                if (!j->write)
                        memcpy(c->own + (unsigned)slot * j->bs,
                               c->disk.data + (unsigned)slot * j->bs, j->bs);
                r->errors += !ok;
                c->idle[c->nidle++] = (unsigned)slot;
                n++;
        }
        r->requests += n;
        return n;
}

static bool server_is_gone(struct client *c)
{
        struct pollfd p = {.fd = c->disk.fd, .events = POLLIN};

        return poll(&p, 1, 0) > 0; /* it has nothing to say */
}

static int drive(struct client *c, const struct job *j, struct result *r)
{
        uint64_t now = job_now_ns(), last = now, begun = 0, ended = 0;
        unsigned n;

        for (unsigned turns = 0;; turns++) {
                if (!begun && now >= j->from_ns)
                        begun = now;
                if (begun && !ended && now >= j->to_ns && r->counted)
                        ended = now;
                if (!ended)
                        submit_all(c, j);
                if (c->nidle == j->qd)
                        break;
                n = take_answers(c, j, r);
                now = job_now_ns();
                if (n)
                        last = now;
                else if (turns % 65536 == 0 && server_is_gone(c))
                        return -ECONNRESET;
                else if (now - last > PATIENCE_NS)
                        return -ETIMEDOUT;
                if (begun && !ended)
                        r->counted += n;
        }
        r->counted_ns = ended - begun;
        return 0;
}

static int run(struct client *c, const struct job *j, struct result *r)
{
        memset(r, 0, sizeof(*r));
        c->nidle = 0;
        for (unsigned i = 0; i < j->qd; i++)
                c->idle[c->nidle++] = i;
        job_sleep_until(j->start_ns);
        return drive(c, j, r);
}

static int obey(struct client *c, const char *line)
{
        struct result r;
        struct job j;
        int ret;

        if (strcmp(line, "fill\n") == 0) {
                puts("{}"); /* the caller has filled it */
                return 0;
        }
        ret = job_parse(line, c->disk.size_bytes, VHOST_MOST, &j);
        if (ret == 0 && j.qd * j.bs > c->disk.data_bytes)
                ret = -EINVAL;
        if (ret == 0)
                ret = run(c, &j, &r);
        if (ret == 0)
                printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64
                       ",\"counted\":%" PRIu64 ",\"counted_ns\":%" PRIu64 "}\n",
                       r.requests, r.errors, r.counted, r.counted_ns);
        return ret;
}

int main(int argc, char **argv)
{
        struct client c = {.random = 1};
        const char *what;
        char line[256];
        int ret;

        if (argc == 4 && strcmp(argv[1], "--seed") == 0)
                c.random = strtoul(argv[2], NULL, 10);
        else if (argc != 2) {
                fputs("usage: evergrant-bench-vhost [--seed N] SOCKET\n"
                      "evergrant-bench runs it, see evergrant-bench(1).\n",
                      stderr);
                return 2;
        }
        ret = vhost_open(&c.disk, argv[argc - 1], &what);
        if (ret < 0) {
                fprintf(stderr, "evergrant-bench-vhost: %s: %s\n", what,
                        strerror(-ret));
                return 1;
        }
        c.own = calloc(1, c.disk.data_bytes);
        if (!c.own)
                ret = -ENOMEM;
        else
                puts("{}");
        fflush(stdout);
        while (ret == 0 && fgets(line, sizeof(line), stdin)) {
                ret = obey(&c, line);
                fflush(stdout);
        }
        if (ret < 0)
                fprintf(stderr, "evergrant-bench-vhost: %s\n", strerror(-ret));
        free(c.own);
        return ret < 0;
}
