/* SPDX-License-Identifier: MIT */
/* What each ring of a disk does by itself, where a disk has several. */
#include "show.h"

#include "text.h"
#include "view.h"

static size_t rings_of(struct json_object *disk, struct json_object **rings)
{
        *rings = view_field(disk, "rings");
        return json_object_is_type(*rings, json_type_array)
                       ? json_object_array_length(*rings)
                       : 0;
}

static void print_ring(FILE *f, struct json_object *ring)
{
        static const struct {
                const char *before, *field, *after;
        } items[] = {
                {", I/O thread ", "io_thread", ""},
                {", reads ", "counters.reads", ""},
                {", writes ", "counters.writes", ""},
                {", in flight ", "counters.inflight", ""},
                {", kept ", "counters.kept", ""},
                {" of ", "max_persistent", " pages"},
                {", held ", "counters.held_events", ""},
                {", lost ", "counters.lost_events", ""},
        };
        char text[TEXT_NUMBER_BYTES];
        uint64_t n;

        if (!view_count(ring, "queue", &n))
                return;
        fprintf(f, "  %-12s%llu", "ring", (unsigned long long)n);
        for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
                if (view_count(ring, items[i].field, &n))
                        fprintf(f, "%s%s%s", items[i].before,
                                text_count(text, sizeof(text), n),
                                items[i].after);
        }
        fputc('\n', f);
}

void show_rings(struct json_object *disk, FILE *f)
{
        struct json_object *rings;
        size_t n = rings_of(disk, &rings);

        for (size_t i = 0; n > 1 && i < n; i++)
                print_ring(f, json_object_array_get_idx(rings, i));
}

/* ---- Prometheus -----------------------------------------------------------*/

static const struct ring_metric {
        const char *name; /* the same in adjacent rows: one metric */
        const char *type, *help, *label, *field;
} metrics[] = {
        {"ring_requests_total", "counter", "Requests answered, by ring.",
         ",op=\"read\"", "counters.reads"},
        {"ring_requests_total", NULL, NULL, ",op=\"write\"", "counters.writes"},
        {"ring_inflight_requests", "gauge",
         "Requests of a ring not answered yet.", "", "counters.inflight"},
        {"ring_kept_pages", "gauge", "Guest pages that a ring keeps mapped.",
         "", "counters.kept"},
        {"ring_kept_pages_cap", "gauge",
         "Most guest pages that a ring may keep.", "", "max_persistent"},
        {"ring_held_events_total", "counter",
         "Times that a ring's event channel stayed masked.", "",
         "counters.held_events"},
        {"ring_lost_events_total", "counter",
         "Times that a ring's requests came without an event.", "",
         "counters.lost_events"},
};

static void put_rings(const struct ring_metric *m, struct json_object *disk,
                      FILE *f)
{
        struct json_object *rings;
        size_t n = rings_of(disk, &rings);
        char name[64];

        snprintf(name, sizeof(name), "evergrant_%s", m->name);
        for (size_t i = 0; i < n; i++) {
                struct json_object *r = json_object_array_get_idx(rings, i);
                uint64_t ring, v;

                if (!view_count(r, "queue", &ring) ||
                    !view_count(r, m->field, &v))
                        continue;
                show_metric_disk(name, disk, f);
                fprintf(f, ",ring=\"%llu\"%s} %llu\n", (unsigned long long)ring,
                        m->label, (unsigned long long)v);
        }
}

void show_prometheus_rings(struct json_object *reply, FILE *f)
{
        for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
                const struct ring_metric *m = &metrics[i];

                if (m->help)
                        fprintf(f,
                                "# HELP evergrant_%s %s\n"
                                "# TYPE evergrant_%s %s\n",
                                m->name, m->help, m->name, m->type);
                for (size_t d = 0; d < view_disks(reply); d++)
                        put_rings(m, view_disk(reply, d), f);
        }
}
