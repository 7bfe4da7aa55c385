/* SPDX-License-Identifier: MIT */
/* Copies that know where the bytes are read next, and what is copied next. */
#ifndef EVERGRANT_COMMON_COPY_H
#define EVERGRANT_COMMON_COPY_H

#include <stddef.h>

/* One of those below. */
typedef void *copy_fn(void *restrict dst, const void *restrict src,
                      size_t len_bytes);

/* memcpy, as a call: where the compiler knows that it is a page at most it puts
 * one instruction there that is slower out of memory. */
void *copy_through_caches(void *restrict dst, const void *restrict src,
                          size_t len_bytes);

/* memcpy that leaves nothing of dst in this processor's caches: for what a
 * thread that runs on another processor reads next, or nobody for a while.
 * Lines that this processor has written and another one reads cost both of
 * them more than memory does; where the reader runs on this processor it is
 * the other way round. Pays where src was fetched before (copy_fetch). Others
 * may see what is stored later sooner: copy_settle comes between. Plain memcpy
 * where dst is not on 32 bytes, and on processors without such stores. */
void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes);

/* What this thread copied is visible before what it stores from now on. */
static inline void copy_settle(void)
{
#ifdef __SSE2__
        __builtin_ia32_sfence();
#endif
}

/* Longer ones are read ahead by the processor, and many at a time lie in a
 * cache that processors near each other share. */
#define COPY_SHORT_BYTES 8192u

#define COPY_FETCH_BYTES 4096u
#define COPY_LINE_BYTES 64u

/* Starts to bring what is copied after the next copy, at most COPY_FETCH_BYTES,
 * as near as the second cache: there is room for it, and the walk of the page
 * tables and the memory's answer take as long as the copy of a page. A hint:
 * any address is right. */
static inline void copy_fetch(const void *src, size_t len_bytes)
{
        const char *at = src;

        for (size_t i = 0; i < len_bytes && i < COPY_FETCH_BYTES;
             i += COPY_LINE_BYTES)
                __builtin_prefetch(at + i, 0, 2);
        /* A function of which this is all has no effect, for gcc 12, and the
         * calls of it none either: it leaves them out. */
        __asm__ volatile("");
}

#endif
