/* SPDX-License-Identifier: MIT */
/* pocketxen's event channels through the drop-in libxenevtchn. */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include <cmocka.h>

static uint32_t g1, g2;
static xenevtchn_handle *a, *b; /* a in Domain-0, b in g1 */
static const char *self;

static int set_up(void **state)
{
        if (bench_start(state) < 0)
                return -1;
        g1 = bench_create("g1");
        g2 = bench_create("g2");
        bench_enter(0);
        a = xenevtchn_open(NULL, 0);
        bench_enter(g1);
        b = xenevtchn_open(NULL, 0);
        return a && b ? 0 : -1;
}

static int tear_down(void **state)
{
        xenevtchn_close(a);
        xenevtchn_close(b);
        return bench_stop(state);
}

static bool readable(xenevtchn_handle *h, int ms)
{
        struct pollfd p = {.fd = xenevtchn_fd(h), .events = POLLIN};

        return poll(&p, 1, ms) == 1;
}

/* b listens, a connects; the event that binding raises is taken. */
static void connect_ports(int *pa, int *pb)
{
        *pb = xenevtchn_bind_unbound_port(b, 0);
        assert_true(*pb > 0);
        *pa = xenevtchn_bind_interdomain(a, g1, (evtchn_port_t)*pb);
        assert_true(*pa > 0);
        assert_true(readable(a, 1000)); /* as on Xen: bound means pending */
        assert_int_equal(xenevtchn_pending(a), *pa);
        assert_int_equal(xenevtchn_unmask(a, (evtchn_port_t)*pa), 0);
        assert_false(readable(a, 0));
}

static void disconnect_ports(int pa, int pb)
{
        assert_int_equal(xenevtchn_unbind(a, (evtchn_port_t)pa), 0);
        assert_int_equal(xenevtchn_unbind(b, (evtchn_port_t)pb), 0);
}

static void notify_reaches_the_other_end_only(void **state)
{
        int pa, pb;

        connect_ports(&pa, &pb);
        assert_int_equal(xenevtchn_notify(a, (evtchn_port_t)pa), 0);
        assert_true(readable(b, 1000));
        assert_false(readable(a, 0));
        assert_int_equal(xenevtchn_pending(b), pb);
        assert_int_equal(xenevtchn_unmask(b, (evtchn_port_t)pb), 0);
        assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)pb), 0);
        assert_true(readable(a, 1000));
        assert_int_equal(xenevtchn_pending(a), pa);
        disconnect_ports(pa, pb);
}

static void a_delivered_port_is_masked_until_unmask(void **state)
{
        int pa, pb;

        connect_ports(&pa, &pb);
        xenevtchn_notify(a, (evtchn_port_t)pa);
        assert_int_equal(xenevtchn_pending(b), pb);
        xenevtchn_notify(a, (evtchn_port_t)pa);
        assert_false(readable(b, 20)); /* kept behind the mask… */
        xenevtchn_unmask(b, (evtchn_port_t)pb);
        assert_true(readable(b, 1000)); /* …and not lost */
        assert_int_equal(xenevtchn_pending(b), pb);
        disconnect_ports(pa, pb);
}

static void many_notifies_are_one_event(void **state)
{
        int pa, pb;

        connect_ports(&pa, &pb);
        for (int i = 0; i < 1000; i++)
                xenevtchn_notify(a, (evtchn_port_t)pa);
        assert_int_equal(xenevtchn_pending(b), pb);
        xenevtchn_unmask(b, (evtchn_port_t)pb);
        assert_false(readable(b, 20));
        disconnect_ports(pa, pb);
}

static void each_port_of_a_handle_is_delivered(void **state)
{
        int pa[20], pb[20], seen[20] = {0};

        for (int i = 0; i < 20; i++)
                connect_ports(&pa[i], &pb[i]);
        for (int i = 0; i < 20; i++)
                xenevtchn_notify(a, (evtchn_port_t)pa[i]);
        for (int n = 0; n < 20; n++) {
                int port = xenevtchn_pending(b);

                for (int i = 0; i < 20; i++)
                        seen[i] += pb[i] == port;
        }
        for (int i = 0; i < 20; i++)
                assert_int_equal(seen[i], 1);
        assert_false(readable(b, 0));
        for (int i = 0; i < 20; i++)
                disconnect_ports(pa[i], pb[i]);
}

static void only_the_named_domain_may_bind_and_only_once(void **state)
{
        int pb = xenevtchn_bind_unbound_port(b, g2), pa;

        assert_int_equal(xenevtchn_bind_interdomain(a, g1, (evtchn_port_t)pb),
                         -1);
        xenevtchn_unbind(b, (evtchn_port_t)pb);
        connect_ports(&pa, &pb);
        assert_int_equal(xenevtchn_bind_interdomain(a, g1, (evtchn_port_t)pb),
                         -1);
        assert_int_equal(xenevtchn_bind_interdomain(a, g1, 4000), -1);
        assert_int_equal(xenevtchn_bind_interdomain(a, 999, 1), -1);
        disconnect_ports(pa, pb);
}

