/* SPDX-License-Identifier: MIT */
/* Runs two functions as coroutines through every order of their steps that
 * departs at most a few times from "go on with the same side", and through
 * random ones. */
#ifndef EVERGRANT_TESTS_EXPLORE_H
#define EVERGRANT_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

enum side { FRONT, BACK, SIDES };

/* For the coroutines. */
void explore_notify(enum side to); /* an event: sets its pending bit */
void explore_sleep(void);          /* until there is one, which is taken */
/* A failure: prints why and the order of steps, and ends the program. */
void explore_fail(const char *why) __attribute__((noreturn));

struct explore {
        const char *name;
        void (*start)(void); /* before each run */
        void (*side[SIDES])(void);
        void (*end)(void); /* after it: nothing may be missing */
};

/* Every order with at most `departures`. Returns the number of runs. */
uint64_t explore_all(const struct explore *e, unsigned departures);
/* Orders in which every step departs with a chance of one in `odds`. */
void explore_random(const struct explore *e, unsigned runs, unsigned odds);

#endif
