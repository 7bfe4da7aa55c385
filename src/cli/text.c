/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at s that may go to a terminal; 0 if it must be
 * hidden: a control character (C0, C1) or no UTF-8. */
static size_t plain_bytes(const unsigned char *s)
{
        size_t n = s[0] < 0x80   ? 1
                   : s[0] < 0xc2 ? 0
                   : s[0] < 0xe0 ? 2
                   : s[0] < 0xf0 ? 3
                   : s[0] < 0xf5 ? 4
                                 : 0;

        if (n == 1)
                return s[0] >= 0x20 && s[0] != 0x7f;
        if (s[0] == 0xc2 && s[1] < 0xa0)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        }
        return n;
}

char *text_plain(char *dst, size_t dst_bytes, const char *src)
{
        const unsigned char *s = (const unsigned char *)src;
        size_t at = 0;

        while (*s) {
                size_t n = plain_bytes(s);

                if (at + (n ? n : 4) >= dst_bytes)
                        break;
                if (n)
                        memcpy(dst + at, s, n);
                else
                        sprintf(dst + at, "\\x%02x", *s);
                at += n ? n : 4;
                s += n ? n : 1;
        }
        if (dst_bytes)
                dst[at] = '\0';
        return dst;
}

char *text_count(char *dst, size_t dst_bytes, uint64_t n)
{
        char digits[24], out[32];
        int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
        int at = 0;

        for (int i = 0; i < len; i++) {
                if (i && (len - i) % 3 == 0)
                        out[at++] = ',';
                out[at++] = digits[i];
        }
        out[at] = '\0';
        snprintf(dst, dst_bytes, "%s", out);
        return dst;
}

/* Three digits that mean something; no fraction where there is none. */
static void three_digits(char *dst, size_t dst_bytes, double v)
{
        int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

        if (v == (double)(uint64_t)v)
                decimals = 0;
        snprintf(dst, dst_bytes, "%.*f", decimals, v);
}

/* What can come out of a damaged answer: no number, or none that fits. */
static bool sane(double v)
{
        return v >= 0 && v < 1e18;
}

char *text_bytes(char *dst, size_t dst_bytes, double bytes)
{
        static const char *const unit[] = {"B",   "KiB", "MiB",
                                           "GiB", "TiB", "PiB"};
        char number[32];
        size_t u = 0;

        if (!sane(bytes)) {
                snprintf(dst, dst_bytes, "?");
                return dst;
        }
        for (; bytes >= 1024 && u + 1 < ARRAY_SIZE(unit); u++)
                bytes /= 1024;
        three_digits(number, sizeof(number), bytes);
        snprintf(dst, dst_bytes, "%s %s", number, unit[u]);
        return dst;
}

char *text_duration_ns(char *dst, size_t dst_bytes, double ns)
{
        static const char *const unit[] = {"ns", "µs", "ms", "s"};
        char number[32];
        size_t u = 0;

        if (!sane(ns)) {
                snprintf(dst, dst_bytes, "?");
                return dst;
        }
        for (; ns >= 1000 && u + 1 < ARRAY_SIZE(unit); u++)
                ns /= 1000;
        three_digits(number, sizeof(number), ns);
        snprintf(dst, dst_bytes, "%s %s", number, unit[u]);
        return dst;
}

char *text_rate(char *dst, size_t dst_bytes, double per_second)
{
        if (!sane(per_second))
                snprintf(dst, dst_bytes, "?");
        else if (per_second >= 100)
                text_count(dst, dst_bytes, (uint64_t)(per_second + 0.5));
        else
                three_digits(dst, dst_bytes, per_second);
        return dst;
}

size_t text_width(const char *s)
{
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}
