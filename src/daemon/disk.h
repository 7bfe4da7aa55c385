/* SPDX-License-Identifier: MIT */
/* One disk: its nodes in xenstore, its store, its ring. Its life is a loop:
 * look at both ends, take one step from the connect table, and again. A step
 * that needs an I/O thread ends in a callback; nothing else is done to the
 * disk before. */
#ifndef EVERGRANT_DAEMON_DISK_H
#define EVERGRANT_DAEMON_DISK_H

#include "back/connect.h"
#include "back/connect_keys.h"
#include "common/log.h"
#include "daemon.h"
#include "ring/features.h"

/* What the toolstack wrote; only from the backend's directory, which the
 * guest cannot write. */
struct disk_config {
        char *target;
        bool readonly;
        bool discard;
        bool cdrom, removable;
        enum back_grants grants;
        unsigned ring_order;  /* most that is offered */
        unsigned queues;      /* the same, 1 to CONNECT_MAX_QUEUES */
        uint32_t block_bytes; /* logical block: 512 or 4,096 */
        bool cap_given;
        uint32_t cap; /* kept grants a ring, if given */
};

/* Who makes a disk's nodes. */
enum disk_kind {
        DISK_OWN, /* `evergrant attach`: backend/evergrant/DOM/VDEV */
        DISK_XL,  /* libxl, for script=block-evergrant: backend/vbd/DOM/VDEV */
        DISK_KINDS
};

/* How far dist/block-evergrant is with a disk of libxl's: before its mark
 * another driver may have the device. */
enum disk_hook {
        DISK_HOOK_DONE,  /* the disk was offered; DISK_OWN: always */
        DISK_HOOK_READY, /* it has marked the nodes and waits for an answer */
        DISK_HOOK_MISSING
};

/* Parts of a look: what no event has named is as it was. */
#define DISK_LOOK_NODES 1u  /* frontend-id, script */
#define DISK_LOOK_DOMAIN 2u /* the frontend's */
#define DISK_LOOK_HOOK 4u
#define DISK_LOOK_ONLINE 8u
#define DISK_LOOK_OWN 16u   /* our state */
#define DISK_LOOK_FRONT 32u /* the frontend's */
#define DISK_LOOK_ALL 63u

/* What both ends knew at the last look. */
struct disk_view {
        bool gone; /* our nodes are, or are ours no more */
        bool dead; /* the frontend's domain is */
        bool online;
        enum disk_hook hook;
        enum xenbus_state own, front;
};

/* Whether the frontend's keys were read since the look, and made sense. */
enum disk_tried { DISK_TRIED_NOTHING, DISK_TRIED_KEYS, DISK_TRIED_BAD_KEYS };

enum disk_job { DISK_IDLE, DISK_ATTACHING, DISK_DETACHING };

/* What follows when the ring is let go. */
enum disk_after {
        DISK_AFTER_CLOSE,   /* state 6 */
        DISK_AFTER_REMOVE,  /* drop the disk, and its nodes if still there */
        DISK_AFTER_RESTART, /* look anew, as if never seen */
        DISK_AFTER_STOP     /* the daemon ends: everything stays as it is */
};

/* One of its rings, and what the process's budget gave it. */
struct disk_ring {
        struct disk *disk;
        struct back_queue *queue; /* NULL: let go, others may not be yet */
        unsigned io_thread;
        struct budget_share share;
};

struct disk {
        struct daemon *daemon;
        struct disk *next;
        enum disk_kind kind;
        uint32_t domid, vdev;
        char name[32];    /* xvda */
        char domain[256]; /* its domain's name as last seen, escaped */
        char base[64];    /* B, relative */
        char front[80];   /* F */
        bool dirty;       /* is to be looked at */
        bool crewed;      /* the crew has it: nobody else changes it */
        bool removed;     /* is over; the control thread frees it */
        bool watched;
        bool adopted;   /* was looked at once */
        unsigned stale; /* these parts of the view: DISK_LOOK_… */
        struct disk *crew_next;

