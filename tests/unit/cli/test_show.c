/* SPDX-License-Identifier: MIT */
/* What is printed for recorded answers. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "cli/show.h"
#include "cli/view.h"

static char printed[65536];

static struct json_object *stat_answer(const char *reads)
{
        char text[8192];
        struct json_object *o;

        snprintf(text, sizeof(text), ANSWER_STAT_FORMAT, reads, "");
        o = json_tokener_parse(text);
        assert_non_null(o);
        return o;
}

static FILE *open_printed(void)
{
        memset(printed, 0, sizeof(printed));
        return fmemopen(printed, sizeof(printed), "w");
}

static void has(const char *needle)
{
        if (!strstr(printed, needle))
                fail_msg("not there: %s\n%s", needle, printed);
}

static void show(void (*f)(struct json_object *, FILE *), struct json_object *o)
{
        FILE *out = open_printed();

        f(o, out);
        fclose(out);
        json_object_put(o);
}

static void list_is_aligned_and_says_why(void **state)
{
        show(show_list, json_tokener_parse(ANSWER_LIST));
        assert_string_equal(
                printed,
                "DOMAIN      VDEV    SIZE  MODE  STATE      GRANTS"
                "                  TARGET\n"
                "g1 (1)      xvda  64 MiB  rw    connected  copy, asked "
                "persistent  /srv/a \"b\".img\n"
                "other (22)  xvdb   1 GiB  r     waiting    auto"
                "                    ram:1G\n"
                "g1 (1) xvda: grants: the frontend cannot\n"
                "other (22) xvdb: error: evil\\x1b[2J\\x0aname\n");
}

static void empty_list_says_so(void **state)
{
        show(show_list, json_tokener_parse("{\"disks\":[]}"));
        assert_string_equal(printed, "no disks are attached\n");
}

static void stat_names_every_unit(void **state)
{
        show(show_stat, stat_answer("12345"));
        has("evergrantd 0.1.0, process 4242, 2 I/O threads, no io_uring "
            "(forbidden)\n");
        has("caps of kept grants: 1,056 of a budget of 61,434 pages\n");
        has("auto copies requests of 1 to 11 segments");
        has("measured here: map and unmap 1.50 µs + 250 ns a segment, copy "
            "300 ns + 90 ns\n");
        has("g1 (1) xvda: connected, 64 MiB, /srv/a \"b\".img, direct I/O\n");
        has("  grants      copy, asked persistent (the frontend cannot)\n");
        has("  ring        1 of 4 pages, x86_64-abi, I/O thread 0\n");
        has("  requests    reads 12,345, writes 7, flushes 1, barriers 0, "
            "discards 2\n");
        has("  data        read 48 MiB, written 28 KiB, discarded 0 B\n");
        has("  latency     half within 12.5 µs, 99 % within 250 µs, 99.9 % "
            "within 1.80 ms\n");
        has("  kept grants now 0 pages, at most 0 pages, cap 1,056 pages, cap "
            "asked 2,000 pages\n");
        has("  refused     bad-op 4\n");
        has("  events      in 10, for nothing 1, out 9, held back 6, lost 2\n");
        has("  ring        0, I/O thread 1, reads 1,234, writes 7, in flight "
            "3, "
            "kept 88 of 1,056 pages, held 6, lost 0\n");
        has("  ring        1, I/O thread 0, reads 1, writes 0, in flight 2, "
            "kept 0 of 900 pages, held 0, lost 2\n");
}

static void missing_fields_are_left_out(void **state)
{
        show(show_stat,
             json_tokener_parse("{\"disks\":[{\"domid\":1,\"counters\":"
                                "{\"reads\":3,\"writes\":-1,\"flushes\":\"x\"}"
                                "},7,null]}"));
        has("  requests    reads 3\n");
        assert_null(strstr(printed, "writes"));
        assert_null(strstr(printed, "data"));
        show(show_stat, json_tokener_parse("{\"daemon\":{\"pid\":-1}}"));
        assert_null(strstr(printed, "process"));
        show(show_stat, json_tokener_parse("{}"));
        has("no disks are attached");
        show(show_list, json_tokener_parse("{\"disks\":[{},5,\"x\"]}"));
        show(show_prometheus, json_tokener_parse("{\"disks\":[{},5,\"x\"]}"));
        assert_null(strstr(printed, "requests_total{"));
        show(show_prometheus, json_tokener_parse("{\"disks\":7}"));
}

static void rates_are_per_second_of_the_interval(void **state)
{
        struct json_object *a = stat_answer("1000"), *b = stat_answer("4000");
        FILE *f = open_printed();

        show_rates(a, b, 2.0, f);
        fclose(f);
        has("g1 (1)  xvda      1,500");
        has("250 µs");
        f = open_printed();
        show_rates(b, a, 1.0, f); /* it fell: the disk was connected anew */
        fclose(f);
        has("g1 (1)  xvda      1,000");
        f = open_printed();
        show_rates(NULL, a, 1.0, f);
        fclose(f);
        has("48 MiB/s");
        json_object_put(a);
        json_object_put(b);
}

