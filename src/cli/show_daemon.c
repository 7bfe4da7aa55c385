/* SPDX-License-Identifier: MIT */
/* evergrantd itself: its threads, its budget, the rule of `auto`. */
#include "show.h"

#include "text.h"
#include "view.h"

static void print_rule(FILE *f, struct json_object *reply)
{
        struct json_object *r = view_field(reply, "daemon.rule");
        char mb[TEXT_NUMBER_BYTES], ms[TEXT_NUMBER_BYTES];
        char cb[TEXT_NUMBER_BYTES], cs[TEXT_NUMBER_BYTES];
        double map_base, map_seg, copy_base, copy_seg;
        uint64_t up_to;

        if (!view_count(r, "copy_up_to_segs", &up_to) ||
            !view_number(r, "map_base_ns", &map_base) ||
            !view_number(r, "map_seg_ns", &map_seg) ||
            !view_number(r, "copy_base_ns", &copy_base) ||
            !view_number(r, "copy_seg_ns", &copy_seg))
                return;
        if (up_to)
                fprintf(f,
                        "without persistent grants, auto copies requests "
                        "of 1 to %llu segments and maps longer ones\n",
                        (unsigned long long)up_to);
        else
                fprintf(f, "without persistent grants, auto maps every "
                           "request\n");
        fprintf(f, "  %s: map and unmap %s + %s a segment, copy %s + %s\n",
                view_is_true(r, "measured") ? "measured here"
                                            : "constants measured on Xen",
                text_duration_ns(mb, sizeof(mb), map_base),
                text_duration_ns(ms, sizeof(ms), map_seg),
                text_duration_ns(cb, sizeof(cb), copy_base),
                text_duration_ns(cs, sizeof(cs), copy_seg));
}

static void print_polling(FILE *f, struct json_object *d)
{
        struct json_object *p = view_field(d, "polling");
        char plain[32], looks[TEXT_NUMBER_BYTES], time[TEXT_NUMBER_BYTES];
        uint64_t n, finds, spent_ns;

        if (!view_count(p, "looks", &n) || !view_count(p, "finds", &finds) ||
            !view_count(p, "spent_ns", &spent_ns))
                return;
        fprintf(f,
                "polling %s: looked %s times before sleeping, %.0f %% of "
                "them with success, %s in all\n",
                text_plain(plain, sizeof(plain), view_string(p, "mode", "?")),
                text_count(looks, sizeof(looks), n),
                n ? 100.0 * (double)finds / (double)n : 0.0,
                text_duration_ns(time, sizeof(time), (double)spent_ns));
}

void show_daemon(struct json_object *reply, FILE *f)
{
        struct json_object *d = view_field(reply, "daemon");
        char plain[512], used[TEXT_NUMBER_BYTES], all[TEXT_NUMBER_BYTES];
        uint64_t n, budget;

        fprintf(f, "evergrantd %s",
                text_plain(plain, sizeof(plain),
                           view_string(d, "version", "?")));
        if (view_count(d, "pid", &n))
                fprintf(f, ", process %llu", (unsigned long long)n);
        if (view_count(d, "io_threads", &n))
                fprintf(f, ", %llu I/O thread%s", (unsigned long long)n,
                        n == 1 ? "" : "s");
        if (view_is_true(d, "uring"))
                fprintf(f, ", io_uring");
        else if (view_field(d, "uring"))
                fprintf(f, ", no io_uring (%s)",
                        text_plain(plain, sizeof(plain),
                                   view_string(d, "uring_why", "?")));
        fputc('\n', f);
        if (view_count(d, "map_budget_used", &n) &&
            view_count(d, "map_budget", &budget))
                fprintf(f, "caps of kept grants: %s of a budget of %s pages\n",
                        text_count(used, sizeof(used), n),
                        text_count(all, sizeof(all), budget));
        print_polling(f, d);
        print_rule(f, reply);
}
