/* SPDX-License-Identifier: MIT */
/* A load generator: uniformly random I/O, verified if asked to. */
#ifndef EVERGRANT_EXAMPLES_RANDLOAD_H
#define EVERGRANT_EXAMPLES_RANDLOAD_H

#include <evergrant.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_op { LOAD_READ, LOAD_WRITE, LOAD_MIXED };

struct load_opts {
        const char *vdev;
        enum load_op op;
        uint64_t bs, span; /* bytes; span 0: the whole disk */
        unsigned qd;
        double seconds, warmup_seconds; /* seconds 0: until a signal */
        uint64_t requests;              /* 0: no limit */
        uint64_t seed;
        bool verify, check_all, json, gate;
        int ready_fd, go_fd;
        struct eg_options eg;
};
/* 0, or the exit status if there is nothing to do. */
int load_opts_parse(int argc, char **argv, struct load_opts *o);

/* ---- what each block should hold ---------------------------------------- */

/* version 0: unknown. A block that is being written or read is busy, and
 * nothing else is done with it meanwhile. */
struct pattern {
        uint64_t seed, blocks;
        size_t bs;
        uint32_t *version;
        uint8_t *busy;
};
int pattern_init(struct pattern *p, uint64_t seed, uint64_t blocks, size_t bs);
void pattern_free(struct pattern *p);
void pattern_fill(const struct pattern *p, uint64_t block, uint32_t version,
                  void *mem);
bool pattern_check(const struct pattern *p, uint64_t block, uint32_t version,
                   const void *mem);

uint64_t load_random(uint64_t *state);

#endif
