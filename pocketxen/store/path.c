/* SPDX-License-Identifier: MIT */
#include "store/internal.h"

#include <stdio.h>

static bool valid_char(unsigned char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/' ||
               c == '@';
}

/* The length of a leading "/local/domain/N/", which the limit leaves out: all
 * domains may go equally deep, whatever the length of their number. */
static size_t domain_prefix(const char *path, size_t len)
{
        static const char home[] = "/local/domain/";
        size_t at = sizeof(home) - 1;
        size_t digits = 0;

        if (len < at || memcmp(path, home, at) != 0)
                return 0;
        while (at < len && path[at] >= '0' && path[at] <= '9' && digits < 5) {
                at++;
                digits++;
        }
        return digits && at < len && path[at] == '/' ? at + 1 : 0;
}

bool path_is_valid(const char *path, size_t len, unsigned max)
{
        if (len == 0 || path[0] != '/')
                return false;
        if (len > 1 && path[len - 1] == '/')
                return false;
        for (size_t i = 0; i < len; i++) {
                if (!valid_char((unsigned char)path[i]))
                        return false;
                if (i && path[i] == '/' && path[i - 1] == '/')
                        return false;
        }
        return len < PATH_BYTES && len - domain_prefix(path, len) <= max;
}

int path_canonical(char *out, const char *name, uint32_t domid, unsigned max)
{
        int n;

        if (name[0] == '@') /* a special name, not a relative path */
                return -EINVAL;
        if (name[0] == '/')
                n = snprintf(out, PATH_BYTES, "%s", name);
        else
                n = snprintf(out, PATH_BYTES, "/local/domain/%u/%s", domid,
                             name);
        if (n >= PATH_BYTES || !path_is_valid(out, (size_t)n, max))
                return -EINVAL;
        return n;
}

size_t path_parent(const char *path, size_t len)
{
        while (len > 1 && path[len - 1] != '/')
                len--;
        return len > 1 ? len - 1 : 1;
}

const char *path_name(const char *path, size_t len)
{
        while (len > 0 && path[len - 1] != '/')
                len--;
        return path + len;
}
