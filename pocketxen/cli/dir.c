/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *cli_dir(void)
{
        static char dir[CLI_PATH_BYTES];
        const char *d = getenv("POCKETXEN_DIR");
        const char *run = getenv("XDG_RUNTIME_DIR");

        if (d && *d)
                snprintf(dir, sizeof(dir), "%s", d);
        else if (run && *run)
                snprintf(dir, sizeof(dir), "%s/pocketxen", run);
        else
                snprintf(dir, sizeof(dir), "/tmp/pocketxen-%u", getuid());
        return dir;
}

/* Sockets of domains of a server that was killed. */
static void clear_stale(void)
{
        static const char *const names[] = {"xen", "xs"};
        char path[CLI_PATH_BYTES + 300];
        struct dirent *e;
        DIR *d = opendir(cli_dir());

        while (d && (e = readdir(d))) {
                if (e->d_name[0] != 'd' || !isdigit(e->d_name[1]))
                        continue;
                for (size_t i = 0; i < 2; i++) {
                        snprintf(path, sizeof(path), "%s/%s/%s", cli_dir(),
                                 e->d_name, names[i]);
                        unlink(path);
                }
                snprintf(path, sizeof(path), "%s/%s", cli_dir(), e->d_name);
                rmdir(path);
        }
        if (d)
                closedir(d);
}

/* In a world-writable place somebody else may have made the folder first. */
static bool folder_is_ours(void)
{
        struct stat st;

        return lstat(cli_dir(), &st) == 0 && S_ISDIR(st.st_mode) &&
               st.st_uid == getuid() && !(st.st_mode & 022);
}

static void lock_path(char path[static CLI_PATH_BYTES + 8])
{
        snprintf(path, CLI_PATH_BYTES + 8, "%s/lock", cli_dir());
}

/* Of the kind that can be asked for without being taken: a question by one
 * command must not make another's claim fail. */
static struct flock whole_file(void)
{
        return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

pid_t cli_dir_server(void)
{
        struct flock lock = whole_file();
        char path[CLI_PATH_BYTES + 8];
        int pid = 0;
        FILE *f;

        lock_path(path);
        f = fopen(path, "re");
        if (!f)
                return 0;
        if (fcntl(fileno(f), F_OFD_GETLK, &lock) < 0 ||
            lock.l_type == F_UNLCK || fscanf(f, "%9d", &pid) != 1)
                pid = 0;
        fclose(f);
        return pid;
}

int cli_dir_claim(void)
{
        struct flock lock = whole_file();
        char path[CLI_PATH_BYTES + 8];
        int fd;

        if (mkdir(cli_dir(), 0700) < 0 && errno != EEXIST) {
                cli_fail(1,
                         "cannot make the run directory %s: %s (set "
                         "POCKETXEN_DIR to a folder of yours)",
                         cli_dir(), strerror(errno));
                return -1;
        }
        if (!folder_is_ours()) {
                cli_fail(1,
                         "%s is not a folder that only you can write to; "
                         "remove it or set POCKETXEN_DIR",
                         cli_dir());
                return -1;
        }
        lock_path(path);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
                cli_fail(1, "cannot open %s: %s", path, strerror(errno));
                return -1;
        }
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
                cli_fail(1,
                         "pocketxen runs already in %s (pocketxen stop "
                         "ends it; POCKETXEN_DIR chooses another place)",
                         cli_dir());
                close(fd);
                return -1;
        }
        clear_stale();
        return fd;
}
