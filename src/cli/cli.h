/* SPDX-License-Identifier: MIT */
/* The `evergrant` command: one file per subcommand, and what they share.
 * attach and detach write xenstore nodes; list, stat and resize talk to
 * evergrantd's control socket, man evergrant-control(7). */
#ifndef EVERGRANT_CLI_CLI_H
#define EVERGRANT_CLI_CLI_H

#include "common/err.h"

/* Exit status of every subcommand. */
enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
        const char *name;
        const char *args;    /* after the name, in the usage line */
        const char *summary; /* one line */
        const char *text;    /* paragraphs for --help, after the usage line */
        int (*run)(const struct cli_command *self, int argc, char **argv);
};

extern const struct cli_command cli_attach, cli_detach, cli_resize, cli_list,
        cli_stat;

/* The whole program but its entry point, so that tests can call it. argv is
 * permuted by getopt_long. Returns an enum cli_exit. */
int cli_main(int argc, char **argv);

/* One line on stderr, "evergrant: …", control characters escaped (a guest may
 * have written some of it). Return CLI_FAILED, CLI_USAGE. */
int cli_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Adds a line that names the help to ask for; cmd may be NULL. */
int cli_usage(const struct cli_command *cmd, const char *fmt, ...)
        PRINTF_LIKE(2, 3);

/* CLI_DONE, or CLI_FAILED if stdout did not take all that was printed. */
int cli_flush(void);

#endif
