/* SPDX-License-Identifier: MIT */
/* libxencall.so.1 on pocketxen: the real libxenctrl opens on it, and each
 * hypercall that is made through it is one that this hypervisor lacks. */
#include "here.h"

#include <stddef.h>
#include <xencall.h>

struct xencall_handle {
        struct px_here here;
};

PX_PUBLIC xencall_handle *xencall_open(struct xentoollog_logger *logger,
                                       unsigned open_flags)
{
        return (xencall_handle *)px_here_open();
}

PX_PUBLIC int xencall_close(xencall_handle *xcall)
{
        return px_here_close((struct px_here *)xcall);
}

PX_PUBLIC int xencall_fd(xencall_handle *xcall)
{
        return xcall->here.conn.fd;
}

/* ---- memory that a hypercall may point to ---------------------------------
 */

PX_PUBLIC void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
        size_t room = (size + PXW_PAGE - 1) & ~(size_t)(PXW_PAGE - 1);

        if (room < size) {
                errno = ENOMEM;
                return NULL;
        }
        return aligned_alloc(PXW_PAGE, room ? room : PXW_PAGE);
}

PX_PUBLIC void xencall_free_buffer(xencall_handle *xcall, void *p)
{
        free(p);
}

PX_PUBLIC void *xencall_alloc_buffer_pages(xencall_handle *xcall,
                                           size_t nr_pages)
{
        if (nr_pages > SIZE_MAX / PXW_PAGE) {
                errno = ENOMEM;
                return NULL;
        }
        return xencall_alloc_buffer(xcall, nr_pages * PXW_PAGE);
}

PX_PUBLIC void xencall_free_buffer_pages(xencall_handle *xcall, void *p,
                                         size_t nr_pages)
{
        xencall_free_buffer(xcall, p);
}

PX_PUBLIC int xencall_buffers_never_fault(xencall_handle *xcall)
{
        return 1; /* nobody looks into them */
}

/* ---- the calls ------------------------------------------------------------
 */

PX_PUBLIC int xencall0(xencall_handle *xcall, unsigned int op)
{
        return px_not_here();
}

PX_PUBLIC int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
        return xencall0(xcall, op);
}

PX_PUBLIC int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                       uint64_t arg2)
{
        return xencall0(xcall, op);
}

PX_PUBLIC int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                       uint64_t arg2, uint64_t arg3)
{
        return xencall0(xcall, op);
}

PX_PUBLIC int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                       uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
        return xencall0(xcall, op);
}

PX_PUBLIC int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                       uint64_t arg2, uint64_t arg3, uint64_t arg4,
                       uint64_t arg5)
{
        return xencall0(xcall, op);
}

PX_PUBLIC long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                         uint64_t arg2)
{
        return xencall0(xcall, op);
}
