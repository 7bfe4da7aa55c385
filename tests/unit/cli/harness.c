/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

struct cli_run last;
char server_path[108], server_heard[8192];

static pthread_t server_thread;
static int listen_fd = -1;
static const char *(*server_answer)(const char *request);

static int capture(int target, int *saved)
{
        int fd = memfd_create("captured", MFD_CLOEXEC);

        *saved = dup(target);
        dup2(fd, target);
        return fd;
}

static void release(int target, int saved, int fd, char *dst, size_t size)
{
        ssize_t n;

        dup2(saved, target);
        close(saved);
        n = pread(fd, dst, size - 1, 0);
        dst[n > 0 ? n : 0] = '\0';
        close(fd);
}

int cli_run_args(const char *const *args)
{
        char *argv[32];
        int argc = 0, out, err, saved_out, saved_err;

        for (; args[argc]; argc++)
                argv[argc] = strdup(args[argc]);
        argv[argc] = NULL;
        fflush(NULL);
        out = capture(1, &saved_out);
        err = capture(2, &saved_err);
        last.status = cli_main(argc, argv);
        fflush(NULL);
        release(1, saved_out, out, last.out, sizeof(last.out));
        release(2, saved_err, err, last.err, sizeof(last.err));
        for (int i = 0; i < argc; i++) /* getopt has permuted, not replaced */
                free(argv[i]);
        return last.status;
}

static void send_all(int fd, const char *s)
{
        for (size_t len = strlen(s); len;) {
                ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

                if (n <= 0)
                        return;
                s += n;
                len -= (size_t)n;
        }
}

static void serve(int fd)
{
        const char *answer;
        size_t at = 0;
        char c;

        while (at + 1 < sizeof(server_heard) && recv(fd, &c, 1, 0) == 1 &&
               c != '\n')
                server_heard[at++] = c;
        server_heard[at] = '\0';
        answer = server_answer(server_heard);
        if (answer && *answer) {
                send_all(fd, answer);
                send_all(fd, "\n");
        } else if (answer) {
                (void)!recv(fd, &c, 1, 0); /* until the client gives up */
        }
        close(fd);
}

static void *server_main(void *arg)
{
        sigset_t all;

        /* Signals are for the thread that plays the program. */
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        for (;;) {
                int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return NULL;
                serve(fd);
        }
}

void server_start(const char *(*answer)(const char *request))
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        char dir[] = "/tmp/evergrant-cli-XXXXXX";

        assert_non_null(mkdtemp(dir));
        snprintf(server_path, sizeof(server_path), "%s/s", dir);
        strcpy(a.sun_path, server_path);
        listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(listen_fd, 8), 0);
        setenv("EVERGRANT_SOCKET", server_path, 1);
        server_answer = answer;
        server_heard[0] = '\0';
        assert_int_equal(
                pthread_create(&server_thread, NULL, server_main, NULL), 0);
}

void server_stop(void)
{
        shutdown(listen_fd, SHUT_RDWR); /* wakes accept */
        pthread_join(server_thread, NULL);
        close(listen_fd);
        unlink(server_path);
        *strrchr(server_path, '/') = '\0';
        rmdir(server_path);
        unsetenv("EVERGRANT_SOCKET");
}
