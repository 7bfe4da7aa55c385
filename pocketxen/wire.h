/* SPDX-License-Identifier: MIT */
/* What the pocketxen server and the drop-in libraries share: messages on a
 * domain's hypercall socket, and the layouts of the memory that both map. The
 * atomic steps on that memory are in wire_grants.h and wire_evtchn.h.
 *
 * A drop-in has one SOCK_SEQPACKET connection per open handle; the socket's
 * path is the domain's identity. When the connection ends, the server takes
 * back all that the handle had. */
#ifndef POCKETXEN_WIRE_H
#define POCKETXEN_WIRE_H

#include <stdint.h>
#include <xen/grant_table.h>

#define PXW_VERSION 2u
#define PXW_ENV_SOCKET "POCKETXEN_SOCKET"   /* path of the hypercall socket */
#define PXW_ENV_COPY "POCKETXEN_GRANT_COPY" /* "off": there is none */

#define PXW_PAGE 4096u
#define PXW_SLOTS 1024u     /* domains at once, dying ones included */
#define PXW_PORTS 4096u     /* event channels of a domain (2-level ABI) */
#define PXW_GRANTS 32768u   /* default grant entries of a domain */
#define PXW_RECORDS 131072u /* mapped pages of one handle */
#define PXW_SHARE_MAX 8192u /* pages in one share call */

/* ---- shared memory: grants of a domain ----------------------------------
 * One memfd: header page, the version 1 entries of xen/grant_table.h, then one
 * active entry a grant, which on Xen is the hypervisor's own. */
struct pxw_grant_header {
        uint32_t version, domid, slot, entries;
        uint32_t frames; /* pages of the domain's memory */
        uint32_t dying;  /* 1: no new mappings */
};

/* Who maps an entry, counted: readers counts all mappings, writers those that
 * may write. Changed under lock, which holds the id of the handle that has
 * it: when a process is killed inside, the server finds its id there and
 * counts anew from the owner records. */
struct pxw_active {
        uint32_t lock;
        uint32_t readers, writers;
        uint32_t pad;
};

#define PXW_GRANT_ENTRIES_OFFSET PXW_PAGE
static inline uint64_t pxw_active_offset(uint32_t entries)
{
        return PXW_GRANT_ENTRIES_OFFSET +
               (uint64_t)entries * sizeof(struct grant_entry_v1);
}
static inline uint64_t pxw_grant_bytes(uint32_t entries)
{
        uint64_t n = pxw_active_offset(entries) +
                     (uint64_t)entries * sizeof(struct pxw_active);

        return (n + PXW_PAGE - 1) & ~(uint64_t)(PXW_PAGE - 1);
}

/* ---- shared memory: what one gnttab handle maps ---------------------------
 */
struct pxw_counts {
        uint64_t map_calls, map_pages, unmap_calls, unmap_pages;
        uint64_t copy_calls, copy_segments, copy_bytes;
        uint64_t mapped_high; /* the most pages at once; a sum over handles */
};

/* A record is one 64-bit word, so that it is never half written. */
#define PXW_REC_FREE 0u
#define PXW_REC_PENDING 1u /* a pin is being taken; maybe not yet */
#define PXW_REC_PINNED 2u
static inline uint64_t pxw_record(unsigned state, int writable, uint32_t slot,
                                  uint32_t ref)
{
        return (uint64_t)ref << 32 | (uint64_t)slot << 8 |
               (uint64_t)(writable ? 4 : 0) | state;
}
static inline unsigned pxw_record_state(uint64_t r)
{
        return r & 3;
}
static inline int pxw_record_writable(uint64_t r)
{
        return (r & 4) != 0;
}
static inline uint32_t pxw_record_slot(uint64_t r)
{
        return (uint32_t)(r >> 8) & 0xffffff;
}
static inline uint32_t pxw_record_ref(uint64_t r)
{
        return (uint32_t)(r >> 32);
}

