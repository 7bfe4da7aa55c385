/* SPDX-License-Identifier: MIT */
#ifndef EVERGRANT_DAEMON_CONTROL_COMMANDS_H
#define EVERGRANT_DAEMON_CONTROL_COMMANDS_H

#include <json-c/json.h>

#include "daemon.h"

struct control_command {
        const char *name;
        const char *fields[4]; /* besides version and command */
        int (*run)(struct daemon *d, struct json_object *request,
                   struct json_object *reply, struct err *e);
};

#define CONTROL_COMMANDS 4
extern const struct control_command control_commands[CONTROL_COMMANDS];

#endif
