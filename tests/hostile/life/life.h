/* SPDX-License-Identifier: MIT */
/* What the tests of a disk's life share, over the rig of ../../it/ring: direct
 * lines to both control sockets, and what the daemon costs. */
#ifndef TESTS_HOSTILE_LIFE_H
#define TESTS_HOSTILE_LIFE_H

#include "../../it/ring/rig.h"

#include <json-c/json.h>
#include <unistd.h>

/* A number from the environment, for runs at full scale. */
uint64_t life_scale(const char *name, uint64_t absent);

/* Asks a control socket one line; NULL if there is no answer. */
struct json_object *life_ask(const char *socket_path, const char *line);
/* pocketxen, whose answer has to be "ok". */
struct json_object *life_pocketxen(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* … to its command `xenstore`: {"command":"xenstore" FMT}. */
struct json_object *life_xenstore(const char *fmt, ...) PRINTF_LIKE(1, 2);
uint64_t life_number(struct json_object *o, const char *key);
/* Backend's states as they were committed since `journal` was set for g, one
 * digit each; starts anew. */
const char *life_states(struct guest *g);

struct daemon_use {
        uint64_t cpu_ns; /* of all its threads, so far */
        uint64_t rss_kb;
};
int life_daemon_pid(void);
struct daemon_use life_daemon_use(void);
/* On a CPU so far: pocketxen's server, and this program. */
uint64_t life_pocketxen_cpu_ns(void);
uint64_t life_own_cpu_ns(void);
uint64_t life_now_ns(void);

/* Whatever state it is in: closes, and connects as an honest frontend does;
 * writes and reads back; closes. */
void life_honest(struct guest *g);

/* Polls for a minute: a give-up limit, no measure. What was once true is not
 * asked again. */
#define life_wait(expression)                                         \
        do {                                                          \
                bool met_ = false;                                    \
                for (int i_ = 0; i_ < 60000 && !met_; i_++)           \
                        if (!(met_ = (expression)))                   \
                                usleep(1000);                         \
                if (!met_)                                            \
                        fail_msg("never came true: %s", #expression); \
        } while (0)

#endif
