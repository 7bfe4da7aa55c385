/* SPDX-License-Identifier: MIT */
/* Totals of each disk, a line a topic. */
#include "show.h"

#include <string.h>

#include "text.h"
#include "view.h"

enum unit { COUNT, BYTES, PAGES, MICROSECONDS };

struct item {
        const char *before, *field;
        enum unit unit;
};

struct line {
        const char *label;
        struct item items[8];
};

static const struct line lines[] = {
        {"requests",
         {{"reads", "counters.reads", COUNT},
          {"writes", "counters.writes", COUNT},
          {"flushes", "counters.flushes", COUNT},
          {"barriers", "counters.barriers", COUNT},
          {"discards", "counters.discards", COUNT}}},
        {"data",
         {{"read", "counters.read_bytes", BYTES},
          {"written", "counters.write_bytes", BYTES},
          {"discarded", "counters.discard_bytes", BYTES}}},
        {"reached by",
         {{"persistent grants", "counters.via_persistent", COUNT},
          {"map", "counters.via_map", COUNT},
          {"copy", "counters.via_copy", COUNT}}},
        {"latency",
         {{"half within", "latency_us.p50", MICROSECONDS},
          {"99 % within", "latency_us.p99", MICROSECONDS},
          {"99.9 % within", "latency_us.p999", MICROSECONDS}}},
        {"in flight",
         {{"now", "counters.inflight", COUNT},
          {"at most", "counters.inflight_high", COUNT}}},
        {"kept grants",
         {{"now", "counters.kept", PAGES},
          {"at most", "counters.kept_high", PAGES},
          {"cap", "max_persistent", PAGES},
          {"cap asked", "max_persistent_asked", PAGES}}},
        {"grant cache",
         {{"hits", "counters.hits", COUNT},
          {"misses", "counters.misses", COUNT},
          {"in use twice", "counters.in_use", COUNT},
          {"over the cap", "counters.overflows", COUNT},
          {"no memory", "counters.no_memory", COUNT}}},
        {"evicted",
         {{"to make room", "counters.evicted_lru", COUNT},
          {"idle", "counters.evicted_idle", COUNT}}},
        {"maps",
         {{"calls", "counters.map_calls", COUNT},
          {"mapped", "counters.map_pages", PAGES},
          {"failed", "counters.map_failures", COUNT}}},
        {"unmaps",
         {{"calls", "counters.unmap_calls", COUNT},
          {"unmapped", "counters.unmap_pages", PAGES}}},
        {"copies",
         {{"calls", "counters.copy_calls", COUNT},
          {"segments", "counters.copy_segments", COUNT},
          {"grant calls over 10 ms", "counters.slow_grant_calls", COUNT}}},
        {"events",
         {{"in", "counters.kicks", COUNT},
          {"for nothing", "counters.empty_kicks", COUNT},
          {"out", "counters.notifies", COUNT},
          {"held back", "counters.held_events", COUNT},
          {"lost", "counters.lost_events", COUNT}}},
        {"failures",
         {{"errors", "counters.errors", COUNT},
          {"unsupported", "counters.unsupported", COUNT},
          {"bad grants", "counters.bad_grants", COUNT}}},
};

static const char *item_text(char *dst, size_t dst_bytes, enum unit unit,
                             double v)
{
        char number[TEXT_NUMBER_BYTES];

        switch (unit) {
        case BYTES:
                return text_bytes(dst, dst_bytes, v);
        case MICROSECONDS:
                return text_duration_ns(dst, dst_bytes, v * 1000);
        case PAGES:
        case COUNT:
                break;
        }
        text_count(number, sizeof(number), (uint64_t)v);
        snprintf(dst, dst_bytes, "%s%s", number,
                 unit != PAGES ? ""
                 : v == 1      ? " page"
                               : " pages");
        return dst;
}

