/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static const struct cli_command *const commands[] = {
        &cli_attach, &cli_detach, &cli_resize, &cli_list, &cli_stat,
};

static void complain(const char *text)
{
        char plain[4096];

        fprintf(stderr, "evergrant: %s\n",
                text_plain(plain, sizeof(plain), text));
}

int cli_fail(const char *fmt, ...)
{
        char text[2048];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        complain(text);
        return CLI_FAILED;
}

int cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
        char text[2048];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        complain(text);
        fprintf(stderr, "Try `evergrant %s%s--help`.\n", cmd ? cmd->name : "",
                cmd ? " " : "");
        return CLI_USAGE;
}

int cli_flush(void)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return CLI_DONE;
        return cli_fail("cannot write the output: %s", strerror(errno));
}

static int print_help(void)
{
        printf("evergrant: virtual disks for Xen guests, served by "
               "evergrantd\n\n"
               "Usage: evergrant COMMAND [ARGUMENT…] [OPTION…]\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                printf("  %-7s %s\n", commands[i]->name, commands[i]->summary);
        printf("\n"
               "  -h, --help     this help; `evergrant COMMAND --help` for one "
               "command\n"
               "  -V, --version  the version\n\n"
               "DOM is a domain's number or name, VDEV is xvda or its number, "
               "as in xl.\n"
               "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
        return cli_flush();
}

static int print_version(void)
{
        printf("evergrant " EVERGRANT_VERSION "\n");
        return cli_flush();
}

static const struct cli_command *find_command(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                if (strcmp(commands[i]->name, name) == 0)
                        return commands[i];
        }
        return NULL;
}

int cli_main(int argc, char **argv)
{
        const struct cli_command *cmd;
        const char *what = argc > 1 ? argv[1] : NULL;

        if (!what)
                return cli_usage(NULL, "no command given; there are attach, "
                                       "detach, resize, list and stat");
        if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0)
                return print_help();
        if (strcmp(what, "--version") == 0 || strcmp(what, "-V") == 0)
                return print_version();
        if (what[0] == '-')
                return cli_usage(NULL, "unknown option %s", what);
        cmd = find_command(what);
        if (!cmd)
                return cli_usage(NULL,
                                 "unknown command \"%s\"; there are attach, "
                                 "detach, resize, list and stat",
                                 what);
        return cmd->run(cmd, argc - 1, argv + 1);
}
