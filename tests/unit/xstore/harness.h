/* SPDX-License-Identifier: MIT */
/* A store and some connections to it, whose messages are kept. */
#ifndef TESTS_XSTORE_HARNESS_H
#define TESTS_XSTORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "store/xstore.h"

/* One connection. The answer to the last request, and the events since
 * events() was called, as "path|token " each. */
struct peer {
        struct xstore_conn *c;
        struct xsd_sockmsg head;
        char answer[XENSTORE_PAYLOAD_MAX + 1];
        unsigned answers;
        char seen[16384];
        char taken[16384];
};
/* d0 and other are Domain-0's, d1 and d2 of domains 1 and 2. */
struct world {
        struct xstore *xs;
        struct peer d0, other, d1, d2;
};

int world_setup(void **state);
/* Fails if anything has leaked into the store's own counts. */
int world_teardown(void **state);
#define WORLD_TEST(f) \
        cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

void peer_open(struct peer *p, struct xstore *xs, uint32_t domid);
/* The error's name, or the answer up to its first NUL ("OK"). */
const char *ask(struct peer *p, uint32_t type, uint32_t tx, const void *data,
                size_t len);
/* With a NUL behind each string. */
const char *ask1(struct peer *p, uint32_t type, uint32_t tx, const char *s);
const char *ask2(struct peer *p, uint32_t type, uint32_t tx, const char *s,
                 const char *t);
const char *put(struct peer *p, uint32_t tx, const char *path,
                const char *value);
const char *get(struct peer *p, uint32_t tx, const char *path);
/* perms separated by spaces: "n1 r2". */
const char *chmod_node(struct peer *p, uint32_t tx, const char *path,
                       const char *perms);
/* The last answer's strings, separated by spaces. */
const char *listed(struct peer *p);
const char *events(struct peer *p);
uint32_t begin(struct peer *p);
const char *finish(struct peer *p, uint32_t tx);

#endif
