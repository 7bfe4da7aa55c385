/* SPDX-License-Identifier: MIT */
#include "randload.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
        "usage: randload --vdev VDEV [OPTION…]\n"
        "  --op read|write|mixed     default read\n"
        "  --bs BYTES                default 4096; k and M work\n"
        "  --qd N                    I/Os in flight, default 32\n"
        "  --seconds S               default 2; 0: until SIGTERM\n"
        "  --requests N              stop after so many\n"
        "  --span BYTES              only the first part of the disk\n"
        "  --verify                  know what each block holds, check every\n"
        "                            read (overwrites the span)\n"
        "  --check-all               at the end, read back all that was\n"
        "                            written (implied by --verify --op write)\n"
        "  --seed N                  default: another one each time\n"
        "  --warmup-seconds S        run so long before it counts\n"
        "  --gate                    after the warm-up print \"ready\" and "
        "wait\n"
        "                            for a line on stdin; after the result "
        "wait\n"
        "                            for another (or the end) before closing\n"
        "  --ready-fd N --go-fd N    the same, a byte on descriptors\n"
        "  --json                    the result as one JSON object\n"
        "  --persistent 0|1  --share-per-request  --ring-order N\n"
        "  --queues N  --indirect-segments N  --pool-pages N  --untrusted\n"
        "  --polling off|auto|on     before sleeping, default auto\n";

enum {
        O_VDEV = 256,
        O_OP,
        O_BS,
        O_QD,
        O_SECONDS,
        O_REQUESTS,
        O_SPAN,
        O_VERIFY,
        O_CHECK_ALL,
        O_SEED,
        O_WARMUP,
        O_GATE,
        O_READY_FD,
        O_GO_FD,
        O_JSON,
        O_PERSISTENT,
        O_SHARE,
        O_RING_ORDER,
        O_QUEUES,
        O_INDIRECT_SEGS,
        O_POOL_PAGES,
        O_UNTRUSTED,
        O_POLLING,
        O_HELP,
};

static const struct option options[] = {
        {"vdev", required_argument, NULL, O_VDEV},
        {"op", required_argument, NULL, O_OP},
        {"bs", required_argument, NULL, O_BS},
        {"qd", required_argument, NULL, O_QD},
        {"seconds", required_argument, NULL, O_SECONDS},
        {"requests", required_argument, NULL, O_REQUESTS},
        {"span", required_argument, NULL, O_SPAN},
        {"verify", no_argument, NULL, O_VERIFY},
        {"check-all", no_argument, NULL, O_CHECK_ALL},
        {"seed", required_argument, NULL, O_SEED},
        {"warmup-seconds", required_argument, NULL, O_WARMUP},
        {"gate", no_argument, NULL, O_GATE},
        {"ready-fd", required_argument, NULL, O_READY_FD},
        {"go-fd", required_argument, NULL, O_GO_FD},
        {"json", no_argument, NULL, O_JSON},
        {"persistent", required_argument, NULL, O_PERSISTENT},
        {"share-per-request", no_argument, NULL, O_SHARE},
        {"ring-order", required_argument, NULL, O_RING_ORDER},
        {"queues", required_argument, NULL, O_QUEUES},
        {"indirect-segments", required_argument, NULL, O_INDIRECT_SEGS},
        {"pool-pages", required_argument, NULL, O_POOL_PAGES},
        {"untrusted", no_argument, NULL, O_UNTRUSTED},
        {"polling", required_argument, NULL, O_POLLING},
        {"help", no_argument, NULL, O_HELP},
        {NULL, 0, NULL, 0},
};

/* A plain number with an optional k, M or G. */
static int number(const char *text, uint64_t max, uint64_t *v)
{
        char *end;
        unsigned long long n;

        errno = 0;
        n = strtoull(text, &end, 10);
        if (end == text || *text == '-' || errno)
                return -EINVAL;
        if (*end) {
                static const char units[] = "kMG";
                const char *unit = strchr(units, *end);

                if (!unit || end[1] || n >> 33)
                        return -EINVAL;
                n <<= 10 * (unit - units + 1);
        }
        *v = n;
        return n > max ? -EINVAL : 0;
}

static int seconds(const char *text, double *v)
{
        char *end;

        *v = strtod(text, &end);
        return *end || end == text || !(*v >= 0 && *v <= 1e6) ? -EINVAL : 0;
}

