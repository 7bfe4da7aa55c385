/* SPDX-License-Identifier: MIT */
/* evergrantd's command line. */
#ifndef EVERGRANT_DAEMON_OPTIONS_H
#define EVERGRANT_DAEMON_OPTIONS_H

#include "common/polling.h"

#define OPTIONS_IO_THREADS_MAX 64u

struct options {
        const char *socket; /* never NULL after options_parse */
        unsigned io_threads;
        uint64_t map_budget; /* mappings of grants in the whole process */
        uint64_t idle_ms;    /* kept grants that are not used for so long */
        enum polling_mode polling;
        bool no_uring;
        bool bounce_mapped;
};

/* 0: go on. Otherwise the program ends with *exit_status: --help, --version
 * (0) or a mistake (2), both already printed. Sets the log level. */
int options_parse(int argc, char **argv, struct options *o, int *exit_status);

#endif
