/* SPDX-License-Identifier: MIT */
/* The control socket, evergrant-control(7): one JSON object a line, each way.
 */
#ifndef EVERGRANT_DAEMON_CONTROL_H
#define EVERGRANT_DAEMON_CONTROL_H

#include "daemon.h"

#define CONTROL_VERSION 1
#define CONTROL_LINE_BYTES 65536u
#define CONTROL_CLIENTS 32u

/* ---- control_socket.c -----------------------------------------------------
 */
/* Makes the listening socket (mode 0600) and the lock beside it, which lives
 * as long as *lock_fd. Refuses while another evergrantd holds the lock, or
 * anybody answers; replaces what a dead one left. */
int control_socket_open(const char *path, int *fd, int *lock_fd, struct err *e);

/* ---- control.c
 * --------------------------------------------------------------- */
int control_start(struct daemon *d, struct err *e);
/* Closes all clients and removes the socket. Accepts NULL. */
void control_stop(struct control *c);

/* ---- control_answer.c
 * ---------------------------------------------------------- */
/* The reply to one line, malloced, newline included; NULL if there is no
 * memory for one. */
char *control_answer(struct daemon *d, const char *line, size_t len);

#endif
