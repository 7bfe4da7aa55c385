/* SPDX-License-Identifier: MIT */
/* Domains: many at once, their processes, their end; and the command line's
 * answers to what cannot be done. */
#include "bench.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xengnttab.h>

#include <cmocka.h>

#define MANY 220

/* Runs `pocketxen ARGS 2>&1`; the status, and what it said in `said`. */
static char said[4096];
static int px(const char *args)
{
        char command[1024];
        size_t n;
        FILE *f;

        snprintf(command, sizeof(command), "unset POCKETXEN_SOCKET; %s %s 2>&1",
                 getenv("POCKETXEN"), args);
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(said, 1, sizeof(said) - 1, f);
        said[n] = '\0';
        return WEXITSTATUS(pclose(f));
}

/* This process plays g from now on no more: its shells are nobody's. */
static void leave(void)
{
        unsetenv("POCKETXEN_SOCKET");
}

static void two_hundred_domains_live_at_once(void **state)
{
        static uint32_t domid[MANY];
        static xengntshr_handle *s[MANY];
        static char *mine[MANY], *theirs[MANY];
        xengnttab_handle *tab;
        char name[16];

        bench_enter(0);
        tab = xengnttab_open(NULL, 0);
        for (int i = 0; i < MANY; i++) {
                uint32_t ref;

                snprintf(name, sizeof(name), "many%d", i);
                domid[i] = bench_create(name);
                bench_enter(domid[i]);
                s[i] = xengntshr_open(NULL, 0);
                assert_non_null(s[i]);
                mine[i] = xengntshr_share_pages(s[i], 0, 1, &ref, 1);
                theirs[i] = xengnttab_map_grant_ref(tab, domid[i], ref,
                                                    PROT_READ | PROT_WRITE);
                assert_non_null(theirs[i]);
                theirs[i][0] = (char)i;
        }
        for (int i = 0; i < MANY; i++)
                assert_int_equal(mine[i][0], (char)i);
        for (int i = 0; i < MANY; i++) {
                xengnttab_unmap(tab, theirs[i], 1);
                xengntshr_unshare(s[i], mine[i], 1);
                xengntshr_close(s[i]);
                bench_destroy(domid[i]);
        }
        xengnttab_close(tab);
        leave();
        assert_int_equal(bench_domain_u64(domid[0], "domid"), ~0ull);
}

static void memory_is_sealed(void **state)
{
        uint32_t g = bench_create("sealed");
        xengntshr_handle *s;
        char link[64], target[128];
        int found = 0;

        bench_enter(g);
        s = xengntshr_open(NULL, 0);
        assert_non_null(s);
        for (int fd = 3; fd < 64; fd++) {
                ssize_t n;

                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                n = readlink(link, target, sizeof(target) - 1);
                if (n < 0)
                        continue;
                target[n] = '\0';
                if (!strstr(target, "pocketxen-d") || !strstr(target, "-mem"))
                        continue;
                found++;
                assert_int_equal(ftruncate(fd, 4096), -1);
                assert_int_equal(ftruncate(fd, 1 << 30), -1);
        }
        assert_int_equal(found, 1);
        xengntshr_close(s);
        leave();
        bench_destroy(g);
}

static void exec_runs_in_the_domain_and_passes_the_status_on(void **state)
{
        uint32_t g = bench_create("shell");
        char want[64];

        assert_int_equal(px("exec shell -- sh -c 'echo $POCKETXEN_SOCKET; "
                            "exit 7'"),
                         7);
        snprintf(want, sizeof(want), "/d%u/xen\n", g);
        assert_non_null(strstr(said, want));
        assert_int_equal(px("exec shell -- /no/such/program"), 127);
        bench_destroy(g);
}

/* Dead, whenever its new parent gets round to asking for its status. */
static bool is_dead(int pid)
{
        char path[64], state = 'X';
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f)
                return true;
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
                state = 'X';
        fclose(f);
        return state == 'Z' || state == 'X';
}

static void destroy_kills_grandchildren_too(void **state)
{
        uint32_t g = bench_create("family");
        int pid;

        assert_int_equal(px("exec family -- sh -c "
                            "'setsid sleep 1000 >/dev/null 2>&1 & echo $!'"),
                         0);
        pid = atoi(said);
        assert_true(pid > 1);
        bench_destroy(g);
        /* setsid may fork: its group is what must be gone. */
        assert_int_equal(BENCH_WAIT(1, is_dead(pid)), 1);
}

