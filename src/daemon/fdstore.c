/* SPDX-License-Identifier: MIT */
#include "fdstore.h"

#include "common/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

struct held {
        int fd;
        char *name;
};
static struct held *held;
static unsigned nheld;

static void name_of(char name[40], uint32_t domid, uint32_t vdev)
{
        snprintf(name, 40, "ram-%u-%u", domid, vdev);
}

void fdstore_init(void)
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);

        if (n <= 0)
                return;
        held = calloc((size_t)n, sizeof(*held));
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                fcntl(fd, F_SETFD, FD_CLOEXEC);
                if (!held) {
                        close(fd);
                        free(names[i]);
                        continue;
                }
                held[nheld++] = (struct held){fd, names[i]};
        }
        free(names);
}

static void notify_remove(const char *name)
{
        sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void fdstore_drop_unclaimed(void)
{
        for (unsigned i = 0; i < nheld; i++) {
                if (held[i].fd >= 0) {
                        log_info("nobody needs the kept memory %s any more",
                                 held[i].name);
                        close(held[i].fd);
                        notify_remove(held[i].name);
                }
                free(held[i].name);
        }
        free(held);
        held = NULL;
        nheld = 0;
}

int fdstore_claim(uint32_t domid, uint32_t vdev)
{
        char name[40];
        int fd = -1;

        name_of(name, domid, vdev);
        for (unsigned i = 0; i < nheld; i++) {
                if (held[i].fd < 0 || strcmp(held[i].name, name) != 0)
                        continue;
                /* The newest of several: an older one was never removed. */
                if (fd >= 0)
                        close(fd);
                fd = held[i].fd;
                held[i].fd = -1;
        }
        return fd;
}

void fdstore_push(uint32_t domid, uint32_t vdev, int fd)
{
        char name[40], message[80];
        int ret;

        name_of(name, domid, vdev);
        notify_remove(name); /* or the same name would be held twice */
        snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
        ret = sd_pid_notify_with_fds(0, 0, message, &fd, 1);
        if (ret < 0)
                log_warn("the service manager does not keep %s: %s", name,
                         strerror(-ret));
}

void fdstore_remove(uint32_t domid, uint32_t vdev)
{
        char name[40];

        name_of(name, domid, vdev);
        notify_remove(name);
}
