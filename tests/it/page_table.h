/* SPDX-License-Identifier: MIT */
#ifndef EVERGRANT_TESTS_IT_PAGE_TABLE_H
#define EVERGRANT_TESTS_IT_PAGE_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether the page of 4 KiB at `at` is in this process's page table, touched or
 * not. False also if the kernel does not tell. */
static inline bool in_page_table(const void *at)
{
        FILE *f = fopen("/proc/self/pagemap", "rb");
        uint64_t entry = 0;

        if (f &&
            !fseek(f, (long)((uintptr_t)at / 4096 * sizeof(entry)), SEEK_SET))
                (void)!fread(&entry, sizeof(entry), 1, f);
        if (f)
                fclose(f);
        return entry >> 63;
}

#endif
