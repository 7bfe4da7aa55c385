/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <stdint.h>
#include <string.h>

void *copy_through_caches(void *restrict dst, const void *restrict src,
                          size_t len_bytes)
{
        return memcpy(dst, src, len_bytes);
}

#ifdef __SSE2__
#include <immintrin.h>

/* A line is whole at once, or the processor may send its halves to memory one
 * by one: the wider the stores, the better. Those of 64 bytes add nothing. */
__attribute__((target("avx"))) static void stream_avx(uint8_t *to,
                                                      const uint8_t *from,
                                                      size_t len_bytes)
{
        for (size_t at = 0; at < len_bytes; at += COPY_LINE_BYTES) {
                const __m256i *src = (const __m256i *)(const void *)(from + at);
                __m256i *dst = (__m256i *)(void *)(to + at);
                __m256i a = _mm256_loadu_si256(src);
                __m256i b = _mm256_loadu_si256(src + 1);

                _mm256_stream_si256(dst, a);
                _mm256_stream_si256(dst + 1, b);
        }
}

static void stream_sse2(uint8_t *to, const uint8_t *from, size_t len_bytes)
{
        for (size_t at = 0; at < len_bytes; at += 16)
                _mm_stream_si128(
                        (__m128i *)(void *)(to + at),
                        _mm_loadu_si128(
                                (const __m128i *)(const void *)(from + at)));
}

void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes)
{
        size_t lines = len_bytes / COPY_LINE_BYTES * COPY_LINE_BYTES;
        uint8_t *to = dst;
        const uint8_t *from = src;

        if ((uintptr_t)dst % 32)
                return memcpy(dst, src, len_bytes);
        if (__builtin_cpu_supports("avx"))
                stream_avx(to, from, lines);
        else
                stream_sse2(to, from, lines);
        if (lines < len_bytes)
                memcpy(to + lines, from + lines, len_bytes - lines);
        return dst;
}

#else

void *copy_past_caches(void *restrict dst, const void *restrict src,
                       size_t len_bytes)
{
        return memcpy(dst, src, len_bytes);
}

#endif
