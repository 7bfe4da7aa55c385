/* SPDX-License-Identifier: MIT */
/* src/xen, faked at link time: one guest's memory, its grants, its event
 * channels, and faults on demand. Everything is under one lock, so that the
 * test's thread can play the guest. */
#ifndef EVERGRANT_TESTS_BACK_FAKE_XEN_H
#define EVERGRANT_TESTS_BACK_FAKE_XEN_H

#include "common/util.h"

#define FAKE_PAGES 2048u
#define FAKE_PORTS 64u

/* Forgets all grants, ports and faults; the memory is zeroed. */
void fake_reset(void);

/* ---- memory and grants ---------------------------------------------------*/

/* The guest's own view of its page. */
uint8_t *fake_page(unsigned page);
void fake_grant(uint32_t gref, unsigned page, bool readonly);
void fake_revoke(uint32_t gref); /* no new maps; those there are stay */

struct fake_gref {
        unsigned maps, maps_high, writable_maps; /* now */
        unsigned map_calls, readonly_map_calls;  /* ever */
};
struct fake_gref fake_gref(uint32_t gref);

struct fake_totals {
        unsigned mapped_pages; /* now */
        unsigned map_calls, map_pages, unmap_calls, unmap_pages, map_failures;
        unsigned copy_calls, copy_segments;
        unsigned handles; /* open now, grants and event channels */
};
struct fake_totals fake_totals(void);

/* The next n calls of xen_grants_map fail with -ENOMEM. */
void fake_map_enomem(unsigned n);
/* Everything about shares works; otherwise they cannot be opened. */
void fake_shares_work(bool works);

/* ---- event channels ------------------------------------------------------*/

/* The guest's port `remote`, waiting for a backend. */
void fake_port_offer(uint32_t remote);
bool fake_port_bound(uint32_t remote);
/* An event for whoever bound it; false if nobody has. */
bool fake_port_kick(uint32_t remote);
/* Events that the backend sent to it. */
unsigned fake_port_events(uint32_t remote);
/* How often the backend asked which port is pending. */
unsigned fake_ports_asked(void);

#endif
