/* SPDX-License-Identifier: MIT */
/* The control sockets of pocketxen and of evergrantd, asked directly: tests
 * that look very often would wait for processes otherwise. And faults. */
#ifndef TESTS_IT_RING_ASK_H
#define TESTS_IT_RING_ASK_H

#include "rig.h"

struct json_object;

/* One request, one reply, which is the caller's. A refusal fails the test. */
struct json_object *ask_pocketxen(const char *fmt, ...) PRINTF_LIKE(1, 2);
struct json_object *ask_daemon(const char *fmt, ...) PRINTF_LIKE(1, 2);

uint64_t ask_number(struct json_object *o, const char *key);
/* The row of list whose key is value; NULL if there is none. */
struct json_object *ask_row(struct json_object *o, const char *list,
                            const char *key, uint64_t value);

/* A number of domain `domid` in `pocketxen list`; UINT64_MAX: no such one. */
uint64_t ask_domain(uint32_t domid, const char *field);
/* A counter of the guest's disk, and a number about the daemon. */
uint64_t ask_counter(const struct guest *g, const char *name);
uint64_t ask_about_daemon(const char *name);

/* At a quiet point: pocketxen's table of live maps, the daemon's account, and
 * what it says it keeps, are one number (O-GNT). Waits until they are. */
void ask_same_account(const struct guest *g);

/* ---- faults (pocketxen fault) --------------------------------------------*/

struct fault_opts {
        uint32_t first, last; /* 0, 0: all */
        uint64_t nth, times, seed;
        const struct guest *by; /* NULL: everybody */
};
/* Whose grants, or who is told: g, or Domain-0 if g is NULL. Its number. */
unsigned fault_set(const char *op, const char *result, const struct guest *g,
                   struct fault_opts o);
void fault_clear(void);
/* Matches of a fault; those that got it. */
uint64_t fault_seen(unsigned id);
uint64_t fault_given(unsigned id);

/* ---- T-ZOMBIE -------------------------------------------------------------*/

struct zombie_base {
        uint64_t threads, fds, ports, handles, watches;
};
/* Before the first guest, with the daemon idle. */
struct zombie_base zombie_base(void);
/* After guest_destroy: the domain is gone with everything that was mapped of
 * it, and the daemon has the threads, descriptors, ports, grant handles and
 * watches that it had. */
void zombie_check(const struct zombie_base *base, uint32_t domid);
/* guest_destroy, and that. */
void zombie_end(const struct zombie_base *base, struct guest *g);

#endif
