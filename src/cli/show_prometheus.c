/* SPDX-License-Identifier: MIT */
/* The Prometheus text exposition format: all samples of a metric together,
 * HELP and TYPE once, base units. A field that the answer lacks makes no
 * sample: 0 would be a claim. */
#include "show.h"

#include <string.h>

#include "view.h"

#define P "evergrant_"

struct metric {
        const char *name; /* the same in adjacent rows: one metric */
        const char *type, *help;
        const char *label; /* name="value", or NULL */
        const char *field; /* of a disk */
        double factor;     /* to the base unit; 0: 1 */
};

#define COUNTER(n, h, l, f)                                     \
        {                                                       \
                P n "_total", "counter", h, l, "counters." f, 0 \
        }
#define GAUGE(n, h, l, f)                \
        {                                \
                P n, "gauge", h, l, f, 0 \
        }

static const struct metric metrics[] = {
        GAUGE("disk_size_bytes", "Size of the disk.", NULL, "size_bytes"),
        COUNTER("requests", "Requests answered.", "op=\"read\"", "reads"),
        COUNTER("requests", NULL, "op=\"write\"", "writes"),
        COUNTER("requests", NULL, "op=\"flush\"", "flushes"),
        COUNTER("requests", NULL, "op=\"barrier\"", "barriers"),
        COUNTER("requests", NULL, "op=\"discard\"", "discards"),
        COUNTER("bytes", "Bytes of requests that succeeded.", "op=\"read\"",
                "read_bytes"),
        COUNTER("bytes", NULL, "op=\"write\"", "write_bytes"),
        COUNTER("bytes", NULL, "op=\"discard\"", "discard_bytes"),
        COUNTER("errors", "Requests answered with an error.", NULL, "errors"),
        COUNTER("unsupported", "Requests answered with not supported.", NULL,
                "unsupported"),
        COUNTER("bad_grants", "Requests that failed for a grant.", NULL,
                "bad_grants"),
        COUNTER("events_received", "Events from the guest.", NULL, "kicks"),
        COUNTER("events_empty", "Events that brought no request.", NULL,
                "empty_kicks"),
        COUNTER("events_held", "Times that the event channel stayed masked.",
                NULL, "held_events"),
        COUNTER("events_lost", "Times that requests came without an event.",
                NULL, "lost_events"),
        COUNTER("events_sent", "Events to the guest.", NULL, "notifies"),
        GAUGE("inflight_requests", "Requests not answered yet.", NULL,
              "counters.inflight"),
        GAUGE("inflight_requests_max", "Most requests in flight so far.", NULL,
              "counters.inflight_high"),
        COUNTER("requests_by_path", "Requests by how their data was reached.",
                "path=\"persistent\"", "via_persistent"),
        COUNTER("requests_by_path", NULL, "path=\"map\"", "via_map"),
        COUNTER("requests_by_path", NULL, "path=\"copy\"", "via_copy"),
        COUNTER("cache_hits", "Grants found mapped.", NULL, "hits"),
        COUNTER("cache_misses", "Grants mapped to be kept.", NULL, "misses"),
        COUNTER("cache_in_use", "Grants that another request held.", NULL,
                "in_use"),
        COUNTER("cache_overflows", "Grants over the cap, mapped but not kept.",
                NULL, "overflows"),
        COUNTER("cache_no_memory", "Grants not kept for want of mappings.",
                NULL, "no_memory"),
        COUNTER("cache_evicted", "Kept grants given up.", "reason=\"lru\"",
                "evicted_lru"),
        COUNTER("cache_evicted", NULL, "reason=\"idle\"", "evicted_idle"),
        GAUGE("kept_pages", "Guest pages kept mapped.", NULL, "counters.kept"),
        GAUGE("kept_pages_max", "Most guest pages kept so far.", NULL,
              "counters.kept_high"),
        GAUGE("kept_pages_cap", "Most guest pages that may be kept.", NULL,
              "counters.cap"),
        COUNTER("map_calls", "Grant map calls.", NULL, "map_calls"),
        COUNTER("map_pages", "Pages mapped.", NULL, "map_pages"),
        COUNTER("unmap_calls", "Grant unmap calls.", NULL, "unmap_calls"),
        COUNTER("unmap_pages", "Pages unmapped.", NULL, "unmap_pages"),
        COUNTER("map_failures", "Grant map calls that failed.", NULL,
                "map_failures"),
        COUNTER("copy_calls", "Grant copy calls.", NULL, "copy_calls"),
        COUNTER("copy_segments", "Segments copied.", NULL, "copy_segments"),
        COUNTER("slow_grant_calls", "Grant calls that took over 10 ms.", NULL,
                "slow_grant_calls"),
        GAUGE("ring_broken", "1 if the guest's ring index was impossible.",
              NULL, "counters.ring_broken"),
        {P "latency_seconds", "gauge",
         "Time from request to answer since the disk was connected.",
         "quantile=\"0.5\"", "latency_us.p50", 1e-6},
        {P "latency_seconds", "gauge", NULL, "quantile=\"0.99\"",
         "latency_us.p99", 1e-6},
        {P "latency_seconds", "gauge", NULL, "quantile=\"0.999\"",
         "latency_us.p999", 1e-6},
};

