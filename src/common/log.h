/* SPDX-License-Identifier: MIT */
/* Logs go to stderr, one line each. Under journald (JOURNAL_STREAM is set)
 * each line starts with the sd-daemon(3) priority prefix. Any thread. */
#ifndef EVERGRANT_COMMON_LOG_H
#define EVERGRANT_COMMON_LOG_H

#include "util.h"

enum log_level { LOG_LVL_ERR, LOG_LVL_WARNING, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* What is shown: this level and the ones before it. Default INFO. */
void log_set_level(enum log_level max);
/* The program's name at the start of each line; not copied. */
void log_set_name(const char *name);

void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_err(...) log_line(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LVL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LVL_DEBUG, __VA_ARGS__)

/* A bucket per domain: at most LOG_LINES_PER_S lines in a second, the next
 * line that passes says how many were left out. A peer can cause a line, it
 * cannot fill a disk (XSA-180). The caller passes the time: nothing here reads
 * a clock. Not thread safe: one bucket belongs to one thread. */
#define LOG_LINES_PER_S 10
struct log_bucket {
        uint64_t second;
        unsigned lines;
        uint64_t suppressed;
};

/* True if a line may be written now; *suppressed says how many were left out
 * before it (0 if none), for the caller to mention. */
bool log_bucket_take(struct log_bucket *b, uint64_t now_ms,
                     uint64_t *suppressed);

/* Copies peer-given bytes with everything but printable ASCII escaped as
 * \xNN; always terminated; cut to size. Returns dst. */
char *log_escape(char *dst, size_t dst_bytes, const char *src,
                 size_t src_bytes);

#endif
