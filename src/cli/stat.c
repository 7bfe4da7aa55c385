/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdio.h>

#include "client.h"
#include "clock.h"
#include "opts.h"
#include "show.h"
#include "view.h"
#include "wait.h"

#define REFRESH_MS 1000

struct stat_args {
        const char *dom; /* NULL: all */
        const char *socket;
        uint32_t vdev;
        bool has_vdev, json, prometheus, watch;
};

static int ask(const struct stat_args *a, struct json_object **reply,
               struct err *e)
{
        struct json_object *request = client_request("stat");
        int ret;

        if (a->dom)
                client_add_domain(request, a->dom);
        if (a->has_vdev)
                json_object_object_add(request, "vdev",
                                       json_object_new_int64(a->vdev));
        ret = client_call(a->socket, request, reply, e);
        if (ret == 0)
                view_sort(*reply);
        return ret;
}

static int print_once(const struct stat_args *a)
{
        struct json_object *reply = NULL;
        struct err e = {0};

        if (ask(a, &reply, &e) < 0)
                return cli_fail("%s", e.text);
        if (a->json)
                show_json(reply, stdout);
        else if (a->prometheus)
                show_prometheus(reply, stdout);
        else
                show_stat(reply, stdout);
        json_object_put(reply);
        return cli_flush();
}

static void print_refresh(struct json_object *before, struct json_object *now,
                          double seconds)
{
        bool terminal = isatty(STDOUT_FILENO);

        if (terminal)
                printf("\033[H\033[J"); /* home, clear */
        show_rates(before, now, seconds, stdout);
        printf(terminal ? "\nper second; Ctrl-C ends\n" : "\n");
}

static int watch(const struct stat_args *a, struct wait *w)
{
        struct json_object *before = NULL, *now = NULL;
        struct err e = {0};
        int64_t last = clock_ms(), t;
        int ret;

        if (ask(a, &before, &e) < 0)
                return cli_fail("%s", e.text);
        for (ret = CLI_DONE; ret == CLI_DONE;) {
                if (wait_sleep(w, REFRESH_MS))
                        break;
                if (ask(a, &now, &e) < 0) {
                        ret = cli_fail("%s", e.text);
                        break;
                }
                t = clock_ms();
                print_refresh(before, now, (double)(t - last) / 1000);
                ret = cli_flush();
                json_object_put(before);
                before = now;
                last = t;
        }
        json_object_put(before);
        return ret;
}

static int print_watch(const struct stat_args *a)
{
        struct wait w = {.signal_fd = -1};
        struct err e = {0};
        int ret;

        if (wait_begin(&w, &e) < 0)
                return cli_fail("%s", e.text);
        ret = watch(a, &w);
        wait_end(&w);
        return ret;
}

static int check(const struct cli_command *self, const struct stat_args *a)
{
        if (a->json && a->prometheus)
                return cli_usage(self, "--json and --prometheus are two "
                                       "formats: choose one");
        if (a->watch && (a->json || a->prometheus))
                return cli_usage(self, "--watch is for people: it does not go "
                                       "with --json or --prometheus");
        return 0;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
        struct stat_args a = {.dom = NULL};
        const struct opt table[] = {
                {.name = "json",
                 .kind = OPT_FLAG,
                 .value = &a.json,
                 .help = "one JSON object, see evergrant-control(7)"},
                {.name = "prometheus",
                 .kind = OPT_FLAG,
                 .value = &a.prometheus,
                 .help = "for node_exporter's textfile collector"},
                {.name = "watch",
                 .kind = OPT_FLAG,
                 .value = &a.watch,
                 .help = "rates per second, each second, until Ctrl-C"},
                OPT_SOCKET(&a.socket),
                OPT_END,
        };
        char **args;
        int n, ret;

        ret = opts_parse(self, table, argc, argv, 0, 2, &args, &n);
        if (ret >= 0)
                return ret;
        if (n > 0)
                a.dom = args[0];
        if (n > 1) {
                ret = opts_vdev(self, args[1], &a.vdev);
                a.has_vdev = true;
        }
        ret = n > 1 && ret ? ret : check(self, &a);
        if (ret)
                return ret;
        return a.watch ? print_watch(&a) : print_once(&a);
}

const struct cli_command cli_stat = {
        .name = "stat",
        .args = "[DOM [VDEV]] [OPTION…]",
        .summary = "shows what disks have done",
        .text = "Counters since each disk was connected: requests, how their "
                "data was reached,\ngrant operations, latency; of one domain "
                "or "
                "disk if it is named.",
        .run = run,
};
