/* SPDX-License-Identifier: MIT */
/* The grant cache against a list that is searched from end to end, and the
 * depth of its tree over the orders in which a guest could hand out grefs. */
#include <errno.h>
#include <string.h>

#include "fake_xen.h"
#include "grant/cache.h"
#include "random.h"

#define STEPS 200000
#define MAX_CAP 64
#define S12_PAGES 67584u /* 33 x 512 x 4: PROTOCOL.md 2.2 */

/* What must be kept, least recently released first; held ones anywhere. */
struct model {
        struct kept {
                uint32_t gref;
                bool held;
                uint64_t last_used_ms;
                struct grant_page *page;
        } kept[MAX_CAP];
        unsigned n;
        bool overflowed;
        struct grant_cache_stats want;
};

static struct kept *model_find(struct model *m, uint32_t gref)
{
        for (unsigned i = 0; i < m->n; i++)
                if (m->kept[i].gref == gref)
                        return &m->kept[i];
        return NULL;
}

static void model_remove(struct model *m, unsigned i)
{
        memmove(m->kept + i, m->kept + i + 1,
                (m->n - i - 1) * sizeof(m->kept[0]));
        m->n--;
        m->want.kept--;
}

static uint32_t some_gref(void)
{
        switch (rnd_below(5)) {
        case 0:
                return UINT32_MAX - rnd_below(8);
        case 1:
                return rnd_below(8);
        case 2:
                return rnd_below(16) << 28;
        default:
                return 1000 + rnd_below(90);
        }
}

static void acquire(struct grant_cache *c, struct model *m)
{
        uint32_t gref = some_gref();
        struct kept *k = model_find(m, gref);
        enum grant_result want, got;
        struct grant_page *page = NULL;
        bool full = m->n == m->want.cap;

        fake.fail_all = rnd_below(20) == 0;
        fake.fail_errno = rnd_below(2) ? ENOMEM : EINVAL;
        if (k)
                want = k->held ? GRANT_IN_USE : GRANT_HIT;
        else if (full)
                want = GRANT_OVER_LIMIT;
        else if (fake.fail_all)
                want = fake.fail_errno == ENOMEM ? GRANT_NO_MEMORY
                                                 : GRANT_BAD_REF;
        else
                want = GRANT_MAPPED;
        got = grant_cache_acquire(c, gref, &page);
        check(got == want, "gref %u: got %d, want %d", gref, got, want);
        m->want.hits += want == GRANT_HIT;
        m->want.misses += want == GRANT_MAPPED;
        m->want.in_use += want == GRANT_IN_USE;
        m->want.overflows += want == GRANT_OVER_LIMIT;
        m->want.no_memory += want == GRANT_NO_MEMORY;
        m->want.bad_refs += want == GRANT_BAD_REF;
        m->overflowed |= want == GRANT_OVER_LIMIT;
        if (want == GRANT_MAPPED) {
                k = &m->kept[m->n++];
                *k = (struct kept){.gref = gref, .page = page};
                m->want.kept++;
                memcpy(page->page, &gref, sizeof(gref));
        } else if (want != GRANT_HIT) {
                return;
        }
        check(page == k->page, "another page");
        check(!memcmp(page->page, &gref, sizeof(gref)), "another's memory");
        k->held = true;
        m->want.held++;
        if (m->want.held > m->want.held_high)
                m->want.held_high = m->want.held;
        if (m->want.kept > m->want.kept_high)
                m->want.kept_high = m->want.kept;
}

static void release(struct grant_cache *c, struct model *m, uint64_t now_ms)
{
        struct kept k;
        unsigned i;

        if (m->n == 0)
                return;
        i = rnd_below(m->n);
        if (!m->kept[i].held)
                return;
        grant_cache_release(c, m->kept[i].page, now_ms);
        k = m->kept[i];
        k.held = false;
        k.last_used_ms = now_ms;
        model_remove(m, i);
        m->kept[m->n++] = k;
        m->want.kept++;
        m->want.held--;
}

/* The oldest page that nobody holds; UINT_MAX if there is none. */
static unsigned model_oldest(const struct model *m)
{
        for (unsigned i = 0; i < m->n; i++)
                if (!m->kept[i].held)
                        return i;
        return UINT32_MAX;
}

static void evict(struct grant_cache *c, struct model *m, uint64_t now_ms)
{
        uint64_t idle_ms = rnd_below(2) ? rnd_below(40) : 0;
        unsigned max = rnd_below(6), done = 0, got, i;
        unsigned share = m->want.cap / 20 ? m->want.cap / 20 : 1;
        unsigned room = m->overflowed ? share : 0;

        got = grant_cache_evict(c, now_ms, idle_ms, max);
        while (done < max && (i = model_oldest(m)) != UINT32_MAX) {
                bool idle =
                        idle_ms && now_ms - m->kept[i].last_used_ms >= idle_ms;

                if (!idle && done >= room)
                        break;
                m->want.evicted_idle += idle;
                m->want.evicted_lru += !idle;
                model_remove(m, i);
                done++;
        }
        m->overflowed = false;
        check(got == done, "evicted %u, want %u", got, done);
}

static void shrink(struct grant_cache *c, struct model *m)
{
        unsigned max = rnd_below(4), done = 0, got, i;

        got = grant_cache_shrink(c, max);
        while (done < max && (i = model_oldest(m)) != UINT32_MAX) {
                model_remove(m, i);
                m->want.evicted_lru++;
                done++;
        }
        check(got == done, "shrank by %u, want %u", got, done);
}

