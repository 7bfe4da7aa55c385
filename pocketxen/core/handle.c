/* SPDX-License-Identifier: MIT */
#include "fault.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_owner(struct px_handle *h)
{
        h->owner_fd = memfd_create("pocketxen-owner", MFD_CLOEXEC);
        if (h->owner_fd < 0 ||
            ftruncate(h->owner_fd, sizeof(struct pxw_owner)) < 0)
                return -errno;
        h->owner = mmap(NULL, sizeof(struct pxw_owner), PROT_READ | PROT_WRITE,
                        MAP_SHARED, h->owner_fd, 0);
        if (h->owner == MAP_FAILED) {
                h->owner = NULL;
                return -ENOMEM;
        }
        h->owner->id = h->id;
        return 0;
}

int px_handle_open(struct px_world *w, struct px_domain *d, enum pxw_kind kind,
                   struct px_handle **out)
{
        struct px_handle *h;
        int ret = 0;

        if (d->dying)
                return -ESRCH;
        h = calloc(1, sizeof(*h));
        if (!h)
                return -ENOMEM;
        h->world = w;
        h->dom = d;
        h->kind = kind;
        h->id = w->next_handle++;
        h->owner_fd = h->event_fd = -1;
        LIST_INIT(&h->actions);
        LIST_INSERT_HEAD(&w->handles, h, link);
        if (kind == PXW_GRANTS_HANDLE) {
                ret = open_owner(h);
        } else if (kind == PXW_EVTCHN_HANDLE) {
                h->event_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
                if (h->event_fd < 0)
                        ret = -errno;
                else
                        h->event_fd_id = pxw_eventfd_id(h->event_fd);
        }
        if (ret < 0) {
                px_handle_close(h);
                return ret;
        }
        px_faults_apply(w);
        *out = h;
        return 0;
}

void px_handle_close(struct px_handle *h)
{
        if (h->owner) {
                px_owner_undo(h);
                px_account_fold(h);
                munmap(h->owner, sizeof(*h->owner));
        }
        px_on_unmap_fire_all(h);
        px_unshare_all(h);
        px_ev_close_all(h);
        if (h->owner_fd >= 0)
                close(h->owner_fd);
        if (h->event_fd >= 0)
                close(h->event_fd);
        LIST_REMOVE(h, link);
        free(h);
}
