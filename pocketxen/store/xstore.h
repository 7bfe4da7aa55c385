/* SPDX-License-Identifier: MIT */
/* A xenstore: the tree, permissions, watches, transactions, quotas and the wire
 * protocol of xen/io/xs_wire.h. Pure: no socket, no thread, no clock; one
 * thread. Bytes come in by xstore_conn_input, replies and watch events go out
 * through a callback. */
#ifndef POCKETXEN_STORE_XSTORE_H
#define POCKETXEN_STORE_XSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xstore;
struct xstore_conn;

/* xenstored's defaults (4.17); Domain-0 is bound by none of them. */
struct xstore_quota {
        unsigned nodes;          /* 1000, owned by a domain */
        unsigned watches;        /* 128 a connection */
        unsigned value_bytes;    /* 2048 */
        unsigned transactions;   /* 10 a connection */
        unsigned transaction_nodes; /* 1024 */
        unsigned permissions;    /* 5 a node */
        unsigned outstanding;    /* 20 */
        unsigned path_bytes;     /* 1024 for domains other than 0? see .c */
};
extern const struct xstore_quota xstore_default_quota;

int xstore_create(struct xstore **xs, const struct xstore_quota *quota);
void xstore_destroy(struct xstore *xs); /* closes all connections */

/* Everything that leaves for this connection, whole messages in order. The
 * callback copies. */
typedef void (*xstore_send)(void *arg, const void *bytes, size_t len);

/* domid is the identity that the socket gave; 0 is privileged. */
int xstore_conn_open(struct xstore *xs, uint32_t domid, xstore_send send,
                     void *arg, struct xstore_conn **c);
/* Ends its transactions, removes its watches. Sends nothing any more. */
void xstore_conn_close(struct xstore_conn *c);
/* Feeds received bytes (any split). -EPROTO: the peer broke the protocol
 * (payload over 4,096 bytes…), the caller drops the connection. */
int xstore_conn_input(struct xstore_conn *c, const void *bytes, size_t len);

/* The toolstack's and hypervisor's side. */
/* Marks domid as introduced and fires @introduceDomain. */
void xstore_domain_introduce(struct xstore *xs, uint32_t domid);
/* The domain is dead (or dying): its connections are closed by the caller
 * first; nodes that it owns elsewhere pass to Domain-0's clean-up as in
 * xenstored (removed), and @releaseDomain fires. */
void xstore_domain_release(struct xstore *xs, uint32_t domid);
/* As Domain-0 outside any transaction, watches fire. 0 or -errno. perms as on
 * the wire: "n0", "r3"; NULL: inherited from the parent. */
int xstore_write(struct xstore *xs, const char *path, const char *value,
                 const char *const *perms, unsigned nperms);
int xstore_rm(struct xstore *xs, const char *path);

#endif
