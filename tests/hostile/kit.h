/* SPDX-License-Identifier: MIT */
/* The attack kit (HOSTILE.md 1.0): what a raw-ring attacker in a domain of
 * pocketxen adds to the rig's guest (tests/it/ring/rig.h): slots written by
 * hand in either layout, whole batches, guarded pages, and the oracles. */
#ifndef TESTS_HOSTILE_KIT_H
#define TESTS_HOSTILE_KIT_H

#include "rig.h"

#include "ring/back_ring.h"
#include "ring/ring_index.h"
#include "wire.h"

#include <unistd.h>

#define KIT_SLOTS 512u

/* small in make test, whole with HOSTILE_WHOLE=1. */
uint64_t kit_scale(uint64_t small, uint64_t whole);
/* Printed at the start; HOSTILE_SEED repeats it. */
uint64_t kit_random(void);
/* Around each test: its seconds, when it ends. */
int kit_setup(void **state);
int kit_teardown(void **state);
#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

/* ---- slots and batches --------------------------------------------------*/

static const enum blk_abi kit_abis[] = {BLK_ABI_NATIVE, BLK_ABI_X86_32};

struct batch {
        uint64_t first_id;
        unsigned n;
        struct blk_response rsp[KIT_SLOTS]; /* in the order of the requests */
};

uint8_t *kit_slot(struct guest *g, uint32_t index);
/* Copies a slot to the producer's place. */
void kit_put(struct guest *g, const union slot *s);
/* Puts what the operation says, whatever that means: nsegs in the slot, and
 * the grefs of `pages`, first to last sector of each. */
void kit_put_rw(struct guest *g, uint8_t op, uint8_t nsegs, uint64_t sector,
                const struct page *pages, unsigned npages);
void kit_put_part(struct guest *g, uint8_t op, uint64_t sector,
                  const struct page *p, uint8_t first, uint8_t last);
void kit_put_discard(struct guest *g, uint8_t flag, uint64_t sector,
                     uint64_t sectors);
void kit_put_indirect(struct guest *g, uint8_t op, uint16_t nsegs,
                      uint64_t sector, const uint32_t *grefs, unsigned n);
/* Entry i of an indirect page. */
void kit_entry(struct page *table, unsigned i, uint32_t gref, uint8_t first,
               uint8_t last);
/* Requests without any effect, until the next goes into this slot. */
void kit_advance(struct guest *g, uint32_t slot);

/* Begins a batch with the next id; kicks, takes all answers. O-RSP: one for
 * each request, with its id and a legal status, and none besides. */
void kit_begin(struct guest *g, struct batch *b);
void kit_exchange(struct guest *g, struct batch *b);
/* begin, put, send */
#define kit_do(g, put)                         \
        ({                                     \
                struct batch batch_;           \
                kit_begin((g), &batch_);       \
                put;                           \
                kit_exchange((g), &batch_);    \
                assert_int_equal(batch_.n, 1); \
                (int)batch_.rsp[0].status;     \
        })

/* ---- O-CAN ----------------------------------------------------------------*/

/* n pages, each granted by itself, with pages around them that are not used
 * and are full of a pattern. */
struct guarded {
        unsigned n;
        uint8_t *all;
        uint32_t refs[2 * KIT_SLOTS + 1];
        struct page page[KIT_SLOTS];
};
void kit_guard(struct guest *g, struct guarded *p, unsigned n);
void kit_guard_check(const struct guarded *p);

/* An image in the test's directory, each sector with bytes of its own. */
struct image {
        char path[256];
        uint64_t sectors;
        uint8_t *was;
};
void kit_image(struct image *i, const char *name, uint64_t sectors);
/* All but [from, from + n) is as it was, the size too. */
void kit_image_check(struct image *i, uint64_t from, uint64_t n);
void kit_image_read(struct image *i, uint64_t sector, void *to, uint64_t n);
/* What is there now is as it was. */
void kit_image_settle(struct image *i);
void kit_image_free(struct image *i);

/* The witness: another domain with a disk, that does what it always does from
 * before the group's first test until after its last. */
int kit_group_setup(void **state);
int kit_group_teardown(void **state);
/* Its disk and its memory are as they were, and it is served. */
void kit_witness_check(void);

/* ---- O-GNT, O-LIVE, the bounds of 2.4 ------------------------------------*/

/* At a quiet point: the backend's account is pocketxen's table. */
void kit_gnt(struct guest *g);
/* Requests that the validator refused for this reason. */
uint64_t kit_refused(struct guest *g, const char *verdict);
/* C1 for this connection, without what `slack` pages allow. */
uint64_t kit_map_bound(struct guest *g, unsigned max_segs);
/* The attacked disk ends in Closed, an honest frontend connects and works,
 * and is connected as `o` says afterwards. */
void kit_live(struct guest *g, struct connect_opts o);

struct bounds {
        uint64_t rss_kib, fds, threads, log_lines;
};
struct bounds kit_bounds(void);
/* C2 (plain build only), C4: against a measurement of before. */
void kit_bounds_check(const struct bounds *before, const char *what);
/* Lines of the daemon's log so far that contain a text. */
uint64_t kit_log_lines(const char *with);
/* Waits for the n-th such line; nanoseconds it took. */
uint64_t kit_log_wait(const char *with, uint64_t n);
/* Stops the daemon, or starts it again, by signals to the shell around. */
void kit_daemon_stop(void);
void kit_daemon_start(void);

#endif