/* Items that the answer lacks are left out, and so is a line without any. */
static void print_line(FILE *f, const struct line *l, struct json_object *disk)
{
        char text[TEXT_NUMBER_BYTES + 16];
        bool any = false;
        double v;

        for (const struct item *i = l->items; i->field; i++) {
                if (!view_number(disk, i->field, &v))
                        continue;
                if (i->unit == MICROSECONDS && v == 0)
                        continue; /* nothing was answered yet */
                if (any)
                        fprintf(f, ", ");
                else
                        fprintf(f, "  %-12s", l->label);
                any = true;
                fprintf(f, "%s %s", i->before,
                        item_text(text, sizeof(text), i->unit, v));
        }
        if (any)
                fputc('\n', f);
}

static void print_refused(FILE *f, struct json_object *disk)
{
        struct json_object *o = view_field(disk, "counters.refused");
        bool any = false;
        char plain[64], number[TEXT_NUMBER_BYTES];

        if (!json_object_is_type(o, json_type_object))
                return;
        json_object_object_foreach(o, name, count)
        {
                uint64_t n = json_object_get_uint64(count);

                if (n == 0)
                        continue;
                fprintf(f, "%s%s %s", any ? ", " : "  refused     ",
                        text_plain(plain, sizeof(plain), name),
                        text_count(number, sizeof(number), n));
                any = true;
        }
        if (any)
                fputc('\n', f);
}

static void print_served(FILE *f, struct json_object *disk)
{
        char grants[160], plain[512];
        uint64_t order, n;

        fprintf(f, "  %-12s%s", "grants",
                view_grants(grants, sizeof(grants), disk));
        if (*view_string(disk, "grants_why", ""))
                fprintf(f, " (%s)",
                        text_plain(plain, sizeof(plain),
                                   view_string(disk, "grants_why", "")));
        fputc('\n', f);
        if (!view_count(disk, "ring_order", &order) || order > 16)
                return;
        if (!view_count(disk, "queues", &n))
                n = 1;
        fprintf(f, "  %-12s%llu of %u page%s", n == 1 ? "ring" : "rings",
                (unsigned long long)n, 1u << order, order ? "s" : "");
        if (*view_string(disk, "protocol", ""))
                fprintf(f, ", %s",
                        text_plain(plain, sizeof(plain),
                                   view_string(disk, "protocol", "")));
        if (view_count(disk, "io_thread", &n))
                fprintf(f, ", I/O thread %llu", (unsigned long long)n);
        fputc('\n', f);
}

static void print_disk(FILE *f, struct json_object *disk)
{
        char domain[160], plain[1024], size[TEXT_NUMBER_BYTES] = "size ?";
        double v;

        if (view_number(disk, "size_bytes", &v))
                text_bytes(size, sizeof(size), v);
        fprintf(f, "\n%s ", view_domain(domain, sizeof(domain), disk));
        fprintf(f, "%s: ",
                text_plain(plain, sizeof(plain),
                           view_string(disk, "name", "?")));
        fprintf(f, "%s, %s, ",
                text_plain(plain, sizeof(plain),
                           view_string(disk, "state", "state ?")),
                size);
        fprintf(f, "%s%s%s\n",
                text_plain(plain, sizeof(plain),
                           view_string(disk, "target", "target ?")),
                view_is_true(disk, "readonly") ? ", read-only" : "",
                view_is_true(disk, "direct") ? ", direct I/O" : "");
        if (*view_string(disk, "error", ""))
                fprintf(f, "  %-12s%s\n", "error",
                        text_plain(plain, sizeof(plain),
                                   view_string(disk, "error", "")));
        print_served(f, disk);
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                print_line(f, &lines[i], disk);
        print_refused(f, disk);
        show_rings(disk, f);
        if (view_number(disk, "counters.ring_broken", &v) && v > 0)
                fprintf(f,
                        "  %-12sthe guest's ring index is impossible; "
                        "nothing is taken until it reconnects\n",
                        "ring broken");
}

void show_stat(struct json_object *reply, FILE *f)
{
        show_daemon(reply, f);
        if (view_disks(reply) == 0)
                fprintf(f, "\nno disks are attached\n");
        for (size_t i = 0; i < view_disks(reply); i++)
                print_disk(f, view_disk(reply, i));
}
