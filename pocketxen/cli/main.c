/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *args, *help;
} commands[] = {
        {"run", cmd_run, "[--beside-xen] -- CMD",
         "start, run CMD as Domain-0, stop; exits with CMD's status"},
        {"start", cmd_start, "[--beside-xen]", "start the server"},
        {"stop", cmd_stop, "", "end all domains and the server"},
        {"list", cmd_list, "[--json]",
         "domains, and who maps how much of whom"},
        {"create", cmd_create, "[--mem SIZE] [--domid N] NAME",
         "create a domain (memory: k, M, G; default 64M)"},
        {"exec", cmd_exec, "DOM -- CMD", "run CMD in a domain"},
        {"destroy", cmd_destroy, "DOM", "kill a domain and its processes"},
        {"fault", cmd_fault, "OP RESULT | clear | …",
         "have grant operations and events fail, for tests"},
        {"grants", cmd_grants, "[--json] DOM",
         "grant entries of a domain: to whom, who maps them"},
};

static void usage(FILE *f)
{
        fprintf(f, "Usage: pocketxen COMMAND [ARGUMENTS]\n"
                   "An emulated Xen for ordinary Linux processes: grants, "
                   "event channels, xenstore.\n\n");
        for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
                fprintf(f, "  %-8s %-22s %s\n", commands[i].name,
                        commands[i].args, commands[i].help);
        fprintf(f,
                "\nDOM is a domid or a name. The run directory is "
                "$POCKETXEN_DIR (now %s).\nA test bench, not an isolation "
                "boundary. See pocketxen(1).\n",
                cli_dir());
}

int cli_fail(int status, const char *fmt, ...)
{
        va_list ap;

        fputs("pocketxen: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return status;
}

int cli_options(int argc, char **argv, const char *text, const char *flag,
                bool *set, int *arg)
{
        const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                         {flag, no_argument, NULL, 'f'},
                                         {0}};
        int c;

        optind = 1;
        while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
                if (c == 'h') {
                        printf("Usage: pocketxen %s %s\n", argv[0], text);
                        return CLI_DONE;
                }
                if (c != 'f')
                        return cli_fail(CLI_USAGE, "usage: pocketxen %s %s",
                                        argv[0], text);
                *set = true;
        }
        *arg = optind;
        return -1;
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                usage(stderr);
                return CLI_USAGE;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
                usage(stdout);
                return CLI_DONE;
        }
        if (strcmp(argv[1], "--version") == 0) {
                printf("pocketxen %s\n", PX_VERSION);
                return CLI_DONE;
        }
        for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return commands[i].run(argc - 1, argv + 1);
        return cli_fail(CLI_USAGE,
                        "unknown command '%s' (pocketxen --help lists them)",
                        argv[1]);
}