static int operation(const char *text, enum load_op *op)
{
        static const char *const names[] = {"read", "write", "mixed"};

        for (int i = 0; i < 3; i++) {
                if (strcmp(text, names[i]) == 0) {
                        *op = (enum load_op)i;
                        return 0;
                }
        }
        return -EINVAL;
}

static int polling(const char *text, enum eg_polling *mode)
{
        static const char *const names[] = {"off", "auto", "on"};

        for (int i = 0; i < 3; i++) {
                if (strcmp(text, names[i]) == 0) {
                        *mode = (enum eg_polling)i;
                        return 0;
                }
        }
        return -EINVAL;
}

static int set_flag(int c, struct load_opts *o)
{
        switch (c) {
        case O_VERIFY:
                o->verify = true;
                return 0;
        case O_CHECK_ALL:
                o->check_all = o->verify = true;
                return 0;
        case O_GATE:
                o->gate = true;
                return 0;
        case O_JSON:
                o->json = true;
                return 0;
        case O_SHARE:
                o->eg.share_per_request = true;
                return 0;
        case O_UNTRUSTED:
                o->eg.untrusted_backend = true;
                return 0;
        default:
                return -EINVAL;
        }
}

static int set_number(int c, uint64_t n, struct load_opts *o)
{
        switch (c) {
        case O_BS:
                o->bs = n;
                return n && n % 512 == 0 && n <= 1u << 30 ? 0 : -EINVAL;
        case O_QD:
                o->qd = (unsigned)n;
                return n && n <= 4096 ? 0 : -EINVAL;
        case O_REQUESTS:
                o->requests = n;
                return 0;
        case O_SPAN:
                o->span = n;
                return 0;
        case O_SEED:
                o->seed = n;
                return 0;
        case O_READY_FD:
                o->ready_fd = (int)n;
                return n < 65536 ? 0 : -EINVAL;
        case O_GO_FD:
                o->go_fd = (int)n;
                return n < 65536 ? 0 : -EINVAL;
        case O_PERSISTENT:
                o->eg.persistent = n;
                return n <= 1 ? 0 : -EINVAL;
        case O_RING_ORDER:
                o->eg.ring_order = (unsigned)n;
                return 0;
        case O_QUEUES:
                o->eg.queues = (unsigned)n;
                return n <= 16 ? 0 : -EINVAL;
        case O_INDIRECT_SEGS:
                o->eg.max_indirect_segs = (unsigned)n;
                return n <= 256 ? 0 : -EINVAL;
        case O_POOL_PAGES:
                o->eg.pool_pages = (unsigned)n;
                return 0;
        default:
                return -EINVAL;
        }
}

static int set(int c, const char *arg, struct load_opts *o)
{
        uint64_t n;

        switch (c) {
        case O_VDEV:
                o->vdev = arg;
                return 0;
        case O_OP:
                return operation(arg, &o->op);
        case O_POLLING:
                return polling(arg, &o->eg.polling);
        case O_SECONDS:
                return seconds(arg, &o->seconds);
        case O_WARMUP:
                return seconds(arg, &o->warmup_seconds);
        default:
                if (!arg)
                        return set_flag(c, o);
                return number(arg, UINT64_MAX >> 1, &n) < 0
                               ? -EINVAL
                               : set_number(c, n, o);
        }
}

int load_opts_parse(int argc, char **argv, struct load_opts *o)
{
        bool said_persistent = false;
        int c, index = 0;

        *o = (struct load_opts){.bs = 4096,
                                .qd = 32,
                                .seconds = 2,
                                .ready_fd = -1,
                                .go_fd = -1};
        o->seed = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
        eg_options_init(&o->eg);
        while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
                if (c == O_HELP) {
                        fputs(usage, stdout);
                        exit(0);
                }
                if (c == '?')
                        return 2;
                said_persistent |= c == O_PERSISTENT;
                if (set(c, optarg, o) < 0) {
                        fprintf(stderr, "randload: --%s %s: not understood\n",
                                options[index].name, optarg ? optarg : "");
                        return 2;
                }
        }
        if (!o->vdev || optind != argc) {
                fputs(usage, stderr);
                return 2;
        }
        /* Fresh pages for ever are of no use to a backend that keeps them. */
        if (o->eg.share_per_request && !said_persistent)
                o->eg.persistent = false;
        if (o->verify && o->op == LOAD_WRITE)
                o->check_all = true;
        return 0;
}
