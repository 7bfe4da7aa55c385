/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "opts.h"
#include "target.h"
#include "vbd.h"
#include "wait.h"

static const char *const grant_modes[] = {"auto", "persistent", "map", "copy",
                                          NULL};
static const char *const block_sizes[] = {"512", "4096", NULL};

struct attach {
        struct vbd vbd;
        struct vbd_options options;
        const char *dom;
        const char *socket;
        char target[TARGET_BYTES];
        uint64_t timeout_s;
        char *error; /* what evergrantd said */
};

static int take_arguments(const struct cli_command *self, struct attach *a,
                          char **args, uint32_t *vdev)
{
        struct err e = {0};

        if (opts_vdev(self, args[1], vdev))
                return CLI_USAGE;
        if (target_normalize(args[2], a->target, &e) < 0)
                return cli_usage(self, "%s", e.text);
        a->dom = args[0];
        a->options.target = a->target;
        return -1;
}

// NOLINTNEXTLINE(readability-function-size): a table
static int parse(const struct cli_command *self, int argc, char **argv,
                 struct attach *a, uint32_t *vdev)
{
        struct vbd_options *o = &a->options;
        const struct opt table[] = {
                {.name = "readonly",
                 .kind = OPT_FLAG,
                 .value = &o->readonly,
                 .help = "the guest cannot write"},
                {.name = "queues",
                 .kind = OPT_NUMBER,
                 .value = &o->queues,
                 .arg = "N",
                 .help = "offer up to N rings, 1 to 16 (default: one\n"
                         "an I/O thread of evergrantd)",
                 .min = 1,
                 .max = 16,
                 .given = &o->has_queues},
                {.name = "ring-order",
                 .kind = OPT_NUMBER,
                 .value = &o->ring_order,
                 .arg = "N",
                 .help = "offer rings of up to 2^N pages, 0 to 4",
                 .min = 0,
                 .max = 4,
                 .given = &o->has_ring_order},
                {.name = "grants",
                 .kind = OPT_CHOICE,
                 .value = &o->grants,
                 .arg = "MODE",
                 .help = "how guest pages are reached: auto, persistent, map\n"
                         "or copy (default auto)",
                 .choices = grant_modes},
                {.name = "max-persistent",
                 .kind = OPT_NUMBER,
                 .value = &o->max_persistent,
                 .arg = "N",
                 .help = "keep at most N guest pages mapped (default: what\n"
                         "the ring needs, at most 1056)",
                 .min = 0,
                 .max = UINT32_MAX,
                 .given = &o->has_max_persistent},
                {.name = "block-size",
                 .kind = OPT_CHOICE,
                 .value = &o->block_size,
                 .arg = "BYTES",
                 .help = "the logical block that the guest is told: 512\n"
                         "(default) or 4096, for guests that take it",
                 .choices = block_sizes},
                {.name = "timeout",
                 .kind = OPT_NUMBER,
                 .value = &a->timeout_s,
                 .arg = "S",
                 .help = "seconds to wait for evergrantd (default 10)",
                 .min = 1,
                 .max = 3600},
                OPT_SOCKET(&a->socket),
                OPT_END,
        };
        char **args;
        int n, ret;

        ret = opts_parse(self, table, argc, argv, 3, 3, &args, &n);
        return ret >= 0 ? ret : take_arguments(self, a, args, vdev);
}

/* evergrantd's verdict: 1 it serves the disk, 2 it refused, -ENOENT the nodes
 * are gone (the domain ended, or somebody detached the disk). */
static int check_status(struct xen_store *s, void *arg)
{
        struct attach *a = arg;
        CLEANUP_FREE char *status = vbd_text(s, &a->vbd, "hotplug-status");

        if (!status)
                return -ENOMEM;
        if (strcmp(status, "connected") == 0)
                return 1;
        if (strcmp(status, "error") == 0) {
                free(a->error);
                a->error = vbd_text(s, &a->vbd, "hotplug-error");
                return 2;
        }
        return xen_store_exists(s, a->vbd.back) ? 0 : -ENOENT;
}

static int report_failure(const struct attach *a, int ret)
{
        const char *name = a->vbd.name;

        if (ret == 2)
                return cli_fail("cannot attach %s to %s: %s", name, a->dom,
                                a->error && *a->error
                                        ? a->error
                                        : "evergrantd gave no reason; see "
                                          "its log");
        if (ret == -ETIMEDOUT)
                return cli_fail("cannot attach %s to %s: evergrantd answers on "
                                "%s but did not take the disk in %llu s; does "
                                "it use another xenstore? see its log",
                                name, a->dom, client_socket(a->socket),
                                (unsigned long long)a->timeout_s);
        if (ret == -EINTR)
                return cli_fail("interrupted: %s was not attached to %s", name,
                                a->dom);
        if (ret == -ENOENT)
                return cli_fail("cannot attach %s to %s: the domain ended, or "
                                "the disk was detached at the same moment",
                                name, a->dom);
        return cli_fail("cannot attach %s to %s: lost xenstore: %s", name,
                        a->dom, strerror(-ret));
}

static int wait_and_report(struct attach *a, struct xen_store *s,
                           struct wait *w)
{
        struct err e = {0};
        int ret = wait_change(w, s, a->vbd.back, (unsigned)a->timeout_s,
                              check_status, a);

        if (ret == 1) {
                printf("%s attached to %s: %s%s\n", a->vbd.name, a->dom,
                       a->target, a->options.readonly ? ", read-only" : "");
                return cli_flush();
        }
        report_failure(a, ret);
        if (vbd_remove(s, &a->vbd, &e) < 0)
                cli_fail("%s; remove what is left with `evergrant detach %u "
                         "%s`",
                         e.text, a->vbd.domid, a->vbd.name);
        return CLI_FAILED;
}

static int attach(struct attach *a, uint32_t vdev, struct xen_store *s,
                  uint32_t self)
{
        struct wait w = {.signal_fd = -1};
        struct err e = {0};
        uint32_t domid;
        int ret;

        if (vbd_find_domain(s, a->dom, &domid, &e) < 0)
                return cli_fail("%s", e.text);
        vbd_init(&a->vbd, self, domid, vdev);
        /* Before anything is written: nodes that nobody serves would keep the
         * name taken. */
        if (client_ping(a->socket, &e) < 0 || wait_begin(&w, &e) < 0)
                return cli_fail("%s", e.text);
        if (vbd_create(s, &a->vbd, &a->options, &e) < 0)
                ret = cli_fail("%s", e.text);
        else
                ret = wait_and_report(a, s, &w);
        wait_end(&w);
        return ret;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
        struct attach a = {.timeout_s = 10};
        struct xen_store *s;
        struct err e = {0};
        uint32_t vdev, self_domid;
        int ret = parse(self, argc, argv, &a, &vdev);

        if (ret >= 0)
                return ret;
        if (vbd_open_store(&s, &self_domid, &e) < 0)
                return cli_fail("%s", e.text);
        ret = attach(&a, vdev, s, self_domid);
        xen_store_close(s);
        free(a.error);
        return ret;
}

const struct cli_command cli_attach = {
        .name = "attach",
        .args = "DOM VDEV TARGET [OPTION…]",
        .summary = "gives a domain a disk",
        .text = "TARGET is the path of a raw file or block device, ram:64M (in "
                "memory) or\nnull:1T (nothing there). DOM is a domain's number "
                "or name, VDEV is xvda or\nits number. Waits until evergrantd "
                "serves the disk.",
        .run = run,
};
