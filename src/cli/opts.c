/* SPDX-License-Identifier: MIT */
#include "opts.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/vdev.h"

#define MAX_OPTS 15
#define HELP_COLUMN 24

static void print_option(const char *name, const char *arg, const char *help)
{
        char left[64];
        int width = snprintf(left, sizeof(left), "  --%s%s%s", name,
                             arg ? " " : "", arg ? arg : "");

        printf("%s%*s", left, width < HELP_COLUMN ? HELP_COLUMN - width : 1,
               "");
        for (; *help; help++) {
                putchar(*help);
                if (*help == '\n')
                        printf("%*s", HELP_COLUMN, "");
        }
        putchar('\n');
}

static int print_help(const struct cli_command *cmd, const struct opt *table)
{
        printf("Usage: evergrant %s %s\n\n%s\n\n%s\n\nOptions:\n", cmd->name,
               cmd->args, cmd->summary, cmd->text);
        for (; table->name; table++)
                print_option(table->name, table->arg, table->help);
        print_option("help", NULL, "this help");
        return cli_flush();
}

static int set_choice(const struct cli_command *cmd, const struct opt *o,
                      const char *arg)
{
        char list[256] = "";
        size_t at = 0;

        for (const char *const *c = o->choices; *c; c++) {
                if (strcmp(*c, arg) == 0) {
                        *(const char **)o->value = *c;
                        return 0;
                }
                at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
                                       !at    ? ""
                                       : c[1] ? ", "
                                              : " or ",
                                       *c);
        }
        return cli_usage(cmd, "--%s \"%s\": there is no such %s; it is %s",
                         o->name, arg, o->arg, list);
}

static int set_number(const struct cli_command *cmd, const struct opt *o,
                      const char *arg)
{
        uint64_t v;

        if (parse_u64(arg, o->max, &v) < 0 || v < o->min)
                return cli_usage(cmd,
                                 "--%s \"%s\" is no whole number from %" PRIu64
                                 " to %" PRIu64,
                                 o->name, arg, o->min, o->max);
        *(uint64_t *)o->value = v;
        return 0;
}

static int set_option(const struct cli_command *cmd, const struct opt *o,
                      const char *arg)
{
        if (o->given)
                *o->given = true;
        switch (o->kind) {
        case OPT_FLAG:
                *(bool *)o->value = true;
                return 0;
        case OPT_NUMBER:
                return set_number(cmd, o, arg);
        case OPT_CHOICE:
                return set_choice(cmd, o, arg);
        case OPT_STRING:
                if (!*arg)
                        return cli_usage(cmd,
                                         "--%s needs a %s that is not "
                                         "empty",
                                         o->name, o->arg);
                *(const char **)o->value = arg;
                return 0;
        }
        return 0;
}

/* What getopt_long did not take, in our words. */
static int bad_option(const struct cli_command *cmd, const struct opt *table,
                      int c, char **argv)
{
        const struct opt *o = optopt >= 1000 ? &table[optopt - 1000] : NULL;

        if (c == ':' && o)
                return cli_usage(cmd, "--%s needs a value: --%s %s", o->name,
                                 o->name, o->arg);
        if (o)
                return cli_usage(cmd, "--%s takes no value", o->name);
        if (optopt)
                return cli_usage(cmd, "unknown option -%c", optopt);
        return cli_usage(cmd, "unknown option %s", argv[optind - 1]);
}

static int check_args(const struct cli_command *cmd, int n, int min, int max,
                      char **args)
{
        if (n < min)
                return cli_usage(cmd,
                                 "too few arguments: usage: evergrant %s "
                                 "%s",
                                 cmd->name, cmd->args);
        if (n > max)
                return cli_usage(cmd,
                                 "\"%s\" is one argument too many: usage: "
                                 "evergrant %s %s",
                                 args[max], cmd->name, cmd->args);
        return -1;
}

int opts_parse(const struct cli_command *cmd, const struct opt *table, int argc,
               char **argv, int min_args, int max_args, char ***args,
               int *n_args)
{
        struct option longs[MAX_OPTS + 2] = {{NULL, 0, NULL, 0}};
        int n = 0, c;

        for (; table[n].name && n < MAX_OPTS; n++)
                longs[n] = (struct option){.name = table[n].name,
                                           .has_arg = table[n].arg != NULL,
                                           .val = 1000 + n};
        longs[n] = (struct option){.name = "help", .val = 'h'};
        opterr = 0;
        optind = 0; /* glibc: start anew, whatever was parsed before */
        while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
                if (c == 'h')
                        return print_help(cmd, table);
                if (c < 1000)
                        return bad_option(cmd, table, c, argv);
                if (set_option(cmd, &table[c - 1000], optarg))
                        return CLI_USAGE;
        }
        *args = argv + optind;
        *n_args = argc - optind;
        return check_args(cmd, *n_args, min_args, max_args, *args);
}

int opts_vdev(const struct cli_command *cmd, const char *s, uint32_t *vdev)
{
        if (vdev_parse(s, vdev) < 0)
                return cli_usage(cmd,
                                 "\"%s\" is no disk name: it is xvda, xvdb, "
                                 "… or a number such as 51712",
                                 s);
        return 0;
}
