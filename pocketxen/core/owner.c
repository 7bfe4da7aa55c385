/* SPDX-License-Identifier: MIT */
/* What a handle has mapped, undone when its process is gone: killed anywhere,
 * even inside a pin. */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t records_used(const struct px_handle *h)
{
        uint32_t high = __atomic_load_n(&h->owner->high, __ATOMIC_ACQUIRE);

        return high < PXW_RECORDS ? high : PXW_RECORDS;
}

/* Counts an entry's mappings from the records of all handles. Under the lock,
 * so that no record of it becomes pinned or stops being so. */
static void recount(struct px_world *w, struct px_domain *d, uint32_t ref)
{
        struct pxw_active *act = &d->g.active[ref];
        struct px_handle *h;

        act->readers = act->writers = 0;
        LIST_FOREACH(h, &w->handles, link)
        {
                for (uint32_t i = 0; h->owner && i < records_used(h); i++) {
                        uint64_t r = __atomic_load_n(&h->owner->records[i],
                                                     __ATOMIC_SEQ_CST);

                        if (pxw_record_state(r) != PXW_REC_PINNED ||
                            pxw_record_slot(r) != d->slot ||
                            pxw_record_ref(r) != ref)
                                continue;
                        act->readers++;
                        act->writers += (uint32_t)pxw_record_writable(r);
                }
        }
        pxw_entry_settle(&d->g.entries[ref], act);
}

static bool is_gone(struct px_world *w, uint32_t id)
{
        struct px_handle *h;

        LIST_FOREACH(h, &w->handles, link)
        {
                if (h->id == id)
                        return w->is_gone && w->is_gone(w->is_gone_arg, h);
        }
        return true;
}

/* Several processes may have been killed at once, each inside of a pin: a lock
 * whose holder is gone is taken from it, and what it left half done is counted
 * anew. */
static void lock_entry(struct px_handle *h, struct px_domain *d, uint32_t ref)
{
        uint32_t *lock = &d->g.active[ref].lock;

        for (;;) {
                uint32_t holder = 0;

                if (__atomic_compare_exchange_n(lock, &holder, h->id, 0,
                                                __ATOMIC_ACQUIRE,
                                                __ATOMIC_ACQUIRE))
                        return;
                if ((holder == h->id || is_gone(h->world, holder)) &&
                    __atomic_compare_exchange_n(lock, &holder, h->id, 0,
                                                __ATOMIC_ACQUIRE,
                                                __ATOMIC_RELAXED)) {
                        recount(h->world, d, ref);
                        return;
                }
                sched_yield();
        }
}

static void undo_record(struct px_handle *h, uint64_t *record)
{
        uint64_t r = __atomic_load_n(record, __ATOMIC_SEQ_CST);
        uint32_t slot = pxw_record_slot(r), ref = pxw_record_ref(r);
        struct px_domain *d;

        if (pxw_record_state(r) == PXW_REC_FREE || slot >= PXW_SLOTS)
                return;
        d = h->world->domains[slot];
        if (!d || ref >= d->entries)
                return;
        if (pxw_record_state(r) != PXW_REC_PINNED &&
            __atomic_load_n(&d->g.active[ref].lock, __ATOMIC_SEQ_CST) != h->id)
                return; /* it had not come so far */
        lock_entry(h, d, ref);
        if (pxw_record_state(r) == PXW_REC_PINNED)
                pxw_uncount(&d->g, record);
        __atomic_store_n(record, PXW_REC_FREE, __ATOMIC_SEQ_CST);
        pxw_unlock(&d->g.active[ref]);
}

void px_owner_undo(struct px_handle *h)
{
        for (uint32_t i = 0; i < records_used(h); i++)
                undo_record(h, &h->owner->records[i]);
}

int px_on_unmap_add(struct px_handle *h, const struct pxw_request *r,
                    uint32_t *id)
{
        struct px_domain *d = px_domain_find(h->world, r->a);
        struct px_on_unmap *action;

        if (!d || r->b >= d->entries || (r->c != ~0u && r->c >= PXW_PAGE))
                return -EINVAL;
        action = calloc(1, sizeof(*action));
        if (!action)
                return -ENOMEM;
        *action = (struct px_on_unmap){.id = ++h->next_action,
                                       .domid = r->a,
                                       .ref = r->b,
                                       .offset = r->c,
                                       .port = r->d};
        LIST_INSERT_HEAD(&h->actions, action, link);
        *id = action->id;
        return 0;
}

static void fire(struct px_handle *h, struct px_on_unmap *action)
{
        struct px_domain *d = px_domain_find(h->world, action->domid);

        if (d && action->offset != ~0u) {
                off_t at = (off_t)d->g.entries[action->ref].frame * PXW_PAGE +
                           action->offset;

                (void)!pwrite(d->mem_fd, "", 1, at);
        }
        if (action->port != ~0u) {
                struct px_port *p = action->port < PXW_PORTS
                                            ? &h->dom->ports[action->port]
                                            : NULL;
                struct px_domain *peer =
                        p && p->state == PX_PORT_CONNECTED
                                ? px_domain_find(h->world, p->remote_domid)
                                : NULL;

                if (peer)
                        px_ev_raise(peer, p->remote_port);
        }
        LIST_REMOVE(action, link);
        free(action);
}

int px_on_unmap_fire(struct px_handle *h, uint32_t id)
{
        struct px_on_unmap *action;

        LIST_FOREACH(action, &h->actions, link)
        {
                if (action->id == id) {
                        fire(h, action);
                        return 0;
                }
        }
        return -ENOENT;
}

void px_on_unmap_fire_all(struct px_handle *h)
{
        while (!LIST_EMPTY(&h->actions))
                /* It takes itself off the list, which clang-tidy misses. */
                fire(h, LIST_FIRST(&h->actions)); // NOLINT(*-unix.Malloc)
}
