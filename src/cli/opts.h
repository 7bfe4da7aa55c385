/* SPDX-License-Identifier: MIT */
/* Options of a subcommand as a table, parsed with getopt_long. */
#ifndef EVERGRANT_CLI_OPTS_H
#define EVERGRANT_CLI_OPTS_H

#include "cli.h"

enum opt_kind {
        OPT_FLAG,   /* value: bool */
        OPT_NUMBER, /* value: uint64_t, min to max */
        OPT_CHOICE, /* value: const char *, one of choices */
        OPT_STRING, /* value: const char * */
};

struct opt {
        const char *name; /* without the dashes */
        enum opt_kind kind;
        void *value;
        const char *arg; /* its name in the help; NULL for a flag */
        const char *help;
        uint64_t min, max;
        const char *const *choices; /* NULL at the end */
        bool *given;                /* may be NULL */
};

/* Every table ends with this; all commands also have --help. */
#define OPT_END              \
        {                    \
                .name = NULL \
        }

/* Parses argv (argv[0] is the command's name). On success *args are the
 * arguments that are no options, between min_args and max_args of them, and -1
 * is returned; otherwise the exit status: help was printed or the mistake was
 * named. */
int opts_parse(const struct cli_command *cmd, const struct opt *table, int argc,
               char **argv, int min_args, int max_args, char ***args,
               int *n_args);

/* The vdev of the command line: 0, or CLI_USAGE with the mistake named. */
int opts_vdev(const struct cli_command *cmd, const char *s, uint32_t *vdev);

/* The row that all commands share. */
#define OPT_SOCKET(where)                                                    \
        {                                                                    \
                .name = "socket", .kind = OPT_STRING, .value = (where),      \
                .arg = "PATH",                                               \
                .help = "evergrantd's control socket (default: "             \
                        "$EVERGRANT_SOCKET\nor /run/evergrant/control.sock)" \
        }

#endif
