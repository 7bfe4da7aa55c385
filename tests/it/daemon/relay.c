/* SPDX-License-Identifier: MIT */
/* Passes a stream socket on: it-daemon-relay LISTEN TARGET [MS]; answers take
 * MS ms more. Ended, all connections through it are lost at once, as when
 * xenstored dies. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct pair {
        int from, to;
        useconds_t late_us;
};

static void *pump(void *arg)
{
        struct pair *p = arg;
        char buf[4096];
        ssize_t n;

        while ((n = read(p->from, buf, sizeof(buf))) > 0) {
                usleep(p->late_us);
                for (ssize_t at = 0; at < n;) {
                        ssize_t sent = write(p->to, buf + at, (size_t)(n - at));

                        if (sent <= 0)
                                goto out;
                        at += sent;
                }
        }
out:
        shutdown(p->from, SHUT_RDWR);
        shutdown(p->to, SHUT_RDWR);
        free(p);
        return NULL;
}

static void pass(int from, int to, useconds_t late_us)
{
        struct pair *p = malloc(sizeof(*p));
        pthread_t t;

        if (!p)
                exit(1);
        *p = (struct pair){from, to, late_us};
        if (pthread_create(&t, NULL, pump, p) != 0)
                exit(1);
        pthread_detach(t);
}

static int open_socket(const char *path, struct sockaddr_un *addr)
{
        *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
        strncpy(addr->sun_path, path, sizeof(addr->sun_path) - 1);
        return socket(AF_UNIX, SOCK_STREAM, 0);
}

int main(int argc, char **argv)
{
        struct sockaddr_un addr;
        useconds_t late_us;
        int listener;

        if (argc < 3 || argc > 4)
                return 2;
        late_us = argc == 4 ? (useconds_t)atoi(argv[3]) * 1000 : 0;
        signal(SIGPIPE, SIG_IGN);
        unlink(argv[1]);
        listener = open_socket(argv[1], &addr);
        if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            listen(listener, 16) < 0)
                return 1;
        for (;;) {
                int client = accept(listener, NULL, NULL);
                int server = open_socket(argv[2], &addr);

                if (client < 0 ||
                    connect(server, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                        return 1;
                pass(client, server, 0);
                pass(server, client, late_us);
        }
}
