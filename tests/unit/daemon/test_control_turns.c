/* SPDX-License-Identifier: MIT */
/* How often a client of the control socket has its turn. The clock is the
 * test's, also to sd-event: it stands still while turns are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/control.h"

#define TURNS 100u /* of a client, in a period */
#define PERIOD_MS 100u

static uint64_t now_ms;
static unsigned answers, nclients;
static int clients[8];
static char dir[64], path[96];
static struct daemon daemon_;

/* libsystemd's calls come here, too. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
        *t = (struct timespec){(time_t)(now_ms / 1000),
                               (long)(now_ms % 1000 * 1000000)};
        return 0;
}

char *control_answer(struct daemon *d, const char *line, size_t len)
{
        answers++;
        return strdup("{}\n");
}

/* Who does not read gets no more answers. */
static void read_answers(void)
{
        char text[64];

        for (unsigned i = 0; i < nclients; i++)
                while (recv(clients[i], text, sizeof(text), MSG_DONTWAIT) > 0)
                        ;
}

/* As long as anything is due at this moment; the answers that came of it. */
static unsigned run(void)
{
        unsigned before = answers;

        for (unsigned i = 0; sd_event_run(daemon_.event, 0) > 0; i++) {
                assert_true(i < 100000);
                read_answers();
        }
        return answers - before;
}

static int client(void)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(a.sun_path, path, sizeof(path));
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        clients[nclients++] = fd;
        return fd;
}

/* Empty lines are requests, too. */
static void ask(int fd, unsigned n)
{
        char lines[10 * TURNS];

        assert_true(n <= sizeof(lines));
        memset(lines, '\n', n);
        assert_int_equal(send(fd, lines, n, MSG_NOSIGNAL), n);
}

static int setup(void **state)
{
        struct err e = {0};

        strcpy(dir, "/tmp/eg-turns-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/control.sock", dir);
        daemon_.options.socket = path;
        now_ms = 1000;
        answers = 0;
        assert_int_equal(sd_event_new(&daemon_.event), 0);
        assert_int_equal(control_start(&daemon_, &e), 0);
        return 0;
}

static int teardown(void **state)
{
        char lock[128];

        while (nclients)
                close(clients[--nclients]);
        control_stop(daemon_.control);
        sd_event_unref(daemon_.event);
        snprintf(lock, sizeof(lock), "%s.lock", path);
        unlink(lock);
        return rmdir(dir);
}

static void a_flood_has_its_turns_and_no_more(void **state)
{
        int fd = client();

        ask(fd, 5 * TURNS);
        for (unsigned period = 0; period < 5; period++) {
                assert_int_equal(run(), TURNS);
                assert_int_equal(run(), 0);
                now_ms += PERIOD_MS + 1;
        }
        assert_int_equal(run(), 0);
}

static void others_are_answered_meanwhile(void **state)
{
        int flood = client(), other[4];

        ask(flood, 3 * TURNS);
        assert_int_equal(run(), TURNS);
        for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
                other[i] = client();
                ask(other[i], i + 1);
                assert_int_equal(run(), i + 1);
        }
        /* Also by what the flood has still to come. */
        now_ms += PERIOD_MS + 1;
        ask(other[0], 1);
        assert_int_equal(run(), TURNS + 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        a_flood_has_its_turns_and_no_more, setup, teardown),
                cmocka_unit_test_setup_teardown(others_are_answered_meanwhile,
                                                setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
