/* SPDX-License-Identifier: MIT */
/* One question and one answer, a line each, over a Unix socket, in time. */
#ifndef EVERGRANT_CLI_LINE_SOCKET_H
#define EVERGRANT_CLI_LINE_SOCKET_H

#include "common/util.h"

/* Sends request and a newline, waits for one line of at most 16 MiB, all of it
 * within timeout_ms. *reply must be NULL before and is the caller's to free
 * afterwards, whatever is returned. 0 or -errno: -ETIMEDOUT, -EPIPE (closed
 * before the line was whole), -EMSGSIZE, or what connect(2) says. */
int line_socket_call(const char *path, const char *request, int timeout_ms,
                     char **reply);

#endif
