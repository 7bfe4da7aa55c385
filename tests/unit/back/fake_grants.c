/* SPDX-License-Identifier: MIT */
#include "fake_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "xen/grants.h"
#include "xen/shares.h"

#define GREFS 4096u
#define SHARES_FIRST 1024u /* pages that xen_shares_share hands out */

struct xen_grants {
        struct xen_grant_counters count;
};
struct xen_shares {
        int unused;
};

struct mapping {
        void *at;
        unsigned n;
        bool writable;
        uint32_t refs[64];
        struct mapping *next;
};

static struct {
        int fd;
        uint8_t *mem;
        struct {
                bool granted, readonly;
                unsigned page;
                struct fake_gref seen;
        } grefs[GREFS];
        struct mapping *mappings;
        struct fake_totals totals;
        unsigned enomem;
        bool shares_work;
} g = {.fd = -1};

pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;

void fake_reset(void)
{
        pthread_mutex_lock(&fake_lock);
        if (g.fd < 0) {
                g.fd = memfd_create("guest", MFD_CLOEXEC);
                if (ftruncate(g.fd, FAKE_PAGES * (off_t)GRANT_PAGE_BYTES))
                        abort();
                g.mem = mmap(NULL, FAKE_PAGES * (size_t)GRANT_PAGE_BYTES,
                             PROT_READ | PROT_WRITE, MAP_SHARED, g.fd, 0);
        }
        memset(g.mem, 0, FAKE_PAGES * (size_t)GRANT_PAGE_BYTES);
        memset(g.grefs, 0, sizeof(g.grefs));
        memset(&g.totals, 0, sizeof(g.totals));
        g.enomem = 0;
        g.shares_work = false;
        fake_ports_reset();
        pthread_mutex_unlock(&fake_lock);
}

uint8_t *fake_page(unsigned page)
{
        return g.mem + page * (size_t)GRANT_PAGE_BYTES;
}

void fake_grant(uint32_t gref, unsigned page, bool readonly)
{
        pthread_mutex_lock(&fake_lock);
        g.grefs[gref].granted = true;
        g.grefs[gref].readonly = readonly;
        g.grefs[gref].page = page;
        pthread_mutex_unlock(&fake_lock);
}

void fake_revoke(uint32_t gref)
{
        pthread_mutex_lock(&fake_lock);
        g.grefs[gref].granted = false;
        pthread_mutex_unlock(&fake_lock);
}

struct fake_gref fake_gref(uint32_t gref)
{
        struct fake_gref out;

        pthread_mutex_lock(&fake_lock);
        out = g.grefs[gref].seen;
        pthread_mutex_unlock(&fake_lock);
        return out;
}

struct fake_totals fake_totals(void)
{
        struct fake_totals out;

        pthread_mutex_lock(&fake_lock);
        out = g.totals;
        pthread_mutex_unlock(&fake_lock);
        return out;
}

void fake_handles(int change)
{
        pthread_mutex_lock(&fake_lock);
        g.totals.handles += (unsigned)change;
        pthread_mutex_unlock(&fake_lock);
}

void fake_map_enomem(unsigned n)
{
        pthread_mutex_lock(&fake_lock);
        g.enomem = n;
        pthread_mutex_unlock(&fake_lock);
}

void fake_shares_work(bool works)
{
        g.shares_work = works;
}

/* ---- xen/grants.h --------------------------------------------------------*/

int xen_grants_open(struct xen_grants **out)
{
        *out = calloc(1, sizeof(**out));
        fake_handles(1);
        return 0;
}

void xen_grants_close(struct xen_grants *x)
{
        if (x)
                fake_handles(-1);
        free(x);
}

void xen_grants_note_calls(struct xen_grants *x, uint64_t *since_ns)
{
}

static bool allowed(uint32_t gref, bool writable)
{
        return gref < GREFS && g.grefs[gref].granted &&
               !(writable && g.grefs[gref].readonly);
}

