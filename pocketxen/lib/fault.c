/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void wait_ms(uint32_t ms)
{
        struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

        while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
                ;
}

static int ask_some(xengnttab_handle *h, uint32_t op, uint32_t domid,
                    uint32_t n, const uint32_t *refs, int *status,
                    struct pxw_shared *out)
{
        struct pxw_request r = {
                .op = PXW_GRANT_FAULT, .a = op, .b = domid, .n = n};
        struct pxw_reply reply;

        /* Without a server there is nobody to set faults. */
        if (px_call(&h->conn, &r, refs, &reply, out, n, NULL) < 0 ||
            reply.n != n)
                return 0;
        for (uint32_t i = 0; i < n; i++)
                status[i] = (int32_t)out[i].frame;
        if (reply.b)
                wait_ms(reply.b);
        return (int)reply.a;
}

int px_fault_ask(xengnttab_handle *h, uint32_t op, uint32_t domid, uint32_t n,
                 const uint32_t *refs, int *status)
{
        uint32_t most = n < PXW_SHARE_MAX ? n : PXW_SHARE_MAX;
        struct pxw_shared *out = malloc(most * sizeof(*out));
        int error = 0;

        for (uint32_t i = 0; i < n; i++)
                status[i] = GNTST_okay;
        for (uint32_t i = 0, now; out && i < n && !error; i += now) {
                now = n - i < most ? n - i : most;
                error = ask_some(h, op, domid, now, refs + i, status + i, out);
        }
        free(out);
        return error;
}

static int error_of(int status)
{
        switch (status) {
        case GNTST_okay:
                return 0;
        case GNTST_eagain:
                return EAGAIN;
        default:
                return EINVAL;
        }
}

int px_fault_map(xengnttab_handle *h, uint32_t count, const uint32_t *domids,
                 unsigned step, const uint32_t *refs)
{
        int *status = malloc(count * sizeof(*status));
        int error = 0, worst = 0;

        if (!status)
                return ENOMEM;
        for (size_t i = 0, n; i < count && !error; i += n) {
                for (n = 1; i + n < count; n++)
                        if (domids[(i + n) * step] != domids[i * step])
                                break;
                error = px_fault_ask(h, PXW_FAULT_MAP, domids[i * step],
                                     (uint32_t)n, refs + i, status + i);
        }
        for (uint32_t i = 0; i < count && !error; i++)
                if (worst == 0 || worst == EAGAIN)
                        worst = error_of(status[i]) ? error_of(status[i])
                                                    : worst;
        free(status);
        return error ? error : worst;
}