        struct disk_config config;
        struct disk_view view; /* as last read */
        struct store *store;
        struct connect_keys keys;
        enum disk_tried tried;
        /* The features that are in xenstore because we wrote them there since
         * this daemon has the disk; bits of told: which those are. */
        uint64_t feature[BLK_BACK_KEYS];
        uint32_t told;
        struct back_queue_params params; /* the last ring's; the rest is one */
        struct disk_ring rings[CONNECT_MAX_QUEUES];
        unsigned nrings; /* held: being attached, served, being detached */
        enum disk_job job;
        unsigned pending; /* rings whose I/O thread has not reported yet */
        struct err attach_error; /* the first ring's that failed */
        bool attach_failed;
        uint64_t connections; /* begun so far: counters start anew with each */
        enum disk_after after;
        bool reattached;
        uint64_t asked_us; /* when the guest was asked to let go; 0: it was not
                            */
        /* The ring is served but xenstore does not say so yet. */
        bool connected_due;
        /* Somebody made our transactions conflict again and again: nothing is
         * written, nor looked at, until then (XSA-206). 0: nobody did. */
        uint64_t pause_until_us;

        /* An error stays latched until the frontend moves, or the toolstack
         * makes the disk anew: no loop of failing attempts. */
        bool failed;
        enum xenbus_state failed_front;
        char error[sizeof(((struct err *)0)->text)];
        struct log_bucket log;
};

/* ---- disk.c, disk_life.c ---------------------------------------------------
 */
struct disk *disk_create(struct daemon *d, enum disk_kind kind, uint32_t domid,
                         uint32_t vdev);
struct disk *disk_find(struct daemon *d, enum disk_kind kind, uint32_t domid,
                       uint32_t vdev);
/* "backend/evergrant", "backend/vbd". */
const char *disk_root(enum disk_kind kind);
/* Looks, and takes the next step if there is one. */
void disk_reconcile(struct disk *k);
/* Lets go of everything and leaves xenstore as it is, for the next daemon. */
void disk_stop(struct disk *k);
/* No more tries in xenstore for a while; the patrol comes back to it. */
void disk_pause(struct disk *k);
bool disk_is_paused(struct disk *k);
/* The connection for its nodes: this thread's own, else the daemon's, or NULL.
 */