/* Each sample stands under its own HELP and TYPE, each of which stands once. */
static void check_exposition(char *text)
{
        char metric[128] = "", seen[16384] = "", *save = NULL, mark[140];

        for (char *l = strtok_r(text, "\n", &save); l;
             l = strtok_r(NULL, "\n", &save)) {
                char name[128] = "", type[16] = "";

                if (sscanf(l, "# HELP %127s", name) == 1) {
                        snprintf(mark, sizeof(mark), "|%s|", name);
                        assert_null(strstr(seen, mark));
                        strcat(seen, mark);
                        strcpy(metric, name);
                } else if (sscanf(l, "# TYPE %127s %15s", name, type) == 2) {
                        size_t n = strlen(name);
                        bool total =
                                n > 6 && strcmp(name + n - 6, "_total") == 0;

                        assert_string_equal(name, metric);
                        assert_int_equal(strcmp(type, "counter") == 0, total);
                } else {
                        assert_true(strncmp(l, "evergrant_", 10) == 0);
                        assert_int_equal(strcspn(l, "{ "), strlen(metric));
                        assert_memory_equal(l, metric, strlen(metric));
                }
        }
}

#define DISK "{domid=\"1\",domain=\"g1\",vdev=\"xvda\""

static void prometheus_is_well_formed(void **state)
{
        show(show_prometheus, stat_answer("12345"));
        has("\nevergrant_requests_total" DISK ",op=\"read\"} 12345\n");
        has("\nevergrant_disk_size_bytes" DISK "} 67108864\n");
        has("\nevergrant_latency_seconds" DISK ",quantile=\"0.5\"} 1.25e-05\n");
        has("\nevergrant_refused_total" DISK ",reason=\"bad-op\"} 4\n");
        has("\nevergrant_refused_total" DISK ",reason=\"bad-range\"} 0\n");
        has(",target=\"/srv/a \\\"b\\\".img\",driver=\"file\"");
        has("\nevergrant_events_held_total" DISK "} 6\n");
        has("\nevergrant_events_lost_total" DISK "} 2\n");
        has("\nevergrant_ring_requests_total" DISK
            ",ring=\"0\",op=\"read\"} 1234\n");
        has("\nevergrant_ring_kept_pages_cap" DISK ",ring=\"1\"} 900\n");
        has("\nevergrant_ring_held_events_total" DISK ",ring=\"0\"} 6\n");
        has("\nevergrant_ring_lost_events_total" DISK ",ring=\"1\"} 2\n");
        has("evergrant_kept_pages_budget 61434\n");
        has("evergrant_build_info{version=\"0.1.0\"} 1\n");
        check_exposition(printed);
}

/* No number is rounded on its way: counters are 64 bits. */
static void big_counters_stay_exact(void **state)
{
        show(show_prometheus, stat_answer("9007199254740993"));
        has("op=\"read\"} 9007199254740993\n");
}

static void labels_are_escaped(void **state)
{
        show(show_prometheus,
             json_tokener_parse("{\"disks\":[{\"domid\":1,\"domain\":"
                                "\"a\\\"b\\\\c\\nd\",\"size_bytes\":512}]}"));
        has("domain=\"a\\\"b\\\\c\\nd\"");
        check_exposition(printed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_is_aligned_and_says_why),
                cmocka_unit_test(empty_list_says_so),
                cmocka_unit_test(stat_names_every_unit),
                cmocka_unit_test(missing_fields_are_left_out),
                cmocka_unit_test(rates_are_per_second_of_the_interval),
                cmocka_unit_test(prometheus_is_well_formed),
                cmocka_unit_test(big_counters_stay_exact),
                cmocka_unit_test(labels_are_escaped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
