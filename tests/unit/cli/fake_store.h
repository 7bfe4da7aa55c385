/* SPDX-License-Identifier: MIT */
/* src/xen/store.h in memory, to be linked instead of the real one. One world a
 * process, one thread. */
#ifndef EVERGRANT_TESTS_CLI_FAKE_STORE_H
#define EVERGRANT_TESTS_CLI_FAKE_STORE_H

#include "xen/store.h"

/* Forgets everything; there are Domain-0 and g1 (1). */
void fake_reset(void);
/* Called each time the program goes to sleep, in the role of all others. */
extern void (*fake_on_sleep)(void);
/* Called before each transaction, for what somebody else did meanwhile. */
extern void (*fake_on_transaction)(void);
extern bool fake_no_xenstore;   /* xen_store_open fails */
extern int fake_commits;        /* transactions that went through */
extern int fake_conflicts_left; /* that many transactions end in EAGAIN */

/* As somebody else: watches fire. */
void fake_put(const char *path, const char *value);
void fake_remove(const char *path);
/* NULL if there is no such node. */
const char *fake_get(const char *path);
uint32_t fake_owner(const char *path);
uint32_t fake_reader(const char *path);
int fake_nodes(void);

#endif
