/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum log_level max_level = LOG_LVL_INFO;
static const char *program = "evergrant";

void log_set_level(enum log_level max)
{
        max_level = max;
}

void log_set_name(const char *name)
{
        program = name;
}

void log_line(enum log_level level, const char *fmt, ...)
{
        /* sd-daemon(3): err 3, warning 4, info 6, debug 7. */
        static const char prefix[][4] = {"<3>", "<4>", "<6>", "<7>"};
        static const char word[][10] = {"error: ", "warning: ", "", "debug: "};
        char line[1024];
        va_list ap;
        int n;

        if (level > max_level)
                return;
        n = snprintf(line, sizeof(line), "%s%s: %s",
                     getenv("JOURNAL_STREAM") ? prefix[level] : "", program,
                     word[level]);
        va_start(ap, fmt);
        n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
        va_end(ap);
        if ((size_t)n >= sizeof(line) - 1)
                n = (int)sizeof(line) - 2;
        line[n] = '\n';
        /* One write call a line, so that lines of threads do not mix. */
        (void)!write(STDERR_FILENO, line, (size_t)n + 1);
}

bool log_bucket_take(struct log_bucket *b, uint64_t now_ms,
                     uint64_t *suppressed)
{
        uint64_t second = now_ms / 1000;

        if (second != b->second) {
                b->second = second;
                b->lines = 0;
        }
        if (b->lines >= LOG_LINES_PER_S) {
                b->suppressed++;
                return false;
        }
        b->lines++;
        *suppressed = b->suppressed;
        b->suppressed = 0;
        return true;
}

char *log_escape(char *dst, size_t dst_bytes, const char *src, size_t src_bytes)
{
        size_t at = 0;

        for (size_t i = 0; i < src_bytes; i++) {
                unsigned char c = (unsigned char)src[i];
                bool plain = c >= 0x20 && c < 0x7f && c != '\\';

                if (at + (plain ? 1 : 4) >= dst_bytes)
                        break;
                if (plain)
                        dst[at++] = (char)c;
                else
                        at += (size_t)sprintf(dst + at, "\\x%02x", c);
        }
        if (dst_bytes)
                dst[at] = '\0';
        return dst;
}