static void others_ports_cannot_be_used(void **state)
{
        int pa, pb;

        connect_ports(&pa, &pb);
        errno = 0;
        assert_int_equal(xenevtchn_notify(a, 4095), -1);
        assert_int_equal(errno, ENOTCONN);
        errno = 0;
        assert_int_equal(xenevtchn_unbind(a, 4096), -1);
        assert_int_equal(errno, ENOTCONN);
        /* Linux passes over those. */
        assert_int_equal(xenevtchn_unmask(a, 0), 0);
        disconnect_ports(pa, pb);
}

static void a_closed_peer_can_come_back(void **state)
{
        int pa, pb;

        connect_ports(&pa, &pb);
        xenevtchn_unbind(a, (evtchn_port_t)pa);
        /* Nobody there: no error, nothing happens. */
        assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)pb), 0);
        pa = xenevtchn_bind_interdomain(a, g1, (evtchn_port_t)pb);
        assert_true(pa > 0);
        assert_int_equal(xenevtchn_pending(a), pa);
        xenevtchn_unmask(a, (evtchn_port_t)pa);
        assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)pb), 0);
        assert_true(readable(a, 1000));
        assert_int_equal(xenevtchn_pending(a), pa);
        disconnect_ports(pa, pb);
}

static void rebinding_works_after_a_kill(void **state)
{
        int pb = xenevtchn_bind_unbound_port(b, 0);

        for (int round = 0; round < 10; round++) {
                pid_t pid = fork();

                if (pid == 0) {
                        xenevtchn_handle *h;
                        int p;

                        bench_enter(0);
                        h = xenevtchn_open(NULL, 0);
                        p = xenevtchn_bind_interdomain(h, g1,
                                                       (evtchn_port_t)pb);
                        if (p < 0)
                                _exit(1);
                        xenevtchn_notify(h, (evtchn_port_t)p);
                        pause();
                }
                assert_true(readable(b, 10000));
                assert_int_equal(xenevtchn_pending(b), pb);
                xenevtchn_unmask(b, (evtchn_port_t)pb);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                /* The server sees the end of its connection. */
                assert_int_equal(BENCH_WAIT(1, bench_domain_u64(0, "handles")),
                                 1);
        }
        xenevtchn_unbind(b, (evtchn_port_t)pb);
}

static void an_unbound_port_leaves_no_event_behind(void **state)
{
        int pa, pb, qa, qb;

        connect_ports(&pa, &pb);
        connect_ports(&qa, &qb);
        xenevtchn_notify(a, (evtchn_port_t)pa);
        assert_true(readable(b, 1000));
        xenevtchn_unbind(b, (evtchn_port_t)pb);
        assert_false(readable(b, 20));
        xenevtchn_notify(a, (evtchn_port_t)qa);
        assert_int_equal(xenevtchn_pending(b), qb);
        xenevtchn_unbind(a, (evtchn_port_t)pa);
        disconnect_ports(qa, qb);
}

static void domain_death_raises_the_virq_in_domain0_only(void **state)
{
        uint32_t g3 = bench_create("g3");
        int port = xenevtchn_bind_virq(a, 3);

        assert_true(port > 0);
        assert_int_equal(xenevtchn_bind_virq(b, 3), -1);
        assert_int_equal(xenevtchn_bind_virq(a, 3), -1); /* one binder */
        bench_destroy(g3);
        assert_true(readable(a, 10000));
        assert_int_equal(xenevtchn_pending(a), port);
        xenevtchn_unbind(a, (evtchn_port_t)port);
}

static void a_restricted_handle_binds_to_its_domain_only(void **state)
{
        xenevtchn_handle *r;
        int pb = xenevtchn_bind_unbound_port(b, 0), port;

        bench_enter(0);
        r = xenevtchn_open(NULL, 0);
        assert_int_equal(xenevtchn_restrict(r, (domid_t)g1), 0);
        assert_int_equal(xenevtchn_restrict(r, (domid_t)g2), -1);
        assert_int_equal(xenevtchn_bind_unbound_port(r, g1), -1);
        assert_int_equal(errno, EACCES);
        assert_int_equal(xenevtchn_bind_interdomain(r, g2, 1), -1);
        assert_int_equal(errno, EACCES);
        port = xenevtchn_bind_interdomain(r, g1, (evtchn_port_t)pb);
        assert_true(port > 0);
        xenevtchn_close(r);
        xenevtchn_unbind(b, (evtchn_port_t)pb);
}

