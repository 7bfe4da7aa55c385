/* SPDX-License-Identifier: MIT */
/* Link-time stand-ins for src/xen (an in-memory xenstore, grants that are plain
 * memory, event channels) and a small backend that a test can hold back,
 * let lie, take away and bring back. One disk at a time. */
#ifndef EVERGRANT_TESTS_FAKE_XEN_H
#define EVERGRANT_TESTS_FAKE_XEN_H

#include "ring/back_ring.h"
#include "xen/xenbus.h"

#define FAKE_F "/local/domain/5/device/vbd/51712"
#define FAKE_B "/local/domain/0/backend/vbd/5/51712"
#define FAKE_DISK_BYTES (8u << 20)

struct fake {
        /* the backend's manners */
        bool hold;           /* does not serve when it is notified */
        bool early;          /* Connected before it has a ring */
        bool silent;         /* does not follow our state at all */
        bool refuses;        /* goes to Closing when it should connect */
        bool fail_reads;     /* scribbles, then answers ERROR */
        bool no_flush;       /* answers a flush with EOPNOTSUPP */
        bool storm;          /* an event as soon as the port is unmasked */
        unsigned max_shares; /* pages; 0: no limit */
        uint8_t *disk;
        /* what was seen */
        uint32_t grefs_seen; /* distinct data grefs in requests */
        uint64_t served, flushes, discards;
        unsigned live_pages, live_pages_high;
        struct blk_request last;
        struct blk_seg segs[BLK_MAX_INDIRECT_SEGS]; /* of that one */
        uint64_t indirect;                          /* requests */
        uint64_t early_unmasks; /* before the ring was looked at */
        uint64_t wandered;      /* grefs that came on two rings */
        uint64_t taken_of[16];  /* requests of each ring */
        /* its rings; most tests have only the first */
        bool connected;
        unsigned queues;
        int ports[16];
        union {
                struct back_ring ring;
                struct back_ring rings[16];
        };
        struct blk_limits lim;
};
extern struct fake fake;

void fake_reset(void); /* nodes of one disk; backend in InitWait */
void fake_check_clean(void);

const char *fake_get(const char *path);             /* NULL: absent */
void fake_set(const char *path, const char *value); /* fires watches */
/* The connection to xenstore ends. */
void fake_lose_store(void);
void fake_rm(const char *path); /* with its children */

/* Takes and answers up to max requests, the last taken first if backwards.
 * The number. */
unsigned fake_serve(unsigned max, bool backwards);
/* Takes one request without answering it; these four: of the first ring. */
bool fake_take(struct blk_request *req);
void fake_answer(uint64_t id, uint8_t op, int16_t status);
void fake_push(void); /* and sends an event */
void fake_event(void);
bool fake_take_on(unsigned queue, struct blk_request *req);
void fake_answer_on(unsigned queue, uint64_t id, uint8_t op, int16_t status);
void fake_push_on(unsigned queue);
void fake_event_on(unsigned queue);
void fake_back_state(enum xenbus_state s);
/* Lets go of the ring, as a backend that closes; then InitWait again. */
void fake_back_away(enum xenbus_state s);
void *fake_page(uint32_t gref); /* NULL: not shared */

#endif
