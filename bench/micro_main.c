/* SPDX-License-Identifier: MIT */
/* evergrant-bench-micro PART ROUNDS TURN_MS CPU CPU: prints one JSON object of
 * numbers in ns. Runs in a domain; evergrant-bench is its only caller. */
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        const char *name;
        int (*run)(const struct micro_plan *plan);
} parts[] = {
        {"memory", micro_memory},
        {"grants", micro_grants},
        {"events", micro_events},
        {"index", micro_index},
};

int main(int argc, char **argv)
{
        struct micro_plan plan = {0};
        int ret;

        if (argc == 6) {
                plan.rounds = (unsigned)atoi(argv[2]);
                plan.turn_ns = (uint64_t)(atof(argv[3]) * 1e6);
                plan.cpus[0] = atoi(argv[4]);
                plan.cpus[1] = atoi(argv[5]);
                for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]);
                     i++) {
                        if (strcmp(parts[i].name, argv[1]) != 0)
                                continue;
                        puts("{");
                        ret = parts[i].run(&plan);
                        printf("\"rounds\":%u}\n", plan.rounds);
                        return ret;
                }
        }
        fputs("usage: evergrant-bench-micro memory|grants|events|index ROUNDS "
              "TURN_MS CPU CPU\nevergrant-bench runs it, see "
              "evergrant-bench(1).\n",
              stderr);
        return 2;
}
