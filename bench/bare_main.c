/* SPDX-License-Identifier: MIT */
/* evergrant-bench-bare [--seed N] BYTES: what nobody can be faster than who
 * moves each block once. It obeys the lines of job.h: one thread copies blocks
 * from random places of its memory into its slots, or out of them. No server,
 * no ring. evergrant-bench is its only caller. */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define MOST 4096u
#define SLOTS_BYTES (32u << 20)

struct bare {
        uint8_t *store, *slots;
        uint64_t size_bytes, random;
};

/* One block for each slot. */
static void copy_all(struct bare *b, const struct job *j)
{
        uint64_t blocks = b->size_bytes / j->bs;

        for (unsigned i = 0; i < j->qd; i++) {
                uint8_t *place = b->store +
                                 job_random(&b->random) % blocks * j->bs,
                        *slot = b->slots + i * j->bs;

                if (j->write)
                        memcpy(place, slot, j->bs);
                else
                        memcpy(slot, place, j->bs);
        }
        __asm__ volatile("" : : "r"(b->slots), "r"(b->store) : "memory");
}

static void run(struct bare *b, const struct job *j)
{
        uint64_t begun = 0, now, requests = 0, counted = 0;

        job_sleep_until(j->start_ns);
        for (;;) {
                copy_all(b, j);
                requests += j->qd;
                now = job_now_ns();
                if (begun)
                        counted += j->qd;
                else if (now >= j->from_ns)
                        begun = now;
                if (counted && now >= j->to_ns)
                        break;
        }
        printf("{\"requests\":%" PRIu64 ",\"errors\":0,\"counted\":%" PRIu64
               ",\"counted_ns\":%" PRIu64 "}\n",
               requests, counted, now - begun);
}

static int obey(struct bare *b, const char *line)
{
        struct job j;
        int ret;

        if (strcmp(line, "fill\n") == 0) {
                memset(b->store, 0x5a, b->size_bytes);
                puts("{}");
                return 0;
        }
        ret = job_parse(line, b->size_bytes, MOST, &j);
        if (ret == 0 && j.qd * j.bs > SLOTS_BYTES)
                ret = -EINVAL;
        if (ret == 0)
                run(b, &j);
        return ret;
}

/* In huge pages if there are any, as a ram: disk has them. */
static uint8_t *memory(uint64_t bytes)
{
        uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                return NULL;
        memset(p, 0, bytes);
        madvise(p, bytes, MADV_COLLAPSE);
        return p;
}

int main(int argc, char **argv)
{
        struct bare b = {.random = 1};
        char line[256];
        int ret = 0;

        if (argc == 4 && strcmp(argv[1], "--seed") == 0)
                b.random = strtoul(argv[2], NULL, 10);
        else if (argc != 2) {
                fputs("usage: evergrant-bench-bare [--seed N] BYTES\n"
                      "evergrant-bench runs it, see evergrant-bench(1).\n",
                      stderr);
                return 2;
        }
        b.size_bytes = strtoull(argv[argc - 1], NULL, 10);
        b.store = memory(b.size_bytes);
        b.slots = memory(SLOTS_BYTES);
        if (!b.store || !b.slots) {
                fprintf(stderr, "evergrant-bench-bare: memory: %s\n",
                        strerror(errno));
                return 1;
        }
        puts("{}");
        fflush(stdout);
        while (ret == 0 && fgets(line, sizeof(line), stdin)) {
                ret = obey(&b, line);
                fflush(stdout);
        }
        if (ret < 0)
                fprintf(stderr, "evergrant-bench-bare: %s\n", strerror(-ret));
        return ret < 0;
}
