/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "common/copy.h"

#include <stdint.h>
#include <string.h>

#define ROOM 512u

/* Every length, from and to every alignment, and not a byte more. */
static void copies_what_memcpy_copies(void **state)
{
        static _Alignas(64) uint8_t from[ROOM], to[ROOM], want[ROOM];

        for (size_t i = 0; i < ROOM; i++)
                from[i] = (uint8_t)(1 + i % 251);
        for (size_t at = 0; at < 80; at++) {
                for (size_t len = 0; len <= 300; len++) {
                        size_t off = len % 17;

                        memset(to, 0xee, ROOM);
                        memset(want, 0xee, ROOM);
                        memcpy(want + at, from + off, len);
                        assert_ptr_equal(
                                copy_past_caches(to + at, from + off, len),
                                to + at);
                        assert_memory_equal(to, want, ROOM);
                }
        }
}

__attribute__((noinline)) static void only_fetches(const void *p)
{
        copy_fetch(p, COPY_LINE_BYTES);
}

/* For fetch_is_kept.sh. */
__attribute__((noinline)) void calls_what_only_fetches(const void *p);

void calls_what_only_fetches(const void *p)
{
        only_fetches(p);
}

static void any_address_can_be_fetched(void **state)
{
        static const uint8_t page[COPY_FETCH_BYTES];

        calls_what_only_fetches(page);
        calls_what_only_fetches(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(copies_what_memcpy_copies),
                cmocka_unit_test(any_address_can_be_fetched),
        };

        return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
