/* SPDX-License-Identifier: MIT */
/* Reading, writing, listing, removing: as Domain-0, without transactions. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static void a_written_value_is_read_back(void **state)
{
        struct world *w = *state;

        assert_string_equal(put(&w->d0, 0, "/a", "one"), "OK");
        assert_string_equal(get(&w->other, 0, "/a"), "one");
        assert_string_equal(put(&w->d0, 0, "/a", ""), "OK");
        assert_string_equal(get(&w->d0, 0, "/a"), "");
        assert_int_equal(w->d0.head.len, 0);
}

static void values_are_bytes(void **state)
{
        struct world *w = *state;
        static const char m[] = "/a\0x\0\xff\n";

        assert_string_equal(ask(&w->d0, XS_WRITE, 0, m, sizeof(m) - 1), "OK");
        get(&w->d0, 0, "/a");
        assert_int_equal(w->d0.head.len, 4);
        assert_memory_equal(w->d0.answer, "x\0\xff\n", 4);
}

static void write_makes_missing_parents(void **state)
{
        struct world *w = *state;

        assert_string_equal(put(&w->d0, 0, "/a/b/c", "v"), "OK");
        assert_string_equal(get(&w->d0, 0, "/a/b"), "");
        ask1(&w->d0, XS_DIRECTORY, 0, "/a");
        assert_string_equal(listed(&w->d0), "b ");
}

static void a_new_store_has_the_daemons_own_nodes(void **state)
{
        struct world *w = *state;

        ask1(&w->d0, XS_DIRECTORY, 0, "/");
        assert_string_equal(listed(&w->d0), "tool ");
        ask1(&w->d0, XS_GET_PERMS, 0, "/tool/xenstored");
        assert_string_equal(listed(&w->d0), "n0 ");
}

static void directory_lists_in_the_order_of_creation(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/d/z", "");
        put(&w->d0, 0, "/d/a", "");
        put(&w->d0, 0, "/d/zz", "");
        put(&w->d0, 0, "/d/z", "again");
        ask1(&w->d0, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d0), "z a zz ");
        ask1(&w->d0, XS_RM, 0, "/d/z");
        ask1(&w->d0, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d0), "a zz ");
        ask1(&w->d0, XS_RM, 0, "/d/zz");
        ask1(&w->d0, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d0), "a ");
        put(&w->d0, 0, "/d/ba", "");
        put(&w->d0, 0, "/d/aa", "");
        ask1(&w->d0, XS_RM, 0, "/d/a");
        put(&w->d0, 0, "/d/a", "");
        ask1(&w->d0, XS_RM, 0, "/d/a");
        ask1(&w->d0, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d0), "ba aa ");
}

static void mkdir_keeps_what_is_there(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/d/x", "v");
        assert_string_equal(ask1(&w->d0, XS_MKDIR, 0, "/d/x"), "OK");
        assert_string_equal(get(&w->d0, 0, "/d/x"), "v");
        assert_string_equal(ask1(&w->d0, XS_MKDIR, 0, "/d/y/z"), "OK");
        assert_string_equal(get(&w->d0, 0, "/d/y/z"), "");
}

static void rm_takes_everything_below(void **state)
{
        struct world *w = *state;
        struct xstore_count before, after;

        xstore_count(w->xs, UINT32_MAX, &before);
        put(&w->d0, 0, "/r/a/b", "");
        put(&w->d0, 0, "/r/c", "");
        put(&w->d0, 0, "/ra", "");
        assert_string_equal(ask1(&w->d0, XS_RM, 0, "/r"), "OK");
        assert_string_equal(get(&w->d0, 0, "/r/a/b"), "ENOENT");
        assert_string_equal(get(&w->d0, 0, "/r"), "ENOENT");
        assert_string_equal(get(&w->d0, 0, "/ra"), "");
        xstore_count(w->xs, UINT32_MAX, &after);
        assert_int_equal(after.nodes, before.nodes + 1);
}

static void rm_of_nothing_is_fine_below_an_existing_node(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/d", "");
        assert_string_equal(ask1(&w->d0, XS_RM, 0, "/d/none"), "OK");
        assert_string_equal(ask1(&w->d0, XS_RM, 0, "/d/none/none"), "ENOENT");
        assert_string_equal(ask1(&w->d0, XS_RM, 0, "/"), "EINVAL");
}

static void bad_paths_are_invalid(void **state)
{
        static const char *const bad[] = {
                "",   "//",   "/a//b",  "/a/",  "a/",      "/a b",
                "/.", "/a:b", "/a\x80", "/a\n", "@domain", "/\\",
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_string_equal(get(&w->d0, 0, bad[i]), "EINVAL");
                assert_string_equal(put(&w->d0, 0, bad[i], "v"), "EINVAL");
                assert_string_equal(ask1(&w->d0, XS_RM, 0, bad[i]), "EINVAL");
        }
        assert_string_equal(put(&w->d0, 0, "/aZ09-_@", "v"), "OK");
}

/* prefix and n times a letter. */
static const char *long_path(const char *prefix, size_t n)
{
        static char path[XENSTORE_PAYLOAD_MAX];
        size_t at = strlen(prefix);

        memcpy(path, prefix, at);
        memset(path + at, 'x', n);
        path[at + n] = '\0';
        return path;
}

