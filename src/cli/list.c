/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "opts.h"
#include "show.h"
#include "table.h"
#include "text.h"
#include "view.h"

static void add_disk(struct table *t, struct json_object *d)
{
        char domain[160], size[TEXT_NUMBER_BYTES] = "-", grants[160];
        double bytes;

        if (view_number(d, "size_bytes", &bytes))
                text_bytes(size, sizeof(size), bytes);
        table_add(t, (const char *const[]){
                             view_domain(domain, sizeof(domain), d),
                             view_string(d, "name", "?"),
                             size,
                             view_is_true(d, "readonly") ? "r" : "rw",
                             view_string(d, "state", "?"),
                             view_grants(grants, sizeof(grants), d),
                             view_string(d, "target", "?"),
                     });
}

/* Why a disk is served otherwise than asked, and what is wrong with it. */
static void print_notes(FILE *f, struct json_object *d)
{
        const char *why = view_string(d, "grants_why", "");
        const char *error = view_string(d, "error", "");
        char domain[160], name[64], plain[1024];

        view_domain(domain, sizeof(domain), d);
        text_plain(name, sizeof(name), view_string(d, "name", "?"));
        if (*why)
                fprintf(f, "%s %s: grants: %s\n", domain, name,
                        text_plain(plain, sizeof(plain), why));
        if (*error)
                fprintf(f, "%s %s: error: %s\n", domain, name,
                        text_plain(plain, sizeof(plain), error));
}

void show_list(struct json_object *reply, FILE *f)
{
        size_t n = view_disks(reply);
        struct table t;

        if (n == 0) {
                fprintf(f, "no disks are attached\n");
                return;
        }
        table_init(&t, "DOMAIN|VDEV|>SIZE|MODE|STATE|GRANTS|TARGET");
        for (size_t i = 0; i < n; i++)
                add_disk(&t, view_disk(reply, i));
        table_print(&t, f);
        table_release(&t);
        for (size_t i = 0; i < n; i++)
                print_notes(f, view_disk(reply, i));
}

void show_json(struct json_object *reply, FILE *f)
{
        /* It is an answer, no longer a conversation. */
        json_object_object_del(reply, "ok");
        fprintf(f, "%s\n",
                json_object_to_json_string_ext(
                        reply, JSON_C_TO_STRING_PRETTY |
                                       JSON_C_TO_STRING_SPACED |
                                       JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int run(const struct cli_command *self, int argc, char **argv)
{
        const char *socket = NULL;
        bool json = false;
        const struct opt table[] = {
                {.name = "json",
                 .kind = OPT_FLAG,
                 .value = &json,
                 .help = "one JSON object, see evergrant-control(7)"},
                OPT_SOCKET(&socket),
                OPT_END,
        };
        struct json_object *reply = NULL;
        struct err e = {0};
        char **args;
        int n, ret;

        ret = opts_parse(self, table, argc, argv, 0, 0, &args, &n);
        if (ret >= 0)
                return ret;
        if (client_call(socket, client_request("list"), &reply, &e) < 0)
                return cli_fail("%s", e.text);
        view_sort(reply);
        if (json)
                show_json(reply, stdout);
        else
                show_list(reply, stdout);
        json_object_put(reply);
        return cli_flush();
}

const struct cli_command cli_list = {
        .name = "list",
        .args = "[OPTION…]",
        .summary = "shows the disks that evergrantd serves",
        .text = "A row a disk: the domain, the disk's name there, its size, r "
                "or rw, the state of\nthe connection, how guest pages are "
                "reached (and what was asked for, where that\ndiffers), and "
                "what holds the data.",
        .run = run,
};
