/* SPDX-License-Identifier: MIT */
/* randload: uniformly random I/O at a fixed depth from one thread; see
 * `randload --help`. Reads are checked against what was last written to their
 * block; no two I/Os in flight touch the same block. */
#include "randload.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct load;

struct slot {
        struct eg_io io;
        struct iovec iov;
        struct load *load;
        struct slot *idle_next;
        uint64_t block;
        uint32_t version;
};

struct counts {
        uint64_t requests, reads, writes, errors, mismatches, verified_bytes;
        double longest_pause;
};

struct load {
        const struct load_opts *o;
        struct eg_disk *disk;
        struct pattern pat;
        struct slot *slots, *idle;
        uint8_t *memory;
        unsigned inflight;
        uint64_t random;
        uint64_t started, limit; /* I/Os of this phase */
        uint64_t sweep;          /* next block of a sequential phase */
        enum { RANDOM, FILL, CHECK } phase;
        bool stop;
        struct counts n;
        double last;
};

static volatile sig_atomic_t signalled;

static void on_signal(int sig)
{
        signalled = 1;
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one I/O --------------------------------------------------------------
 */

static void slot_done(struct eg_io *io, int error)
{
        struct slot *s = io->user;
        struct load *l = s->load;
        bool verify = l->o->verify;

        l->inflight--;
        l->n.requests++;
        l->n.reads += io->op == EG_READ;
        l->n.writes += io->op == EG_WRITE;
        if (error) {
                if (l->n.errors++ == 0)
                        fprintf(stderr, "randload: block %" PRIu64 ": %s\n",
                                s->block, strerror(-error));
                if (io->op == EG_WRITE && verify)
                        l->pat.version[s->block] = 0; /* who knows */
        } else if (io->op == EG_WRITE && verify) {
                l->pat.version[s->block] = s->version;
        } else if (verify && s->version) {
                if (pattern_check(&l->pat, s->block, s->version,
                                  s->iov.iov_base)) {
                        l->n.verified_bytes += l->o->bs;
                } else if (l->n.mismatches++ == 0) {
                        fprintf(stderr,
                                "randload: block %" PRIu64
                                " does not hold version %u\n",
                                s->block, s->version);
                }
        }
        l->pat.busy[s->block] = 0;
        s->idle_next = l->idle;
        l->idle = s;
}

/* The next block of this phase, or false if there is none now. */
static bool pick(struct load *l, uint64_t *block)
{
        if (l->phase != RANDOM) {
                while (l->phase == CHECK && l->sweep < l->pat.blocks &&
                       !l->pat.version[l->sweep])
                        l->sweep++;
                if (l->sweep == l->pat.blocks)
                        return false;
                *block = l->sweep++;
                return true;
        }
        for (int i = 0; i < 64; i++) {
                *block = load_random(&l->random) % l->pat.blocks;
                if (!l->pat.busy[*block])
                        return true;
        }
        return false;
}

static enum eg_op choose(struct load *l, uint64_t block)
{
        if (l->phase != RANDOM)
                return l->phase == FILL ? EG_WRITE : EG_READ;
        if (l->o->op == LOAD_READ)
                return EG_READ;
        if (l->o->op == LOAD_WRITE)
                return EG_WRITE;
        /* A block of unknown content can only be written. */
        if (l->o->verify && !l->pat.version[block])
                return EG_WRITE;
        return load_random(&l->random) & 1 ? EG_READ : EG_WRITE;
}

static bool start_one(struct load *l)
{
        struct slot *s = l->idle;
        uint64_t block;
        int ret;

        if (!s || l->stop || (l->limit && l->started == l->limit) ||
            !pick(l, &block))
                return false;
        s->block = block;
        s->version = l->o->verify ? l->pat.version[block] : 0;
        s->io.op = choose(l, block);
        if (s->io.op == EG_WRITE) {
                s->version++;
                pattern_fill(&l->pat, block, s->version, s->iov.iov_base);
        }
        s->io.offset_bytes = block * l->o->bs;
        l->pat.busy[block] = 1;
        l->idle = s->idle_next;
        l->inflight++;
        l->started++;
        ret = eg_submit(l->disk, &s->io);
        if (ret == 0)
                return true;
        slot_done(&s->io, ret);
        l->stop = true;
        return false;
}

/* ---- phases ---------------------------------------------------------------
 */

/* Runs until everything of the phase is answered; the seconds that it took. */
static double run_phase(struct load *l, double seconds, uint64_t limit)
{
        double start = now(), t = start;

        memset(&l->n, 0, sizeof(l->n));
        l->started = l->sweep = 0;
        l->limit = limit;
        l->stop = false;
        l->last = start;
        for (;;) {
                if ((seconds > 0 && t - start >= seconds) || signalled)
                        l->stop = true;
                while (start_one(l))
                        ;
                eg_kick(l->disk);
                if (!l->inflight)
                        break;
                if (eg_wait(l->disk, l->stop ? -1 : 100) > 0) {
                        t = now();
                        if (t - l->last > l->n.longest_pause)
                                l->n.longest_pause = t - l->last;
                        l->last = t;
                } else {
                        t = now();
                }
        }
        return now() - start;
}

static void report(const struct load *l, const struct counts *c, double secs)
{
        double iops = secs > 0 ? (double)c->requests / secs : 0;
        struct eg_stats s;
        struct eg_info i;

        eg_stats(l->disk, &s);
        eg_info(l->disk, &i);
        if (!l->o->json) {
                printf("%" PRIu64 " I/Os of %" PRIu64 " bytes in %.2f s: %.0f "
                       "IOPS, %" PRIu64 " errors, %" PRIu64
                       " bytes verified, %" PRIu64 " mismatches\n",
                       c->requests, l->o->bs, secs, iops, c->errors,
                       c->verified_bytes, c->mismatches);
                return;
        }
        printf("{\"requests\":%" PRIu64 ",\"iops\":%.1f,\"seconds\":%.3f,"
               "\"errors\":%" PRIu64 ",\"mismatches\":%" PRIu64
               ",\"verified_bytes\":%" PRIu64 ",\"reads\":%" PRIu64
               ",\"writes\":%" PRIu64 ",\"longest_pause_ms\":%.1f,",
               c->requests, iops, secs, c->errors, c->mismatches,
               c->verified_bytes, c->reads, c->writes, c->longest_pause * 1000);
        printf("\"bs\":%" PRIu64 ",\"qd\":%u,\"span_bytes\":%" PRIu64
               ",\"seed\":%" PRIu64
               ",\"persistent\":%s,\"ring_slots\":%u,\"queues\":%u,"
               "\"resubmitted\":%" PRIu64 ",\"reconnects\":%" PRIu64
               ",\"pool_pages\":%" PRIu64 ",\"share_calls\":%" PRIu64
               ",\"unshare_calls\":%" PRIu64 "}\n",
               l->o->bs, l->o->qd, l->pat.blocks * l->o->bs, l->o->seed,
               i.persistent ? "true" : "false", i.ring_slots, i.queues,
               s.resubmitted, s.reconnects, s.pool_pages, s.share_calls,
               s.unshare_calls);
}

/* ---- gates ------------------------------------------------------------------
 */

static void say_ready(const struct load_opts *o)
{
        if (o->ready_fd >= 0)
                (void)!write(o->ready_fd, "r", 1);
        if (o->gate) {
                puts("ready");
                fflush(stdout);
        }
}

/* The disk stays served meanwhile: the backend may leave and come back. */
static void wait_go(struct load *l, int fd)
{
        char c;

        eg_process(l->disk); /* asks for events, which eg_wait may not have */
        while (!signalled) {
                struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
                                      {.fd = eg_fd(l->disk), .events = POLLIN}};

                if (poll(p, 2, -1) < 0)
                        continue;
                if (p[1].revents)
                        eg_process(l->disk);
                if (p[0].revents &&
                    (read(fd, &c, 1) <= 0 || c == '\n' || !l->o->gate))
                        return;
        }
}

