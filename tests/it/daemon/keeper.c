/* SPDX-License-Identifier: MIT */
/* A service manager that can do one thing: run a program again and again and
 * hold its descriptors in between (sd_notify's FDSTORE=1). it-daemon-keeper
 * SOCKET PROGRAM [ARG…]; reads lines from stdin: "restart" (SIGTERM, wait,
 * start), "kill" (SIGKILL, start), and ends the program at end of file. Prints
 * "ready" after each start, "ended STATUS" after each end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD_MAX 64
#define FIRST_FD 3

static struct {
        char name[64];
        int fd;
} held[HELD_MAX];
static int nheld;

static void drop(const char *name)
{
        for (int i = 0; i < nheld; i++) {
                if (strcmp(held[i].name, name) == 0) {
                        close(held[i].fd);
                        held[i--] = held[--nheld];
                }
        }
}

static void field(const char *text, const char *key, char *value, size_t size)
{
        const char *at = strstr(text, key);

        *value = '\0';
        if (at)
                snprintf(value, size, "%.*s",
                         (int)strcspn(at + strlen(key), "\n"),
                         at + strlen(key));
}

/* True if the message was READY=1. */
static int take_message(int sock)
{
        char text[4096], name[64], control[CMSG_SPACE(sizeof(int))];
        struct iovec iov = {text, sizeof(text) - 1};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
        struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

        if (n <= 0)
                return 0;
        text[n] = '\0';
        field(text, "FDNAME=", name, sizeof(name));
        if (strstr(text, "FDSTOREREMOVE=1"))
                drop(name);
        if (c && c->cmsg_type == SCM_RIGHTS && nheld < HELD_MAX) {
                memcpy(&held[nheld].fd, CMSG_DATA(c), sizeof(int));
                strcpy(held[nheld++].name, name);
        }
        return strstr(text, "READY=1") != NULL;
}

static void become(char **argv)
{
        char names[HELD_MAX * 65] = "", number[16];

        /* Out of the way first: the places may be in use. */
        for (int i = 0; i < nheld; i++)
                dup2(held[i].fd, 200 + i);
        for (int i = 0; i < nheld; i++) {
                dup2(200 + i, FIRST_FD + i);
                close(200 + i);
                strcat(strcat(names, i ? ":" : ""), held[i].name);
        }
        if (nheld) {
                snprintf(number, sizeof(number), "%d", (int)getpid());
                setenv("LISTEN_PID", number, 1);
                snprintf(number, sizeof(number), "%d", nheld);
                setenv("LISTEN_FDS", number, 1);
                setenv("LISTEN_FDNAMES", names, 1);
        }
        execv(argv[0], argv);
        _exit(127);
}

static pid_t start(int sock, char **argv)
{
        pid_t pid = fork();
        struct pollfd p = {.fd = sock, .events = POLLIN};
        int status;

        if (pid == 0)
                become(argv);
        for (;;) {
                if (poll(&p, 1, 100) > 0 && take_message(sock))
                        break;
                if (waitpid(pid, &status, WNOHANG) == pid) {
                        printf("ended %d before it was ready\n", status);
                        exit(1);
                }
        }
        printf("ready\n");
        return pid;
}

static void end(int sock, pid_t pid, int sig)
{
        struct pollfd p = {.fd = sock, .events = POLLIN};
        int status = 0;

        kill(pid, sig);
        while (waitpid(pid, &status, WNOHANG) == 0) {
                if (poll(&p, 1, 20) > 0)
                        take_message(sock);
        }
        while (poll(&p, 1, 0) > 0)
                take_message(sock);
        printf("ended %d\n", status);
}

int main(int argc, char **argv)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        struct pollfd p[2];
        char line[64];
        pid_t pid;
        int sock = socket(AF_UNIX, SOCK_DGRAM, 0);

        if (argc < 3)
                return 2;
        setvbuf(stdout, NULL, _IOLBF, 0);
        /* Out of the range that the program gets. */
        p[0].fd = fcntl(sock, F_DUPFD_CLOEXEC, 100);
        close(sock);
        strncpy(addr.sun_path, argv[1], sizeof(addr.sun_path) - 1);
        if (bind(p[0].fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                return 1;
        setenv("NOTIFY_SOCKET", argv[1], 1);
        pid = start(p[0].fd, argv + 2);
        p[1].fd = 0;
        p[0].events = p[1].events = POLLIN;
        while (poll(p, 2, -1) > 0 || errno == EINTR) {
                ssize_t n;

                if (p[0].revents)
                        take_message(p[0].fd);
                if (!p[1].revents)
                        continue;
                n = read(0, line, sizeof(line) - 1);
                if (n <= 0)
                        break;
                line[n] = '\0';
                end(p[0].fd, pid, strstr(line, "kill") ? SIGKILL : SIGTERM);
                pid = start(p[0].fd, argv + 2);
        }
        end(p[0].fd, pid, SIGTERM);
        return 0;
}
