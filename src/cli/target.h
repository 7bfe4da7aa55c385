/* SPDX-License-Identifier: MIT */
/* The syntax of TARGET. Whether the thing is there is evergrantd's to say. */
#ifndef EVERGRANT_CLI_TARGET_H
#define EVERGRANT_CLI_TARGET_H

#include "common/err.h"

/* Longest that fits where xenstore values are read back. */
#define TARGET_BYTES 2000

/* Writes target to dst with a relative path made absolute, since evergrantd
 * has another working directory: behind "fault:RULES:" too. -EINVAL and a
 * sentence if the syntax is wrong or the driver is none of this version's. */
int target_normalize(const char *target, char dst[TARGET_BYTES], struct err *e);

#endif
