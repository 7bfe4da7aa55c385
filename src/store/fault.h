/* SPDX-License-Identifier: MIT */
/* Inside of the fault wrapper: the rules as a table. */
#ifndef EVERGRANT_STORE_FAULT_H
#define EVERGRANT_STORE_FAULT_H

#include "store.h"

#define FAULT_RULES_MAX 16

struct fault_rule {
        unsigned ops; /* bits 1 << enum store_op */
        int error;    /* -errno, or 0: a delay */
        uint64_t delay_ms;
        uint64_t from, to; /* the requests it is for, counted from 1 */
};

struct fault_rules {
        struct fault_rule rule[FAULT_RULES_MAX];
        unsigned n;
};

/* Parses text[0 .. len). */
int fault_rules_parse(const char *text, size_t len, struct fault_rules *rules,
                      struct err *e);
/* What happens to the nth request of its kind and the nth_any of all kinds. */
void fault_rules_judge(const struct fault_rules *rules, enum store_op op,
                       uint64_t nth, uint64_t nth_any, int *error,
                       uint64_t *delay_ms);

#endif
