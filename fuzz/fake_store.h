/* SPDX-License-Identifier: MIT */
/* src/xen's xenstore as a list of nodes. */
#ifndef EVERGRANT_FUZZ_FAKE_STORE_H
#define EVERGRANT_FUZZ_FAKE_STORE_H

#include "xen/store.h"

void fake_store_reset(void);
/* A value that begins with byte 1 cannot be read. */
void fake_store_set(const char *path, const char *value);
const char *fake_store_get(const char *path); /* NULL: absent */
struct xen_store *fake_store(void);

#endif
