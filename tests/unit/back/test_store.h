/* SPDX-License-Identifier: MIT */
/* A store of 4 MiB that keeps a record of what it was asked, can hold requests
 * back until told, and fails on demand. */
#ifndef EVERGRANT_TESTS_BACK_TEST_STORE_H
#define EVERGRANT_TESTS_BACK_TEST_STORE_H

#include "store/store.h"

#define TEST_STORE_BYTES (4u << 20)

struct test_store_record {
        enum store_op op;
        uint64_t offset_bytes, len_bytes;
        unsigned niov;
        bool secure, read_elsewhere;
        unsigned expected; /* places told until then */
};

struct store *test_store_create(void);
void test_store_destroy(struct store *s);
uint8_t *test_store_data(struct store *s);
/* Requests so far, and the i-th. */
unsigned test_store_count(struct store *s);
struct test_store_record test_store_record(struct store *s, unsigned i);
/* The i-th place that it was told of. */
uint64_t test_store_expected(struct store *s, unsigned i);
unsigned test_store_open_queues(struct store *s);

/* Every request waits until test_store_let. */
void test_store_hold(struct store *s, bool hold);
unsigned test_store_held(struct store *s);
void test_store_let(struct store *s, unsigned n); /* the n oldest */
/* The I/O thread stops before the i-th request, until test_store_go. */
void test_store_stop_at(struct store *s, unsigned i);
/* Where it stopped: it goes on, and stops before the next one. */
void test_store_step(struct store *s);
bool test_store_stopped(struct store *s);
void test_store_go(struct store *s);
/* Requests of this op end with error, their data undone. */
void test_store_fail(struct store *s, enum store_op op, int error);
void test_store_fail_open(struct store *s, int error);

#endif