struct pxw_owner {
        uint32_t id;   /* of the handle, never 0, never used twice */
        uint32_t high; /* records from here on were never used */
        /* Operations (PXW_FAULT_…) for which a fault is set: ask the server
         * before each. 0 as long as nobody tests anything. */
        uint32_t faults, pad;
        struct pxw_counts counts[PXW_SLOTS]; /* by the granter's slot */
        uint64_t records[PXW_RECORDS];
};

/* ---- shared memory: event channels of a domain ------------------------------
 */
/* word = generation << 2 | MASKED | PENDING. The generation changes with each
 * new binding, so that a notifier that knows an old one finds out. */
#define PXW_EV_PENDING 1u
#define PXW_EV_MASKED 2u
struct pxw_port {
        uint32_t word;
        uint32_t binding; /* changes whenever this end's peer changes */
};
struct pxw_events {
        struct pxw_port ports[PXW_PORTS];
        uint32_t faults; /* not 0: who notifies this domain asks the server */
};

/* ---- faults: only where somebody has set one ------------------------------
 */
#define PXW_FAULT_MAP 1u
#define PXW_FAULT_UNMAP 2u
#define PXW_FAULT_COPY 4u
#define PXW_FAULT_REVOKE 8u /* the server's own */
#define PXW_FAULT_EVENT 16u
/* The verdict on a ref: a GNTST_ status, GNTST_okay where there is no fault,
 * or this: nobody writes the status. */
#define PXW_STATUS_UNTOUCHED 1000

/* ---- messages
 * ----------------------------------------------------------------- */
enum pxw_op {
        PXW_HELLO = 1,     /* a: enum pxw_kind, b: version */
        PXW_ATTACH,        /* a: domid -> slot a; fds: memory, grants */
        PXW_SHARE,         /* a: domid, b: pages, c: writable -> n pages */
        PXW_UNSHARE,       /* n refs follow */
        PXW_ON_UNMAP,      /* a: domid, b: ref, c: offset or ~0, d: port or ~0
                              -> a: id; done when told or when we die */
        PXW_ON_UNMAP_FIRE, /* a: id */
        PXW_EV_UNBOUND,    /* a: domid -> a: port */
        PXW_EV_BIND,       /* a: domid, b: remote port -> a: port */
        PXW_EV_VIRQ,       /* a: virq -> a: port */
        PXW_EV_CLOSE,      /* a: port */
        PXW_EV_RESOLVE,    /* a: port -> a: 1 if connected, b: domid, c: remote
                              port, d: its generation; fds: eventfd, events */
        PXW_EV_RESTRICT,   /* a: domid */
        PXW_EV_ADOPT,      /* a: eventfd-id of a handle whose process exec'd
                              -> its ports, as n entries with ref = port */
        PXW_GRANT_FAULT,   /* a: PXW_FAULT_…, b: domid, n refs follow -> n
                              entries with frame = the verdict, as int32_t; a:
                              errno of the whole call or 0, b: ms to wait */
        PXW_EV_FAULT,      /* a: port -> a notify, done or not by the server */
        PXW_OPS,
};
enum pxw_kind {
        PXW_GRANTS_HANDLE = 1,
        PXW_SHARES_HANDLE,
        PXW_EVTCHN_HANDLE,
        PXW_CALLS_HANDLE, /* any other call: none is there */
};

struct pxw_request {
        uint32_t op, a, b, c, d;
        uint32_t n; /* refs that follow */
};
/* HELLO: a: handle id, b: own domid; fds: GRANTS owner table; SHARES the
 * domain's memory; EVTCHN eventfd and events; CALLS nothing. */
struct pxw_reply {
        int32_t error; /* 0 or an errno */
        uint32_t a, b, c, d;
        uint32_t n; /* struct pxw_shared that follow */
};
struct pxw_shared {
        uint32_t ref, frame;
};

#endif
