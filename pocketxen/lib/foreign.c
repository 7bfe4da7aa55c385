/* SPDX-License-Identifier: MIT */
/* libxenforeignmemory.so.1 on pocketxen: it opens, so that device models start.
 * A domain here has no physical address space to map from: its memory is what
 * it shares. */
#include "here.h"

#include <xenforeignmemory.h>

struct xenforeignmemory_handle {
        struct px_here here;
};

PX_PUBLIC xenforeignmemory_handle *xenforeignmemory_open(
        struct xentoollog_logger *logger, unsigned open_flags)
{
        return (xenforeignmemory_handle *)px_here_open();
}

PX_PUBLIC int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
        return px_here_close((struct px_here *)fmem);
}

PX_PUBLIC void *xenforeignmemory_map2(xenforeignmemory_handle *fmem,
                                      uint32_t dom, void *addr, int prot,
                                      int flags, size_t pages,
                                      const xen_pfn_t *arr, int *err)
{
        px_not_here();
        return NULL;
}

PX_PUBLIC void *xenforeignmemory_map(xenforeignmemory_handle *fmem,
                                     uint32_t dom, int prot, size_t pages,
                                     const xen_pfn_t *arr, int *err)
{
        return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

PX_PUBLIC int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                                     size_t pages)
{
        return px_not_here();
}

PX_PUBLIC int xenforeignmemory_restrict(xenforeignmemory_handle *fmem,
                                        domid_t domid)
{
        return px_not_here();
}

PX_PUBLIC xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
        xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
        unsigned int id, unsigned long frame, unsigned long nr_frames,
        void **paddr, int prot, int flags)
{
        px_not_here();
        return NULL;
}

PX_PUBLIC int xenforeignmemory_unmap_resource(
        xenforeignmemory_handle *fmem, xenforeignmemory_resource_handle *fres)
{
        return px_not_here();
}

PX_PUBLIC int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem,
                                             domid_t domid, unsigned int type,
                                             unsigned int id, size_t *size)
{
        return px_not_here();
}