static void paths_are_bounded_but_for_the_domains_own_prefix(void **state)
{
        struct world *w = *state;

        assert_string_equal(put(&w->d0, 0, long_path("/", 2047), ""), "OK");
        assert_string_equal(put(&w->d0, 0, long_path("/", 2048), ""), "EINVAL");
        assert_string_equal(
                put(&w->d0, 0, long_path("/local/domain/12/", 2048), ""), "OK");
        assert_string_equal(
                put(&w->d0, 0, long_path("/local/domain/12/", 2049), ""),
                "EINVAL");
        assert_string_equal(put(&w->d0, 0, long_path("", 2048), ""), "OK");
        assert_string_equal(put(&w->d0, 0, long_path("", 2049), ""), "EINVAL");
        assert_string_equal(put(&w->d0, 0, long_path("/", 3500), ""), "EINVAL");
}

static void relative_paths_are_below_the_domains_home(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "x", "zero");
        assert_string_equal(get(&w->d0, 0, "/local/domain/0/x"), "zero");
        put(&w->d0, 0, "/local/domain/1", "");
        chmod_node(&w->d0, 0, "/local/domain/1", "n1");
        assert_string_equal(put(&w->d1, 0, "x/y", "one"), "OK");
        assert_string_equal(get(&w->d0, 0, "/local/domain/1/x/y"), "one");
}

static void fill_directory(struct peer *p, int pad, char *want)
{
        char name[32];

        ask1(p, XS_RM, 0, "/d");
        *want = '\0';
        for (int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "/d/%0*d", pad, i);
                put(p, 0, name, "");
                strcat(strcat(want, name + 3), " ");
        }
}

/* All parts, one after the other; the last one must say that it is that. */
static void read_parts(struct peer *p, char *got, size_t total)
{
        char gen[24], text[16];
        size_t offset = 0, len;

        ask2(p, XS_DIRECTORY_PART, 0, "/d", "0");
        strcpy(gen, p->answer);
        *got = '\0';
        while (offset < total) {
                snprintf(text, sizeof(text), "%zu", offset);
                ask2(p, XS_DIRECTORY_PART, 0, "/d", text);
                assert_int_equal(p->head.type, XS_DIRECTORY_PART);
                assert_string_equal(p->answer, gen);
                len = p->head.len - strlen(gen) - 1;
                assert_true(len > 1);
                if (offset + len > total) {
                        len--;
                        assert_int_equal(p->answer[p->head.len - 1], 0);
                        assert_int_equal(p->answer[p->head.len - 2], 0);
                }
                strncat(got, listed(p) + strlen(gen) + 1, len);
                offset += len;
                if (offset == total)
                        assert_int_equal(p->answer[p->head.len - 2], 0);
        }
}

