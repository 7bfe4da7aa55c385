/* SPDX-License-Identifier: MIT */
/* T-WATCH, where only the daemon's main loop is held up: libxenstore's reader
 * thread goes on, and keeps each event in memory until somebody takes it. */
#include "life.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define RSS_GROWTH_KB 1024u /* HOSTILE.md C2 */
/* Nodes below the watched one: as many different events, of which xenstored
 * would keep only one each if they were the same. */
#define NODES 250u

/* How often a thread of the daemon has been on a processor; it is at rest when
 * the number stands still. */
static uint64_t runs_of(int tid)
{
        char path[64];
        unsigned long long n = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat",
                 life_daemon_pid(), tid);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%*u %*u %llu", &n), 1);
        fclose(f);
        return n;
}

/* Only the main thread, and not in the middle of something: what it holds a
 * lock of is another matter. False if this machine does not let us. */
static bool hold_main(int pid)
{
        uint64_t before;

        do {
                before = runs_of(pid);
                usleep(20000);
        } while (runs_of(pid) != before);
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
                return false;
        assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, NULL, __WALL), pid);
        return true;
}

static void release_main(int pid)
{
        assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
}

static void flood(struct guest *g, uint64_t writes)
{
        char key[32];

        for (uint64_t i = 0; i < writes; i++) {
                snprintf(key, sizeof(key), "state/n%u", (unsigned)(i % NODES));
                guest_key(g, key, i);
        }
}

/* All that the server has sent has been read: its reply to a request of the
 * guest comes after the events of the guest's writes, but on another
 * connection. So: until the daemon's memory stands still. */
static uint64_t settled_rss_kb(void)
{
        uint64_t now = life_daemon_use().rss_kb, before;
        uint64_t cpu_ns;

        do {
                before = now;
                cpu_ns = life_daemon_use().cpu_ns;
                usleep(50000);
                now = life_daemon_use().rss_kb;
        } while (now != before || life_daemon_use().cpu_ns != cpu_ns);
        return now;
}

static void a_flood_costs_no_memory_while_the_main_loop_is_held(void **state)
{
        uint64_t writes = life_scale("EG_WRITES", 20000), rss_kb, now_kb, ns;
        struct guest *g = guest_create("ram:8M", ""),
                     *other = guest_create("ram:8M", "");
        int pid = life_daemon_pid();

        life_honest(g);
        life_honest(other);
        flood(g, 2 * NODES); /* what is allocated once */
        life_honest(g);
        rss_kb = life_daemon_use().rss_kb;
        if (!hold_main(pid)) {
                printf("cannot hold a thread of the daemon (%s): see "
                       "/proc/sys/kernel/yama/ptrace_scope\n",
                       strerror(errno));
                skip();
        }
        ns = life_now_ns();
        flood(g, writes);
        guest_state(g, XENBUS_CLOSED); /* the last state counts */
        ns = life_now_ns() - ns;
        now_kb = settled_rss_kb();
        release_main(pid);
        printf("%llu writes in %llu ms: %lld KiB more\n",
               (unsigned long long)writes, (unsigned long long)(ns / 1000000),
               (long long)now_kb - (long long)rss_kb);
        if (!life_scale("EG_SANITIZED", 0))
                assert_true(now_kb <= rss_kb + RSS_GROWTH_KB);
        life_honest(other);
        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
        life_honest(g);
        guest_destroy(g);
        guest_destroy(other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(
                        a_flood_costs_no_memory_while_the_main_loop_is_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
