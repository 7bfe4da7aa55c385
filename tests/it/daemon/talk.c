/* SPDX-License-Identifier: MIT */
/* Talks to the control socket without good manners: it-daemon-talk SOCKET HOW.
 *   lines       sends stdin as it is, prints all answers
 *   long        one line of 70,000 bytes
 *   silent N    N connections that say nothing, then a ping on one more
 *   deaf        a thousand requests, reads no answer, then a ping on another */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char ping[] = "{\"version\":1,\"command\":\"ping\"}\n";
static const char stat[] = "{\"version\":1,\"command\":\"stat\"}\n";

static int open_to(const char *path)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                perror("connect");
                exit(1);
        }
        return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
        if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
                fprintf(stderr, "the daemon did not take all\n");
}

static void print_answers(int fd)
{
        char buf[4096];
        ssize_t n;

        shutdown(fd, SHUT_WR);
        while ((n = read(fd, buf, sizeof(buf))) > 0)
                fwrite(buf, 1, (size_t)n, stdout);
}

static void do_lines(int fd)
{
        char buf[4096];
        ssize_t n;

        while ((n = read(0, buf, sizeof(buf))) > 0)
                say(fd, buf, (size_t)n);
}

static void do_long(int fd)
{
        static char line[70000];

        memset(line, 'x', sizeof(line));
        say(fd, line, sizeof(line));
}

int main(int argc, char **argv)
{
        const char *how = argc > 2 ? argv[2] : "";
        int fd = open_to(argc > 1 ? argv[1] : "");

        if (strcmp(how, "lines") == 0) {
                do_lines(fd);
        } else if (strcmp(how, "long") == 0) {
                do_long(fd);
        } else {
                for (int i = argc > 3 ? atoi(argv[3]) : 0; i > 0; i--)
                        open_to(argv[1]);
                for (int i = 0; strcmp(how, "deaf") == 0 && i < 1000; i++)
                        send(fd, stat, strlen(stat),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
                fd = open_to(argv[1]);
                say(fd, ping, strlen(ping));
        }
        print_answers(fd);
        return 0;
}
