/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char units[] = "kMGT";

static int parse_digits(const char *s, uint64_t *value, const char **end)
{
        uint64_t v = 0;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++) {
                if (!mul_u64(v, 10, &v) ||
                    !add_u64(v, (uint64_t)(*s - '0'), &v))
                        return -ERANGE;
        }
        *value = v;
        *end = s;
        return 0;
}

int parse_u64(const char *s, uint64_t max, uint64_t *value)
{
        const char *end;
        uint64_t v;
        int ret = parse_digits(s, &v, &end);

        if (ret < 0)
                return ret;
        if (*end)
                return -EINVAL;
        if (v > max)
                return -ERANGE;
        *value = v;
        return 0;
}

int parse_size(const char *s, uint64_t *bytes)
{
        const char *end, *unit;
        uint64_t v;
        int ret = parse_digits(s, &v, &end);

        if (ret < 0)
                return ret;
        if (*end) {
                char c = (char)(*end == 'K' ? 'k' : *end);

                if (c == 'm' || c == 'g' || c == 't')
                        c = (char)(c - 'a' + 'A');
                unit = strchr(units, c);
                if (!unit || end[1])
                        return -EINVAL;
                if (!mul_u64(v, 1ull << (10 * (unit - units + 1)), &v))
                        return -ERANGE;
        }
        *bytes = v;
        return 0;
}

char *format_size(char *dst, size_t dst_bytes, uint64_t bytes)
{
        int unit = -1;

        while (bytes && bytes % 1024 == 0 && unit < 3) {
                bytes /= 1024;
                unit++;
        }
        if (unit < 0)
                snprintf(dst, dst_bytes, "%" PRIu64, bytes);
        else
                snprintf(dst, dst_bytes, "%" PRIu64 "%c", bytes, units[unit]);
        return dst;
}
