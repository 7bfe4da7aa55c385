/* SPDX-License-Identifier: MIT */
/* Small things that every layer uses: sizes, scope cleanup, checked sums. */
#ifndef EVERGRANT_COMMON_UTIL_H
#define EVERGRANT_COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The pointer must not be null: test the member before you convert it. */
#define container_of(ptr, type, member) \
        ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Grants are 4 KiB on every architecture, whatever the CPU's page size. */
#define GRANT_PAGE_BYTES 4096u
/* The unit of sector numbers in the block protocol (Xen's blkif.h, 2024). */
#define SECTOR_BYTES 512u
#define SECTORS_PER_PAGE (GRANT_PAGE_BYTES / SECTOR_BYTES)

static inline void cleanup_free_fn(void *p)
{
        free(*(void **)p);
}
static inline void cleanup_close_fn(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
/* Variables with these attributes are freed or closed when they go out of
 * scope; a descriptor must start as -1. */
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free_fn)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close_fn)))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* True and *sum = a + b, or false on wrap-around. */
static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
        return !__builtin_add_overflow(a, b, sum);
}
static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
        return !__builtin_mul_overflow(a, b, product);
}

#endif
