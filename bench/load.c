/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FILL_BYTES (64u << 10)
#define FILL_DEPTH 8u

struct load_slot {
        struct eg_io io;
        struct iovec iov;
        struct load *load;
        struct load_slot *next;
        uint64_t since_ns;
        int error;
};

static struct load_use use_now(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (struct load_use){
                .cpu_ns = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) *
                                  1000000000u +
                          (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) *
                                  1000u,
                .switches = (uint64_t)(u.ru_nvcsw + u.ru_nivcsw)};
}

/* ---- memory ---------------------------------------------------------------
 */

/* Completions are set aside here and looked at together, so that the clock is
 * read once for all of them. */
static void io_done(struct eg_io *io, int error)
{
        struct load_slot *s = io->user;

        s->error = error;
        s->next = s->load->done;
        s->load->done = s;
}

void load_release(struct load *l)
{
        for (unsigned i = 0; i < l->nslots; i++)
                eg_buf_free(l->disk, l->slots[i].io.buf);
        free(l->slots);
        free(l->memory);
        l->slots = l->idle = l->done = NULL;
        l->memory = NULL;
        l->nslots = 0;
        l->slot_bytes = 0;
}

static void fill_random(struct load *l, void *mem, size_t bytes)
{
        for (size_t at = 0; at + 8 <= bytes; at += 8) {
                uint64_t w = job_random(&l->random);

                memcpy((char *)mem + at, &w, 8);
        }
}

static int slot_init(struct load *l, struct load_slot *s, void *mem)
{
        s->load = l;
        s->io = (struct eg_io){.flags = EG_IO_STABLE,
                               .done = io_done,
                               .user = s,
                               .length_bytes = l->slot_bytes};
        s->next = l->idle;
        l->idle = s;
        if (l->zerocopy)
                return eg_buf_alloc(l->disk, l->slot_bytes, &s->io.buf);
        s->iov = (struct iovec){mem, l->slot_bytes};
        s->io.iov = &s->iov;
        s->io.niov = 1;
        fill_random(l, mem, l->slot_bytes);
        return 0;
}

/* Memory for qd I/Os of bs bytes, kept from run to run. */
static int prepare(struct load *l, uint64_t bs, unsigned qd)
{
        int ret = 0;

        if (l->nslots == qd && l->slot_bytes == bs)
                return 0;
        load_release(l);
        l->slots = calloc(qd, sizeof(*l->slots));
        l->memory = l->zerocopy ? NULL
                                : aligned_alloc(4096,
                                                (qd * bs + 4095) / 4096 * 4096);
        if (!l->slots || (!l->zerocopy && !l->memory))
                return -ENOMEM;
        l->slot_bytes = bs;
        for (unsigned i = 0; i < qd && ret == 0; i++) {
                ret = slot_init(l, &l->slots[i],
                                l->memory ? l->memory + i * bs : NULL);
                l->nslots = i + 1;
        }
        return ret;
}

/* ---- running --------------------------------------------------------------
 */

static int submit(struct load *l, enum eg_op op, uint64_t at, uint64_t now)
{
        struct load_slot *s = l->idle;
        int ret;

        s->io.op = op;
        s->io.offset_bytes = at;
        s->since_ns = now;
        ret = eg_submit(l->disk, &s->io);
        if (ret < 0)
                return ret;
        l->idle = s->next;
        l->inflight++;
        return 0;
}

/* Waits for answers. 0 or -errno if the disk is gone. */
static int wait_answers(struct load *l)
{
        int ret;

        eg_kick(l->disk);
        ret = eg_wait(l->disk, -1);
        return ret < 0 ? ret : 0;
}

/* Takes the next one that was answered, or NULL. */
static struct load_slot *take_done(struct load *l)
{
        struct load_slot *s = l->done;

        if (!s)
                return NULL;
        l->done = s->next;
        s->next = l->idle;
        l->idle = s;
        l->inflight--;
        return s;
}

int load_fill(struct load *l)
{
        uint64_t at = 0;
        int ret = prepare(l, FILL_BYTES, FILL_DEPTH), error = 0;
        struct load_slot *s;

        if (ret < 0)
                return ret;
        for (;;) {
                while (ret == 0 && l->idle &&
                       at + FILL_BYTES <= l->size_bytes) {
                        ret = submit(l, EG_WRITE, at, 0);
                        at += FILL_BYTES;
                }
                if (!l->inflight)
                        return ret ? ret : error;
                if (wait_answers(l) < 0)
                        return -ENODEV;
                while ((s = take_done(l)))
                        if (s->error)
                                error = s->error;
        }
}

/* What the interval's two ends look like. */
struct mark {
        uint64_t ns;
        struct load_use use;
};

static void account(struct load *l, struct load_result *r, bool counts,
                    uint64_t now)
{
        struct load_slot *s;

        while ((s = take_done(l))) {
                r->requests++;
                r->errors += s->error != 0;
                if (!counts)
                        continue;
                r->counted++;
                r->latency[latency_bucket(now - s->since_ns)]++;
        }
}

static void note(struct mark *m, uint64_t now)
{
        if (m->ns)
                return;
        m->ns = now;
        m->use = use_now();
}

/* Keeps qd I/Os in flight until to_ns, then waits for the last of them. */
static int drive(struct load *l, const struct job *job, struct load_result *r,
                 struct mark *from, struct mark *to)
{
        uint64_t blocks = l->size_bytes / job->bs, now = job_now_ns();
        enum eg_op op = job->write ? EG_WRITE : EG_READ;
        int ret = 0;

        for (;;) {
                if (now >= job->from_ns)
                        note(from, now);
                /* On a crowded machine: until something was counted. */
                if ((now >= job->to_ns && r->counted) || ret < 0)
                        note(to, now);
                while (!to->ns && l->idle && ret == 0)
                        ret = submit(l, op,
                                     job_random(&l->random) % blocks * job->bs,
                                     now);
                if (!l->inflight)
                        return ret;
                if (wait_answers(l) < 0)
                        return -ENODEV;
                now = job_now_ns();
                account(l, r, from->ns && !to->ns, now);
        }
}

int load_run(struct load *l, const struct job *job, struct load_result *r)
{
        struct mark from = {0}, to = {0};
        struct eg_stats before, after;
        int ret = prepare(l, job->bs, job->qd);

        memset(r, 0, sizeof(*r));
        if (ret < 0)
                return ret;
        eg_stats(l->disk, &before);
        job_sleep_until(job->start_ns);
        ret = drive(l, job, r, &from, &to);
        eg_stats(l->disk, &after);
        r->kicks = after.notifications - before.notifications;
        r->counted_ns = to.ns > from.ns && from.ns ? to.ns - from.ns : 0;
        r->use.cpu_ns = to.use.cpu_ns - from.use.cpu_ns;
        r->use.switches = to.use.switches - from.use.switches;
        return ret;
}
