/* SPDX-License-Identifier: MIT */
/* What happened between two answers, per second: a row a disk. */
#include "show.h"

#include <string.h>

#include "table.h"
#include "text.h"
#include "view.h"

static struct json_object *same_disk(struct json_object *reply,
                                     struct json_object *disk)
{
        uint64_t domid, vdev, d, v;

        if (!view_count(disk, "domid", &domid) ||
            !view_count(disk, "vdev", &vdev))
                return NULL;
        for (size_t i = 0; i < view_disks(reply); i++) {
                struct json_object *o = view_disk(reply, i);

                if (view_count(o, "domid", &d) && view_count(o, "vdev", &v) &&
                    d == domid && v == vdev)
                        return o;
        }
        return NULL;
}

/* The growth of a counter, per second. One that fell was started anew. */
static bool rate(struct json_object *before, struct json_object *now,
                 const char *field, double seconds, double *per_second)
{
        double a, b;

        if (!view_number(now, field, &b))
                return false;
        if (!view_number(before, field, &a) || a > b)
                a = 0;
        *per_second = seconds > 0 ? (b - a) / seconds : 0;
        return true;
}

struct row {
        char domain[160];
        char text[10][TEXT_NUMBER_BYTES + 8];
};

static void add_disk(struct table *t, struct json_object *before,
                     struct json_object *now, double seconds)
{
        static const char *const counts[] = {
                "counters.reads",       "counters.writes",
                "counters.hits",        "counters.map_pages",
                "counters.unmap_pages", "counters.copy_segments",
        };
        static const char *const bytes[] = {"counters.read_bytes",
                                            "counters.write_bytes"};
        char number[TEXT_NUMBER_BYTES];
        struct row r;
        double v;
        char *s;

        memset(&r, 0, sizeof(r));
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                s = strcpy(r.text[i], "-");
                if (rate(before, now, counts[i], seconds, &v))
                        text_rate(s, sizeof(r.text[i]), v);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
                s = strcpy(r.text[6 + i], "-");
                if (rate(before, now, bytes[i], seconds, &v))
                        snprintf(s, sizeof(r.text[0]), "%s/s",
                                 text_bytes(number, sizeof(number), v));
        }
        s = strcpy(r.text[8], "-");
        if (view_number(now, "counters.inflight", &v))
                text_count(s, sizeof(r.text[8]), (uint64_t)v);
        s = strcpy(r.text[9], "-");
        if (view_number(now, "latency_us.p99", &v))
                text_duration_ns(s, sizeof(r.text[9]), v * 1000);
        table_add(t,
                  (const char *const[]){
                          view_domain(r.domain, sizeof(r.domain), now),
                          view_string(now, "name", "?"), r.text[0], r.text[6],
                          r.text[1], r.text[7], r.text[2], r.text[3], r.text[4],
                          r.text[5], r.text[8], r.text[9]});
}

void show_rates(struct json_object *before, struct json_object *now,
                double seconds, FILE *f)
{
        struct table t;

        if (view_disks(now) == 0) {
                fprintf(f, "no disks are attached\n");
                return;
        }
        table_init(&t, "DOMAIN|VDEV|>READ IOPS|>READ|>WRITE IOPS|>WRITE|"
                       ">HITS/s|>MAPS/s|>UNMAPS/s|>COPIES/s|>IN FLIGHT|"
                       ">p99 (total)");
        for (size_t i = 0; i < view_disks(now); i++) {
                struct json_object *d = view_disk(now, i);

                add_disk(&t, same_disk(before, d), d, seconds);
        }
        table_print(&t, f);
        table_release(&t);
}
