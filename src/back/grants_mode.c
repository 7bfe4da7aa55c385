/* SPDX-License-Identifier: MIT */
#include "back.h"

#include <errno.h>
#include <string.h>

static const char *const names[] = {
        [BACK_AUTO] = "auto",
        [BACK_PERSISTENT] = "persistent",
        [BACK_MAP] = "map",
        [BACK_COPY] = "copy",
};

const char *back_grants_name(enum back_grants g)
{
        return (unsigned)g < ARRAY_SIZE(names) ? names[g] : "unknown";
}

int back_grants_parse(const char *s, enum back_grants *g)
{
        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
                if (!strcmp(s, names[i])) {
                        *g = (enum back_grants)i;
                        return 0;
                }
        }
        return -EINVAL;
}