/* Runs again as `evtchn FD PORT`: goes on with a handle from before exec. */
static int after_exec(char **argv)
{
        xenevtchn_handle *h = xenevtchn_fdopen(NULL, atoi(argv[1]), 0);
        int port = atoi(argv[2]), ret = 0;

        if (!h)
                return 10;
        if (xenevtchn_pending(h) != port)
                ret = 11;
        else if (xenevtchn_unmask(h, (evtchn_port_t)port) < 0)
                ret = 12;
        else if (xenevtchn_notify(h, (evtchn_port_t)port) < 0)
                ret = 13;
        xenevtchn_close(h);
        return ret;
}

static void a_handle_survives_exec_by_fdopen(void **state)
{
        int pb = xenevtchn_bind_unbound_port(b, 0), status;
        pid_t pid = fork();

        if (pid == 0) {
                char fd[16], port[16];
                xenevtchn_handle *h;
                int p;

                bench_enter(0);
                h = xenevtchn_open(NULL, XENEVTCHN_NO_CLOEXEC);
                p = xenevtchn_bind_interdomain(h, g1, (evtchn_port_t)pb);
                snprintf(fd, sizeof(fd), "%d", xenevtchn_fd(h));
                snprintf(port, sizeof(port), "%d", p);
                execl(self, self, fd, port, NULL);
                _exit(14);
        }
        waitpid(pid, &status, 0);
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(readable(b, 10000));
        assert_int_equal(xenevtchn_pending(b), pb);
        xenevtchn_unbind(b, (evtchn_port_t)pb);
}

/* Its own handles are another matter, before and after the parent's. */
static int claims_of_a_child(int port)
{
        xenevtchn_handle *own;
        int ret = 0;

        if (xenevtchn_notify(b, (evtchn_port_t)port) == 0 || errno != ENOTCONN)
                ret = 1;
        bench_enter(g1);
        own = xenevtchn_open(NULL, 0);
        if (!own || xenevtchn_bind_unbound_port(own, 0) < 0)
                ret = 2;
        if (xenevtchn_notify(b, (evtchn_port_t)port) == 0)
                ret = 3;
        return ret;
}

static void a_forked_child_has_no_claim_to_a_handle(void **state)
{
        int port = xenevtchn_bind_unbound_port(b, 0), status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(claims_of_a_child(port));
        waitpid(pid, &status, 0);
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(xenevtchn_notify(b, (evtchn_port_t)port), 0);
        xenevtchn_unbind(b, (evtchn_port_t)port);
}

static void unmapping_tells_the_port_and_clears_the_byte(void **state)
{
        xengntshr_handle *shr;
        xengnttab_handle *tab;
        uint32_t ref;
        int pa, pb;
        char *mine, *m;

        connect_ports(&pa, &pb);
        bench_enter(g1);
        shr = xengntshr_open(NULL, 0);
        bench_enter(0);
        tab = xengnttab_open(NULL, 0);
        mine = xengntshr_share_pages(shr, 0, 1, &ref, 1);
        memset(mine, 7, 4096);
        m = xengnttab_map_grant_ref_notify(tab, g1, ref, PROT_READ | PROT_WRITE,
                                           9, (evtchn_port_t)pa);
        assert_non_null(m);
        xengnttab_unmap(tab, m, 1);
        assert_true(readable(b, 10000));
        assert_int_equal(xenevtchn_pending(b), pb);
        assert_int_equal(mine[9], 0);
        assert_int_equal(mine[8], 7);
        xengntshr_unshare(shr, mine, 1);
        xengntshr_close(shr);
        xengnttab_close(tab);
        disconnect_ports(pa, pb);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(notify_reaches_the_other_end_only),
                cmocka_unit_test(a_delivered_port_is_masked_until_unmask),
                cmocka_unit_test(many_notifies_are_one_event),
                cmocka_unit_test(each_port_of_a_handle_is_delivered),
                cmocka_unit_test(only_the_named_domain_may_bind_and_only_once),
                cmocka_unit_test(others_ports_cannot_be_used),
                cmocka_unit_test(a_closed_peer_can_come_back),
                cmocka_unit_test(rebinding_works_after_a_kill),
                cmocka_unit_test(an_unbound_port_leaves_no_event_behind),
                cmocka_unit_test(domain_death_raises_the_virq_in_domain0_only),
                cmocka_unit_test(a_restricted_handle_binds_to_its_domain_only),
                cmocka_unit_test(a_handle_survives_exec_by_fdopen),
                cmocka_unit_test(a_forked_child_has_no_claim_to_a_handle),
                cmocka_unit_test(unmapping_tells_the_port_and_clears_the_byte),
        };

        if (argc == 3)
                return after_exec(argv);
        self = argv[0];
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