static void gate(struct load *l)
{
        if (l->o->go_fd >= 0)
                wait_go(l, l->o->go_fd);
        else if (l->o->gate)
                wait_go(l, STDIN_FILENO);
}

/* ---- all of it
 * --------------------------------------------------------------- */

static int prepare(struct load *l)
{
        const struct load_opts *o = l->o;
        uint64_t span;
        struct eg_info i;

        eg_info(l->disk, &i);
        span = o->span && o->span < i.size_bytes ? o->span : i.size_bytes;
        if (o->verify && !o->span && span > 256u << 20)
                span = 256u << 20; /* all of it is to be written first */
        if (i.readonly && (o->verify || o->op != LOAD_READ)) {
                fprintf(stderr, "randload: %s is read-only\n", o->vdev);
                return -EROFS;
        }
        if (span / o->bs < o->qd) {
                fprintf(stderr,
                        "randload: the disk is too small for %u I/Os "
                        "of %" PRIu64 " bytes at once\n",
                        o->qd, o->bs);
                return -EINVAL;
        }
        l->random = o->seed;
        l->slots = calloc(o->qd, sizeof(*l->slots));
        l->memory = aligned_alloc(4096, (o->qd * o->bs + 4095) / 4096 * 4096);
        if (!l->slots || !l->memory ||
            pattern_init(&l->pat, o->seed, span / o->bs, o->bs) < 0) {
                fprintf(stderr, "randload: out of memory\n");
                return -ENOMEM;
        }
        for (unsigned n = 0; n < o->qd; n++) {
                struct slot *s = &l->slots[n];

                s->load = l;
                s->iov = (struct iovec){l->memory + n * o->bs, o->bs};
                s->io = (struct eg_io){.flags = EG_IO_STABLE,
                                       .iov = &s->iov,
                                       .niov = 1,
                                       .done = slot_done,
                                       .user = s};
                s->idle_next = l->idle;
                l->idle = s;
        }
        return 0;
}

