/* SPDX-License-Identifier: MIT */
/* evergrant-bench-load: opens a disk and obeys the lines on its standard
 * input (job.h). Ends at the end of its input. evergrant-bench is its only
 * caller. */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 4096u

static const struct option options[] = {
        {"share-per-request", no_argument, NULL, 's'},
        {"zerocopy", no_argument, NULL, 'z'},
        {"persistent", required_argument, NULL, 'p'},
        {"ring-order", required_argument, NULL, 'o'},
        {"pool-pages", required_argument, NULL, 'n'},
        {"queues", required_argument, NULL, 'q'},
        {"indirect-segments", required_argument, NULL, 'i'},
        {"polling", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
};

static int usage(void)
{
        fputs("usage: evergrant-bench-load [--share-per-request] [--zerocopy] "
              "[--persistent 0|1]\n  [--ring-order N] [--pool-pages N] "
              "[--queues N] [--indirect-segments N]\n  "
              "[--polling off|auto|on] [--seed N] VDEV\n"
              "evergrant-bench runs it, see evergrant-bench(1).\n",
              stderr);
        return 2;
}

static enum eg_polling polling_of(const char *name)
{
        if (name && strcmp(name, "on") == 0)
                return EG_POLLING_ON;
        return name && strcmp(name, "auto") == 0 ? EG_POLLING_AUTO
                                                 : EG_POLLING_OFF;
}

static bool set(int c, struct eg_options *o, struct load *l)
{
        unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;

        switch (c) {
        case 's':
                o->share_per_request = true;
                return true;
        case 'z':
                l->zerocopy = true;
                return true;
        case 'p':
                o->persistent = n != 0;
                return true;
        case 'o':
                o->ring_order = (unsigned)n;
                return true;
        case 'n':
                o->pool_pages = (unsigned)n;
                return true;
        case 'q':
                o->queues = (unsigned)n;
                return true;
        case 'i':
                o->max_indirect_segs = (unsigned)n;
                return true;
        case 'l':
                o->polling = polling_of(optarg);
                return true;
        case 'r':
                l->random = n;
                return true;
        default:
                return false;
        }
}

static void print_result(const struct load_result *r)
{
        const char *comma = "";

        printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64
               ",\"kicks\":%" PRIu64 ",\"counted\":%" PRIu64
               ",\"counted_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64
               ",\"switches\":%" PRIu64 ",\"latency\":[",
               r->requests, r->errors, r->kicks, r->counted, r->counted_ns,
               r->use.cpu_ns, r->use.switches);
        for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
                if (!r->latency[i])
                        continue;
                printf("%s[%" PRIu64 ",%" PRIu64 "]", comma,
                       latency_bucket_max_ns(i), r->latency[i]);
                comma = ",";
        }
        puts("]}");
}

static int obey(struct load *l, const char *line)
{
        struct load_result r;
        struct job job;
        int ret;

        if (strcmp(line, "fill\n") == 0) {
                ret = load_fill(l);
                if (ret == 0)
                        puts("{}");
                return ret;
        }
        ret = job_parse(line, l->size_bytes, DEPTH_MOST, &job);
        if (ret == 0)
                ret = load_run(l, &job, &r);
        if (ret == 0)
                print_result(&r);
        return ret;
}

int main(int argc, char **argv)
{
        struct load l = {.random = 1};
        struct eg_options o;
        struct eg_info info;
        char line[256];
        int c, ret = 0;

        eg_options_init(&o);
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (!set(c, &o, &l))
                        return usage();
        if (argc - optind != 1)
                return usage();
        if (eg_open(&l.disk, argv[optind], &o) < 0) {
                fprintf(stderr, "evergrant-bench-load: %s\n", eg_error());
                return 1;
        }
        eg_info(l.disk, &info);
        l.size_bytes = info.size_bytes;
        printf("{\"persistent\":%s,\"ring_slots\":%u,\"queues\":%u}\n",
               info.persistent ? "true" : "false", info.ring_slots,
               info.queues);
        fflush(stdout);
        while (ret == 0 && fgets(line, sizeof(line), stdin)) {
                ret = obey(&l, line);
                fflush(stdout);
        }
        if (ret < 0) {
                /* I/O may be in flight into the slots: free nothing. */
                fprintf(stderr, "evergrant-bench-load: %s\n", strerror(-ret));
                exit(1);
        }
        load_release(&l);
        eg_close(l.disk);
        return 0;
}
