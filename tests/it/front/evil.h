/* SPDX-License-Identifier: MIT */
/* A backend that is played by hand in Domain-0 of a real pocketxen, and a guest
 * with libevergrant, both in this process: a test decides about every answer,
 * map, key and event. ../front_hostile_backend.sh has started pocketxen. */
#ifndef TESTS_IT_FRONT_EVIL_H
#define TESTS_IT_FRONT_EVIL_H

#include <evergrant.h>

#include "ring/back_ring.h"
#include "ring/features.h"
#include "xen/evtchn.h"
#include "xen/grants.h"
#include "xen/store.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVIL_DISK_BYTES (8u << 20)
#define EVIL_MAX_GREF 65536u

struct evil_ring {
        int port;
        void *pages;
        struct back_ring ring;
};

struct evil {
        uint32_t domid;
        char name[16], front[64], back[64];
        struct xen_store *xs;
        struct xen_evtchn *ev;
        struct xen_grants *grants;
        unsigned order, queues; /* queues 0: no connection */
        struct evil_ring rings[16];
        uint8_t *page[EVIL_MAX_GREF]; /* mapped, by gref */
        uint32_t known[EVIL_MAX_GREF], nknown;
        struct blk_limits lim;
        uint8_t *memory; /* what it serves */
        struct eg_disk *disk;
};

/* A request that was taken, and where its segments are. */
struct evil_request {
        struct blk_request r;
        struct blk_seg segs[256];
};

/* A domain with a disk whose backend is in InitWait. */
struct evil *evil_create(void);
/* Lets go of everything; no page of the guest may be granted any more, and a
 * disk that is still open is closed. */
void evil_destroy(struct evil *e);
void evil_key(struct evil *e, const char *key, const char *value);
void evil_drop_key(struct evil *e, const char *key);

/* eg_open, with the backend playing its part; the return value. */
int evil_try_open(struct evil *e, const struct eg_options *opts);
void evil_open(struct evil *e, const struct eg_options *opts);
/* eg_close, likewise. */
void evil_close(struct evil *e);
/* Unmaps all and forgets the connection; the state stays. */
void evil_let_go(struct evil *e);
/* Default options that say nothing, and do not wait for long. */
struct eg_options evil_options(void);

/* The guest's page, mapped when it is first asked for and kept. */
uint8_t *evil_page(struct evil *e, uint32_t gref);
bool evil_take(struct evil *e, unsigned ring, struct evil_request *q);
void evil_answer(struct evil *e, unsigned ring, uint64_t id, uint8_t op,
                 int status);
void evil_push(struct evil *e, unsigned ring); /* and an event */
/* Serves what is there on all rings, honestly; the number. */
unsigned evil_serve(struct evil *e);
/* Grants of the guest, by pocketxen's account. */
unsigned evil_granted(struct evil *e);

/* An I/O of the guest; not yet done: calls is 0. */
struct evil_io {
        struct eg_io io;
        struct iovec iov;
        int calls, error;
};
int evil_submit(struct evil *e, struct evil_io *i, enum eg_op op, void *mem,
                size_t bytes, uint64_t offset_bytes);

uint64_t evil_random(void);

#endif
