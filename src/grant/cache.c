/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <errno.h>
#include <bsd/sys/tree.h>
#include <sys/queue.h>

#include "evict.h"

/* One kept grant. On the idle list unless a request holds it; an unused entry
 * is on the spare list instead and in no tree. */
struct entry {
        struct grant_page pub;
        bool held;
        uint64_t last_used_ms;
        RB_ENTRY(entry) node;
        TAILQ_ENTRY(entry) link;
};

RB_HEAD(entry_tree, entry);
TAILQ_HEAD(entry_list, entry);

struct grant_cache {
        struct xen_grants *grants;
        uint32_t domid;
        bool overflowed;      /* since the last eviction */
        uint64_t settle_ms;   /* nothing is unmapped sooner after its use */
        uint64_t released_ms; /* when that was last told */
        struct entry_tree tree;
        struct entry_list idle; /* least recently used first */
        struct entry_list spare;
        struct grant_cache_stats stats;
        struct entry entries[];
};

/* By the peer's number, all 32 bits of it: a difference would wrap. */
static int entry_compare(const struct entry *a, const struct entry *b)
{
        return (a->pub.gref > b->pub.gref) - (a->pub.gref < b->pub.gref);
}

/* libbsd's RB_GENERATE_STATIC wants a BSD macro that glibc lacks. */
RB_GENERATE_INTERNAL(entry_tree, entry, node, entry_compare,
                     static __attribute__((unused)))

static struct entry *entry_of(struct grant_page *page)
{
        return container_of(page, struct entry, pub);
}

static struct entry *find(struct grant_cache *c, uint32_t gref)
{
        struct entry key = {.pub.gref = gref};

        return RB_FIND(entry_tree, &c->tree, &key);
}

int grant_cache_create(struct grant_cache **c, struct xen_grants *g,
                       uint32_t domid, uint32_t cap)
{
        struct grant_cache *new;
        uint64_t bytes;

        *c = NULL;
        if (!mul_u64(cap, sizeof(struct entry), &bytes) ||
            !add_u64(bytes, sizeof(*new), &bytes) || bytes > SIZE_MAX)
                return -ENOMEM;
        new = calloc(1, (size_t)bytes);
        if (!new)
                return -ENOMEM;
        new->grants = g;
        new->domid = domid;
        new->stats.cap = cap;
        RB_INIT(&new->tree);
        TAILQ_INIT(&new->idle);
        TAILQ_INIT(&new->spare);
        for (uint32_t i = 0; i < cap; i++)
                TAILQ_INSERT_TAIL(&new->spare, &new->entries[i], link);
        *c = new;
        return 0;
}

/* e is on neither list. */
static void forget(struct grant_cache *c, struct entry *e)
{
        RB_REMOVE(entry_tree, &c->tree, e);
        xen_grants_unmap(c->grants, e->pub.page, 1);
        e->pub.page = NULL;
        TAILQ_INSERT_HEAD(&c->spare, e, link);
        c->stats.kept--;
}

static void evict(struct grant_cache *c, struct entry *e)
{
        TAILQ_REMOVE(&c->idle, e, link);
        forget(c, e);
}

void grant_cache_destroy(struct grant_cache *c)
{
        struct entry *e;

        if (!c)
                return;
        while ((e = RB_ROOT(&c->tree))) {
                if (!e->held)
                        TAILQ_REMOVE(&c->idle, e, link);
                forget(c, e);
        }
        free(c);
}

static void hold(struct grant_cache *c, struct entry *e)
{
        e->held = true;
        c->stats.held++;
        if (c->stats.held > c->stats.held_high)
                c->stats.held_high = c->stats.held;
}

/* A miss below the cap: there is a spare entry. */
static enum grant_result map_and_keep(struct grant_cache *c, uint32_t gref,
                                      struct grant_page **page)
{
        struct entry *e = TAILQ_FIRST(&c->spare);
        void *mapped;
        int ret;

