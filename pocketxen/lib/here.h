/* SPDX-License-Identifier: MIT */
/* What the drop-ins for Xen's privileged interfaces share: opening succeeds in
 * a domain of pocketxen, and nothing behind it is emulated. */
#ifndef POCKETXEN_LIB_HERE_H
#define POCKETXEN_LIB_HERE_H

#include "conn.h"

#include <errno.h>
#include <stdlib.h>

#define PX_PUBLIC __attribute__((visibility("default")))

/* Behind each of the three libraries' handles. */
struct px_here {
        struct px_conn conn;
};

/* NULL and errno where this is no domain of pocketxen, or not a live one. */
static inline struct px_here *px_here_open(void)
{
        struct px_here *h = calloc(1, sizeof(*h));

        if (h && px_conn_open(&h->conn, PXW_CALLS_HANDLE, true, NULL) < 0) {
                free(h);
                return NULL;
        }
        return h;
}

static inline int px_here_close(struct px_here *h)
{
        if (h)
                px_conn_close(&h->conn);
        free(h);
        return 0;
}

/* What a hypervisor says of a call that it does not have. */
static inline int px_not_here(void)
{
        errno = ENOSYS;
        return -1;
}

#endif
