/* SPDX-License-Identifier: MIT */
/* The drivers, and what they share. A new driver is one file, a line here and
 * one in store.c's table. */
#ifndef EVERGRANT_STORE_DRIVERS_H
#define EVERGRANT_STORE_DRIVERS_H

#include "common/parse.h"
#include "store.h"

extern const struct store_ops store_null_ops;
extern const struct store_ops store_ram_ops;
extern const struct store_ops store_file_ops;
extern const struct store_ops store_fault_ops;

/* "64M" as a disk's size: not 0, a multiple of 512, below 2^63. `driver` is
 * for the error's text. */
int store_parse_size(const char *driver, const char *text, uint64_t *bytes,
                     struct err *e);
/* 0, or the error that says why bytes is no disk's size. */
int store_check_size(const char *what, uint64_t bytes, struct err *e);

#endif
