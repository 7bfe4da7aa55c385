/* SPDX-License-Identifier: MIT */
/* The pocketxen command line. Exit status: 0 done, 1 failed, 2 usage. */
#ifndef POCKETXEN_CLI_CLI_H
#define POCKETXEN_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLI_PATH_BYTES 256

struct json_object;

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* Prints "pocketxen: …" to stderr and returns status. */
int cli_fail(int status, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* dir.c: the run directory: $POCKETXEN_DIR, else $XDG_RUNTIME_DIR/pocketxen,
 * else /tmp/pocketxen-UID. Never fails. */
const char *cli_dir(void);
/* Makes and locks it, clears what a dead server left. The lock's descriptor
 * (the file gets the server's pid),
 * or -1 after a message. */
int cli_dir_claim(void);
/* The pid of who has the lock; 0: nobody. */
pid_t cli_dir_server(void);

/* client.c: one command to the server; the reply is the caller's. NULL after a
 * message: no server, or it said no. dom may be NULL. */
struct json_object *cli_ask(const char *command, const char *dom);
struct json_object *cli_ask_object(struct json_object *request);

/* server.c: starts the server in the background and waits until it listens;
 * its pid, or -1 after a message. */
int cli_server_start(bool beside_xen);

/* exec.c: sets this process's environment up to be in dom. A CLI_ status. */
int cli_enter(const char *dom);

/* Each gets argv from its own name on. */
int cmd_run(int argc, char **argv);
int cmd_start(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_destroy(int argc, char **argv);
int cmd_grants(int argc, char **argv);
int cmd_fault(int argc, char **argv);

/* One flag option and --help, by getopt_long; *arg is argv's first operand.
 * -1 to go on, else the status to exit with. */
int cli_options(int argc, char **argv, const char *usage, const char *flag,
                bool *set, int *arg);

#endif
