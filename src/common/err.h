/* SPDX-License-Identifier: MIT */
/* An error that a person will read: a negative errno and one sentence that
 * says what is wrong and, where there is something to do, what to do. Used on
 * control paths only; the data path has enums and -errno. */
#ifndef EVERGRANT_COMMON_ERR_H
#define EVERGRANT_COMMON_ERR_H

#include "util.h"

struct err {
        int code; /* 0 or -errno */
        char text[512];
};

/* Fills e (which may be NULL) and returns code, so that a caller can
 * `return err_set(e, -EINVAL, "…")`. Long texts are cut, never overrun. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the text that is there. Returns e->code. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
