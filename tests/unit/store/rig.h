/* SPDX-License-Identifier: MIT */
/* A loop, a folder with files, and requests that are waited for. */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include "../common/test.h"

#include "store/store.h"

/* The three ways in which a file store does its I/O. */
enum way { WAY_URING, WAY_NO_URING_LOOP, WAY_NO_URING_STORE, WAYS };

struct rig {
        enum way way;
        struct loop *l;
        struct store *s;
        struct store_queue *q;
        unsigned pending;
        char dir[64];
        char path[128];  /* dir/image */
        pid_t child;     /* ended by the teardown, or 0 */
        char device[64]; /* a loop device to be detached, or "" */
};

int rig_setup(void **state); /* WAY_URING */
int rig_setup_no_uring_loop(void **state);
int rig_setup_no_uring_store(void **state);
int rig_teardown(void **state);

#define ALL_WAYS(f)                                                         \
        {#f " (uring)", f, rig_setup, rig_teardown, NULL},                  \
                {#f " (ppoll)", f, rig_setup_no_uring_loop, rig_teardown,   \
                 NULL},                                                     \
        {                                                                   \
#f " (threads)", f, rig_setup_no_uring_store, rig_teardown, \
                        NULL                                                \
        }
#define ONE_WAY(f)                                   \
        {                                            \
#f, f, rig_setup, rig_teardown, NULL \
        }

/* Opens target and a queue; both must work. */
void rig_open(struct rig *r, const char *target);
void rig_open_readonly(struct rig *r, const char *target);
void rig_close(struct rig *r);
/* Opening must fail with this code and a text that has these words. */
void rig_refused(struct rig *r, const char *target, bool readonly, int code,
                 const char *words);
void rig_end_child(struct rig *r);
/* Makes dir/image, sparse. */
void rig_image(struct rig *r, uint64_t size_bytes);

struct io {
        struct store_req req;
        struct iovec iov[64];
        struct rig *r;
        int error;
        unsigned calls;
        void *arg;
        void (*then)(struct io *io);
};
/* Does not wait. */
void rig_submit(struct rig *r, struct io *io);
/* Runs the loop until nothing is pending. */
void rig_wait(struct rig *r);
/* One request with one buffer, waited for; the result. */
int rig_do(struct rig *r, enum store_op op, uint64_t offset, void *buf,
           uint64_t len);
uint64_t rig_blocks(const struct rig *r); /* st_blocks of dir/image */
uint64_t rig_memory(const struct rig *r); /* bytes that a ram: disk takes */

/* Random requests, many at once, compared with an array. All of the store is
 * taken to be zero before. discard: it must leave exactly zeroes. */
void rig_random_io(struct rig *r, unsigned requests, unsigned seed,
                   bool discard);

/* What the wrapped functions do. 0: as always. */
extern uint64_t fake_room_bytes; /* UINT64_MAX: the real one */
extern int fake_fallocate_error; /* of those that take memory */
extern void (*fake_punch_seen)(off_t at, off_t len); /* before it; or NULL */
extern int fake_sync_error;
extern unsigned fake_short_bytes; /* the most that preadv, pwritev do */

extern const struct CMUnitTest simple_tests[], ram_tests[], ram_huge_tests[],
        ram_threads_tests[], room_tests[], file_tests[], open_tests[],
        lock_tests[], block_tests[], fault_tests[], short_tests[],
        secure_tests[];
extern const size_t simple_tests_n, ram_tests_n, ram_huge_tests_n,
        ram_threads_tests_n, room_tests_n, file_tests_n, open_tests_n,
        lock_tests_n, block_tests_n, fault_tests_n, short_tests_n,
        secure_tests_n;

#endif