        /* Writable even for a write request: a later read may use it (S18). */
        ret = xen_grants_map(c->grants, c->domid, &gref, 1, true, &mapped);
        if (ret == -ENOMEM) {
                c->stats.no_memory++;
                return GRANT_NO_MEMORY;
        }
        if (ret < 0) {
                c->stats.bad_refs++;
                return ret == -ETIMEDOUT ? GRANT_GIVEN_UP : GRANT_BAD_REF;
        }
        TAILQ_REMOVE(&c->spare, e, link);
        e->pub.page = mapped;
        e->pub.gref = gref;
        RB_INSERT(entry_tree, &c->tree, e);
        c->stats.misses++;
        c->stats.kept++;
        if (c->stats.kept > c->stats.kept_high)
                c->stats.kept_high = c->stats.kept;
        hold(c, e);
        *page = &e->pub;
        return GRANT_MAPPED;
}

enum grant_result grant_cache_acquire(struct grant_cache *c, uint32_t gref,
                                      struct grant_page **page)
{
        struct entry *e = find(c, gref);

        if (!e) {
                if (c->stats.kept < c->stats.cap)
                        return map_and_keep(c, gref, page);
                c->stats.overflows++;
                c->overflowed = true;
                return GRANT_OVER_LIMIT;
        }
        if (e->held) {
                c->stats.in_use++;
                return GRANT_IN_USE;
        }
        TAILQ_REMOVE(&c->idle, e, link);
        hold(c, e);
        c->stats.hits++;
        *page = &e->pub;
        return GRANT_HIT;
}

void grant_cache_release(struct grant_cache *c, struct grant_page *page,
                         uint64_t now_ms)
{
        struct entry *e = entry_of(page);

        if (!e->held)
                return;
        e->held = false;
        e->last_used_ms = now_ms;
        c->released_ms = now_ms;
        c->stats.held--;
        TAILQ_INSERT_TAIL(&c->idle, e, link);
}

void grant_cache_set_settle(struct grant_cache *c, uint64_t ms)
{
        c->settle_ms = ms;
}

/* Used "after" now: as in evict.c. */
static bool is_settled(const struct grant_cache *c, const struct entry *e,
                       uint64_t now_ms)
{
        if (!c->settle_ms)
                return true;
        return now_ms >= e->last_used_ms &&
               now_ms - e->last_used_ms >= c->settle_ms;
}

/* The next to go; NULL if all that is idle was just in use. */
static struct entry *oldest_settled(struct grant_cache *c, uint64_t now_ms)
{
        struct entry *e = TAILQ_FIRST(&c->idle);

        return e && is_settled(c, e, now_ms) ? e : NULL;
}

unsigned grant_cache_evict(struct grant_cache *c, uint64_t now_ms,
                           uint64_t idle_ms, unsigned max_pages)
{
        struct evict_plan plan = evict_plan_make(c->stats.cap, c->overflowed,
                                                 now_ms, idle_ms, max_pages);
        unsigned evicted = 0;
        struct entry *e;

        c->overflowed = false;
        while ((e = oldest_settled(c, now_ms))) {
                enum evict_reason why =
                        evict_next(&plan, evicted, e->last_used_ms);

                if (why == EVICT_STOP)
                        break;
                evict(c, e);
                evicted++;
                if (why == EVICT_IDLE)
                        c->stats.evicted_idle++;
                else
                        c->stats.evicted_lru++;
        }
        return evicted;
}

unsigned grant_cache_shrink(struct grant_cache *c, unsigned n)
{
        unsigned evicted = 0;
        struct entry *e;

        while (evicted < n && (e = oldest_settled(c, c->released_ms))) {
                evict(c, e);
                evicted++;
        }
        c->stats.evicted_lru += evicted;
        return evicted;
}

void grant_cache_stats(const struct grant_cache *c,
                       struct grant_cache_stats *out)
{
        *out = c->stats;
}

/* Recursion is as deep as the tree: at most 2 log2(n + 1). */
static unsigned depth_below(const struct entry *e)
{
        unsigned left, right;

        if (!e)
                return 0;
        left = depth_below(RB_LEFT(e, node));
        right = depth_below(RB_RIGHT(e, node));
        return 1 + (left > right ? left : right);
}

unsigned grant_cache_tree_depth(const struct grant_cache *c)
{
        return depth_below(RB_ROOT(&c->tree));
}
