/* SPDX-License-Identifier: MIT */
/* A xenstore: the tree, permissions, watches, transactions, quotas and the wire
 * protocol of xen/io/xs_wire.h, with the answers that Xen 4.17's xenstored
 * gives. Pure: no socket, no thread, no clock; one thread. Bytes come in by
 * xstore_conn_input, replies and watch events go out through a callback. */
#ifndef POCKETXEN_STORE_XSTORE_H
#define POCKETXEN_STORE_XSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xstore;
struct xstore_conn;

/* xenstored's defaults (4.17). Domain-0 is bound by none of them but the path
 * length. As there, watches and transactions are refused when there are more
 * than that already, so one more than the number fits. */
struct xstore_quota {
        unsigned nodes;             /* 1000 owned by a domain: ENOSPC */
        unsigned watches;           /* 128 a domain: E2BIG */
        unsigned value_bytes;       /* 2048: value, names of the children, 8
                                     * a permission and 24 of header together
                                     * must be less: ENOSPC */
        unsigned transactions;      /* 10 a connection: ENOSPC */
        unsigned transaction_nodes; /* 1024 touched by one: ENOSPC, and then
                                     * ENOMEM at its end */
        unsigned permissions;       /* 5 a node: ENOSPC */
        unsigned outstanding;       /* 20 unread replies: the listener then
                                     * stops reading from the connection */
        unsigned path_bytes;        /* 2048, not counting a leading
                                     * /local/domain/N/: EINVAL */
};
extern const struct xstore_quota xstore_default_quota;

/* quota NULL: the defaults. -ENOMEM. */
int xstore_create(struct xstore **xs, const struct xstore_quota *quota);
void xstore_destroy(struct xstore *xs); /* closes all connections */
const struct xstore_quota *xstore_get_quota(const struct xstore *xs);

/* Everything that leaves for this connection, whole messages in order. The
 * callback copies. It must not call into the xstore, nor close a connection:
 * remember and do it later. */
typedef void (*xstore_send)(void *arg, const void *bytes, size_t len);

/* domid is the identity that the socket gave; 0 is privileged. Relative paths
 * are below /local/domain/<domid>, Domain-0's too. -ENOMEM. */
int xstore_conn_open(struct xstore *xs, uint32_t domid, xstore_send send,
                     void *arg, struct xstore_conn **c);
/* Ends its transactions, removes its watches. Sends nothing any more. */
void xstore_conn_close(struct xstore_conn *c);
/* Feeds received bytes (any split). -EPROTO: the peer broke the protocol
 * (payload over 4,096 bytes): the caller drops the connection, every later
 * call answers the same. -ENOMEM: drop it too. */
int xstore_conn_input(struct xstore_conn *c, const void *bytes, size_t len);

/* The toolstack's and hypervisor's side. */
/* Whether the hypervisor has such a domain. A node cannot be given to one that
 * does not exist (SET_PERMS answers ENOENT). Without a callback all domids
 * below 0x7ff0 exist. */
typedef bool (*xstore_exists)(void *arg, uint32_t domid);
void xstore_set_exists(struct xstore *xs, xstore_exists exists, void *arg);
/* Marks domid as introduced and fires @introduceDomain, once. */
void xstore_domain_introduce(struct xstore *xs, uint32_t domid);
/* The domain is dead: its connections are closed by the caller first. Nodes
 * that it owns are removed with all below them, permissions given to it are
 * taken back (its domid may be used again), @releaseDomain fires. Nothing
 * happens for 0 and for a domain that was neither introduced nor seen. */
void xstore_domain_release(struct xstore *xs, uint32_t domid);
/* Fires @releaseDomain alone: a domain has shut down or is dying. */
void xstore_domain_dying(struct xstore *xs);

/* As Domain-0 outside any transaction, watches fire. 0 or -errno. perms as on
 * the wire: "n0", "r3"; NULL: inherited from the parent. */
int xstore_write(struct xstore *xs, const char *path, const char *value,
                 const char *const *perms, unsigned nperms);
int xstore_rm(struct xstore *xs, const char *path);
/* The value's length, whatever the room; as much as fits is copied and, where
 * there is room, a NUL put after it. Or -errno. */
int xstore_read(struct xstore *xs, const char *path, char *value, size_t room);

/* For tests. All off at first, and again with a zeroed struct. */
struct xstore_faults {
        uint32_t domid;    /* whose connections are meant */
        uint64_t lose_in;  /* at the n-th request from now xstore_conn_input
                            * returns -ECONNABORTED: the caller is to drop all
                            * connections of the domain, as if we had died */
        bool lose_reply;   /* … and the request was done, but not answered */
        uint64_t eagain;   /* so many commits conflict; UINT64_MAX: all */
        uint64_t eagains;  /* how many did */
        uint64_t delay_us; /* each request waits so long, others do not */
        uint64_t requests; /* how many came */
        uint64_t waiting, waiting_high; /* at once, at a delay */
};
void xstore_set_faults(struct xstore *xs, const struct xstore_faults *f);
void xstore_get_faults(const struct xstore *xs, struct xstore_faults *f);
/* A request of the domain has come: how long it has to wait, and then
 * xstore_delayed has to be called. 0: not at all, and not. */
uint64_t xstore_delay(struct xstore *xs, uint32_t domid);
void xstore_delayed(struct xstore *xs);
/* Begins to note every value that is written below prefix, "PATH=VALUE" a line,
 * once it is committed; forgets what was noted. NULL: ends it. -ENOMEM. */
int xstore_journal(struct xstore *xs, const char *prefix);
const char *xstore_journal_text(const struct xstore *xs);

/* What there is, for tests and for leaks. */
struct xstore_count {
        size_t nodes; /* all, or those owned by the domain */
        size_t watches;
        size_t transactions;
        size_t connections;
};
/* domid UINT32_MAX: of the whole store. */
void xstore_count(const struct xstore *xs, uint32_t domid,
                  struct xstore_count *count);

#endif