static void add_checks(struct counts *c, const struct counts *other)
{
        c->errors += other->errors;
        c->mismatches += other->mismatches;
        c->verified_bytes += other->verified_bytes;
}

static bool run(struct load *l)
{
        const struct load_opts *o = l->o;
        struct counts before = {0}, result;
        double secs;

        if (o->verify && o->op == LOAD_READ) {
                l->phase = FILL;
                run_phase(l, 0, 0);
                add_checks(&before, &l->n);
        }
        l->phase = RANDOM;
        if (o->warmup_seconds > 0) {
                run_phase(l, o->warmup_seconds, 0);
                add_checks(&before, &l->n);
        }
        say_ready(o);
        gate(l);
        secs = run_phase(l, o->seconds, o->requests);
        result = l->n;
        add_checks(&result, &before);
        if (o->check_all) {
                signalled = 0; /* that ended the load, not the check */
                l->phase = CHECK;
                run_phase(l, 0, 0);
                add_checks(&result, &l->n);
        }
        report(l, &result, secs);
        fflush(stdout);
        gate(l);
        return !result.errors && !result.mismatches;
}

int main(int argc, char **argv)
{
        struct sigaction sa = {.sa_handler = on_signal};
        struct load_opts o;
        struct load l = {.o = &o};
        bool good = false;
        int ret = load_opts_parse(argc, argv, &o);

        if (ret)
                return ret;
        sigaction(SIGTERM, &sa, NULL);
        sigaction(SIGINT, &sa, NULL);
        if (eg_open(&l.disk, o.vdev, &o.eg) < 0) {
                fprintf(stderr, "randload: %s\n", eg_error());
                return 1;
        }
        if (prepare(&l) == 0)
                good = run(&l);
        eg_close(l.disk);
        pattern_free(&l.pat);
        free(l.slots);
        free(l.memory);
        return good ? 0 : 1;
}
