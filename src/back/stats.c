/* SPDX-License-Identifier: MIT */
#include "stats.h"
#include "queue.h"
#include "thread.h"

/* Once more only when the control thread has taken the last word. */
static void tell_unmap_failure(struct back_queue *q)
{
        if (!q->p.trouble || stat_get(&q->unmaps_posted))
                return;
        stat_set(&q->unmaps_posted, 1);
        back_control_post(&q->unmaps);
}

void back_account(struct back_queue *q)
{
        struct xen_grant_counters now;
        const struct xen_grant_counters *last;
        struct back_stats *s = &q->stats;

        if (!q->grants)
                return;
        last = &q->grants->accounted;
        xen_grants_counters(q->grants->xen, &now);
        stat_add(&s->map_calls, now.map_calls - last->map_calls);
        stat_add(&s->map_pages, now.map_pages - last->map_pages);
        stat_add(&s->map_failures, now.map_failures - last->map_failures);
        stat_add(&s->maps_given_up, now.maps_given_up - last->maps_given_up);
        stat_add(&s->unmap_failures, now.unmap_failures - last->unmap_failures);
        stat_add(&s->unmap_calls, now.unmap_calls - last->unmap_calls);
        stat_add(&s->unmap_pages, now.unmap_pages - last->unmap_pages);
        stat_add(&s->copy_calls, now.copy_calls - last->copy_calls);
        stat_add(&s->copy_segments, now.copy_segments - last->copy_segments);
        stat_add(&s->slow_grant_calls, now.slow_calls - last->slow_calls);
        if (now.unmap_failures != last->unmap_failures)
                tell_unmap_failure(q);
        q->grants->accounted = now;
}

void back_stats_sync_cache(struct back_queue *q)
{
        struct grant_cache_stats c;
        struct back_stats *s = &q->stats;

        if (!q->cache)
                return;
        grant_cache_stats(q->cache, &c);
        stat_set(&s->hits, c.hits);
        stat_set(&s->misses, c.misses);
        stat_set(&s->in_use, c.in_use);
        stat_set(&s->overflows, c.overflows);
        stat_set(&s->no_memory, c.no_memory);
        stat_set(&s->evicted_lru, c.evicted_lru);
        stat_set(&s->evicted_idle, c.evicted_idle);
        stat_set(&s->kept, c.kept);
        stat_set(&s->kept_high, c.kept_high);
        stat_set(&s->cap, c.cap);
}

void back_queue_stats(const struct back_queue *q, struct back_stats *out)
{
        const uint64_t *from = (const uint64_t *)&q->stats;
        uint64_t *to = (uint64_t *)out;

        _Static_assert(sizeof(*out) % sizeof(uint64_t) == 0, "all words");
        for (size_t i = 0; i < sizeof(*out) / sizeof(uint64_t); i++)
                to[i] = stat_get(&from[i]);
}

void back_stats_sum(struct back_stats *sum, const struct back_stats *one)
{
        const uint64_t *from = (const uint64_t *)one;
        uint64_t *to = (uint64_t *)sum;

        for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
                to[i] += from[i];
}
