/* SPDX-License-Identifier: MIT */
/* Owner records of a gnttab handle and the pins behind them. */
#include "gnttab.h"

#include <errno.h>
#include <stdlib.h>

int px_record_get(xengnttab_handle *h)
{
        uint32_t i;

        if (h->nfree)
                return (int)h->free_records[--h->nfree];
        i = h->owner->high;
        if (i >= PXW_RECORDS)
                return -1;
        __atomic_store_n(&h->owner->high, i + 1, __ATOMIC_RELEASE);
        return (int)i;
}

void px_record_put(xengnttab_handle *h, uint32_t index)
{
        h->free_records[h->nfree++] = index;
}

int px_pin_ref(xengnttab_handle *h, struct px_attached *a, uint32_t ref,
               int writable, uint32_t *record, uint32_t *frame)
{
        int i = px_record_get(h);
        int status;

        if (i < 0)
                return GNTST_no_device_space;
        status = pxw_pin(&a->g, h->owner->id, &h->owner->records[i], a->slot,
                         h->conn.domid, ref, writable, frame);
        if (status != GNTST_okay)
                px_record_put(h, (uint32_t)i);
        *record = (uint32_t)i;
        return status;
}

void px_unpin_ref(xengnttab_handle *h, struct px_attached *a, uint32_t record)
{
        pxw_unpin(&a->g, h->owner->id, &h->owner->records[record]);
        px_record_put(h, record);
}

void px_warm_sweep(xengnttab_handle *h)
{
        for (unsigned i = 0; i < PX_DOMID_CACHE; i++) {
                if (h->warm[i] && px_attach_dying(h->warm[i])) {
                        px_detach(h->warm[i]);
                        h->warm[i] = NULL;
                }
        }
        px_attach_sweep();
}

struct px_attached *px_warm(xengnttab_handle *h, uint32_t domid)
{
        struct px_attached **w = &h->warm[domid % PX_DOMID_CACHE];

        if (*w && (*w)->domid == domid && !px_attach_dying(*w))
                return *w;
        px_warm_sweep(h);
        if (*w)
                px_detach(*w);
        *w = px_attach(&h->conn, domid);
        return *w;
}
