/* SPDX-License-Identifier: MIT */
/* Runs the command line inside the test process, and plays evergrantd's
 * control socket. */
#ifndef EVERGRANT_TESTS_CLI_HARNESS_H
#define EVERGRANT_TESTS_CLI_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/cli.h"

struct cli_run {
        int status;
        char out[65536], err[8192];
};
/* cli("attach", "g1", …): the last run's result stays in `last`. */
extern struct cli_run last;
int cli_run_args(const char *const *args);
#define cli(...) \
        cli_run_args((const char *const[]){"evergrant", __VA_ARGS__, NULL})

#define assert_said(needle)                                                  \
        do {                                                                 \
                if (!strstr(last.err, needle))                               \
                        fail_msg("not in stderr: %s\n%s", needle, last.err); \
        } while (0)
#define assert_printed(needle)                                               \
        do {                                                                 \
                if (!strstr(last.out, needle))                               \
                        fail_msg("not in stdout: %s\n%s", needle, last.out); \
        } while (0)

/* A control socket that answers each line with what answer() returns (static
 * or malloced, never freed; NULL: closes without an answer; "": never
 * answers). EVERGRANT_SOCKET points to it. */
void server_start(const char *(*answer)(const char *request));
void server_stop(void);
extern char server_path[108];
extern char server_heard[8192]; /* the last request */

#endif