static void refusals_say_what_to_do(void **state)
{
        assert_int_equal(px("frobnicate"), 2);
        assert_non_null(strstr(said, "unknown command 'frobnicate'"));
        assert_int_equal(px("create"), 2);
        assert_int_equal(px("create --mem lots g"), 2);
        assert_non_null(strstr(said, "'lots' is not a size"));
        assert_int_equal(px("create 17"), 1);
        assert_int_equal(px("create --mem 12345 odd"), 1);
        assert_int_equal(px("create dup"), 0);
        assert_int_equal(px("create dup"), 1);
        assert_non_null(strstr(said, "exists already"));
        assert_int_equal(px("destroy dup"), 0);
        assert_int_equal(px("destroy dup"), 1);
        assert_non_null(strstr(said, "no domain 'dup'"));
        assert_int_equal(px("destroy 0"), 1);
        assert_int_equal(px("exec nobody -- true"), 1);
        assert_int_equal(px("grants nobody --json"), 1);
        assert_int_equal(px("start"), 1);
        assert_non_null(strstr(said, "runs already"));
        assert_int_equal(px("--help"), 0);
        assert_non_null(strstr(said, "not an isolation boundary"));
}

static void without_a_server_the_message_says_how_to_start_one(void **state)
{
        char *dir = strdup(getenv("POCKETXEN_DIR"));

        setenv("POCKETXEN_DIR", "/tmp/pxt-nothing-here", 1);
        assert_int_equal(px("list"), 1);
        assert_non_null(strstr(said, "pocketxen start"));
        setenv("POCKETXEN_DIR", dir, 1);
        free(dir);
}

/* A run directory of this process's own. */
static const char *own_dir(const char *what)
{
        static char dir[64];

        snprintf(dir, sizeof(dir), "/tmp/pxt-%s-%d", what, getpid());
        return dir;
}

/* A run directory whose server was killed is taken over. */
static void a_stale_directory_is_no_obstacle(void **state)
{
        char *dir = strdup(getenv("POCKETXEN_DIR"));

        setenv("POCKETXEN_DIR", own_dir("stale"), 1);
        assert_int_equal(px("start"), 0);
        assert_int_equal(px("create left"), 0);
        assert_int_equal(system("kill -KILL $(cat $POCKETXEN_DIR/lock)"), 0);
        assert_int_equal(BENCH_WAIT(0, px("start")), 0);
        assert_int_equal(px("create left"), 0);
        assert_int_equal(px("stop"), 0);
        assert_int_equal(system("rm -rf $POCKETXEN_DIR"), 0);
        setenv("POCKETXEN_DIR", dir, 1);
        free(dir);
}

static void run_gives_the_commands_status_and_leaves_nothing(void **state)
{
        char *dir = strdup(getenv("POCKETXEN_DIR"));

        setenv("POCKETXEN_DIR", own_dir("run"), 1);
        assert_int_equal(px("run -- sh -c 'exit 5'"), 5);
        assert_int_equal(system("test -e $POCKETXEN_DIR/pocketxen.sock") == 0,
                         0);
        assert_int_equal(system("test -e $POCKETXEN_DIR/d0") == 0, 0);
        assert_int_equal(system("rm -rf $POCKETXEN_DIR"), 0);
        setenv("POCKETXEN_DIR", dir, 1);
        free(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_hundred_domains_live_at_once),
                cmocka_unit_test(memory_is_sealed),
                cmocka_unit_test(
                        exec_runs_in_the_domain_and_passes_the_status_on),
                cmocka_unit_test(destroy_kills_grandchildren_too),
                cmocka_unit_test(refusals_say_what_to_do),
                cmocka_unit_test(
                        without_a_server_the_message_says_how_to_start_one),
                cmocka_unit_test(a_stale_directory_is_no_obstacle),
                cmocka_unit_test(
                        run_gives_the_commands_status_and_leaves_nothing),
        };

        return cmocka_run_group_tests(tests, bench_start, bench_stop);
}
