/* SPDX-License-Identifier: MIT */
/* A guest without a driver: it plays the ring by hand, so that a test decides
 * about every gref, slot and state. tests/it/ring.sh has started pocketxen and
 * evergrantd; disks are attached with the evergrant command. */
#ifndef TESTS_IT_RING_RIG_H
#define TESTS_IT_RING_RIG_H

#include "ring/front_ring.h"
#include "xen/evtchn.h"
#include "xen/shares.h"
#include "xen/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RIG_VDEV 51712u /* xvda */

struct page {
        uint8_t *bytes;
        uint32_t gref;
};

#define RIG_QUEUES 16u

/* A ring of the guest while it is not the selected one. */
struct guest_ring {
        int port;
        uint8_t *pages;
        uint32_t refs[BLK_MAX_RING_PAGES];
        struct front_ring ring;
};

struct guest {
        uint32_t domid, vdev;
        bool added; /* the domain is another one's */
        char name[32];
        struct xen_store *xs;
        struct xen_shares *shares;
        struct xen_evtchn *ev;
        int port;
        unsigned order;
        uint8_t *ring_pages;
        struct front_ring ring;
        uint64_t next_id;
        struct guest_ring rings[RIG_QUEUES];
        unsigned queues, selected;
        char dir[64]; /* its end of the disk in xenstore */
};

/* A new domain, and a disk for it: `evergrant attach … xvda TARGET OPTIONS`. */
struct guest *guest_create(const char *target, const char *options);
/* The number that the next one's domain gets; 0: a new one. */
extern uint32_t rig_domid;
/* The same with another name for the disk. */
struct guest *guest_create_disk(const char *name, uint32_t vdev,
                                const char *target, const char *options);
/* Only the domain: xvda is made by the test, or is another backend's. */
struct guest *guest_create_bare(void);
/* Another disk of that domain; to be destroyed before the first. */
struct guest *guest_add_disk(const struct guest *first, const char *name,
                             uint32_t vdev, const char *target,
                             const char *options);
/* Closes orderly if it is connected, detaches, destroys the domain; nothing of
 * it may be left mapped. */
void guest_destroy(struct guest *g);
/* This program has no part in it any more; domain and disk stay. */
void guest_leave(struct guest *g);

struct connect_opts {
        unsigned order;
        bool persistent;
        unsigned queues;   /* 0 and 1: one ring, keys at the top */
        bool write_queues; /* also multi-queue-num-queues = 1 */
        bool write_order;  /* also ring-page-order = 0 … */
        bool ref0;         /* … and then ring-ref0, not ring-ref */
        enum blk_abi abi;
        bool no_protocol;     /* leaves the key out */
        bool connected_first; /* state 4 without 3, nor waiting for 2 */
        bool keep_old_keys;   /* what the former ring left stays */
};
/* The handshake up to Connected on both sides. */
void guest_connect(struct guest *g, struct connect_opts o);
/* Only this end's half of it, for keys that are to be refused, or changed in
 * between: up to InitWait; the rings and their keys; one state. */
void guest_begin(struct guest *g);
void guest_publish(struct guest *g, struct connect_opts o);
void guest_state(struct guest *g, enum xenbus_state state);
/* After a refusal: closes this end and lets go of the rings. */
void guest_refused(struct guest *g, const char *because);
void guest_key(struct guest *g, const char *key, uint64_t value);
void guest_drop(struct guest *g, const char *key);
bool guest_has_key(struct guest *g, const char *key);
/* Which ring guest_put, guest_kick and guest_answer mean; 0 after a connect. */
void guest_select(struct guest *g, unsigned ring);
/* Closing, then waits for the backend's Closed. */
void guest_disconnect(struct guest *g);
/* Takes its rings and ports away, mapped or not; without any, nothing. */
void guest_let_go(struct guest *g);

/* Fresh pages, each shared by itself. */
void guest_page(struct guest *g, struct page *p, bool writable);
void guest_unshare(struct guest *g, struct page *p);

/* Puts a request over whole pages into the ring; its id. Not visible before
 * guest_kick. */
uint64_t guest_put(struct guest *g, enum blk_op op, uint64_t sector,
                   const struct page *pages, unsigned n);
void guest_kick(struct guest *g);
/* Waits for the next response; its status. *id may be NULL. */
int guest_answer(struct guest *g, uint64_t *id);
/* The same as guest_put, as an indirect request: descriptors go to `table`, one
 * page for each 512 segments. */
uint64_t guest_put_indirect(struct guest *g, enum blk_op op, uint64_t sector,
                            const struct page *pages, unsigned n,
                            struct page *table);
/* One request there and back. */
int guest_io(struct guest *g, enum blk_op op, uint64_t sector,
             const struct page *pages, unsigned n);

/* The backend's keys; UINT64_MAX: there is none. As text, into text[64]: */
uint64_t guest_backend_key(struct guest *g, const char *key);
const char *guest_backend_text(struct guest *g, const char *key);
/* Domain-0 writes one. */
void rig_backend_write(struct guest *g, const char *key, const char *value);
/* Domain-0 removes both ends' directories, without a word. */
void rig_remove_disk(struct guest *g);

enum xenbus_state guest_backend_state(struct guest *g);
void guest_wait_backend(struct guest *g, enum xenbus_state want);

/* pocketxen's own account. */
struct account {
        uint64_t map_calls, map_pages, unmap_calls, unmap_pages;
        uint64_t copy_calls, copy_segments, mapped, deferred;
        uint64_t mapped_high; /* of the pair, ever */
};
struct account guest_account(const struct guest *g);
/* Of one gref: pins, or pins that may write. */
uint64_t gref_pins(const struct guest *g, uint32_t gref, bool writing);

/* evergrant stat: a counter of the guest's disk, or a field of the disk. */
uint64_t guest_counter(const struct guest *g, const char *name);
/* The same of one ring. */
uint64_t guest_ring_counter(const struct guest *g, unsigned ring,
                            const char *name);
/* A number about the daemon itself. */
uint64_t rig_daemon_number(const char *name);
/* A string field of the disk in `evergrant list`. */
const char *guest_field(const struct guest *g, const char *name);

/* Runs a command line in Domain-0; status. Output in rig_said. */
int rig_run(const char *fmt, ...) PRINTF_LIKE(1, 2);
extern char rig_said[1 << 20];

/* Polls an expression for 10 s; what was once true is not asked again. */
#define wait_until(expression)                                        \
        do {                                                          \
                bool met_ = false;                                    \
                for (int i_ = 0; i_ < 1000 && !met_; i_++)            \
                        if (!(met_ = (expression)))                   \
                                usleep(10000);                        \
                if (!met_)                                            \
                        fail_msg("never came true: %s", #expression); \
        } while (0)

#endif
