/* SPDX-License-Identifier: MIT */
/* The socket through which the processes of one domain reach the xenstore: the
 * socket is the identity. One thread, the one of the event loop. */
#ifndef POCKETXEN_SERVER_STORE_LISTEN_H
#define POCKETXEN_SERVER_STORE_LISTEN_H

#include <stdint.h>
#include <systemd/sd-event.h>

struct xstore;
struct store_listener;

/* What waits for a peer that does not read: over this many bytes its
 * connection is dropped. A watch event that waits already (same path, same
 * token) is not added a second time, so only a peer with very many different
 * events can get there. While replies wait (quota.outstanding of them, or
 * STORE_LISTEN_PAUSE bytes in all) no more requests are read. */
#define STORE_LISTEN_LIMIT (4u << 20)
#define STORE_LISTEN_PAUSE (64u << 10)

/* Listens at socket_path (mode 0600; an old socket there is replaced). ev and
 * xs must outlive it. 0 or -errno. */
int store_listen_create(struct store_listener **l, sd_event *ev,
                        struct xstore *xs, uint32_t domid,
                        const char *socket_path);
/* Closes all its connections, removes the socket. NULL is fine. */
void store_listen_destroy(struct store_listener *l);

unsigned store_listen_connections(const struct store_listener *l);

#endif
