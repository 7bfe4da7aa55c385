/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "common/log.h"

#include <string.h>

int main(int argc, char **argv)
{
        const struct {
                const struct CMUnitTest *tests;
                size_t n;
        } all[] = {
                {simple_tests, simple_tests_n},
                {ram_tests, ram_tests_n},
                {ram_huge_tests, ram_huge_tests_n},
                {ram_threads_tests, ram_threads_tests_n},
                {room_tests, room_tests_n},
                {file_tests, file_tests_n},
                {open_tests, open_tests_n},
                {lock_tests, lock_tests_n},
                {block_tests, block_tests_n},
                {fault_tests, fault_tests_n},
                {short_tests, short_tests_n},
                {secure_tests, secure_tests_n},
        };
        struct CMUnitTest tests[300];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                memcpy(tests + n, all[i].tests, all[i].n * sizeof(*tests));
                n += all[i].n;
        }
        log_set_level(LOG_LVL_ERR);
        if (argc > 1) /* a pattern */
                cmocka_set_test_filter(argv[1]);
        return _cmocka_run_group_tests("store", tests, n, NULL, NULL);
}
