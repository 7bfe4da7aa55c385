/* SPDX-License-Identifier: MIT */
/* The emulated hypervisor as a plain library: domains, grant tables, event
 * channels, and the account of who maps what. No socket, thread or clock; one
 * thread. The server gives it identity (which handle speaks) and time. */
#ifndef POCKETXEN_CORE_WORLD_H
#define POCKETXEN_CORE_WORLD_H

#include "../wire_evtchn.h"
#include "../wire_grants.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define PX_NAME_BYTES 64
#define PX_VIRQ_DOM_EXC 3u
#define PX_DOMID_SELF 0x7ff0u

struct px_handle;
struct px_domain;

enum px_port_state {
        PX_PORT_FREE,
        PX_PORT_UNBOUND,
        PX_PORT_CONNECTED,
        PX_PORT_VIRQ
};
struct px_port {
        enum px_port_state state;
        struct px_handle *handle;
        uint32_t remote_domid, remote_port; /* VIRQ: remote_port is the virq */
};

/* What is behind a grant ref: one page, shared by a handle. The entry's frame
 * is for those who map it; processes can write there, so it is not ours. */
struct px_grant {
        struct px_handle *sharer; /* NULL: unshared, waits for unmapping */
        uint32_t frame;
        bool used;
};

struct px_domain {
        uint32_t domid, slot;
        char name[PX_NAME_BYTES];
        bool dying;
        /* memory */
        int mem_fd;
        uint32_t frames, frames_used, frame_hint;
        uint8_t *frame_used;
        /* grants */
        int grants_fd;
        void *grants_map;
        struct pxw_grants g;
        uint32_t entries, grants_used, ref_hint;
        struct px_grant *grants;
        uint32_t deferred; /* unshared but still mapped */
        bool weak_revoke;  /* a fault: unshared though still mapped */
        /* event channels */
        int events_fd;
        struct pxw_events *events;
        struct px_port *ports;
};

/* An action at unmap time (xengnttab_map_grant_ref_notify and its twin). */
struct px_on_unmap {
        LIST_ENTRY(px_on_unmap) link;
        uint32_t id, domid, ref, offset, port;
};

struct px_handle {
        LIST_ENTRY(px_handle) link;
        struct px_world *world;
        struct px_domain *dom;
        enum pxw_kind kind;
        uint32_t id;
        int pid;      /* of the process behind it, for people */
        int owner_fd; /* GRANTS */
        struct pxw_owner *owner;
        int event_fd; /* EVTCHN */
        uint32_t event_fd_id;
        bool restricted;
        uint32_t restrict_domid;
        uint32_t next_action;
        LIST_HEAD(, px_on_unmap) actions;
};

/* What mapper did with granter's pages; survives the handles. */
struct px_pair {
        LIST_ENTRY(px_pair) link;
        uint32_t mapper, granter;
        struct pxw_counts counts;
};

struct px_world {
        struct px_domain *domains[PXW_SLOTS];
        uint32_t next_domid, next_slot, next_handle;
        bool reserved; /* the next domain gets reserved_domid */
        uint32_t reserved_domid;
        LIST_HEAD(, px_handle) handles;
        LIST_HEAD(, px_pair) pairs;
        unsigned npairs;
        TAILQ_HEAD(, px_fault) faults; /* oldest first */
        uint32_t next_fault;
        /* Whether the process behind a handle has ended, before it is closed
         * here; NULL: none has. */
        bool (*is_gone)(void *arg, const struct px_handle *h);
        void *is_gone_arg;
};

int px_world_create(struct px_world **w); /* empty, not even Domain-0 */
void px_world_destroy(struct px_world *w);

/* ---- domains (domain.c) ----------------------------------------------------
 */
/* The next domain that is created gets this number; Xen too hands numbers out
 * again. -EBUSY: there is one, perhaps a dying one; -EDOM: no domain's number.
 */
int px_domain_reserve(struct px_world *w, uint32_t domid);
/* The first one is Domain-0. -ENOSPC: PXW_SLOTS are taken; -EEXIST: the name
 * is; -EINVAL: the name or the size. */
int px_domain_create(struct px_world *w, const char *name, uint64_t mem_bytes,
                     struct px_domain **d);
struct px_domain *px_domain_find(struct px_world *w, uint32_t domid);
struct px_domain *px_domain_by_name(struct px_world *w, const char *name);
/* No new mappings from now on. The caller closes its handles. */
void px_domain_kill(struct px_domain *d);
/* Frees the domain if it is dying, has no handle and no page of it is mapped;
 * true if it is gone. */
bool px_domain_reap(struct px_world *w, struct px_domain *d);
/* Pages of d that are mapped by anyone, each mapping counted. */
uint64_t px_domain_mapped(const struct px_domain *d);

/* ---- handles (handle.c)
 * ------------------------------------------------------ */
int px_handle_open(struct px_world *w, struct px_domain *d, enum pxw_kind kind,
                   struct px_handle **h);
/* Takes back everything: mappings, shares, ports; runs unmap actions. */
void px_handle_close(struct px_handle *h);

/* ---- grants (grants.c, owner.c)
 * ------------------------------------------------ */
int px_share(struct px_handle *h, uint32_t domid, uint32_t n, bool writable,
             struct pxw_shared *out);
/* Only refs that h shared; others are -EINVAL, and then nothing changes. */
int px_unshare(struct px_handle *h, const uint32_t *refs, uint32_t n);
void px_unshare_all(struct px_handle *h);
/* Frees grants that were unshared while mapped and are mapped no more. Returns
 * how many still wait. */
uint32_t px_grants_settle(struct px_domain *d);
/* Undoes the pins of a handle whose process may have died anywhere. */
void px_owner_undo(struct px_handle *h);
int px_on_unmap_add(struct px_handle *h, const struct pxw_request *r,
                    uint32_t *id);
int px_on_unmap_fire(struct px_handle *h, uint32_t id);
void px_on_unmap_fire_all(struct px_handle *h);

/* ---- account (account.c)
 * ---------------------------------------------------------- */
struct pxw_counts px_counts(struct px_world *w, uint32_t mapper,
                            uint32_t granter);
/* Adds a handle's (or, with slot, only that granter's) counts to the pairs and
 * clears them. */
void px_account_fold(struct px_handle *h);
void px_account_fold_slot(struct px_world *w, struct px_domain *granter);
/* The row of a pair, made if need be. NULL: no memory. */
struct px_pair *px_pair_get(struct px_world *w, uint32_t mapper,
                            uint32_t granter);

/* ---- event channels (evtchn.c)
 * ------------------------------------------------------- */
/* Each returns a port or -errno. */
int px_ev_unbound(struct px_handle *h, uint32_t remote_domid);
int px_ev_bind(struct px_handle *h, uint32_t remote_domid,
               uint32_t remote_port);
int px_ev_virq(struct px_handle *h, uint32_t virq);
int px_ev_close(struct px_handle *h, uint32_t port);
void px_ev_close_all(struct px_handle *h);
/* The port at the other end: NULL if nobody is there now. */
struct px_port *px_ev_remote(struct px_handle *h, uint32_t port,
                             struct px_domain **d);
/* Raises port of d as the hypervisor would. */
void px_ev_raise(struct px_domain *d, uint32_t port);
void px_ev_raise_virq(struct px_world *w, uint32_t virq);
/* Moves the ports of the handle with that eventfd to a new connection of the
 * same domain (fdopen after exec). -ENOENT. */
int px_ev_adopt(struct px_handle *h, uint32_t event_fd_id);

#endif
