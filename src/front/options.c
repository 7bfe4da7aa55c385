/* SPDX-License-Identifier: MIT */
#include "front.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

#define POOL_PAGES_MIN (2 * BLK_DIRECT_SEGS)
#define POOL_PAGES_MAX 65536u

void eg_options_init(struct eg_options *opts)
{
        memset(opts, 0, sizeof(*opts));
        opts->pool_pages = 1056; /* as in Linux: PROTOCOL.md 2.2 */
        opts->persistent = true;
        opts->connect_timeout_ms = 20000;
        opts->close_timeout_ms = 5000;
        opts->queue_bytes = 16u << 20;
        opts->max_indirect_segs = 32; /* likewise */
        opts->queues = 1;
        opts->polling = EG_POLLING_AUTO;
}

int front_options_check(struct eg_options *opts, struct err *e)
{
        if (opts->ring_order > BLK_MAX_RING_ORDER)
                return err_set(e, -EINVAL, "ring order %u: give 0 to %u",
                               opts->ring_order, BLK_MAX_RING_ORDER);
        if (opts->pool_pages < POOL_PAGES_MIN ||
            opts->pool_pages > POOL_PAGES_MAX)
                return err_set(e, -EINVAL, "a pool of %u pages: give %u to %u",
                               opts->pool_pages, POOL_PAGES_MIN,
                               POOL_PAGES_MAX);
        if (opts->reconnect > EG_RECONNECT_NEVER)
                return err_set(e, -EINVAL, "unknown reconnect policy %u",
                               (unsigned)opts->reconnect);
        if (opts->max_indirect_segs > FRONT_MAX_SEGS)
                return err_set(e, -EINVAL,
                               "indirect requests of %u segments: give 0 to %u",
                               opts->max_indirect_segs, FRONT_MAX_SEGS);
        if (opts->queues < 1 || opts->queues > FRONT_MAX_QUEUES)
                return err_set(e, -EINVAL, "%u queues: give 1 to %u",
                               opts->queues, FRONT_MAX_QUEUES);
        if (opts->polling > EG_POLLING_ON)
                return err_set(e, -EINVAL, "unknown polling mode %u",
                               (unsigned)opts->polling);
        for (size_t i = 0; i < ARRAY_SIZE(opts->reserved); i++) {
                if (opts->reserved[i])
                        return err_set(e, -EINVAL,
                                       "eg_options was not filled by "
                                       "eg_options_init");
        }
        return 0;
}

struct err *front_err(void)
{
        static _Thread_local struct err last;

        return &last;
}

const char *eg_error(void)
{
        const struct err *e = front_err();

        return e->code ? e->text : "no error";
}

const char *eg_state_name(enum eg_state s)
{
        static const char *const names[] = {"connecting", "connected", "gone",
                                            "error"};

        return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "unknown";
}

static void name_log(void)
{
        log_set_name("libevergrant");
}

void front_log(struct eg_disk *d, enum eg_log_level level, const char *fmt, ...)
{
        static pthread_once_t named = PTHREAD_ONCE_INIT;
        char line[512];
        va_list ap;

        pthread_once(&named, name_log);
        va_start(ap, fmt);
        vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        if (d->opts.log)
                d->opts.log(d->opts.log_arg, level, line);
        else
                log_line((enum log_level)level, "%s: %s", d->name, line);
}
