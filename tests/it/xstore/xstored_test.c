/* SPDX-License-Identifier: MIT */
/* One xenstore and a socket for each domain, and nothing else of pocketxen:
 *   xstored_test SOCKET...     the first is Domain-0's, the next domain 1's…
 * Nobody is introduced. Prints "ready", runs until its stdin ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store_listen.h"
#include "store/xstore.h"

static int on_stdin(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
        char buf[64];

        if (read(fd, buf, sizeof(buf)) <= 0)
                sd_event_exit(sd_event_source_get_event(s), 0);
        return 0;
}

static bool exists(void *arg, uint32_t domid)
{
        const int *count = arg;

        return domid < (uint32_t)*count;
}

int main(int argc, char **argv)
{
        int ndomains = argc - 1, ret;
        struct store_listener **l = calloc((size_t)argc, sizeof(*l));
        struct xstore *xs = NULL;
        sd_event *ev = NULL;

        if (!l || sd_event_new(&ev) < 0 || xstore_create(&xs, NULL) < 0)
                return 1;
        xstore_set_exists(xs, exists, &ndomains);
        for (int i = 0; i < ndomains; i++) {
                ret = store_listen_create(&l[i], ev, xs, (uint32_t)i,
                                          argv[i + 1]);
                if (ret < 0) {
                        fprintf(stderr, "xstored_test: %s: %s\n", argv[i + 1],
                                strerror(-ret));
                        return 1;
                }
        }
        sd_event_add_io(ev, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
        puts("ready");
        fflush(stdout);
        ret = sd_event_loop(ev);
        for (int i = 0; i < ndomains; i++)
                store_listen_destroy(l[i]);
        xstore_destroy(xs);
        sd_event_unref(ev);
        free(l);
        return ret < 0;
}
