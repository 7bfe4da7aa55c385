/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int job_parse(const char *line, uint64_t size_bytes, unsigned most,
              struct job *j)
{
        char op[8];

        if (sscanf(line,
                   "run %7s %" SCNu64 " %u %" SCNu64 " %" SCNu64 " %" SCNu64,
                   op, &j->bs, &j->qd, &j->start_ns, &j->from_ns,
                   &j->to_ns) != 6)
                return -EINVAL;
        j->write = strcmp(op, "write") == 0;
        if (!j->bs || j->bs % 512 || j->bs > size_bytes || !j->qd ||
            j->qd > most)
                return -EINVAL;
        return 0;
}

uint64_t job_random(uint64_t *state)
{
        uint64_t x = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
}

uint64_t job_now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void job_sleep_until(uint64_t ns)
{
        const struct timespec t = {(time_t)(ns / 1000000000u),
                                   (long)(ns % 1000000000u)};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
               EINTR)
                ;
}
