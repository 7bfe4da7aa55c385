/* SPDX-License-Identifier: MIT */
/* Paths of nodes: what keys.c and facts.c share. */
#ifndef EVERGRANT_FRONT_KEYS_H
#define EVERGRANT_FRONT_KEYS_H

#include <stdio.h>

#include "front.h"

struct path {
        char s[XEN_STORE_PATH_BYTES + 72];
};

static inline const char *front_key(const struct eg_disk *d, const char *key,
                                    struct path *p)
{
        snprintf(p->s, sizeof(p->s), "%s/%s", d->front_path, key);
        return p->s;
}

static inline const char *back_key(const struct eg_disk *d, const char *key,
                                   struct path *p)
{
        snprintf(p->s, sizeof(p->s), "%s/%s", d->back_path, key);
        return p->s;
}

#endif
