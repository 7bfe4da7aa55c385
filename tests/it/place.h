/* SPDX-License-Identifier: MIT */
/* Where a test's program is: what its shell script exported, and which domain
 * of pocketxen the handles belong to that are opened next. */
#ifndef TESTS_IT_PLACE_H
#define TESTS_IT_PLACE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static inline const char *place_env(const char *name)
{
        const char *v = getenv(name);

        if (!v)
                fail_msg("%s is not set: run the test's shell script", name);
        return v;
}

/* Handles that are opened now belong to the domain. */
static inline void place_enter(uint32_t domid)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/d%u/xen", place_env("POCKETXEN_DIR"),
                 domid);
        setenv("POCKETXEN_SOCKET", path, 1);
        snprintf(path, sizeof(path), "%s/d%u/xs", place_env("POCKETXEN_DIR"),
                 domid);
        setenv("XENSTORED_PATH", path, 1);
}

/* To no domain: this process's shells would die with it. */
static inline void place_leave(void)
{
        unsetenv("POCKETXEN_SOCKET");
        unsetenv("XENSTORED_PATH");
}

#endif
