/* SPDX-License-Identifier: MIT */
/* Who may do what; quotas. */
#include "harness.h"

#include <stdio.h>

/* /d belongs to domain 1, domain 2 may read. */
static void give_node(struct world *w, const char *path, const char *perms)
{
        put(&w->d0, 0, path, "v");
        assert_string_equal(chmod_node(&w->d0, 0, path, perms), "OK");
}

static void entries_decide_and_the_first_is_for_the_others(void **state)
{
        static const struct {
                const char *perms, *read, *write; /* by domain 2 */
        } cases[] = {
                {"n1", "EACCES", "EACCES"},
                {"r1", "v", "EACCES"},
                {"w1", "EACCES", "OK"},
                {"b1", "v", "OK"},
                {"n1 r2", "v", "EACCES"},
                {"n1 w2", "EACCES", "OK"},
                {"b1 n2", "EACCES", "EACCES"},
                {"n1 b3", "EACCES", "EACCES"},
                {"n1 n2 b2", "EACCES", "EACCES"},
                {"n1 b2 n2", "v", "OK"},
                {"n2", "v", "OK"},
                {"n0", "EACCES", "EACCES"},
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                give_node(w, "/d", cases[i].perms);
                assert_string_equal(get(&w->d2, 0, "/d"), cases[i].read);
                assert_string_equal(put(&w->d2, 0, "/d", "v"), cases[i].write);
                assert_string_equal(put(&w->d0, 0, "/d", "v"), "OK");
        }
}

static void what_may_not_be_seen_is_hidden(void **state)
{
        struct world *w = *state;

        give_node(w, "/closed", "n0");
        give_node(w, "/open", "r0");
        assert_string_equal(get(&w->d1, 0, "/closed"), "EACCES");
        assert_string_equal(get(&w->d1, 0, "/closed/none"), "EACCES");
        assert_string_equal(get(&w->d1, 0, "/closed/none/none"), "EACCES");
        assert_string_equal(get(&w->d1, 0, "/none"), "EACCES");
        assert_string_equal(get(&w->d1, 0, "/open/none"), "ENOENT");
        assert_string_equal(get(&w->d1, 0, "/open/none/none"), "ENOENT");
        assert_string_equal(get(&w->d0, 0, "/closed/none"), "ENOENT");
}

static void new_nodes_inherit_and_belong_to_their_maker(void **state)
{
        struct world *w = *state;

        give_node(w, "/d", "n1 b2");
        assert_string_equal(put(&w->d2, 0, "/d/by2/x", ""), "OK");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d/by2");
        assert_string_equal(listed(&w->d0), "n2 b2 ");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d/by2/x");
        assert_string_equal(listed(&w->d0), "n2 b2 ");
        assert_string_equal(put(&w->d0, 0, "/d/by0", ""), "OK");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d/by0");
        assert_string_equal(listed(&w->d0), "n1 b2 ");
        assert_string_equal(get(&w->d1, 0, "/d/by2/x"), "EACCES");
}

static void creating_needs_write_on_the_nearest_ancestor(void **state)
{
        struct world *w = *state;

        give_node(w, "/d", "r1");
        assert_string_equal(put(&w->d2, 0, "/d/x", ""), "EACCES");
        assert_string_equal(ask1(&w->d2, XS_MKDIR, 0, "/d/x/y"), "EACCES");
        assert_string_equal(ask1(&w->d2, XS_RM, 0, "/d/x"), "EACCES");
        assert_string_equal(get(&w->d0, 0, "/d/x"), "ENOENT");
}

static void only_the_owner_changes_permissions_and_never_the_owner(void **state)
{
        struct world *w = *state;

        give_node(w, "/d", "b1");
        assert_string_equal(chmod_node(&w->d2, 0, "/d", "n1"), "EACCES");
        assert_string_equal(chmod_node(&w->d1, 0, "/d", "n2"), "EPERM");
        assert_string_equal(chmod_node(&w->d1, 0, "/d", "n1 r2"), "OK");
        ask1(&w->d2, XS_GET_PERMS, 0, "/d");
        assert_string_equal(listed(&w->d2), "n1 r2 ");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "r2 w1"), "OK");
        assert_string_equal(get(&w->d1, 0, "/d"), "EACCES");
        assert_string_equal(ask1(&w->d1, XS_GET_PERMS, 0, "/d"), "EACCES");
}

