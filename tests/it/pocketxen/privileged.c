/* SPDX-License-Identifier: MIT */
/* The privileged libraries open in a domain, through the real libxenctrl too,
 * and say that nothing is behind them; elsewhere they do not open. */
#include "bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenctrl.h>

#include <cmocka.h>

#include <xencall.h>
#include <xendevicemodel.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

#define NOT_THERE(call)                          \
        do {                                     \
                errno = 0;                       \
                assert_true((call) == -1);       \
                assert_int_equal(errno, ENOSYS); \
        } while (0)

static void libxenctrl_opens_and_its_calls_are_not_there(void **state)
{
        xc_interface *xc;
        uint64_t value;

        (void)state;
        bench_enter(0);
        xc = xc_interface_open(NULL, NULL, 0);
        assert_non_null(xc);
        NOT_THERE(xc_domain_shutdown(xc, 1, 0));
        NOT_THERE(xc_hvm_param_get(xc, 1, 0, &value));
        assert_int_equal(xc_interface_close(xc), 0);
}

static void hypercalls_have_buffers_and_no_answer(void **state)
{
        xencall_handle *x;
        char *p, *q;

        (void)state;
        bench_enter(0);
        x = xencall_open(NULL, 0);
        assert_non_null(x);
        assert_true(xencall_fd(x) >= 0);
        NOT_THERE(xencall0(x, 17));
        NOT_THERE(xencall5(x, 17, 1, 2, 3, 4, 5));
        NOT_THERE(xencall2L(x, 12, 1, 2));
        p = xencall_alloc_buffer(x, 5000);
        q = xencall_alloc_buffer_pages(x, 3);
        assert_true(p && (uintptr_t)p % 4096 == 0);
        assert_true(q && (uintptr_t)q % 4096 == 0);
        memset(p, 1, 5000);
        memset(q, 2, 3 * 4096);
        assert_int_equal(p[4999], 1);
        xencall_free_buffer(x, p);
        xencall_free_buffer_pages(x, q, 3);
        assert_null(xencall_alloc_buffer(x, SIZE_MAX));
        assert_null(xencall_alloc_buffer_pages(x, SIZE_MAX / 8));
        assert_int_equal(xencall_close(x), 0);
        assert_int_equal(xencall_close(NULL), 0);
}

static void foreign_memory_opens_and_has_nothing_to_map(void **state)
{
        xenforeignmemory_handle *f;
        const xen_pfn_t pfn = 0;
        int err = 0;
        size_t size;

        (void)state;
        bench_enter(0);
        f = xenforeignmemory_open(NULL, 0);
        assert_non_null(f);
        errno = 0;
        assert_null(xenforeignmemory_map(f, 0, PROT_READ, 1, &pfn, &err));
        assert_int_equal(errno, ENOSYS);
        NOT_THERE(xenforeignmemory_resource_size(f, 0, 0, 0, &size));
        NOT_THERE(xenforeignmemory_restrict(f, 1));
        assert_int_equal(xenforeignmemory_close(f), 0);
        assert_int_equal(xenforeignmemory_close(NULL), 0);
}

static void device_models_open_and_have_no_guest(void **state)
{
        xendevicemodel_handle *d;
        ioservid_t id;

        (void)state;
        bench_enter(0);
        d = xendevicemodel_open(NULL, 0);
        assert_non_null(d);
        NOT_THERE(xendevicemodel_create_ioreq_server(d, 1, 0, &id));
        NOT_THERE(xendevicemodel_shutdown(d, 1, 0));
        NOT_THERE(xendevicemodel_restrict(d, 1));
        assert_int_equal(xendevicemodel_close(d), 0);
        assert_int_equal(xendevicemodel_close(NULL), 0);
}

static void a_kernel_without_grant_copy_says_so(void **state)
{
        xengnttab_handle *g;

        (void)state;
        bench_enter(0);
        setenv("POCKETXEN_GRANT_COPY", "off", 1);
        g = xengnttab_open(NULL, 0);
        unsetenv("POCKETXEN_GRANT_COPY");
        assert_non_null(g);
        errno = 0;
        assert_int_equal(xengnttab_grant_copy(g, 0, NULL), -1);
        assert_int_equal(errno, ENOTTY);
        assert_int_equal(xengnttab_close(g), 0);
        g = xengnttab_open(NULL, 0);
        assert_non_null(g);
        assert_int_equal(xengnttab_grant_copy(g, 0, NULL), 0);
        assert_int_equal(xengnttab_close(g), 0);
}

/* Last: it leaves the domain. */
static void outside_of_a_domain_nothing_opens(void **state)
{
        (void)state;
        unsetenv("POCKETXEN_SOCKET");
        assert_null(xencall_open(NULL, 0));
        assert_null(xenforeignmemory_open(NULL, 0));
        assert_null(xendevicemodel_open(NULL, 0));
        assert_int_equal(errno, ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(libxenctrl_opens_and_its_calls_are_not_there),
                cmocka_unit_test(hypercalls_have_buffers_and_no_answer),
                cmocka_unit_test(foreign_memory_opens_and_has_nothing_to_map),
                cmocka_unit_test(device_models_open_and_have_no_guest),
                cmocka_unit_test(a_kernel_without_grant_copy_says_so),
                cmocka_unit_test(outside_of_a_domain_nothing_opens),
        };

        return cmocka_run_group_tests(tests, bench_start, bench_stop);
}
