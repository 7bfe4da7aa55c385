/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share. Each target has libFuzzer's entry point;
 * driver.c calls it for the files of a corpus where there is no libFuzzer. A
 * target keeps nothing from one input to the next, so that an input alone
 * brings a crash back. */
#ifndef EVERGRANT_FUZZ_H
#define EVERGRANT_FUZZ_H

#include <stdio.h>
#include <string.h>

#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- taking an input apart; past its end everything is 0 ---------------- */

struct input {
        const uint8_t *p;
        size_t left;
};

static inline void in_bytes(struct input *in, void *dst, size_t n)
{
        size_t have = n < in->left ? n : in->left;

        memset(dst, 0, n);
        memcpy(dst, in->p, have);
        in->p += have;
        in->left -= have;
}

static inline uint8_t in_u8(struct input *in)
{
        uint8_t v;

        in_bytes(in, &v, sizeof(v));
        return v;
}

static inline uint16_t in_u16(struct input *in)
{
        uint16_t v;

        in_bytes(in, &v, sizeof(v));
        return v;
}

static inline uint32_t in_u32(struct input *in)
{
        uint32_t v;

        in_bytes(in, &v, sizeof(v));
        return v;
}

static inline uint64_t in_u64(struct input *in)
{
        uint64_t v;

        in_bytes(in, &v, sizeof(v));
        return v;
}

/* The next line as a malloced string, NUL bytes and all; NULL at the end. */
static inline char *in_line(struct input *in)
{
        const uint8_t *end;
        size_t n;
        char *s;

        if (!in->left)
                return NULL;
        end = memchr(in->p, '\n', in->left);
        n = end ? (size_t)(end - in->p) : in->left;
        s = malloc(n + 1);
        if (!s)
                abort();
        memcpy(s, in->p, n);
        s[n] = '\0';
        in->p += n + (end != NULL);
        in->left -= n + (end != NULL);
        return s;
}

/* ---- saying what is wrong ------------------------------------------------ */

#define must(ok, ...)                                                      \
        do {                                                               \
                if (!(ok)) {                                               \
                        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, \
                                #ok);                                      \
                        fprintf(stderr, __VA_ARGS__);                      \
                        fputc('\n', stderr);                               \
                        abort();                                           \
                }                                                          \
        } while (0)

#endif
