/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state, bool no_uring)
{
        struct loop_opts opts = {.no_uring = no_uring};
        struct rig *r = calloc(1, sizeof(*r));

        r->no_uring = no_uring;
        *state = r;
        return loop_create(&r->l, &opts);
}

int rig_setup_uring(void **state)
{
        const char *why;
        int ret = setup(state, false);

        if (ret == 0 && !loop_has_uring(((struct rig *)*state)->l, &why))
                print_message("no io_uring here: %s\n", why);
        return ret;
}

int rig_setup_poll(void **state)
{
        return setup(state, true);
}

int rig_teardown(void **state)
{
        struct rig *r = *state;

        loop_destroy(r->l);
        free(r);
        return 0;
}

void stop_work(void *arg)
{
        loop_stop(arg);
}

int main(void)
{
        struct CMUnitTest tests[200];
        size_t n = 0;

        memcpy(tests, watch_tests, watch_tests_n * sizeof(*tests));
        n += watch_tests_n;
        memcpy(tests + n, op_tests, op_tests_n * sizeof(*tests));
        n += op_tests_n;
        memcpy(tests + n, call_tests, call_tests_n * sizeof(*tests));
        n += call_tests_n;
        memcpy(tests + n, spin_tests, spin_tests_n * sizeof(*tests));
        n += spin_tests_n;
        return _cmocka_run_group_tests("loop", tests, n, NULL, NULL);
}