static void malformed_permissions_are_invalid(void **state)
{
        static const char *const bad[] = {"x1", "n", "1", "nx", "n1x", "n1 z"};
        struct world *w = *state;

        put(&w->d0, 0, "/d", "");
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_string_equal(chmod_node(&w->d0, 0, "/d", bad[i]),
                                    "EINVAL");
        assert_string_equal(ask1(&w->d0, XS_SET_PERMS, 0, "/d"), "EINVAL");
        assert_string_equal(ask(&w->d0, XS_SET_PERMS, 0, "/d\0n1", 5),
                            "EINVAL");
        assert_string_equal(chmod_node(&w->d0, 0, "/none", "n1"), "ENOENT");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d");
        assert_string_equal(listed(&w->d0), "n0 ");
}

static bool only_1_and_2(void *arg, uint32_t domid)
{
        return domid == 1 || domid == 2;
}

static void nodes_cannot_be_given_to_nobody(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/d", "");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n9"), "OK");
        xstore_set_exists(w->xs, only_1_and_2, NULL);
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n9"), "ENOENT");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n2 r9"), "OK");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n0"), "OK");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n32752"), "ENOENT");
}

static void toolstack_requests_are_for_domain_0(void **state)
{
        static const uint32_t types[] = {
                XS_CONTROL, XS_INTRODUCE,  XS_RELEASE,
                XS_RESUME,  XS_SET_TARGET, XS_IS_DOMAIN_INTRODUCED,
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                assert_string_equal(ask1(&w->d1, types[i], 0, "1"), "EACCES");
        assert_string_equal(chmod_node(&w->d1, 0, "@releaseDomain", "n1"),
                            "EACCES");
}

static void a_target_lends_its_rights(void **state)
{
        struct world *w = *state;

        give_node(w, "/d", "n2");
        give_node(w, "/e", "n0 r2");
        assert_string_equal(get(&w->d1, 0, "/d"), "EACCES");
        assert_string_equal(ask2(&w->d0, XS_SET_TARGET, 0, "1", "2"), "OK");
        assert_string_equal(get(&w->d1, 0, "/d"), "v");
        assert_string_equal(get(&w->d1, 0, "/e"), "v");
        assert_string_equal(put(&w->d1, 0, "/d", "w"), "OK");
        xstore_domain_release(w->xs, 2);
        give_node(w, "/d", "n2");
        assert_string_equal(get(&w->d1, 0, "/d"), "EACCES");
        assert_string_equal(ask2(&w->d0, XS_SET_TARGET, 0, "1", "2"), "ENOENT");
}

static void node_quota_counts_what_a_domain_owns(void **state)
{
        struct world *w = *state;
        struct xstore_count n;
        char path[32];
        int made = 1; /* /d itself */

        give_node(w, "/d", "n1");
        for (int i = 0; made < 998; i++, made++) {
                snprintf(path, sizeof(path), "/d/%d/%d", i / 100, i);
                made += i % 100 == 0; /* the directory */
                assert_string_equal(put(&w->d1, 0, path, ""), "OK");
        }
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, made);
        snprintf(path, sizeof(path), "/d/more/%d/x", 1000 - made);
        assert_string_equal(put(&w->d1, 0, path, ""), "ENOSPC");
        assert_string_equal(get(&w->d1, 0, "/d/more"), "ENOENT");
        while (made++ < 1000) {
                snprintf(path, sizeof(path), "/d/last%d", made);
                assert_string_equal(put(&w->d1, 0, path, ""), "OK");
        }
        assert_string_equal(ask1(&w->d1, XS_MKDIR, 0, "/d/full"), "ENOSPC");
        assert_string_equal(put(&w->d1, 0, "/d/0/0", "old ones"), "OK");
        assert_string_equal(put(&w->d0, 0, "/d/full", ""), "OK");
        ask1(&w->d1, XS_RM, 0, "/d/0");
        assert_string_equal(ask1(&w->d1, XS_MKDIR, 0, "/d/again"), "OK");
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 1000 + 2 - 101);
}

