/* SPDX-License-Identifier: MIT */
/* There is no dma-buf without a kernel: these are here so that programs link
 * and can find out. */
#include "gnttab.h"

#include <errno.h>

static int not_here(void)
{
        errno = ENOSYS;
        return -1;
}

PX_PUBLIC int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *h,
                                             uint32_t domid, uint32_t flags,
                                             uint32_t count,
                                             const uint32_t *refs, uint32_t *fd)
{
        return not_here();
}

PX_PUBLIC int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *h,
                                                 uint32_t fd,
                                                 uint32_t wait_to_ms)
{
        return not_here();
}

PX_PUBLIC int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *h, uint32_t domid,
                                           uint32_t fd, uint32_t count,
                                           uint32_t *refs)
{
        return not_here();
}

PX_PUBLIC int xengnttab_dmabuf_imp_release(xengnttab_handle *h, uint32_t fd)
{
        return not_here();
}
