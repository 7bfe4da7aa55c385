/* SPDX-License-Identifier: MIT */
#include "control_json.h"

#include "common/latency.h"

#include <string.h>

struct counter {
        const char *name;
        size_t offset;
};
#define C(field)                                           \
        {                                                  \
#field, offsetof(struct back_stats, field) \
        }

/* Every number of struct back_stats but the two tables. */
static const struct counter counters[] = {
        C(reads),
        C(writes),
        C(flushes),
        C(barriers),
        C(discards),
        C(read_bytes),
        C(write_bytes),
        C(discard_bytes),
        C(errors),
        C(unsupported),
        C(bad_grants),
        C(kicks),
        C(empty_kicks),
        C(notifies),
        C(inflight),
        C(inflight_high),
        C(via_persistent),
        C(via_map),
        C(via_copy),
        C(hits),
        C(misses),
        C(in_use),
        C(overflows),
        C(no_memory),
        C(evicted_lru),
        C(evicted_idle),
        C(kept),
        C(kept_high),
        C(cap),
        C(map_calls),
        C(map_pages),
        C(unmap_calls),
        C(unmap_pages),
        C(map_failures),
        C(maps_given_up),
        C(unmap_failures),
        C(copy_calls),
        C(copy_segments),
        C(slow_grant_calls),
        C(held_events),
        C(lost_events),
        C(ring_broken),
};
/* A counter that is added there has to be added here. */
_Static_assert(sizeof(struct back_stats) ==
                       sizeof(uint64_t) * (ARRAY_SIZE(counters) + BLK_VERDICTS +
                                           LATENCY_BUCKETS),
               "struct back_stats has a counter without a row");

static void add(struct json_object *o, const char *name, uint64_t value)
{
        json_object_object_add(o, name, json_object_new_uint64(value));
}

static struct json_object *refused(const struct back_stats *s)
{
        struct json_object *o = json_object_new_object();

        for (unsigned v = BLK_VALID + 1; v < BLK_VERDICTS; v++)
                add(o, blk_verdict_name((enum blk_verdict)v), s->refused[v]);
        return o;
}

static struct json_object *latency(const struct back_stats *s)
{
        static const struct {
                const char *name;
                unsigned per_mille;
        } rows[] = {{"p50", 500}, {"p99", 990}, {"p999", 999}};
        struct json_object *o = json_object_new_object();

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                uint64_t ns =
                        latency_quantile_ns(s->latency, rows[i].per_mille);

                json_object_object_add(
                        o, rows[i].name,
                        json_object_new_double((double)ns / 1000));
        }
        return o;
}

static struct json_object *numbers(const struct back_stats *s)
{
        struct json_object *c = json_object_new_object();

        for (unsigned i = 0; i < ARRAY_SIZE(counters); i++) {
                uint64_t v;

                memcpy(&v, (const char *)s + counters[i].offset, sizeof(v));
                add(c, counters[i].name, v);
        }
        json_object_object_add(c, "refused", refused(s));
        return c;
}

void control_json_counters(struct json_object *o, const struct disk *k)
{
        struct json_object *rings = json_object_new_array();
        struct back_stats all = {0}, one;

        for (unsigned i = 0; i < k->nrings; i++) {
                struct json_object *r;

                if (!k->rings[i].queue)
                        continue;
                r = json_object_new_object();
                back_queue_stats(k->rings[i].queue, &one);
                back_stats_sum(&all, &one);
                add(r, "queue", i);
                add(r, "io_thread", k->rings[i].io_thread);
                add(r, "max_persistent", k->rings[i].share.cap);
                json_object_object_add(r, "counters", numbers(&one));
                json_object_array_add(rings, r);
        }
        json_object_object_add(o, "counters", numbers(&all));
        json_object_object_add(o, "latency_us", latency(&all));
        json_object_object_add(o, "rings", rings);
}