static void a_long_directory_is_too_big_and_comes_in_parts(void **state)
{
        static char want[32768], got[32768];
        struct world *w = *state;

        /* Names of several lengths: each fills a message differently. */
        for (int pad = 4; pad < 20; pad++) {
                fill_directory(&w->d0, pad, want);
                assert_string_equal(ask1(&w->d0, XS_DIRECTORY, 0, "/d"),
                                    "E2BIG");
                read_parts(&w->d0, got, strlen(want));
                assert_string_equal(got, want);
        }
}

static void the_generation_follows_the_list(void **state)
{
        struct world *w = *state;
        char gen[24];

        put(&w->d0, 0, "/d/a", "");
        strcpy(gen, ask2(&w->d0, XS_DIRECTORY_PART, 0, "/d", "0"));
        put(&w->d0, 0, "/d/a/deep", "");
        assert_string_equal(ask2(&w->d0, XS_DIRECTORY_PART, 0, "/d", "0"), gen);
        ask1(&w->d0, XS_RM, 0, "/d/a");
        assert_string_not_equal(ask2(&w->d0, XS_DIRECTORY_PART, 0, "/d", "0"),
                                gen);
        /* Behind the end: the empty name alone. */
        ask2(&w->d0, XS_DIRECTORY_PART, 0, "/d", "99");
        assert_int_equal(w->d0.head.len, strlen(w->d0.answer) + 2);
}

static void tens_of_thousands_of_nodes_stay_reachable(void **state)
{
        struct world *w = *state;
        struct xstore_count n;
        char path[64], value[8];

        for (int i = 0; i < 30000; i++) {
                snprintf(path, sizeof(path), "/many/%d/x%d", i % 200, i);
                assert_int_equal(xstore_write(w->xs, path, "v", NULL, 0), 0);
        }
        for (int i = 0; i < 30000; i++) {
                snprintf(path, sizeof(path), "/many/%d/x%d", i % 200, i);
                assert_int_equal(xstore_read(w->xs, path, value, 8), 1);
        }
        assert_int_equal(xstore_rm(w->xs, "/many"), 0);
        xstore_count(w->xs, UINT32_MAX, &n);
        assert_int_equal(n.nodes, 3);
}

static void the_server_itself_reads_and_writes(void **state)
{
        static const char *const perms[] = {"n1", "r2"};
        struct world *w = *state;
        char value[4];

        assert_int_equal(xstore_write(w->xs, "/s/t", "text", perms, 2), 0);
        assert_int_equal(xstore_read(w->xs, "/s/t", value, sizeof(value)), 4);
        assert_memory_equal(value, "text", 4);
        assert_string_equal(get(&w->d2, 0, "/s/t"), "text");
        assert_string_equal(put(&w->d1, 0, "/s/t", "new"), "OK");
        assert_int_equal(xstore_read(w->xs, "/s/t", value, sizeof(value)), 3);
        assert_string_equal(value, "new");
        assert_int_equal(xstore_read(w->xs, "/none", value, 4), -ENOENT);
        assert_int_equal(xstore_write(w->xs, "/s//t", "", NULL, 0), -EINVAL);
        assert_int_equal(xstore_rm(w->xs, "/s"), 0);
        assert_string_equal(get(&w->d0, 0, "/s"), "ENOENT");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(a_written_value_is_read_back),
                WORLD_TEST(values_are_bytes),
                WORLD_TEST(write_makes_missing_parents),
                WORLD_TEST(a_new_store_has_the_daemons_own_nodes),
                WORLD_TEST(directory_lists_in_the_order_of_creation),
                WORLD_TEST(mkdir_keeps_what_is_there),
                WORLD_TEST(rm_takes_everything_below),
                WORLD_TEST(rm_of_nothing_is_fine_below_an_existing_node),
                WORLD_TEST(bad_paths_are_invalid),
                WORLD_TEST(paths_are_bounded_but_for_the_domains_own_prefix),
                WORLD_TEST(relative_paths_are_below_the_domains_home),
                WORLD_TEST(a_long_directory_is_too_big_and_comes_in_parts),
                WORLD_TEST(the_generation_follows_the_list),
                WORLD_TEST(tens_of_thousands_of_nodes_stay_reachable),
                WORLD_TEST(the_server_itself_reads_and_writes),
        };

        return cmocka_run_group_tests_name("xstore-tree", tests, NULL, NULL);
}
