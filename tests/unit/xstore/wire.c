/* SPDX-License-Identifier: MIT */
/* Framing, unknown and malformed requests, toolstack requests. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static size_t message(char *m, uint32_t type, uint32_t len, const char *data)
{
        struct xsd_sockmsg h = {type, 5, 0, len};

        memcpy(m, &h, sizeof(h));
        memcpy(m + sizeof(h), data, len);
        return sizeof(h) + len;
}

static void any_split_of_the_input_gives_the_same(void **state)
{
        struct world *w = *state;
        char m[256];
        size_t len = message(m, XS_WRITE, 7, "/a\0one!");

        len += message(m + len, XS_READ, 3, "/a");
        len += message(m + len, XS_RESET_WATCHES, 0, "");
        len += message(m + len, XS_DIRECTORY, 2, "/");
        for (size_t step = 1; step <= len; step++) {
                w->d0.answers = 0;
                for (size_t at = 0; at < len; at += step)
                        assert_int_equal(xstore_conn_input(w->d0.c, m + at,
                                                           at + step > len
                                                                   ? len - at
                                                                   : step),
                                         0);
                assert_int_equal(w->d0.answers, 4);
                assert_string_equal(listed(&w->d0), "tool a ");
        }
        assert_string_equal(get(&w->d0, 0, "/a"), "one!");
}

static void an_incomplete_request_waits(void **state)
{
        struct world *w = *state;
        char m[64];
        size_t len = message(m, XS_READ, 2, "/");

        for (size_t i = 0; i + 1 < len; i++)
                assert_int_equal(xstore_conn_input(w->d0.c, m + i, 1), 0);
        assert_int_equal(w->d0.answers, 0);
        xstore_conn_input(w->d0.c, m + len - 1, 1);
        assert_int_equal(w->d0.answers, 1);
}

static void the_largest_payload_is_taken_one_more_is_not(void **state)
{
        static char m[sizeof(struct xsd_sockmsg) + 4097];
        struct world *w = *state;
        char data[4097];
        size_t len;

        memset(data, 'v', sizeof(data));
        memcpy(data, "/a", 3);
        assert_string_equal(ask(&w->d0, XS_WRITE, 0, data, 4096), "OK");
        get(&w->d0, 0, "/a");
        assert_int_equal(w->d0.head.len, 4093);
        len = message(m, XS_WRITE, 4097, data);
        /* The header alone tells. */
        assert_int_equal(xstore_conn_input(w->d0.c, m, 15), 0);
        assert_int_equal(xstore_conn_input(w->d0.c, m + 15, 1), -EPROTO);
        assert_int_equal(xstore_conn_input(w->d0.c, m + 16, len - 16), -EPROTO);
        assert_int_equal(xstore_conn_input(w->other.c, m, len), -EPROTO);
        len = message(m, XS_READ, 3, "/a");
        assert_int_equal(xstore_conn_input(w->other.c, m, len), -EPROTO);
        assert_int_equal(w->other.answers, 0);
}

static void unknown_types_are_not_implemented(void **state)
{
        static const uint32_t types[] = {
                XS_WATCH_EVENT, XS_ERROR,   20, XS_TYPE_COUNT, 99,
                XS_INVALID,     0xffffffff,
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                assert_string_equal(ask1(&w->d0, types[i], 0, "/"), "ENOSYS");
                assert_string_equal(ask1(&w->d1, types[i], 9, "/"), "ENOSYS");
        }
}

static void malformed_payloads_are_invalid(void **state)
{
        static const uint32_t one_path[] = {XS_DIRECTORY, XS_READ, XS_GET_PERMS,
                                            XS_MKDIR, XS_RM};
        static const uint32_t any[] = {
                XS_DIRECTORY,  XS_READ,           XS_GET_PERMS,
                XS_WATCH,      XS_UNWATCH,        XS_TRANSACTION_END,
                XS_INTRODUCE,  XS_RELEASE,        XS_GET_DOMAIN_PATH,
                XS_WRITE,      XS_MKDIR,          XS_RM,
                XS_SET_PERMS,  XS_RESUME,         XS_IS_DOMAIN_INTRODUCED,
                XS_SET_TARGET, XS_DIRECTORY_PART, XS_CONTROL,
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(one_path) / sizeof(one_path[0]); i++) {
                assert_string_equal(ask(&w->d0, one_path[i], 0, "/tool\0x", 8),
                                    "EINVAL");
                assert_string_equal(ask(&w->d0, one_path[i], 0, "/tool", 5),
                                    "EINVAL");
        }
        for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
                assert_string_equal(ask(&w->d0, any[i], 0, "", 0), "EINVAL");
                assert_string_equal(ask(&w->d0, any[i], 0, "x", 1), "EINVAL");
        }
        assert_string_equal(ask1(&w->d0, XS_DIRECTORY_PART, 0, "/"), "EINVAL");
        assert_string_equal(get(&w->d0, 0, "/tool"), "");
}

