/* SPDX-License-Identifier: MIT */
/* What every guest of the benchmark is told, line by line:
 *
 *      fill                              write all of it once
 *      run read|write BS QD START FROM TO
 *
 * so that many start at one moment and only the time between two others
 * counts. Each line is answered by one line of JSON. */
#ifndef EVERGRANT_BENCH_JOB_H
#define EVERGRANT_BENCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

/* One run. Times are CLOCK_MONOTONIC. */
struct job {
        bool write;
        uint64_t bs; /* bytes */
        unsigned qd;
        /* What is done between the last two counts; to_ns is put off until
         * that is at least one. */
        uint64_t start_ns, from_ns, to_ns;
};

/* 0, or -EINVAL for a line that is no `run`, or one that a disk of this size
 * and so many slots cannot do. */
int job_parse(const char *line, uint64_t size_bytes, unsigned most,
              struct job *j);
/* Any state is a seed. */
uint64_t job_random(uint64_t *state);
uint64_t job_now_ns(void);
void job_sleep_until(uint64_t ns);

#endif
