/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

#define LINE_BYTES 64u

static void stream_line(uint8_t *dst, const uint8_t *src)
{
        __m128i part[4];

        for (unsigned i = 0; i < 4; i++)
                part[i] = _mm_loadu_si128(
                        (const __m128i *)(const void *)(src + 16 * i));
        for (unsigned i = 0; i < 4; i++)
                _mm_stream_si128((__m128i *)(void *)(dst + 16 * i), part[i]);
}

void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes)
{
        size_t lines = len_bytes / LINE_BYTES * LINE_BYTES;
        uint8_t *to = dst;
        const uint8_t *from = src;

        if ((uintptr_t)dst % 16)
                return memcpy(dst, src, len_bytes);
        for (size_t at = 0; at < lines; at += LINE_BYTES)
                stream_line(to + at, from + at);
        memcpy(to + lines, from + lines, len_bytes - lines);
        /* Such stores are not ordered by the ones that follow them. */
        _mm_sfence();
        return dst;
}

#else

void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes)
{
        return memcpy(dst, src, len_bytes);
}

#endif
