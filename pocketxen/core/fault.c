/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>

int px_fault_add(struct px_world *w, const struct px_fault *f)
{
        struct px_fault *n = malloc(sizeof(*n));

        if (!n)
                return -ENOMEM;
        *n = *f;
        n->id = ++w->next_fault;
        TAILQ_INSERT_TAIL(&w->faults, n, link);
        px_faults_apply(w);
        return (int)n->id;
}

int px_fault_remove(struct px_world *w, uint32_t id)
{
        struct px_fault *f = TAILQ_FIRST(&w->faults), *next;
        bool found = id == 0;

        for (; f; f = next) {
                next = TAILQ_NEXT(f, link);
                if (id && f->id != id)
                        continue;
                TAILQ_REMOVE(&w->faults, f, link);
                free(f);
                found = true;
        }
        px_faults_apply(w);
        return found ? 0 : -ENOENT;
}

static bool is(uint32_t wanted, uint32_t domid)
{
        return wanted == PX_ANY || wanted == domid;
}

void px_faults_apply(struct px_world *w)
{
        struct px_handle *h;
        struct px_fault *f;

        LIST_FOREACH(h, &w->handles, link)
        {
                uint32_t ops = 0;

                TAILQ_FOREACH(f, &w->faults, link)
                if (is(f->by, h->dom->domid)) // NOLINT(*-unix.Malloc)
                        ops |= f->op & (PXW_FAULT_MAP | PXW_FAULT_UNMAP |
                                        PXW_FAULT_COPY);
                if (h->owner)
                        __atomic_store_n(&h->owner->faults, ops,
                                         __ATOMIC_SEQ_CST);
        }
        for (unsigned i = 0; i < PXW_SLOTS; i++) {
                struct px_domain *d = w->domains[i];
                uint32_t ops = 0;

                if (!d)
                        continue;
                TAILQ_FOREACH(f, &w->faults, link)
                if (is(f->of, d->domid)) // NOLINT(*-unix.Malloc)
                        ops |= f->op;
                d->weak_revoke = (ops & PXW_FAULT_REVOKE) != 0;
                __atomic_store_n(&d->events->faults, ops & PXW_FAULT_EVENT,
                                 __ATOMIC_SEQ_CST);
        }
}

/* Counts the match; true if it gets the fault. */
static bool strikes(struct px_fault *f, uint32_t op, uint32_t by, uint32_t of,
                    uint32_t ref)
{
        if (f->op != op || !is(f->by, by) || !is(f->of, of) || ref < f->first ||
            ref > f->last)
                return false;
        if (++f->seen < f->nth || (f->times && f->given >= f->times))
                return false;
        return true;
}

struct px_grant_verdict px_fault_grant(struct px_world *w, uint32_t op,
                                       uint32_t by, uint32_t of, uint32_t ref)
{
        struct px_grant_verdict v = {GNTST_okay, 0, 0};
        bool decided = false;
        struct px_fault *f;

        TAILQ_FOREACH(f, &w->faults, link)
        {
                if (!strikes(f, op, by, of, ref) || decided)
                        continue;
                f->given++;
                decided = f->kind != PX_FAULT_SLOW;
                if (f->kind == PX_FAULT_STATUS)
                        v.status = f->value;
                else if (f->kind == PX_FAULT_UNTOUCHED)
                        v.status = PXW_STATUS_UNTOUCHED;
                else if (f->kind == PX_FAULT_ERRNO)
                        v.error = f->value;
                else
                        v.slow_ms += (uint32_t)f->value;
        }
        return v;
}

/* xorshift64*: the same seed gives the same faults. */
static uint32_t next_random(struct px_fault *f, uint32_t below)
{
        uint64_t x = f->random ? f->random : 0x9e3779b97f4a7c15ull;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        f->random = x;
        return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 33) % below;
}

struct px_event_verdict px_fault_event(struct px_world *w, uint32_t by,
                                       uint32_t of, uint32_t port)
{
        struct px_event_verdict v = {0};
        struct px_fault *f;

        TAILQ_FOREACH(f, &w->faults, link)
        {
                uint32_t value = (uint32_t)f->value;

                if (!strikes(f, PXW_FAULT_EVENT, by, of, port))
                        continue;
                if (f->kind == PX_FAULT_DELAY)
                        v.delay_ms += next_random(f, value + 1);
                else if (f->kind == PX_FAULT_CLOSE)
                        v.close = true;
                else if (next_random(f, 100) >= value)
                        continue;
                else if (f->kind == PX_FAULT_DROP)
                        v.drop = true;
                else
                        v.dup = true;
                f->given++;
        }
        return v;
}