struct xen_store *disk_conn(const struct disk *k);
void disk_use_conn(struct xen_store *s); /* from now on on this thread */
/* True if nothing of it is at another thread. */
bool disk_is_idle(const struct disk *k);
/* Reads its domain's name again, if xenstore answers. */
void disk_refresh_domain(struct disk *k);
/* Takes it off the list and frees it; it is idle. Accepts NULL. */
void disk_destroy(struct disk *k);
/* Logs and writes the error, then closes the disk. */
void disk_fail(struct disk *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
void disk_close_store(struct disk *k);
/* Reads the nodes and has the store open. 0, -ENOTCONN when xenstore does not
 * answer, or another -errno after disk_fail (or, where a live guest waits for
 * the disk, with the error noted, to be tried again). */
int disk_prepare(struct disk *k);
/* "domain 3 xvda: …", at most some lines a second. */
void disk_log(struct disk *k, enum log_level level, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

/* ---- disk_look.c, disk_config.c: reading xenstore --------------------------
 */
/* Reads what is stale. 0, or -errno when xenstore did not answer: then it still
 * is. */
int disk_look(struct disk *k);
/* Whether our state is as the look saw it, or remembered it. 0, -ECANCELED
 * where it is not (and is to be looked at again), or -ENOTCONN. */
int disk_check_own(struct disk *k);
/* The parts that a change of `key`, in the backend's directory, makes stale;
 * "": of the directory. */
unsigned disk_look_parts(const char *key);
/* Whether there is a connection to xenstore that answers. */
bool disk_store_answers(const struct disk *k);
bool disk_conn_answers(struct xen_store *s); /* NULL: false */
/* -EINVAL and a sentence if the toolstack's nodes make no sense. */
int disk_config_read(struct disk *k, struct disk_config *c, struct err *e);
void disk_config_release(struct disk_config *c);
/* Node `key` of the backend's directory. 0, -ENOENT, or -errno. */
int disk_read(struct disk *k, const char *key, char **value);
/* Whether the nodes in base, below backend/vbd, name our script: all others
 * there are blkback's, and of no concern to us. 0, -ENOENT if not, or -errno.
 */
int disk_check_script(struct xen_store *s, const char *base);
/* The rings that a frontend may ask for. */
struct connect_offer disk_offer(const struct disk *k);
int disk_read_number(struct disk *k, const char *key, uint64_t max,
                     uint64_t absent, uint64_t *value);
/* connect_read for the frontend's directory; arg is the disk. */
int disk_read_front(void *arg, const char *key, char **value);

/* ---- disk_front.c: whose the frontend is ----------------------------------
 */
/* 0 if it names this disk as its backend, or -errno and a sentence. */
int disk_check_front(struct disk *k, struct err *e);
/* The same, and then connect_keys_read. */
int disk_front_keys(struct disk *k, const struct connect_offer *offer,
                    struct connect_keys *keys, struct err *e);

/* ---- disk_nodes.c: writing xenstore ----------------------------------------
 */
/* All of these change nothing and return -ENOENT if the nodes are gone (so
 * that none comes back to life), -ECANCELED if the state node is no longer
 * what it has to be (the toolstack was faster), -ENOTCONN without xenstore,
 * -EAGAIN during a pause, or at its begin. */
int disk_write_closed(struct disk *k); /* state 6, if it is 5 */
/* State 5, and with it the error; -ECANCELED also if the frontend is no longer
 * what the look saw. */
int disk_write_closing(struct disk *k);
int disk_write_failed(struct disk *k);
int disk_write_announce(struct disk *k);  /* state 2, the script comes next */
int disk_write_offer(struct disk *k);     /* features, state 2 */
int disk_write_connected(struct disk *k); /* sizes, features, state 4 */
int disk_write_sectors(struct disk *k);   /* and the kick: state as it is */
int disk_write_error(struct disk *k);
int disk_write_target(struct disk *k);
int disk_write_stopped(struct disk *k); /* the mark of a clean stop */
int disk_clear_stopped(struct disk *k);
/* The error's, and the disk's own if its domain is dead. */
int disk_remove_nodes(struct disk *k);
/* What the closed connection left in the frontend's directory. */
void disk_forget_ring_keys(struct disk *k);

/* ---- disk_ring.c: the data plane --------------------------------------------
 */
void disk_attach(struct disk *k, bool reattach, bool only_if_quiet);
/* What follows when its I/O threads have all reported: state 4, or what comes
 * after the ring. */
void disk_settle(struct disk *k);
bool disk_is_settled(const struct disk *k); /* nothing of it is due */
/* Writes state 4 (or the size, after a re-attach) if that has not worked yet.
 */
void disk_announce_due(struct disk *k);
/* Unmaps and unbinds, then what `after` says; at once if there is no ring. */
void disk_detach(struct disk *k, enum disk_after after);
/* The limits and sizes that follow from the store and the configuration. */
void disk_limits(const struct disk *k, struct blk_limits *lim);
bool disk_offers_persistent(const struct disk *k);
/* New size, for all rings from their next request on. */
void disk_set_sectors(struct disk *k, uint64_t sectors);

/* ---- adopt.c: what a former daemon left
 * --------------------------------------- */
/* Opens what the disk had open. 0, or -errno after disk_fail. */
int disk_adopt(struct disk *k);
void disk_reattach(struct disk *k);
/* Opens the store; -errno and a sentence. */
int disk_open_store(struct disk *k, struct err *e);

#endif