static void compare(struct grant_cache *c, struct model *m)
{
        struct grant_cache_stats s;

        grant_cache_stats(c, &s);
        check(!memcmp(&s, &m->want, sizeof(s)), "counters differ");
        check(fake_mapped() == m->n, "%u mapped, want %u", fake_mapped(), m->n);
        check(fake.misuse == 0, "unmapped what was not mapped");
        check(fake.count.map_pages == m->want.misses, "maps != misses");
        check(fake.count.map_calls == fake.count.map_pages,
              "kept grants are mapped one by one");
}

static void random_operations(uint32_t cap)
{
        struct model m;
        struct grant_cache *c;
        uint64_t now_ms = 1;

        memset(&m, 0, sizeof(m));
        m.want.cap = cap;
        fake_reset();
        check(grant_cache_create(&c, fake_grants(), 1, cap) == 0, "create");
        for (unsigned step = 0; step < STEPS; step++) {
                unsigned what = rnd_below(100);

                if (what < 50)
                        acquire(c, &m);
                else if (what < 90)
                        release(c, &m, now_ms);
                else if (what < 96)
                        evict(c, &m, now_ms);
                else if (what < 97)
                        shrink(c, &m);
                else
                        now_ms += rnd_below(10);
                compare(c, &m);
        }
        for (unsigned i = 0; i < m.n; i++)
                check(fake_mapped_gref(m.kept[i].gref) == 1, "not mapped");
        grant_cache_destroy(c);
        check(fake_mapped() == 0, "left %u mapped", fake_mapped());
        check(fake.count.map_pages == fake.count.unmap_pages, "unbalanced");
        check(fake.misuse == 0, "unmapped twice");
        printf("cap %u: %u operations agree\n", cap, STEPS);
}

/* ---- depth ------------------------------------------------------------------
 */

static uint32_t ordered(uint32_t i)
{
        return i;
}
static uint32_t reverse(uint32_t i)
{
        return UINT32_MAX - i;
}
static uint32_t scattered(uint32_t i)
{
        return i * 2654435761u; /* odd: no gref comes twice */
}
/* From both ends to the middle, and from the middle out. */
static uint32_t pincers(uint32_t i)
{
        return i % 2 ? UINT32_MAX - i / 2 : i / 2;
}
static uint32_t outwards(uint32_t i)
{
        return i % 2 ? 0x80000000u + i : 0x80000000u - i;
}
/* As if each page of grants was used bottom-up, pages top-down. */
static uint32_t saw(uint32_t i)
{
        return (200 - i / 512) * 512 + i % 512;
}

/* Largest d with d <= 2 log2(n + 1), that is 2^d <= (n + 1)^2. */
static unsigned most_levels(uint64_t n)
{
        unsigned d = 0;

        while (2ull << d <= (n + 1) * (n + 1))
                d++;
        return d;
}

static void depth_is_bounded(const char *name, uint32_t (*order)(uint32_t))
{
        struct grant_cache *c;
        struct grant_page *p;
        unsigned depth = 0;

        fake_reset();
        check(grant_cache_create(&c, fake_grants(), 1, S12_PAGES) == 0,
              "create");
        for (uint32_t i = 0; i < S12_PAGES; i++) {
                check(grant_cache_acquire(c, order(i), &p) == GRANT_MAPPED,
                      "%s: %u is not new", name, i);
                grant_cache_release(c, p, i);
                if ((i & (i + 1)) && i != S12_PAGES - 1)
                        continue;
                depth = grant_cache_tree_depth(c);
                check(depth <= most_levels(i + 1), "%s: depth %u at %u", name,
                      depth, i + 1);
        }
        printf("%-10s %u entries: depth %u, at most %u\n", name, S12_PAGES,
               depth, most_levels(S12_PAGES));
        for (uint32_t i = 0; i < S12_PAGES; i++) {
                check(grant_cache_acquire(c, order(i), &p) == GRANT_HIT,
                      "%s: %u is lost", name, i);
                grant_cache_release(c, p, i);
        }
        /* Removal must keep it balanced as well. */
        for (uint32_t left = S12_PAGES; left > 1000; left -= 500) {
                check(grant_cache_shrink(c, 500) == 500, "shrink");
                depth = grant_cache_tree_depth(c);
                check(depth <= most_levels(left - 500), "%s: depth %u at %u",
                      name, depth, left - 500);
        }
        grant_cache_destroy(c);
        check(fake_mapped() == 0, "left %u mapped", fake_mapped());
}

static uint32_t permutation[S12_PAGES];
static uint32_t at_random(uint32_t i)
{
        return permutation[i];
}

int main(int argc, char **argv)
{
        rnd_start(argc, argv);
        random_operations(0);
        random_operations(1);
        random_operations(16);
        random_operations(MAX_CAP);

        check(most_levels(1) == 2 && most_levels(3) == 4, "bound");
        depth_is_bounded("ordered", ordered);
        depth_is_bounded("reverse", reverse);
        depth_is_bounded("scattered", scattered);
        depth_is_bounded("pincers", pincers);
        depth_is_bounded("outwards", outwards);
        depth_is_bounded("saw", saw);
        for (uint32_t i = 0; i < S12_PAGES; i++) {
                uint32_t j = rnd_below(i + 1);

                permutation[i] = permutation[j];
                permutation[j] = i * 63550u;
        }
        depth_is_bounded("random", at_random);
        return 0;
}
