/* SPDX-License-Identifier: MIT */
/* What Xen's libraries answer, printed line by line, so that the prints of real
 * Xen and of pocketxen can be compared. One domain plays both sides, but for
 * `peer`. No line has a number that differs from run to run. */
#ifndef TESTS_XEN_SAME_OBSERVE_H
#define TESTS_XEN_SAME_OBSERVE_H

#include <stdint.h>

#define PAGE 4096

void observe_grants(uint32_t self);
void observe_copies(uint32_t self);
void observe_events(uint32_t self);
void observe_store(uint32_t self);
/* The guest's half and Dom0's half of what needs two domains. */
void observe_guest(void);
void observe_death(uint32_t guest);

/* "what: 0", or "what: -1 EINVAL" by errno. */
void print_int(const char *what, int ret);
/* "what: a pointer" or "what: NULL EINVAL". */
void print_pointer(const char *what, const void *p);
void print_text(const char *what, const char *text);
/* An errno's name. */
const char *name_of(int error);

#endif
