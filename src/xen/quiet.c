/* SPDX-License-Identifier: MIT */
#include "quiet.h"

#include <errno.h>
#include <xentoollog.h>

static void drop_message(struct xentoollog_logger *logger,
                         xentoollog_level level, int errnoval,
                         const char *context, const char *format, va_list al)
{
}

static struct xentoollog_logger quiet = {.vmessage = drop_message};

struct xentoollog_logger *xen_quiet_logger(void)
{
        return &quiet;
}

int xen_call_error(void)
{
        return errno > 0 ? -errno : -EIO;
}
