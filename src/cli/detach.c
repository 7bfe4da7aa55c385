/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "common/parse.h"
#include "opts.h"
#include "vbd.h"
#include "wait.h"

struct detach {
        struct vbd vbd;
        const char *dom;
        const char *socket;
        uint64_t timeout_s;
};

/* 1: evergrantd has let go, or has removed the nodes itself. */
static int check_closed(struct xen_store *s, void *arg)
{
        const struct vbd *v = arg;
        char path[XEN_STORE_PATH_BYTES + 64];

        snprintf(path, sizeof(path), "%s/state", v->back);
        if (xen_store_read_state(s, path) == XENBUS_CLOSED)
                return 1;
        return !xen_store_exists(s, v->back);
}

static int report_failure(const struct detach *d, struct xen_store *s, int ret)
{
        char path[XEN_STORE_PATH_BYTES + 64];

        snprintf(path, sizeof(path), "%s/state", d->vbd.back);
        if (ret == -ETIMEDOUT)
                return cli_fail(
                        "evergrantd did not let go of %s of %s in "
                        "%llu s (state %s); it goes on trying, ask "
                        "again with a longer --timeout",
                        d->vbd.name, d->dom, (unsigned long long)d->timeout_s,
                        xenbus_state_name(xen_store_read_state(s, path)));
        if (ret == -EINTR)
                return cli_fail("interrupted: %s of %s is being detached, its "
                                "nodes stay; finish with `evergrant detach %u "
                                "%s`",
                                d->vbd.name, d->dom, d->vbd.domid, d->vbd.name);
        return cli_fail("cannot detach %s of %s: lost xenstore: %s",
                        d->vbd.name, d->dom, strerror(-ret));
}

static int wait_and_remove(struct detach *d, struct xen_store *s,
                           struct wait *w)
{
        struct err e = {0};
        int ret = wait_change(w, s, d->vbd.back, (unsigned)d->timeout_s,
                              check_closed, &d->vbd);

        if (ret < 0)
                return report_failure(d, s, ret);
        if (vbd_remove(s, &d->vbd, &e) < 0)
                return cli_fail("%s", e.text);
        printf("%s detached from %s\n", d->vbd.name, d->dom);
        return cli_flush();
}

/* The disks that xl attached are xl's to take away: it knows them by its own
 * nodes, too. */
static bool is_xls(struct xen_store *s, const struct vbd *v)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "/local/domain/%u/backend/vbd/%u/%u",
                 v->self, v->domid, v->vdev);
        return xen_store_exists(s, path);
}

/* A domain that is gone may have left its disk behind: then its number is
 * enough, though xenstore knows no such domain any more. */
static int find(struct detach *d, struct xen_store *s, uint32_t self,
                uint32_t vdev, struct err *e)
{
        uint64_t number;
        uint32_t domid;
        int ret;

        if (parse_u64(d->dom, UINT16_MAX, &number) == 0) {
                vbd_init(&d->vbd, self, (uint32_t)number, vdev);
                if (xen_store_exists(s, d->vbd.back))
                        return 0;
        }
        ret = vbd_find_domain(s, d->dom, &domid, e);
        if (ret < 0)
                return ret;
        vbd_init(&d->vbd, self, domid, vdev);
        if (xen_store_exists(s, d->vbd.back))
                return 0;
        if (is_xls(s, &d->vbd))
                return err_set(e, -ENOENT,
                               "%s of %s was attached by xl: use `xl "
                               "block-detach %s %s`",
                               d->vbd.name, d->dom, d->dom, d->vbd.name);
        return err_set(e, -ENOENT,
                       "%s is not attached to %s; `evergrant list` shows what "
                       "is",
                       d->vbd.name, d->dom);
}

static int detach(struct detach *d, uint32_t vdev, struct xen_store *s,
                  uint32_t self)
{
        struct wait w = {.signal_fd = -1};
        struct err e = {0};
        int ret;

        if (find(d, s, self, vdev, &e) < 0)
                return cli_fail("%s", e.text);
        if (client_ping(d->socket, &e) < 0)
                return cli_fail("nothing was changed: %s", e.text);
        if (wait_begin(&w, &e) < 0)
                return cli_fail("%s", e.text);
        if (vbd_request_close(s, &d->vbd, &e) < 0)
                ret = cli_fail("%s", e.text);
        else
                ret = wait_and_remove(d, s, &w);
        wait_end(&w);
        return ret;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
        struct detach d = {.timeout_s = 10};
        const struct opt table[] = {
                {.name = "timeout",
                 .kind = OPT_NUMBER,
                 .value = &d.timeout_s,
                 .arg = "S",
                 .help = "seconds to wait for evergrantd (default 10)",
                 .min = 1,
                 .max = 3600},
                OPT_SOCKET(&d.socket),
                OPT_END,
        };
        struct xen_store *s;
        struct err e = {0};
        uint32_t vdev, self_domid;
        char **args;
        int n, ret;

        ret = opts_parse(self, table, argc, argv, 2, 2, &args, &n);
        if (ret >= 0)
                return ret;
        ret = opts_vdev(self, args[1], &vdev);
        if (ret)
                return ret;
        d.dom = args[0];
        if (vbd_open_store(&s, &self_domid, &e) < 0)
                return cli_fail("%s", e.text);
        ret = detach(&d, vdev, s, self_domid);
        xen_store_close(s);
        return ret;
}

const struct cli_command cli_detach = {
        .name = "detach",
        .args = "DOM VDEV [OPTION…]",
        .summary = "takes a disk away",
        .text = "Asks evergrantd to close the disk, waits until nothing of the "
                "guest is mapped\nany more, and removes the disk's nodes from "
                "xenstore. A guest that still uses\nthe disk loses it. The "
                "disk "
                "of a domain that is gone is named by its number.",
        .run = run,
};
