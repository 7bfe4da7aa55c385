/* SPDX-License-Identifier: MIT */
/* Numbers that people and peers write. Strict: the whole string or nothing,
 * no sign, no white space, no leading "+", no hex. */
#ifndef EVERGRANT_COMMON_PARSE_H
#define EVERGRANT_COMMON_PARSE_H

#include "util.h"

/* Decimal digits only, at most max. 0, -EINVAL (not a number) or -ERANGE. */
int parse_u64(const char *s, uint64_t max, uint64_t *value);

/* A size in bytes with an optional k, M, G or T (powers of 1024, either
 * case). 0, -EINVAL or -ERANGE. */
int parse_size(const char *s, uint64_t *bytes);

/* Writes bytes as the largest unit that divides it ("64M", "512"). */
char *format_size(char *dst, size_t dst_bytes, uint64_t bytes);

#endif
