/* SPDX-License-Identifier: MIT */
/* A domain's processes are those whose environment names its hypercall socket:
 * that reaches grandchildren that never opened a handle. */
#include "server.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRON_MAX (256u << 10)

static bool environment_has(pid_t pid, const char *line, char *buf)
{
        char path[64];
        size_t have = 0, want = strlen(line) + 1;
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        while (have < ENVIRON_MAX - 1 &&
               (n = read(fd, buf + have, ENVIRON_MAX - 1 - have)) > 0)
                have += (size_t)n;
        close(fd);
        buf[have] = '\0';
        for (size_t at = 0; at < have; at += strlen(buf + at) + 1)
                if (have - at + 1 >= want && strcmp(buf + at, line) == 0)
                        return true;
        return false;
}

unsigned srv_kill_domain(const struct srv_domain *d, int sig)
{
        char line[sizeof(PXW_ENV_SOCKET) + SRV_PATH_BYTES + 8];
        char *buf = malloc(ENVIRON_MAX);
        unsigned n = 0;
        struct dirent *entry;
        DIR *proc = opendir("/proc");

        snprintf(line, sizeof(line), "%s=%s/xen", PXW_ENV_SOCKET, d->dir);
        while (buf && proc && (entry = readdir(proc))) {
                pid_t pid = atoi(entry->d_name);

                if (pid <= 1 || pid == getpid())
                        continue;
                if (environment_has(pid, line, buf) && kill(pid, sig) == 0)
                        n++;
        }
        if (proc)
                closedir(proc);
        free(buf);
        return n;
}
