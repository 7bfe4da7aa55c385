/* SPDX-License-Identifier: MIT */
/* Numbers, states and formats over reading and writing a string. Apart, so
 * that tests with a xenstore of their own link these as they are. */
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/parse.h"
#include "common/util.h"

int xen_store_read_u64(struct xen_store *s, const char *path, uint64_t max,
                       uint64_t *value)
{
        CLEANUP_FREE char *text = NULL;
        int ret = xen_store_read(s, path, &text);

        if (ret < 0)
                return ret;
        return parse_u64(text, max, value) < 0 ? -EINVAL : 0;
}

int xen_store_read_u64_or(struct xen_store *s, const char *path, uint64_t max,
                          uint64_t absent, uint64_t *value)
{
        int ret = xen_store_read_u64(s, path, max, value);

        if (ret != -ENOENT)
                return ret;
        *value = absent;
        return 0;
}

enum xenbus_state xen_store_read_state(struct xen_store *s, const char *path)
{
        uint64_t state;

        if (xen_store_read_u64(s, path, XENBUS_STATES - 1, &state) < 0)
                return XENBUS_UNKNOWN;
        return (enum xenbus_state)state;
}

int xen_store_printf(struct xen_store *s, const char *path, const char *fmt,
                     ...)
{
        CLEANUP_FREE char *value = NULL;
        va_list ap;
        int len;

        va_start(ap, fmt);
        len = vasprintf(&value, fmt, ap);
        va_end(ap);
        if (len < 0) {
                value = NULL; /* undefined after a failure */
                return -ENOMEM;
        }
        return xen_store_write(s, path, value);
}