static void any_bytes_are_survived(void **state)
{
        struct world *w = *state;
        char data[600];

        srand(1);
        for (int i = 0; i < 200000; i++) {
                struct peer *p = i % 2 ? &w->d0 : &w->d1;
                size_t len = (size_t)(rand() % 24);
                static const char some[] = "/ab\0\0/@0123TFnrwb-_\xff";

                for (size_t k = 0; k < len; k++)
                        data[k] = some[(size_t)rand() % sizeof(some)];
                ask(p, (uint32_t)rand() % 25,
                    rand() % 2 ? (uint32_t)rand() % 9 : 0, data, len);
                if (i % 512 == 0) {
                        xstore_conn_close(p->c);
                        peer_open(p, w->xs, i % 2 ? 0 : 1);
                }
                p->seen[0] = '\0';
        }
        assert_string_equal(put(&w->d0, 0, "/still", "works"), "OK");
        assert_string_equal(get(&w->d0, 0, "/still"), "works");
}

static void domain_paths_are_told(void **state)
{
        struct world *w = *state;

        assert_string_equal(ask1(&w->d1, XS_GET_DOMAIN_PATH, 0, "12"),
                            "/local/domain/12");
        assert_int_equal(w->d1.head.len, 17);
        assert_string_equal(ask1(&w->d0, XS_GET_DOMAIN_PATH, 0, "0"),
                            "/local/domain/0");
}

static void introduction_and_release_by_the_toolstack(void **state)
{
        struct world *w = *state;

        ask2(&w->other, XS_WATCH, 0, "@introduceDomain", "i");
        ask2(&w->other, XS_WATCH, 0, "@releaseDomain", "r");
        events(&w->other);
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "9"), "F");
        assert_string_equal(ask1(&w->d0, XS_RELEASE, 0, "9"), "ENOENT");
        assert_string_equal(ask1(&w->d0, XS_RESUME, 0, "9"), "ENOENT");
        assert_string_equal(ask(&w->d0, XS_INTRODUCE, 0, "9\0007\0003", 6),
                            "OK");
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "9"), "T");
        assert_string_equal(ask1(&w->d0, XS_RESUME, 0, "9"), "OK");
        assert_string_equal(ask1(&w->d0, XS_RELEASE, 0, "9"), "OK");
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "9"), "F");
        assert_string_equal(events(&w->other),
                            "@introduceDomain|i @releaseDomain|r ");
        xstore_domain_release(w->xs, 2); /* it still has a connection */
        assert_string_equal(ask1(&w->d0, XS_RELEASE, 0, "2"), "ENOENT");
        assert_string_equal(ask1(&w->d0, XS_RELEASE, 0, "0"), "EINVAL");
        assert_string_equal(ask1(&w->d0, XS_RESUME, 0, "0"), "EINVAL");
        assert_string_equal(ask(&w->d0, XS_INTRODUCE, 0, "9\0007\0000", 6),
                            "EINVAL");
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "0"), "T");
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "32752"),
                            "T");
}

static void release_silences_the_domains_connections(void **state)
{
        struct world *w = *state;
        uint32_t tx = begin(&w->d1);

        put(&w->d0, 0, "/d", "");
        chmod_node(&w->d0, 0, "/d", "r0");
        ask2(&w->d1, XS_WATCH, 0, "/d", "t");
        events(&w->d1);
        ask1(&w->d0, XS_RELEASE, 0, "1");
        put(&w->d0, 0, "/d", "");
        assert_string_equal(events(&w->d1), "");
        assert_string_equal(finish(&w->d1, tx), "ENOENT");
}

static void control_has_a_small_useful_set(void **state)
{
        struct world *w = *state;

        assert_string_equal(ask2(&w->d0, XS_CONTROL, 0, "print", "hello"),
                            "OK");
        assert_string_equal(ask1(&w->d0, XS_CONTROL, 0, "check"), "OK");
        assert_non_null(strstr(ask1(&w->d0, XS_CONTROL, 0, "help"), "print"));
        put(&w->d0, 0, "/d/x", "");
        chmod_node(&w->d0, 0, "/d/x", "n1");
        assert_non_null(
                strstr(ask2(&w->d0, XS_CONTROL, 0, "quota", "1"), "nodes 1\n"));
        assert_non_null(
                strstr(ask1(&w->d0, XS_CONTROL, 0, "quota"), "nodes 1000\n"));
        assert_string_equal(ask1(&w->d0, XS_CONTROL, 0, "explode"), "EINVAL");
        assert_string_equal(ask1(&w->d0, XS_CONTROL, 0, "print"), "EINVAL");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(any_split_of_the_input_gives_the_same),
                WORLD_TEST(an_incomplete_request_waits),
                WORLD_TEST(the_largest_payload_is_taken_one_more_is_not),
                WORLD_TEST(unknown_types_are_not_implemented),
                WORLD_TEST(malformed_payloads_are_invalid),
                WORLD_TEST(any_bytes_are_survived),
                WORLD_TEST(domain_paths_are_told),
                WORLD_TEST(introduction_and_release_by_the_toolstack),
                WORLD_TEST(release_silences_the_domains_connections),
                WORLD_TEST(control_has_a_small_useful_set),
        };

        return cmocka_run_group_tests_name("xstore-wire", tests, NULL, NULL);
}
