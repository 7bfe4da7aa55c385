/* SPDX-License-Identifier: MIT */
/* fault: sets, lists and clears faults; see pocketxen(1). The server reads the
 * words, this only carries them there. */
#include "cli.h"

#include "common/parse.h"

#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
        "usage: pocketxen fault map|unmap|copy RESULT [OPTION...]\n"
        "       pocketxen fault event drop=PERCENT|dup=PERCENT|delay=MS|close "
        "[OPTION...]\n"
        "       pocketxen fault revoke allowed [--of DOM]\n"
        "       pocketxen fault raise DOM PORT [--times N]\n"
        "       pocketxen fault close DOM PORT\n"
        "       pocketxen fault list [--json] | clear [ID]\n"
        "RESULT: bad_gntref, eagain or another status of grant_table.h, +1,\n"
        "        untouched, EINVAL, ENOMEM, EFAULT, slow=MS\n"
        "OPTION: --by DOM  --of DOM  --ref N[-M]  --port N  --nth N  --times N "
        " --seed N";

struct words {
        const char *args[3];
        int nargs;
        bool json;
        struct json_object *request;
};

static void add_text(struct words *w, const char *key, const char *value)
{
        json_object_object_add(w->request, key, json_object_new_string(value));
}

static bool add_number(struct words *w, const char *key, const char *value)
{
        uint64_t n;

        if (parse_u64(value, INT64_MAX, &n) < 0)
                return false;
        json_object_object_add(w->request, key, json_object_new_uint64(n));
        return true;
}

/* N or N-M */
static bool add_range(struct words *w, const char *value)
{
        const char *dash = strchr(value, '-');
        char first[24];

        if (!dash)
                return add_number(w, "first", value) &&
                       add_number(w, "last", value);
        snprintf(first, sizeof(first), "%.*s",
                 (int)(dash - value < 20 ? dash - value : 20), value);
        return add_number(w, "first", first) && add_number(w, "last", dash + 1);
}

static bool take_option(struct words *w, int c, const char *value)
{
        switch (c) {
        case 'b':
                add_text(w, "by", value);
                return true;
        case 'o':
                add_text(w, "of", value);
                return true;
        case 'r':
                return add_range(w, value);
        case 'n':
                return add_number(w, "nth", value);
        case 't':
                return add_number(w, "times", value);
        case 's':
                return add_number(w, "seed", value);
        case 'j':
                w->json = true;
                return true;
        default:
                return false;
        }
}

/* -1 to go on, else the status to exit with. */
static int read_words(struct words *w, int argc, char **argv)
{
        static const struct option options[] = {
                {"by", required_argument, NULL, 'b'},
                {"of", required_argument, NULL, 'o'},
                {"ref", required_argument, NULL, 'r'},
                {"port", required_argument, NULL, 'r'},
                {"nth", required_argument, NULL, 'n'},
                {"times", required_argument, NULL, 't'},
                {"seed", required_argument, NULL, 's'},
                {"json", no_argument, NULL, 'j'},
                {"help", no_argument, NULL, 'h'},
                {0}};
        int c;

        optind = 1;
        while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
                if (c == 'h')
                        return puts(usage), CLI_DONE;
                if (c == '?')
                        return cli_fail(CLI_USAGE, "%s", usage);
                if (!take_option(w, c, optarg))
                        return cli_fail(
                                CLI_USAGE, "'%s' is not a number%s", optarg,
                                c == 'r' ? ", nor a range as 8-15" : "");
        }
        while (optind < argc && w->nargs < 3)
                w->args[w->nargs++] = argv[optind++];
        if (optind < argc || !w->nargs)
                return cli_fail(CLI_USAGE, "%s", usage);
        return -1;
}

/* One line a fault: "id 1 op map result bad_gntref …". */
static void list(struct json_object *o)
{
        struct json_object *rows;

        if (!json_object_object_get_ex(o, "faults", &rows))
                return;
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *f = json_object_array_get_idx(rows, i);
                const char *space = "";

                json_object_object_foreach(f, key, value)
                {
                        printf("%s%s %s", space, key,
                               json_object_get_string(value));
                        space = " ";
                }
                putchar('\n');
        }
}

static int ask(struct words *w, const char *command)
{
        struct json_object *o, *v;

        add_text(w, "command", command);
        o = cli_ask_object(w->request);
        w->request = NULL;
        if (!o)
                return CLI_FAILED;
        if (json_object_object_get_ex(o, "id", &v))
                printf("%s\n", json_object_get_string(v));
        if (w->json)
                puts(json_object_to_json_string_ext(
                        o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
        else
                list(o);
        json_object_put(o);
        return CLI_DONE;
}

static int run(struct words *w)
{
        const char *what = w->args[0];

        // NOLINTNEXTLINE(*-core.NonNullParamChecker): read_words found one
        if (strcmp(what, "list") == 0 && w->nargs == 1)
                return ask(w, "faults");
        if (strcmp(what, "clear") == 0 && w->nargs <= 2) {
                if (w->nargs == 2 && !add_number(w, "id", w->args[1]))
                        return cli_fail(CLI_USAGE, "'%s' is not a number",
                                        w->args[1]);
                return ask(w, "fault-clear");
        }
        if ((strcmp(what, "raise") == 0 || strcmp(what, "close") == 0) &&
            w->nargs == 3) {
                add_text(w, "dom", w->args[1]);
                if (!add_number(w, "port", w->args[2]))
                        return cli_fail(CLI_USAGE, "'%s' is not a number",
                                        w->args[2]);
                return ask(w, *what == 'r' ? "fault-raise" : "fault-close");
        }
        if (w->nargs != 2)
                return cli_fail(CLI_USAGE, "%s", usage);
        add_text(w, "op", what);
        add_text(w, "result", w->args[1]);
        return ask(w, "fault");
}

int cmd_fault(int argc, char **argv)
{
        struct words w = {.request = json_object_new_object()};
        int ret = read_words(&w, argc, argv);

        if (ret < 0)
                ret = run(&w);
        json_object_put(w.request);
        return ret;
}