static void node_size_is_bounded_with_names_and_permissions(void **state)
{
        struct world *w = *state;
        char value[2100], path[2100];
        struct xstore_count n;

        memset(value, 'v', sizeof(value));
        give_node(w, "/d", "n1 r2");
        value[2008] = '\0';
        assert_string_equal(put(&w->d1, 0, "/d", value), "ENOSPC");
        value[2007] = '\0';
        assert_string_equal(put(&w->d1, 0, "/d", value), "OK");
        assert_string_equal(put(&w->d1, 0, "/d/x", ""), "ENOSPC");
        assert_string_equal(get(&w->d1, 0, "/d/x"), "ENOENT");
        assert_string_equal(chmod_node(&w->d1, 0, "/d", "n1 r2 r2"), "ENOSPC");
        assert_string_equal(put(&w->d1, 0, "/d", ""), "OK");
        snprintf(path, sizeof(path), "/d/%0500d/y", 0);
        value[2007] = 'v';
        value[2050] = '\0';
        assert_string_equal(put(&w->d1, 0, path, value), "ENOSPC");
        /* The second of the three does not fit: none is made. */
        snprintf(path, sizeof(path), "/d/a/%02020d/y", 0);
        assert_string_equal(put(&w->d1, 0, path, ""), "ENOSPC");
        ask1(&w->d1, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d1), "");
        assert_string_equal(get(&w->d1, 0, "/d/a"), "ENOENT");
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 1);
        assert_string_equal(put(&w->d0, 0, "/d", value), "OK");
}

static void five_permissions_and_no_more(void **state)
{
        struct world *w = *state;

        give_node(w, "/d", "n1");
        assert_string_equal(chmod_node(&w->d1, 0, "/d", "n1 r2 r3 r4 r5"),
                            "OK");
        assert_string_equal(chmod_node(&w->d1, 0, "/d", "n1 r2 r3 r4 r5 r6"),
                            "ENOSPC");
        assert_string_equal(chmod_node(&w->d0, 0, "/d", "n1 r2 r3 r4 r5 r6"),
                            "OK");
}

static void a_dead_domain_leaves_nothing(void **state)
{
        struct world *w = *state;
        struct xstore_count n;

        put(&w->d0, 0, "/keep/of1/by0/x", "");
        give_node(w, "/keep/of1", "n1");
        give_node(w, "/keep/shared", "n2 r1 w3");
        give_node(w, "/keep/last", "r1");
        ask2(&w->d0, XS_WATCH, 0, "/keep", "k");
        ask2(&w->d0, XS_WATCH, 0, "@releaseDomain", "r");
        events(&w->d0);
        xstore_conn_close(w->d1.c);
        xstore_domain_release(w->xs, 1);
        assert_string_equal(events(&w->d0),
                            "/keep/last|k /keep/of1|k @releaseDomain|r ");
        assert_string_equal(get(&w->d0, 0, "/keep/of1/by0/x"), "ENOENT");
        ask1(&w->d0, XS_DIRECTORY, 0, "/keep");
        assert_string_equal(listed(&w->d0), "shared ");
        ask1(&w->d0, XS_GET_PERMS, 0, "/keep/shared");
        assert_string_equal(listed(&w->d0), "n2 w3 ");
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 0);
        assert_string_equal(ask1(&w->d0, XS_IS_DOMAIN_INTRODUCED, 0, "1"), "F");
        peer_open(&w->d1, w->xs, 1); /* the domid is used again */
        assert_string_equal(get(&w->d1, 0, "/keep/shared"), "EACCES");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(entries_decide_and_the_first_is_for_the_others),
                WORLD_TEST(what_may_not_be_seen_is_hidden),
                WORLD_TEST(new_nodes_inherit_and_belong_to_their_maker),
                WORLD_TEST(creating_needs_write_on_the_nearest_ancestor),
                WORLD_TEST(
                        only_the_owner_changes_permissions_and_never_the_owner),
                WORLD_TEST(malformed_permissions_are_invalid),
                WORLD_TEST(nodes_cannot_be_given_to_nobody),
                WORLD_TEST(toolstack_requests_are_for_domain_0),
                WORLD_TEST(a_target_lends_its_rights),
                WORLD_TEST(node_quota_counts_what_a_domain_owns),
                WORLD_TEST(node_size_is_bounded_with_names_and_permissions),
                WORLD_TEST(five_permissions_and_no_more),
                WORLD_TEST(a_dead_domain_leaves_nothing),
        };

        return cmocka_run_group_tests_name("xstore-perms", tests, NULL, NULL);
}
