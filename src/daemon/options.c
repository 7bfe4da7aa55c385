/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "common/log.h"
#include "common/parse.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SOCKET_DEFAULT "/run/evergrant/control.sock"
/* What Linux allows unless told otherwise, and what is left to everything in
 * this process that is no grant: code, stacks, heaps, rings of io_uring. */
#define MAP_COUNT_DEFAULT 65530u
#define MAP_COUNT_RESERVED 4096u

struct row {
        const char *name;
        const char *arg; /* NULL: a switch */
        const char *help;
        int (*set)(struct options *o, const char *arg);
};

static int set_socket(struct options *o, const char *arg)
{
        o->socket = arg;
        return *arg ? 0 : -EINVAL;
}

static int set_threads(struct options *o, const char *arg)
{
        uint64_t n;

        if (parse_u64(arg, OPTIONS_IO_THREADS_MAX, &n) < 0 || n == 0)
                return -EINVAL;
        o->io_threads = (unsigned)n;
        return 0;
}

static int set_budget(struct options *o, const char *arg)
{
        return parse_u64(arg, INT32_MAX, &o->map_budget);
}

static int set_idle(struct options *o, const char *arg)
{
        uint64_t seconds;

        if (parse_u64(arg, 365 * UINT64_C(86400), &seconds) < 0)
                return -EINVAL;
        o->idle_ms = seconds * 1000;
        return 0;
}

static int set_polling(struct options *o, const char *arg)
{
        return polling_parse(arg, &o->polling);
}

static int set_mapped_io(struct options *o, const char *arg)
{
        if (strcmp(arg, "direct") != 0 && strcmp(arg, "bounce") != 0)
                return strcmp(arg, "auto") ? -EINVAL : 0;
        o->bounce_mapped = *arg == 'b';
        return 0;
}

static int set_no_uring(struct options *o, const char *arg)
{
        o->no_uring = true;
        return 0;
}

static int set_level(struct options *o, const char *arg)
{
        static const char *const names[] = {"error", "warning", "info",
                                            "debug"};

        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
                if (!strcmp(arg, names[i])) {
                        log_set_level((enum log_level)i);
                        return 0;
                }
        }
        return -EINVAL;
}

static const struct row rows[] = {
        {"socket", "PATH",
         "control socket (default: $EVERGRANT_SOCKET, else " SOCKET_DEFAULT ")",
         set_socket},
        {"io-threads", "N",
         "threads that serve rings, 1 to 64 (default: one a CPU, at most 4)",
         set_threads},
        {"map-budget", "N",
         "mapped guest pages of the whole daemon (default: "
         "vm.max_map_count - 4096)",
         set_budget},
        {"idle-seconds", "N",
         "unmap kept grants that were not used for N seconds, 0: never "
         "(default: 60)",
         set_idle},
        {"polling", "MODE",
         "look at the rings for a while before sleeping: off, auto (while it "
         "pays; the default) or on (10 ms)",
         set_polling},
        {"mapped-io", "MODE",
         "I/O of pages that are mapped for one request: direct, bounce, or "
         "auto "
         "(bounce on Xen; the default)",
         set_mapped_io},
        {"no-uring", NULL, "do not use io_uring", set_no_uring},
        {"log-level", "LEVEL", "error, warning, info or debug (default: info)",
         set_level},
        {"version", NULL, "print the version and exit", NULL},
        {"help", NULL, "print this text and exit", NULL},
};

static void print_help(void)
{
        printf("usage: evergrantd [OPTIONS]\n\n"
               "Serves virtual disks to Xen guests; always in the foreground.\n"
               "Disks are made with `evergrant attach`.\n\n");
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                char left[32];

                snprintf(left, sizeof(left), "--%s%s%s", rows[i].name,
                         rows[i].arg ? " " : "",
                         rows[i].arg ? rows[i].arg : "");
                printf("  %-20s %s\n", left, rows[i].help);
        }
        printf("\nman evergrantd(8)\n");
}

static uint64_t default_budget(void)
{
        uint64_t count = MAP_COUNT_DEFAULT;
        FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
        char line[32];

        if (f && fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                if (parse_u64(line, INT32_MAX, &count) < 0)
                        count = MAP_COUNT_DEFAULT;
        }
        if (f)
                fclose(f);
        return count > MAP_COUNT_RESERVED ? count - MAP_COUNT_RESERVED : 0;
}

static unsigned default_threads(void)
{
        cpu_set_t set;
        int n = 1;

        if (sched_getaffinity(0, sizeof(set), &set) == 0)
                n = CPU_COUNT(&set);
        return n < 1 ? 1 : n > 4 ? 4 : (unsigned)n;
}

/* Linux on Xen: src/back/data.c says why. */
static bool on_xen(void)
{
        FILE *f = fopen("/sys/hypervisor/type", "re");
        char type[8] = "";
        bool xen = f && fgets(type, sizeof(type), f) && !strcmp(type, "xen\n");

        if (f)
                fclose(f);
        return xen;
}

static void set_defaults(struct options *o)
{
        const char *env = getenv("EVERGRANT_SOCKET");

        memset(o, 0, sizeof(*o));
        o->socket = env && *env ? env : SOCKET_DEFAULT;
        o->io_threads = default_threads();
        o->map_budget = default_budget();
        o->idle_ms = 60000;
        o->polling = POLLING_AUTO;
        o->bounce_mapped = on_xen();
}

static int usage(int *exit_status)
{
        fprintf(stderr, "Try `evergrantd --help`.\n");
        *exit_status = 2;
        return -EINVAL;
}

/* -EINVAL when the program has to end. */
static int take(const struct row *row, const char *arg, struct options *o,
                int *exit_status)
{
        if (row->set && row->set(o, arg) == 0)
                return 0;
        if (row->set) {
                fprintf(stderr, "evergrantd: --%s cannot be '%s': %s\n",
                        row->name, arg, row->help);
                return usage(exit_status);
        }
        if (!strcmp(row->name, "version"))
                printf("evergrantd %s\n", EVERGRANT_VERSION);
        else
                print_help();
        *exit_status = 0;
        return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *o, int *exit_status)
{
        struct option longs[ARRAY_SIZE(rows) + 1] = {0};
        int index = 0;
        int c;

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                longs[i].name = rows[i].name;
                longs[i].has_arg =
                        rows[i].arg ? required_argument : no_argument;
                longs[i].val = 1;
        }
        set_defaults(o);
        while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
                if (c != 1)
                        return usage(exit_status);
                if (take(&rows[index], optarg, o, exit_status) < 0)
                        return -EINVAL;
        }
        if (optind < argc) {
                fprintf(stderr,
                        "evergrantd: '%s' is no option; disks are given with "
                        "`evergrant attach`\n",
                        argv[optind]);
                return usage(exit_status);
        }
        return 0;
}
