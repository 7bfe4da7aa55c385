/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include <errno.h>
#include <limits.h>
#include <xengnttab.h>

#include "quiet.h"

struct xen_shares {
        xengntshr_handle *handle;
};

int xen_shares_open(struct xen_shares **s)
{
        struct xen_shares *new = calloc(1, sizeof(*new));
        int ret;

        *s = NULL;
        if (!new)
                return -ENOMEM;
        errno = 0;
        new->handle = xengntshr_open(xen_quiet_logger(), 0);
        if (!new->handle) {
                ret = xen_call_error();
                free(new);
                return ret;
        }
        *s = new;
        return 0;
}

void xen_shares_close(struct xen_shares *s)
{
        if (!s)
                return;
        xengntshr_close(s->handle);
        free(s);
}

int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **pages)
{
        void *p;

        *pages = NULL;
        if (n == 0 || n > INT_MAX)
                return -EINVAL;
        errno = 0;
        p = xengntshr_share_pages(s->handle, domid, (int)n, refs, writable);
        if (!p)
                return xen_call_error();
        *pages = p;
        return 0;
}

void xen_shares_unshare(struct xen_shares *s, void *pages, unsigned n)
{
        if (pages)
                (void)xengntshr_unshare(s->handle, pages, n);
}
