/* SPDX-License-Identifier: MIT */
/* Starting and stopping the server; `run` does both around a command. */
#include "cli.h"

#include "../server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define XEN_DEVICE "/dev/xen/xenbus"
/* Domain-0's programs have 5 s of it to end by themselves. */
#define STOP_WAIT_MS 10000

static void server_child(int ready_fd)
{
        char path[CLI_PATH_BYTES + 8];
        int null = open("/dev/null", O_RDWR), log;

        setsid();
        snprintf(path, sizeof(path), "%s/log", cli_dir());
        log = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(null, 0);
        dup2(null, 1);
        dup2(log >= 0 ? log : null, 2);
        if (chdir("/") < 0)
                _exit(1);
        _exit(srv_run(cli_dir(), ready_fd));
}

/* The server's one byte, or the sentence that says why not. */
static int wait_ready(int fd)
{
        char text[512];
        size_t have = 0;
        ssize_t n;

        while (have < sizeof(text) - 1 &&
               (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
                have += (size_t)n;
        text[have] = '\0';
        if (have == 1 && text[0] == '\0')
                return 0;
        return cli_fail(1, "%s", have ? text : "the server ended at once");
}

int cli_server_start(bool beside_xen)
{
        int ready[2], lock;
        pid_t pid;

        if (access(XEN_DEVICE, F_OK) == 0 && !beside_xen) {
                cli_fail(1,
                         "this machine has a real Xen (%s): programs here "
                         "may mean that one; --beside-xen starts anyway",
                         XEN_DEVICE);
                return -1;
        }
        lock = cli_dir_claim();
        if (lock < 0)
                return -1;
        if (pipe2(ready, O_CLOEXEC) < 0)
                return -1;
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                close(ready[0]);
                /* The server keeps the lock while it lives. */
                if (ftruncate(lock, 0) < 0 ||
                    dprintf(lock, "%d\n", getpid()) < 0)
                        _exit(1);
                server_child(ready[1]);
        }
        close(ready[1]);
        close(lock);
        if (pid < 0 || wait_ready(ready[0]) != 0) {
                close(ready[0]);
                return -1;
        }
        close(ready[0]);
        return (int)pid;
}

int cmd_start(int argc, char **argv)
{
        bool beside = false;
        int arg, ret = cli_options(argc, argv, "[--beside-xen]", "beside-xen",
                                   &beside, &arg);

        if (ret >= 0)
                return ret;
        if (arg != argc)
                return cli_fail(CLI_USAGE, "start takes no arguments");
        if (cli_server_start(beside) < 0)
                return CLI_FAILED;
        printf("pocketxen runs in %s\n", cli_dir());
        return CLI_DONE;
}

/* The server answers first and then ends. Its lock goes with the process, after
 * its socket: only then can another start in its place. */
static int wait_ended(pid_t server)
{
        const struct timespec pause = {0, 10000000};

        for (int ms = 0; ms < STOP_WAIT_MS; ms += 10) {
                if (cli_dir_server() != server)
                        return CLI_DONE;
                nanosleep(&pause, NULL);
        }
        return cli_fail(CLI_FAILED,
                        "the server in %s was told to stop and has not ended "
                        "within %d s; its pid is %d",
                        cli_dir(), STOP_WAIT_MS / 1000, (int)server);
}

static int stop(void)
{
        pid_t server = cli_dir_server();
        struct json_object *reply = cli_ask("stop", NULL);

        if (!reply)
                return CLI_FAILED;
        json_object_put(reply);
        return wait_ended(server);
}

int cmd_stop(int argc, char **argv)
{
        bool unused;
        int arg, ret = cli_options(argc, argv, "", "", &unused, &arg);

        if (ret >= 0)
                return ret;
        if (arg != argc)
                return cli_fail(CLI_USAGE, "stop takes no arguments");
        return stop();
}

static pid_t child;

static void pass_on(int sig)
{
        if (child > 0)
                kill(child, sig);
}

static int run_child(char **command)
{
        int status;

        signal(SIGTERM, pass_on);
        signal(SIGHUP, pass_on);
        /* Ctrl-C reaches the child by itself: it is in our group. */
        signal(SIGINT, SIG_IGN);
        child = fork();
        if (child == 0) {
                int ret;

                signal(SIGINT, SIG_DFL);
                signal(SIGTERM, SIG_DFL);
                signal(SIGHUP, SIG_DFL);
                ret = cli_enter("0");
                if (ret != CLI_DONE)
                        _exit(ret);
                execvp(command[0], command);
                ret = errno == ENOENT ? 127 : 126;
                cli_fail(1, "cannot run %s: %s", command[0], strerror(errno));
                _exit(ret);
        }
        if (child < 0)
                return cli_fail(CLI_FAILED, "cannot fork: %s", strerror(errno));
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cmd_run(int argc, char **argv)
{
        bool beside = false;
        int arg, ret = cli_options(argc, argv, "[--beside-xen] -- CMD",
                                   "beside-xen", &beside, &arg);
        pid_t server;

        if (ret >= 0)
                return ret;
        if (arg == argc)
                return cli_fail(CLI_USAGE, "usage: pocketxen run -- CMD");
        server = cli_server_start(beside);
        if (server < 0)
                return CLI_FAILED;
        ret = run_child(argv + arg);
        if (stop() != CLI_DONE && ret == 0)
                ret = CLI_FAILED;
        waitpid(server, NULL, 0);
        return ret;
}