static int map_locked(struct mapping *m)
{
        if (g.enomem) {
                g.enomem--;
                return -ENOMEM;
        }
        for (unsigned i = 0; i < m->n; i++)
                if (!allowed(m->refs[i], m->writable))
                        return -EINVAL;
        m->at = mmap(NULL, m->n * (size_t)GRANT_PAGE_BYTES, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < m->n; i++) {
                struct fake_gref *seen = &g.grefs[m->refs[i]].seen;

                mmap((char *)m->at + i * (size_t)GRANT_PAGE_BYTES,
                     GRANT_PAGE_BYTES,
                     PROT_READ | (m->writable ? PROT_WRITE : 0),
                     MAP_SHARED | MAP_FIXED, g.fd,
                     g.grefs[m->refs[i]].page * (off_t)GRANT_PAGE_BYTES);
                seen->maps++;
                if (seen->maps > seen->maps_high)
                        seen->maps_high = seen->maps;
                seen->writable_maps += m->writable;
                seen->map_calls++;
                seen->readonly_map_calls += !m->writable;
        }
        m->next = g.mappings;
        g.mappings = m;
        g.totals.mapped_pages += m->n;
        g.totals.map_calls++;
        g.totals.map_pages += m->n;
        return 0;
}

int xen_grants_map(struct xen_grants *x, uint32_t domid, const uint32_t *refs,
                   unsigned n, bool writable, void **pages)
{
        struct mapping *m = calloc(1, sizeof(*m));
        int ret;

        *m = (struct mapping){.n = n, .writable = writable};
        memcpy(m->refs, refs, n * sizeof(*refs));
        pthread_mutex_lock(&fake_lock);
        ret = map_locked(m);
        if (ret) {
                x->count.map_failures++;
                g.totals.map_failures++;
                free(m);
        } else {
                x->count.map_calls++;
                x->count.map_pages += n;
                *pages = m->at;
        }
        pthread_mutex_unlock(&fake_lock);
        return ret;
}

void xen_grants_unmap(struct xen_grants *x, void *pages, unsigned n)
{
        struct mapping **at = &g.mappings, *m;

        pthread_mutex_lock(&fake_lock);
        while (*at && (*at)->at != pages)
                at = &(*at)->next;
        m = *at;
        if (!m || m->n != n)
                abort(); /* what the kernel would refuse */
        *at = m->next;
        for (unsigned i = 0; i < n; i++) {
                g.grefs[m->refs[i]].seen.maps--;
                g.grefs[m->refs[i]].seen.writable_maps -= m->writable;
        }
        munmap(m->at, n * (size_t)GRANT_PAGE_BYTES);
        x->count.unmap_calls++;
        x->count.unmap_pages += n;
        g.totals.mapped_pages -= n;
        g.totals.unmap_calls++;
        g.totals.unmap_pages += n;
        free(m);
        pthread_mutex_unlock(&fake_lock);
}

int xen_grants_copy(struct xen_grants *x, uint32_t domid, bool to_guest,
                    struct xen_copy_seg *segs, unsigned n)
{
        int ret = 0;

        pthread_mutex_lock(&fake_lock);
        for (unsigned i = 0; i < n; i++) {
                struct xen_copy_seg *s = &segs[i];
                uint8_t *guest;

                s->ok = allowed(s->gref, to_guest) &&
                        s->offset_bytes + s->len_bytes <= GRANT_PAGE_BYTES;
                if (!s->ok) {
                        ret = -EIO;
                        continue;
                }
                guest = fake_page(g.grefs[s->gref].page) + s->offset_bytes;
                if (to_guest)
                        memcpy(guest, s->local, s->len_bytes);
                else
                        memcpy(s->local, guest, s->len_bytes);
                x->count.copy_segments++;
                g.totals.copy_segments++;
        }
        x->count.copy_calls++;
        g.totals.copy_calls++;
        pthread_mutex_unlock(&fake_lock);
        return ret;
}

void xen_grants_counters(const struct xen_grants *x,
                         struct xen_grant_counters *out)
{
        *out = x->count;
}

/* ---- xen/shares.h --------------------------------------------------------*/

int xen_shares_open(struct xen_shares **s)
{
        if (!g.shares_work)
                return -ENOENT;
        *s = calloc(1, sizeof(**s));
        fake_handles(1);
        return 0;
}

void xen_shares_close(struct xen_shares *s)
{
        if (s)
                fake_handles(-1);
        free(s);
}

int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **pages)
{
        for (unsigned i = 0; i < n; i++) {
                refs[i] = SHARES_FIRST + i;
                fake_grant(refs[i], SHARES_FIRST + i, !writable);
        }
        *pages = fake_page(SHARES_FIRST);
        return 0;
}

void xen_shares_unshare(struct xen_shares *s, void *pages, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                fake_revoke(SHARES_FIRST + i);
}
