/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "../wire.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The drop-ins: beside this program in a build tree, else where they were
 * installed. */
static const char *libdir(void)
{
        static char dir[CLI_PATH_BYTES];
        char exe[CLI_PATH_BYTES], probe[CLI_PATH_BYTES + 64];
        const char *set = getenv("POCKETXEN_LIBDIR");
        ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
        char *slash;

        if (set && *set)
                return set;
        if (n > 0) {
                exe[n] = '\0';
                slash = strrchr(exe, '/');
                *slash = '\0';
                snprintf(probe, sizeof(probe), "%s/../lib/libxengnttab.so.1",
                         exe);
                if (access(probe, R_OK) == 0) {
                        snprintf(dir, sizeof(dir), "%.240s/../lib", exe);
                        return dir;
                }
        }
        return PX_LIBDIR;
}

static void prepend_library_path(const char *dir)
{
        const char *old = getenv("LD_LIBRARY_PATH");
        size_t len = strlen(dir);
        char *path;

        /* Entering from inside of a domain: it is there already. */
        if (old && strncmp(old, dir, len) == 0 &&
            (old[len] == ':' || !old[len]))
                return;
        if (asprintf(&path, "%s%s%s", dir, old && *old ? ":" : "",
                     old ? old : "") < 0)
                return;
        setenv("LD_LIBRARY_PATH", path, 1);
        free(path);
}

int cli_enter(const char *dom)
{
        char path[CLI_PATH_BYTES + 32];
        struct json_object *reply = cli_ask("domain", dom), *v;
        const char *dir;

        if (!reply)
                return CLI_FAILED;
        dir = json_object_object_get_ex(reply, "dir", &v)
                      ? json_object_get_string(v)
                      : "";
        snprintf(path, sizeof(path), "%s/xen", dir);
        setenv(PXW_ENV_SOCKET, path, 1);
        snprintf(path, sizeof(path), "%s/xs", dir);
        setenv("XENSTORED_PATH", path, 1);
        snprintf(path, sizeof(path), "%s/control.sock", cli_dir());
        setenv("EVERGRANT_SOCKET", path, 1);
        setenv("POCKETXEN_DIR", cli_dir(), 1);
        prepend_library_path(libdir());
        json_object_put(reply);
        return CLI_DONE;
}

int cmd_exec(int argc, char **argv)
{
        const char usage[] = "DOM -- CMD";
        bool unused;
        int arg, ret = cli_options(argc, argv, usage, "", &unused, &arg);

        if (ret >= 0)
                return ret;
        if (argc - arg < 2)
                return cli_fail(CLI_USAGE, "usage: pocketxen exec %s", usage);
        ret = cli_enter(argv[arg]);
        if (ret != CLI_DONE)
                return ret;
        arg++;
        if (strcmp(argv[arg], "--") == 0)
                arg++;
        if (arg == argc)
                return cli_fail(CLI_USAGE, "usage: pocketxen exec %s", usage);
        execvp(argv[arg], argv + arg);
        ret = errno == ENOENT ? 127 : 126;
        cli_fail(1, "cannot run %s: %s", argv[arg], strerror(errno));
        return ret;
}
