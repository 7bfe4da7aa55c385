/* SPDX-License-Identifier: MIT */
/* Client of evergrantd's control socket: one JSON object a line, each way.
 * What comes back is checked: bounded, in time, of our version. */
#ifndef EVERGRANT_CLI_CLIENT_H
#define EVERGRANT_CLI_CLIENT_H

#include <json-c/json.h>

#include "common/err.h"

#define CONTROL_VERSION 1
#define CONTROL_SOCKET "/run/evergrant/control.sock"

/* path, else $EVERGRANT_SOCKET, else CONTROL_SOCKET. */
const char *client_socket(const char *path);

/* {"version":1,"command":command}, to add to. */
struct json_object *client_request(const char *command);
/* Adds "domain": a number if dom is all digits, else the name. */
void client_add_domain(struct json_object *request, const char *dom);

/* Sends request (whose reference it takes) and waits at most 5 s in all.
 * 0 and *reply, with "ok" true, to json_object_put; or -errno and a sentence:
 * -ENOENT, -ECONNREFUSED (nobody listens), -EACCES, -ETIMEDOUT, -EPROTO (not
 * our version, no JSON), -EREMOTE (evergrantd's own error). */
int client_call(const char *path, struct json_object *request,
                struct json_object **reply, struct err *e);

/* Whether evergrantd answers. */
int client_ping(const char *path, struct err *e);

#endif
