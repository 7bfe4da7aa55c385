/* SPDX-License-Identifier: MIT */
/* The event-channel wrapper over a libxenevtchn that is played by this file:
 * a pipe, from which pending reads one port. Where the real one would block,
 * this one fails the test. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <xenevtchn.h>

#include "common/util.h"
#include "xen/evtchn.h"

static int ends[2];
static int fail_errno;
static int unbound = -1;

static int answer(int port)
{
        errno = fail_errno;
        return fail_errno ? -1 : port;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned flags)
{
        return (xenevtchn_handle *)&ends;
}

int xenevtchn_close(xenevtchn_handle *x)
{
        return 0;
}

int xenevtchn_fd(xenevtchn_handle *x)
{
        return ends[0];
}

int xenevtchn_notify(xenevtchn_handle *x, evtchn_port_t port)
{
        return answer(0);
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *x,
                                                      uint32_t domid)
{
        return answer((int)domid + 100);
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *x,
                                                     uint32_t domid,
                                                     evtchn_port_t remote)
{
        return answer((int)(domid * 1000 + remote));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *x,
                                              unsigned virq)
{
        return answer((int)virq);
}

int xenevtchn_unbind(xenevtchn_handle *x, evtchn_port_t port)
{
        unbound = (int)port;
        return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *x)
{
        uint32_t port;
        ssize_t n;

        if (fail_errno)
                return answer(0);
        if (!(fcntl(ends[0], F_GETFL) & O_NONBLOCK))
                fail_msg("the real library would block here");
        n = read(ends[0], &port, sizeof(port));
        if (n == sizeof(port))
                return (int)port;
        if (n >= 0)
                errno = EIO;
        return -1;
}

int xenevtchn_unmask(xenevtchn_handle *x, evtchn_port_t port)
{
        return answer(0);
}

static int setup(void **state)
{
        struct xen_evtchn *x;

        fail_errno = 0;
        unbound = -1;
        if (pipe(ends) < 0 || xen_evtchn_open(&x) < 0)
                return -1;
        *state = x;
        return 0;
}

static int teardown(void **state)
{
        xen_evtchn_close(*state);
        xen_evtchn_close(NULL);
        close(ends[0]);
        if (ends[1] >= 0)
                close(ends[1]);
        return 0;
}

static void pending_does_not_block(void **state)
{
        uint32_t port = 5;

        assert_int_equal(xen_evtchn_pending(*state), -EAGAIN);
        assert_int_equal(write(ends[1], &port, sizeof(port)), sizeof(port));
        assert_int_equal(xen_evtchn_pending(*state), 5);
        assert_int_equal(xen_evtchn_pending(*state), -EAGAIN);
}

static void pending_reports_errors_and_an_end(void **state)
{
        uint32_t port = 5;

        assert_int_equal(write(ends[1], &port, sizeof(port)), sizeof(port));
        fail_errno = EFBIG;
        assert_int_equal(xen_evtchn_pending(*state), -EFBIG);
        fail_errno = 0;
        assert_int_equal(xen_evtchn_pending(*state), 5);
        close(ends[1]);
        ends[1] = -1;
        assert_int_equal(xen_evtchn_pending(*state), -EIO);
}

static void ports_and_errors_come_through(void **state)
{
        struct xen_evtchn *x = *state;

        assert_int_equal(xen_evtchn_fd(x), ends[0]);
        assert_int_equal(xen_evtchn_bind_unbound(x, 3), 103);
        assert_int_equal(xen_evtchn_bind_interdomain(x, 3, 9), 3009);
        assert_int_equal(xen_evtchn_notify(x, 3), 0);
        assert_int_equal(xen_evtchn_unmask(x, 3), 0);
        fail_errno = EPERM;
        assert_int_equal(xen_evtchn_bind_unbound(x, 3), -EPERM);
        assert_int_equal(xen_evtchn_bind_interdomain(x, 3, 9), -EPERM);
        assert_int_equal(xen_evtchn_notify(x, 3), -EPERM);
        assert_int_equal(xen_evtchn_unmask(x, 3), -EPERM);
}

static void unbind_takes_no_port_for_none(void **state)
{
        xen_evtchn_unbind(*state, -1);
        assert_int_equal(unbound, -1);
        xen_evtchn_unbind(*state, 4);
        assert_int_equal(unbound, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(pending_does_not_block),
                TEST(pending_reports_errors_and_an_end),
                TEST(ports_and_errors_come_through),
                TEST(unbind_takes_no_port_for_none),
        };

        return cmocka_run_group_tests_name("event channels", tests, NULL, NULL);
}
