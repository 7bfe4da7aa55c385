/* SPDX-License-Identifier: MIT */
/* The guest of the benchmark: random I/O through the library's asynchronous
 * API from one thread. */
#ifndef EVERGRANT_BENCH_LOAD_H
#define EVERGRANT_BENCH_LOAD_H

#include "common/latency.h"
#include "job.h"

#include <evergrant.h>

/* This process's use of the machine. */
struct load_use {
        uint64_t cpu_ns, switches;
};

struct load_result {
        uint64_t requests; /* all, also those outside of the interval */
        uint64_t errors;
        uint64_t kicks; /* events sent in all of it */
        uint64_t counted, counted_ns;
        struct load_use use;               /* in the interval */
        uint64_t latency[LATENCY_BUCKETS]; /* of those counted */
};

struct load_slot;
struct load {
        struct eg_disk *disk;
        bool zerocopy;
        uint64_t random;
        uint64_t size_bytes;

        struct load_slot *slots, *idle, *done;
        unsigned nslots, inflight;
        uint64_t slot_bytes; /* of each slot's memory */
        uint8_t *memory;
};

/* Fills the disk with bytes that do not compress to zero pages. 0 or -errno. */
int load_fill(struct load *l);
/* 0 or -errno; *r is whole in both cases. */
int load_run(struct load *l, const struct job *job, struct load_result *r);
/* Forgets the slots' memory. */
void load_release(struct load *l);

#endif
