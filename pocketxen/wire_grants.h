/* SPDX-License-Identifier: MIT */
/* Pin and unpin of a grant entry in shared memory: the checks and compare and
 * exchange steps that Xen makes, plus an owner record that survives a SIGKILL
 * of the process. Used by the drop-ins and by the server. */
#ifndef POCKETXEN_WIRE_GRANTS_H
#define POCKETXEN_WIRE_GRANTS_H

#include "wire.h"

#include <sched.h>

/* A domain's grants as mapped into this process. */
struct pxw_grants {
        struct pxw_grant_header *header;
        struct grant_entry_v1 *entries;
        struct pxw_active *active;
};

static inline struct pxw_grants pxw_grants_at(void *base, uint32_t entries)
{
        char *p = base;

        return (struct pxw_grants){(void *)p,
                                   (void *)(p + PXW_GRANT_ENTRIES_OFFSET),
                                   (void *)(p + pxw_active_offset(entries))};
}

static inline void pxw_lock(struct pxw_active *act, uint32_t id)
{
        uint32_t free_lock = 0;
        unsigned spins = 0;

        while (!__atomic_compare_exchange_n(&act->lock, &free_lock, id, 0,
                                            __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED)) {
                free_lock = 0;
                if (++spins > 100)
                        sched_yield();
        }
}

static inline void pxw_unlock(struct pxw_active *act)
{
        __atomic_store_n(&act->lock, 0, __ATOMIC_RELEASE);
}

/* flags and domid change together: one 32-bit word, as Xen takes them. */
static inline uint32_t *pxw_entry_word(struct grant_entry_v1 *e)
{
        return (uint32_t *)(void *)e;
}

/* Sets GTF_reading (and GTF_writing) if the entry permits domid to do so. */
static inline int pxw_entry_take(struct grant_entry_v1 *e, uint32_t domid,
                                 int writable)
{
        uint32_t old = __atomic_load_n(pxw_entry_word(e), __ATOMIC_RELAXED);
        uint32_t want;

        do {
                if ((old & GTF_type_mask) != GTF_permit_access ||
                    old >> 16 != domid)
                        return GNTST_general_error;
                if (writable && (old & GTF_readonly))
                        return GNTST_general_error;
                want = old | GTF_reading | (writable ? GTF_writing : 0);
        } while (!__atomic_compare_exchange_n(pxw_entry_word(e), &old, want, 0,
                                              __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED));
        return GNTST_okay;
}

/* Makes the entry's flags follow the counts. Under the lock. */
static inline void pxw_entry_settle(struct grant_entry_v1 *e,
                                    const struct pxw_active *act)
{
        uint32_t clear = 0;

        if (!act->writers)
                clear |= GTF_writing;
        if (!act->readers)
                clear |= GTF_reading;
        if (clear)
                __atomic_and_fetch(pxw_entry_word(e), ~clear, __ATOMIC_SEQ_CST);
}

/* Pins ref for domid, remembered in *record. GNTST_okay and the frame, or a
 * GNTST_ error with nothing changed. */
static inline int pxw_pin(const struct pxw_grants *g, uint32_t id,
                          uint64_t *record, uint32_t slot, uint32_t domid,
                          uint32_t ref, int writable, uint32_t *frame)
{
        struct pxw_active *act;
        int status;

        if (ref >= g->header->entries)
                return GNTST_bad_gntref;
        act = &g->active[ref];
        __atomic_store_n(record,
                         pxw_record(PXW_REC_PENDING, writable, slot, ref),
                         __ATOMIC_SEQ_CST);
        pxw_lock(act, id);
        status = __atomic_load_n(&g->header->dying, __ATOMIC_RELAXED)
                         ? GNTST_bad_domain
                         : pxw_entry_take(&g->entries[ref], domid, writable);
        if (status == GNTST_okay) {
                *frame = __atomic_load_n(&g->entries[ref].frame,
                                         __ATOMIC_RELAXED);
                act->readers++;
                act->writers += (uint32_t)(writable != 0);
                if (*frame >= g->header->frames) {
                        act->readers--;
                        act->writers -= (uint32_t)(writable != 0);
                        pxw_entry_settle(&g->entries[ref], act);
                        status = GNTST_bad_page;
                }
        }
        if (status == GNTST_okay)
                __atomic_store_n(
                        record, pxw_record(PXW_REC_PINNED, writable, slot, ref),
                        __ATOMIC_SEQ_CST);
        pxw_unlock(act);
        if (status != GNTST_okay)
                __atomic_store_n(record, PXW_REC_FREE, __ATOMIC_SEQ_CST);
        return status;
}

/* Under the lock: takes a pin out of the counts. The record stays pending as
 * long as the lock is held, so that it names the lock of a process that was
 * killed. */
static inline void pxw_uncount(const struct pxw_grants *g, uint64_t *record)
{
        uint64_t r = __atomic_load_n(record, __ATOMIC_RELAXED);
        struct pxw_active *act = &g->active[pxw_record_ref(r)];

        act->readers--;
        act->writers -= (uint32_t)pxw_record_writable(r);
        pxw_entry_settle(&g->entries[pxw_record_ref(r)], act);
        __atomic_store_n(record,
                         pxw_record(PXW_REC_PENDING, 0, pxw_record_slot(r),
                                    pxw_record_ref(r)),
                         __ATOMIC_SEQ_CST);
}

/* Undoes a pin and frees its record. */
static inline void pxw_unpin(const struct pxw_grants *g, uint32_t id,
                             uint64_t *record)
{
        uint64_t r = __atomic_load_n(record, __ATOMIC_RELAXED);
        uint32_t ref = pxw_record_ref(r);
        struct pxw_active *act;

        if (pxw_record_state(r) != PXW_REC_PINNED || ref >= g->header->entries)
                return;
        act = &g->active[ref];
        pxw_lock(act, id);
        pxw_uncount(g, record);
        pxw_unlock(act);
        __atomic_store_n(record, PXW_REC_FREE, __ATOMIC_SEQ_CST);
}

#endif
