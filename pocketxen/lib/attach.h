/* SPDX-License-Identifier: MIT */
/* Other domains' memory and grant tables in this process, fetched once and
 * shared by all gnttab handles: a warm map asks the server nothing. */
#ifndef POCKETXEN_LIB_ATTACH_H
#define POCKETXEN_LIB_ATTACH_H

#include "../wire_grants.h"
#include "conn.h"

struct px_attached {
        struct px_attached *next;
        uint32_t domid, slot;
        uint32_t users; /* atomic: warm caches and mapped pages rely on it */
        int mem_fd;
        void *map;
        uint64_t map_bytes;
        struct pxw_grants g;
};

/* The attachment of a live domain with a user more, or NULL and errno (ESRCH,
 * ENOMEM). */
struct px_attached *px_attach(struct px_conn *c, uint32_t domid);
/* One user more, by somebody who is one. */
void px_attach_more(struct px_attached *a);
void px_detach(struct px_attached *a);
/* Lets go of dead domains that nothing is mapped from. */
void px_attach_sweep(void);
/* Its domain is dead; asked by a user. */
bool px_attach_dying(const struct px_attached *a);

/* Around fork, and the child's start without any of it. */
void px_attach_lock(void);
void px_attach_unlock(void);

#endif
