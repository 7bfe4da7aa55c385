/* SPDX-License-Identifier: MIT */
/* create, destroy, list, grants. */
#include "cli.h"

#include "common/parse.h"

#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MEM_BYTES (64ull << 20)

static uint64_t u64(struct json_object *o, const char *key)
{
        struct json_object *v;

        return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v)
                                                     : 0;
}

static const char *str(struct json_object *o, const char *key)
{
        struct json_object *v;

        return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v)
                                                     : "";
}

static struct json_object *array(struct json_object *o, const char *key)
{
        struct json_object *v = NULL;

        json_object_object_get_ex(o, key, &v);
        return v;
}

static int print_json(struct json_object *o)
{
        json_object_object_del(o, "ok");
        puts(json_object_to_json_string_ext(
                o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
        json_object_put(o);
        return CLI_DONE;
}

static int create(const char *name, uint64_t mem_bytes, int64_t domid)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "command", json_object_new_string("create"));
        json_object_object_add(o, "name", json_object_new_string(name));
        json_object_object_add(o, "mem_bytes",
                               json_object_new_uint64(mem_bytes));
        if (domid >= 0)
                json_object_object_add(o, "domid",
                                       json_object_new_int64(domid));
        o = cli_ask_object(o);
        if (!o)
                return CLI_FAILED;
        printf("%" PRIu64 "\n", u64(o, "domid"));
        json_object_put(o);
        return CLI_DONE;
}

int cmd_create(int argc, char **argv)
{
        static const struct option options[] = {
                {"domid", required_argument, NULL, 'd'},
                {"mem", required_argument, NULL, 'm'},
                {"help", no_argument, NULL, 'h'},
                {0}};
        static const char usage[] =
                "usage: pocketxen create [--mem SIZE] [--domid N] NAME";
        uint64_t mem = DEFAULT_MEM_BYTES, domid = UINT64_MAX;
        int c;

        optind = 1;
        while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
                if (c == 'h')
                        return puts(usage), CLI_DONE;
                if (c != 'm' && c != 'd')
                        return cli_fail(CLI_USAGE, "%s", usage);
                if (c == 'd' && parse_u64(optarg, UINT16_MAX, &domid) < 0)
                        return cli_fail(CLI_USAGE,
                                        "'%s' is not a domain's number (0 to "
                                        "32751)",
                                        optarg);
                if (c == 'm' && parse_size(optarg, &mem) < 0)
                        return cli_fail(CLI_USAGE,
                                        "'%s' is not a size (as 64M, 1G)",
                                        optarg);
        }
        if (argc - optind != 1)
                return cli_fail(CLI_USAGE, "%s", usage);
        return create(argv[optind], mem, (int64_t)domid);
}

int cmd_destroy(int argc, char **argv)
{
        struct json_object *reply;
        bool unused;
        int arg, ret = cli_options(argc, argv, "DOM", "", &unused, &arg);

        if (ret >= 0)
                return ret;
        if (argc - arg != 1)
                return cli_fail(CLI_USAGE, "usage: pocketxen destroy DOM");
        reply = cli_ask("destroy", argv[arg]);
        json_object_put(reply);
        return reply ? CLI_DONE : CLI_FAILED;
}

static void list_domains(struct json_object *domains)
{
        char mem[32];

        printf("%6s  %-20s %-8s %8s %8s %8s %8s\n", "domid", "name", "state",
               "memory", "granted", "mapped", "deferred");
        for (size_t i = 0; i < json_object_array_length(domains); i++) {
                struct json_object *d = json_object_array_get_idx(domains, i);

                printf("%6" PRIu64 "  %-20s %-8s %8s %8" PRIu64 " %8" PRIu64
                       " %8" PRIu64 "\n",
                       u64(d, "domid"), str(d, "name"), str(d, "state"),
                       format_size(mem, sizeof(mem), u64(d, "mem_bytes")),
                       u64(d, "grants_used"), u64(d, "pages_mapped"),
                       u64(d, "grants_deferred"));
        }
}

static void list_pairs(struct json_object *pairs)
{
        if (!json_object_array_length(pairs))
                return;
        printf("\n%6s %7s %12s %12s %12s %12s\n", "mapper", "granter", "maps",
               "unmaps", "copies", "copied KiB");
        for (size_t i = 0; i < json_object_array_length(pairs); i++) {
                struct json_object *p = json_object_array_get_idx(pairs, i);

                printf("%6" PRIu64 " %7" PRIu64 " %12" PRIu64 " %12" PRIu64
                       " %12" PRIu64 " %12" PRIu64 "\n",
                       u64(p, "mapper"), u64(p, "granter"),
                       u64(p, "maps_pages"), u64(p, "unmaps_pages"),
                       u64(p, "copies_segments"), u64(p, "copies_bytes") >> 10);
        }
}

int cmd_list(int argc, char **argv)
{
        struct json_object *o;
        bool json = false;
        int arg, ret = cli_options(argc, argv, "[--json]", "json", &json, &arg);

        if (ret >= 0)
                return ret;
        if (arg != argc)
                return cli_fail(CLI_USAGE, "usage: pocketxen list [--json]");
        o = cli_ask("list", NULL);
        if (!o)
                return CLI_FAILED;
        if (json)
                return print_json(o);
        list_domains(array(o, "domains"));
        list_pairs(array(o, "pairs"));
        json_object_put(o);
        return CLI_DONE;
}

static void list_grants(struct json_object *entries)
{
        printf("%6s %6s %8s %-4s %-8s %5s  %s\n", "ref", "to", "frame", "mode",
               "state", "pins", "mapped by (domid/pid)");
        for (size_t i = 0; i < json_object_array_length(entries); i++) {
                struct json_object *e = json_object_array_get_idx(entries, i);
                struct json_object *by = array(e, "mapped_by"), *ro;

                json_object_object_get_ex(e, "readonly", &ro);
                printf("%6" PRIu64 " %6" PRIu64 " %8" PRIu64
                       " %-4s %-8s %5" PRIu64 " ",
                       u64(e, "ref"), u64(e, "to"), u64(e, "frame"),
                       json_object_get_boolean(ro) ? "r" : "rw",
                       str(e, "state"), u64(e, "pins"));
                for (size_t k = 0; k < json_object_array_length(by); k++) {
                        struct json_object *m =
                                json_object_array_get_idx(by, k);

                        printf(" %" PRIu64 "/%" PRIu64, u64(m, "domid"),
                               u64(m, "pid"));
                }
                putchar('\n');
        }
}

int cmd_grants(int argc, char **argv)
{
        /* DOM first, as DESIGN.md writes it, or last: both are taken. */
        static const struct option options[] = {
                {"json", no_argument, NULL, 'j'},
                {"help", no_argument, NULL, 'h'},
                {0}};
        static const char usage[] = "usage: pocketxen grants DOM [--json]";
        struct json_object *o;
        bool json = false;
        int c;

        optind = 1;
        while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
                if (c == 'h')
                        return puts(usage), CLI_DONE;
                if (c != 'j')
                        return cli_fail(CLI_USAGE, "%s", usage);
                json = true;
        }
        if (argc - optind != 1)
                return cli_fail(CLI_USAGE, "%s", usage);
        o = cli_ask("grants", argv[optind]);
        if (!o)
                return CLI_FAILED;
        if (json)
                return print_json(o);
        list_grants(array(o, "entries"));
        json_object_put(o);
        return CLI_DONE;
}
