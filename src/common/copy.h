/* SPDX-License-Identifier: MIT */
/* A copy for somebody else's caches. */
#ifndef EVERGRANT_COMMON_COPY_H
#define EVERGRANT_COMMON_COPY_H

#include <stddef.h>

/* memcpy, or the one below. */
typedef void *copy_fn(void *restrict dst, const void *restrict src,
                      size_t len_bytes);

/* memcpy that leaves nothing of dst in this processor's caches: for what a
 * thread that runs on another processor reads next, or nobody for a while.
 * Lines that this processor has written and another one reads cost both of
 * them more than memory does; where the reader runs on this processor it is
 * the other way round. Visible to others before what is stored after it, as
 * memcpy's bytes are. Plain memcpy where dst is not on 16 bytes, and on
 * processors without such stores. */
void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes);

#endif
