/* SPDX-License-Identifier: MIT */
/* Text in aligned columns; nothing is printed before the table is whole. */
#ifndef EVERGRANT_CLI_TABLE_H
#define EVERGRANT_CLI_TABLE_H

#include <stdio.h>

#include "common/util.h"

#define TABLE_COLUMNS 16

struct table {
        const char *titles[TABLE_COLUMNS];
        bool right[TABLE_COLUMNS]; /* numbers: aligned to the right */
        unsigned columns;
        char **cells; /* row after row */
        size_t rows, room;
};

/* titles: "DOMAIN|VDEV|>SIZE", where > means to the right; the string stays the
 * caller's and is not kept. */
void table_init(struct table *t, const char *titles);
void table_release(struct table *t);
/* One row; cells are copied, with control characters escaped. Out of memory
 * ends the program: this is a tool's output. */
void table_add(struct table *t, const char *const *cells);
void table_print(const struct table *t, FILE *f);

#endif
