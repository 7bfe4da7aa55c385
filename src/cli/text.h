/* SPDX-License-Identifier: MIT */
/* Numbers with their units, and strings of others made harmless. All return
 * dst, always terminated, cut to its size. */
#ifndef EVERGRANT_CLI_TEXT_H
#define EVERGRANT_CLI_TEXT_H

#include "common/util.h"

/* Large enough for every number below. */
#define TEXT_NUMBER_BYTES 48

/* Control characters (the C1 ones too) and what is no UTF-8 as \xNN, so that a
 * string that a guest chose cannot drive the terminal. */
char *text_plain(char *dst, size_t dst_bytes, const char *src);

/* "12,345" */
char *text_count(char *dst, size_t dst_bytes, uint64_t n);
/* "512 B", "64 MiB", "1.5 GiB" */
char *text_bytes(char *dst, size_t dst_bytes, double bytes);
/* "870 ns", "12.3 µs", "4.56 ms", "1.20 s" */
char *text_duration_ns(char *dst, size_t dst_bytes, double ns);
/* "0", "12.5", "123,456": at most three digits that mean something */
char *text_rate(char *dst, size_t dst_bytes, double per_second);

/* Columns that a UTF-8 string takes (no wide characters expected). */
size_t text_width(const char *s);

#endif