/* Values of labels: backslash, quote and newline are escaped. */
static void put_escaped(FILE *f, const char *s)
{
        for (; *s; s++) {
                if (*s == '\n')
                        fputs("\\n", f);
                else if (*s == '\\' || *s == '"')
                        fprintf(f, "\\%c", *s);
                else
                        fputc(*s, f);
        }
}

static void put_label(FILE *f, const char *comma, const char *name,
                      const char *value)
{
        fprintf(f, "%s%s=\"", comma, name);
        put_escaped(f, value);
        fputc('"', f);
}

void show_metric_disk(const char *metric, struct json_object *disk, FILE *f)
{
        uint64_t domid = 0;
        char id[24];

        snprintf(id, sizeof(id), "%s", "");
        if (view_count(disk, "domid", &domid))
                snprintf(id, sizeof(id), "%llu", (unsigned long long)domid);
        fprintf(f, "%s{", metric);
        put_label(f, "", "domid", id);
        put_label(f, ",", "domain", view_string(disk, "domain", ""));
        put_label(f, ",", "vdev", view_string(disk, "name", ""));
}

static void put_value(FILE *f, struct json_object *disk, const char *field,
                      double factor)
{
        uint64_t n;
        double v;

        if (factor == 0 && view_count(disk, field, &n))
                fprintf(f, " %llu\n", (unsigned long long)n);
        else if (view_number(disk, field, &v))
                fprintf(f, " %.9g\n", v * (factor == 0 ? 1 : factor));
}

static void put_metric(FILE *f, const struct metric *m,
                       struct json_object *reply)
{
        double v;

        if (m->help)
                fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help,
                        m->name, m->type);
        for (size_t i = 0; i < view_disks(reply); i++) {
                struct json_object *disk = view_disk(reply, i);

                if (!view_number(disk, m->field, &v))
                        continue;
                if (m->factor != 0 && v == 0)
                        continue; /* no time was measured yet */
                show_metric_disk(m->name, disk, f);
                fprintf(f, "%s%s}", m->label ? "," : "",
                        m->label ? m->label : "");
                put_value(f, disk, m->field, m->factor);
        }
}

/* The reasons are evergrantd's to name. */
static void put_refused(FILE *f, struct json_object *reply)
{
        static const char name[] = P "refused_total";

        fprintf(f,
                "# HELP %s Requests that were refused as invalid.\n"
                "# TYPE %s counter\n",
                name, name);
        for (size_t i = 0; i < view_disks(reply); i++) {
                struct json_object *disk = view_disk(reply, i);
                struct json_object *o = view_field(disk, "counters.refused");

                if (!json_object_is_type(o, json_type_object))
                        continue;
                json_object_object_foreach(o, reason, count)
                {
                        show_metric_disk(name, disk, f);
                        put_label(f, ",", "reason", reason);
                        fprintf(f, "} %llu\n",
                                (unsigned long long)json_object_get_uint64(
                                        count));
                }
        }
}

static void put_info(FILE *f, struct json_object *reply)
{
        static const char *const labels[] = {"target",        "driver",
                                             "state",         "grants_asked",
                                             "grants_served", "protocol"};

        fprintf(f, "# HELP " P "disk_info What the disk is, as labels.\n"
                   "# TYPE " P "disk_info gauge\n");
        for (size_t i = 0; i < view_disks(reply); i++) {
                struct json_object *disk = view_disk(reply, i);

                show_metric_disk(P "disk_info", disk, f);
                for (size_t l = 0; l < ARRAY_SIZE(labels); l++)
                        put_label(f, ",", labels[l],
                                  view_string(disk, labels[l], ""));
                fprintf(f, "} 1\n");
        }
}

static void put_gauge(FILE *f, struct json_object *daemon, const char *name,
                      const char *field, const char *help)
{
        uint64_t v;

        if (view_count(daemon, field, &v))
                fprintf(f, "# HELP %s %s\n# TYPE %s gauge\n%s %llu\n", name,
                        help, name, name, (unsigned long long)v);
}

void show_prometheus(struct json_object *reply, FILE *f)
{
        struct json_object *d = view_field(reply, "daemon");

        fprintf(f, "# HELP " P "build_info The version of evergrantd.\n"
                   "# TYPE " P "build_info gauge\n" P "build_info{");
        put_label(f, "", "version", view_string(d, "version", ""));
        fprintf(f, "} 1\n");
        put_gauge(f, d, P "io_threads", "io_threads", "I/O threads.");
        put_gauge(f, d, P "kept_pages_budget", "map_budget",
                  "Guest pages that all disks together may keep mapped.");
        put_gauge(f, d, P "kept_pages_budget_used", "map_budget_used",
                  "Part of the budget that is given to disks.");
        put_info(f, reply);
        for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
                put_metric(f, &metrics[i], reply);
        put_refused(f, reply);
        show_prometheus_rings(reply, f);
}
