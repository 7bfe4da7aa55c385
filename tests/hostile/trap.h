/* SPDX-License-Identifier: MIT */
/* L1, trap mode, and O-FETCH: watched pages cannot be touched. Each access
 * faults, is let through for one instruction, counted, and told to a hook,
 * which may change the memory (through another mapping) before the next access.
 * So it sees every load and store of unmodified, optimised product code, by
 * whatever compiler. x86-64 only; pages must not be given to the kernel
 * meanwhile. */
#ifndef TESTS_HOSTILE_TRAP_H
#define TESTS_HOSTILE_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#define TRAP_WORKS 1
#else
#define TRAP_WORKS 0
#endif

/* page: the number given to trap_watch; offset: of the first byte accessed. */
typedef void (*trap_fn)(unsigned page, unsigned offset, bool write);

void trap_init(trap_fn after);
/* at: a mapping of one page, with PROT_READ and, if writable, PROT_WRITE. */
void trap_watch(unsigned page, void *at, bool writable);
/* Before it is unmapped. */
void trap_unwatch(void *at);

#endif
