/* SPDX-License-Identifier: MIT */
/* Transactions: isolation, conflicts, events, limits. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static void changes_are_private_until_the_end(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/a", "old");
        put(&w->d0, 0, "/gone/x", "");
        tx = begin(&w->d0);
        assert_string_equal(put(&w->d0, tx, "/a", "new"), "OK");
        assert_string_equal(put(&w->d0, tx, "/b/c", "new"), "OK");
        assert_string_equal(ask1(&w->d0, XS_RM, tx, "/gone"), "OK");
        assert_string_equal(chmod_node(&w->d0, tx, "/b", "r0"), "OK");
        assert_string_equal(get(&w->d0, tx, "/a"), "new");
        assert_string_equal(get(&w->d0, tx, "/b/c"), "new");
        assert_string_equal(get(&w->d0, tx, "/gone/x"), "ENOENT");
        assert_string_equal(get(&w->d0, 0, "/a"), "old");
        assert_string_equal(get(&w->d0, 0, "/b"), "ENOENT");
        assert_string_equal(get(&w->other, 0, "/gone/x"), "");
        assert_string_equal(finish(&w->d0, tx), "OK");
        assert_string_equal(get(&w->other, 0, "/a"), "new");
        assert_string_equal(get(&w->other, 0, "/b/c"), "new");
        assert_string_equal(get(&w->other, 0, "/gone/x"), "ENOENT");
        ask1(&w->d0, XS_GET_PERMS, 0, "/b");
        assert_string_equal(listed(&w->d0), "r0 ");
        ask1(&w->d0, XS_DIRECTORY, 0, "/");
        assert_string_equal(listed(&w->d0), "tool a b ");
        assert_string_equal(finish(&w->d0, tx), "ENOENT");
}

static void an_abandoned_one_changes_nothing(void **state)
{
        struct world *w = *state;
        struct xstore_count before, after;
        uint32_t tx = begin(&w->d0);

        xstore_count(w->xs, UINT32_MAX, &before);
        ask2(&w->other, XS_WATCH, 0, "/a", "t");
        events(&w->other);
        put(&w->d0, tx, "/a/b", "x");
        ask1(&w->d0, XS_RM, tx, "/tool");
        assert_string_equal(ask1(&w->d0, XS_TRANSACTION_END, tx, "F"), "OK");
        assert_string_equal(get(&w->d0, 0, "/a"), "ENOENT");
        assert_string_equal(get(&w->d0, 0, "/tool"), "");
        assert_string_equal(events(&w->other), "");
        xstore_count(w->xs, UINT32_MAX, &after);
        assert_int_equal(after.nodes, before.nodes);
}

/* A table of conflicts: what the transaction does, what another does
 * meanwhile, and whether that matters. */
enum op { READ, LIST, WRITE, RM, PERMS, MKDIR, NOTHING };
static void run_op(struct peer *p, uint32_t tx, enum op op, const char *path)
{
        static int value;
        char text[16];

        snprintf(text, sizeof(text), "v%d", value++);
        switch (op) {
        case READ:
                get(p, tx, path);
                break;
        case LIST:
                ask1(p, XS_DIRECTORY, tx, path);
                break;
        case WRITE:
                assert_string_equal(put(p, tx, path, text), "OK");
                break;
        case RM:
                assert_string_equal(ask1(p, XS_RM, tx, path), "OK");
                break;
        case PERMS:
                assert_string_equal(chmod_node(p, tx, path, "r0"), "OK");
                break;
        case MKDIR:
                assert_string_equal(ask1(p, XS_MKDIR, tx, path), "OK");
                break;
        case NOTHING:
                break;
        }
}

static void what_was_touched_must_not_have_changed(void **state)
{
        static const struct {
                enum op mine;
                const char *my_path;
                enum op theirs;
                const char *their_path;
                const char *end;
        } cases[] = {
                {READ, "/d/a", NOTHING, "/", "OK"},
                {READ, "/d/a", WRITE, "/d/a", "EAGAIN"},
                {READ, "/d/a", RM, "/d/a", "EAGAIN"},
                {READ, "/d/a", RM, "/d", "EAGAIN"},
                {READ, "/d/a", PERMS, "/d/a", "EAGAIN"},
                {READ, "/d/a", MKDIR, "/d/a/new", "EAGAIN"},
                {READ, "/d/a", WRITE, "/d/b", "OK"},
                {READ, "/d/a", WRITE, "/d/a/x", "OK"},
                {READ, "/d/a", WRITE, "/d", "OK"},
                {READ, "/d/none", WRITE, "/d/none", "EAGAIN"},
                {READ, "/d/none", WRITE, "/d/a", "OK"},
                {LIST, "/d", WRITE, "/d/new", "EAGAIN"},
                {LIST, "/d", RM, "/d/a", "EAGAIN"},
                {LIST, "/d", WRITE, "/d/a", "OK"},
                {WRITE, "/d/a", WRITE, "/d/a", "EAGAIN"},
                {WRITE, "/d/a", WRITE, "/d/b", "OK"},
                {WRITE, "/d/new", WRITE, "/d/new", "EAGAIN"},
                {WRITE, "/d/new", WRITE, "/d/new2", "EAGAIN"},
                {WRITE, "/d/new", RM, "/d", "EAGAIN"},
                {WRITE, "/d/a/new", WRITE, "/d/b/new", "OK"},
                {RM, "/d/a", WRITE, "/d/a/x", "EAGAIN"},
                {RM, "/d/a", WRITE, "/d/a/new", "EAGAIN"},
                {RM, "/d/a", WRITE, "/d/b", "OK"},
                {RM, "/d/a", RM, "/d/a", "EAGAIN"},
                {PERMS, "/d/a", WRITE, "/d/a", "EAGAIN"},
                {PERMS, "/d/a", WRITE, "/d/b", "OK"},
        };
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint32_t tx;

                ask1(&w->d0, XS_RM, 0, "/d");
                put(&w->d0, 0, "/d/a/x", "");
                put(&w->d0, 0, "/d/b", "");
                tx = begin(&w->d0);
                run_op(&w->d0, tx, cases[i].mine, cases[i].my_path);
                run_op(&w->other, 0, cases[i].theirs, cases[i].their_path);
                if (strcmp(finish(&w->d0, tx), cases[i].end) != 0)
                        fail_msg("case %zu: %s", i, w->d0.answer);
        }
}

static void nothing_of_a_conflicting_one_is_seen(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/a", "0");
        ask2(&w->other, XS_WATCH, 0, "/", "t");
        tx = begin(&w->d0);
        put(&w->d0, tx, "/b", "1");
        put(&w->d0, tx, "/a", "1");
        put(&w->other, 0, "/a", "2");
        events(&w->other);
        assert_string_equal(finish(&w->d0, tx), "EAGAIN");
        assert_string_equal(get(&w->d0, 0, "/a"), "2");
        assert_string_equal(get(&w->d0, 0, "/b"), "ENOENT");
        assert_string_equal(events(&w->other), "");
}

static void reads_repeat_and_late_ones_are_fresh(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/a", "1");
        put(&w->d0, 0, "/b", "1");
        tx = begin(&w->d0);
        assert_string_equal(get(&w->d0, tx, "/a"), "1");
        put(&w->other, 0, "/a", "2");
        put(&w->other, 0, "/b", "2");
        assert_string_equal(get(&w->d0, tx, "/a"), "1");
        assert_string_equal(get(&w->d0, tx, "/b"), "2");
        assert_string_equal(finish(&w->d0, tx), "EAGAIN");
        tx = begin(&w->d0);
        put(&w->other, 0, "/b", "3");
        assert_string_equal(get(&w->d0, tx, "/b"), "3");
        assert_string_equal(finish(&w->d0, tx), "OK");
}

static void of_two_that_overlap_the_second_fails(void **state)
{
        struct world *w = *state;
        uint32_t one, two;

        put(&w->d0, 0, "/n", "0");
        one = begin(&w->d0);
        two = begin(&w->other);
        get(&w->d0, one, "/n");
        get(&w->other, two, "/n");
        put(&w->d0, one, "/n", "1");
        put(&w->other, two, "/n", "1");
        assert_string_equal(finish(&w->other, two), "OK");
        assert_string_equal(finish(&w->d0, one), "EAGAIN");
}

static void watches_fire_at_the_end_once_a_node(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/w/del/x", "");
        ask2(&w->other, XS_WATCH, 0, "/w", "t");
        ask2(&w->other, XS_WATCH, 0, "/w/del/x", "x");
        events(&w->other);
        tx = begin(&w->d0);
        put(&w->d0, tx, "/w/a", "1");
        put(&w->d0, tx, "/w/a", "2");
        put(&w->d0, tx, "/w/m/n", "2");
        ask1(&w->d0, XS_RM, tx, "/w/del");
        put(&w->d0, tx, "/w/temp", "");
        ask1(&w->d0, XS_RM, tx, "/w/temp");
        assert_string_equal(events(&w->other), "");
        assert_string_equal(finish(&w->d0, tx), "OK");
        assert_string_equal(events(&w->other),
                            "/w/a|t /w/m/n|t /w/del|t /w/del/x|x ");
        assert_string_equal(get(&w->d0, 0, "/w/temp"), "ENOENT");
}

static void who_saw_a_node_is_told_of_its_end(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/w/x", "");
        chmod_node(&w->d0, 0, "/w/x", "n0 r1");
        ask2(&w->d1, XS_WATCH, 0, "/", "t");
        ask2(&w->d2, XS_WATCH, 0, "/", "t");
        events(&w->d1);
        events(&w->d2);
        tx = begin(&w->d0);
        ask1(&w->d0, XS_RM, tx, "/w");
        finish(&w->d0, tx);
        assert_string_equal(events(&w->d2), "");
        put(&w->d0, 0, "/v", "");
        chmod_node(&w->d0, 0, "/v", "n0 r1");
        events(&w->d1);
        tx = begin(&w->d0);
        ask1(&w->d0, XS_RM, tx, "/v");
        finish(&w->d0, tx);
        assert_string_equal(events(&w->d1), "/v|t ");
        /* Seeing it in the parent's list is not enough, unlike without a
         * transaction: so does xenstored. */
        put(&w->d0, 0, "/list/hidden", "");
        put(&w->d0, 0, "/list/too", "");
        chmod_node(&w->d0, 0, "/list", "r0");
        events(&w->d1);
        tx = begin(&w->d0);
        ask1(&w->d0, XS_RM, tx, "/list/hidden");
        finish(&w->d0, tx);
        assert_string_equal(events(&w->d1), "");
        ask1(&w->d0, XS_RM, 0, "/list/too");
        assert_string_equal(events(&w->d1), "/list/too|t ");
}

static void removed_and_made_again_is_a_new_node(void **state)
{
        struct world *w = *state;
        uint32_t tx;

        put(&w->d0, 0, "/d/a/x", "old");
        put(&w->d0, 0, "/d/b", "");
        chmod_node(&w->d0, 0, "/d/a", "r0");
        tx = begin(&w->d0);
        ask1(&w->d0, XS_RM, tx, "/d/a");
        put(&w->d0, tx, "/d/a", "new");
        ask1(&w->d0, XS_DIRECTORY, tx, "/d");
        assert_string_equal(listed(&w->d0), "b a ");
        assert_string_equal(finish(&w->d0, tx), "OK");
        assert_string_equal(get(&w->d0, 0, "/d/a"), "new");
        assert_string_equal(get(&w->d0, 0, "/d/a/x"), "ENOENT");
        ask1(&w->d0, XS_DIRECTORY, 0, "/d");
        assert_string_equal(listed(&w->d0), "b a ");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d/a");
        assert_string_equal(listed(&w->d0), "n0 ");
}

static void requests_name_their_own_transaction(void **state)
{
        struct world *w = *state;
        uint32_t tx = begin(&w->d0);

        assert_string_equal(get(&w->d0, tx + 7, "/"), "ENOENT");
        assert_string_equal(finish(&w->d0, tx + 7), "ENOENT");
        assert_string_equal(finish(&w->d0, 0), "ENOENT");
        assert_string_equal(get(&w->other, tx, "/"), "ENOENT");
        assert_string_equal(finish(&w->other, tx), "ENOENT");
        assert_string_equal(ask1(&w->d0, XS_TRANSACTION_START, tx, ""),
                            "EBUSY");
        assert_string_equal(ask1(&w->d0, XS_TRANSACTION_END, tx, "X"),
                            "EINVAL");
        assert_string_equal(ask1(&w->d0, XS_TRANSACTION_END, tx, ""), "EINVAL");
        assert_string_equal(ask2(&w->d0, XS_WATCH, tx + 7, "/w", "t"), "OK");
        assert_string_equal(finish(&w->d0, tx), "OK");
}

static void a_domain_has_a_limit_of_transactions(void **state)
{
        struct world *w = *state;
        uint32_t first = begin(&w->d1);

        for (int i = 0; i < 10; i++)
                begin(&w->d1); /* one more than the limit, as xenstored */
        assert_string_equal(ask1(&w->d1, XS_TRANSACTION_START, 0, ""),
                            "ENOSPC");
        finish(&w->d1, first);
        begin(&w->d1);
        for (int i = 0; i < 50; i++)
                begin(&w->d0);
}

static void a_transaction_has_a_limit_of_nodes(void **state)
{
        struct world *w = *state;
        uint32_t tx, all;
        char path[32], value[2101];

        put(&w->d0, 0, "/d", "");
        chmod_node(&w->d0, 0, "/d", "n1");
        tx = begin(&w->d1);
        all = begin(&w->d0);
        for (int i = 0; i < 1023; i++) { /* and /d itself */
                snprintf(path, sizeof(path), "/d/%d", i);
                assert_string_equal(get(&w->d1, tx, path), "ENOENT");
        }
        assert_string_equal(get(&w->d1, tx, "/d/1"), "ENOENT");
        assert_string_equal(get(&w->d1, tx, "/d/x"), "ENOSPC");
        assert_string_equal(finish(&w->d1, tx), "ENOMEM");
        /* Any limit that was hit, not only this one. */
        tx = begin(&w->d1);
        snprintf(path, sizeof(path), "/d/1");
        memset(value, 'v', sizeof(value));
        value[2100] = '\0';
        assert_string_equal(put(&w->d1, tx, path, value), "ENOSPC");
        assert_string_equal(finish(&w->d1, tx), "ENOMEM");
        for (int i = 0; i < 2000; i++) {
                snprintf(path, sizeof(path), "/e/%d", i);
                assert_string_equal(put(&w->d0, all, path, ""), "OK");
        }
        assert_string_equal(finish(&w->d0, all), "OK");
}

static void node_quota_is_checked_at_the_end(void **state)
{
        struct world *w = *state;
        struct xstore_count n;
        char path[32];
        uint32_t tx;

        put(&w->d0, 0, "/d", "");
        chmod_node(&w->d0, 0, "/d", "n1");
        for (int i = 0; i < 990 - 11; i++) { /* /d and ten directories */
                snprintf(path, sizeof(path), "/d/%d/%d", i / 100, i);
                xstore_write(w->xs, path, "", NULL, 0);
        }
        tx = begin(&w->d1);
        for (int i = 0; i < 20; i++) {
                snprintf(path, sizeof(path), "/d/%dnew", i);
                assert_string_equal(put(&w->d1, tx, path, ""), "OK");
        }
        assert_string_equal(finish(&w->d1, tx), "ENOSPC");
        tx = begin(&w->d1);
        for (int i = 0; i < 20; i++) {
                snprintf(path, sizeof(path), "/d/%dnew", i);
                put(&w->d1, tx, path, "");
                snprintf(path, sizeof(path), "/d/0/%d", i);
                ask1(&w->d1, XS_RM, tx, path);
        }
        assert_string_equal(finish(&w->d1, tx), "OK");
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 990);
}

static void owners_are_counted_through_transactions(void **state)
{
        struct world *w = *state;
        struct xstore_count n;
        uint32_t tx = begin(&w->d0);

        put(&w->d0, tx, "/d/x", "");
        chmod_node(&w->d0, tx, "/d/x", "n1");
        put(&w->d0, tx, "/d/x/y/z", "");
        finish(&w->d0, tx);
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 3);
        tx = begin(&w->d0);
        chmod_node(&w->d0, tx, "/d/x", "n2");
        ask1(&w->d0, XS_RM, tx, "/d/x/y/z");
        finish(&w->d0, tx);
        xstore_count(w->xs, 1, &n);
        assert_int_equal(n.nodes, 1);
        xstore_count(w->xs, 2, &n);
        assert_int_equal(n.nodes, 1);
}

static void permissions_hold_inside(void **state)
{
        struct world *w = *state;
        uint32_t tx = begin(&w->d1);

        put(&w->d0, 0, "/d", "");
        chmod_node(&w->d0, 0, "/d", "r1");
        assert_string_equal(put(&w->d1, tx, "/e", ""), "EACCES");
        assert_string_equal(put(&w->d1, tx, "/d/x", ""), "OK");
        assert_string_equal(chmod_node(&w->d1, tx, "/d/x", "n2"), "EPERM");
        assert_string_equal(finish(&w->d1, tx), "OK");
        ask1(&w->d0, XS_GET_PERMS, 0, "/d/x");
        assert_string_equal(listed(&w->d0), "r1 ");
}

static void a_closed_connection_leaves_no_transaction(void **state)
{
        struct world *w = *state;
        struct xstore_count n;

        put(&w->other, begin(&w->other), "/half", "");
        xstore_conn_close(w->other.c);
        xstore_count(w->xs, UINT32_MAX, &n);
        assert_int_equal(n.transactions, 0);
        assert_string_equal(get(&w->d0, 0, "/half"), "ENOENT");
        peer_open(&w->other, w->xs, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(changes_are_private_until_the_end),
                WORLD_TEST(an_abandoned_one_changes_nothing),
                WORLD_TEST(what_was_touched_must_not_have_changed),
                WORLD_TEST(nothing_of_a_conflicting_one_is_seen),
                WORLD_TEST(reads_repeat_and_late_ones_are_fresh),
                WORLD_TEST(of_two_that_overlap_the_second_fails),
                WORLD_TEST(watches_fire_at_the_end_once_a_node),
                WORLD_TEST(who_saw_a_node_is_told_of_its_end),
                WORLD_TEST(removed_and_made_again_is_a_new_node),
                WORLD_TEST(requests_name_their_own_transaction),
                WORLD_TEST(a_domain_has_a_limit_of_transactions),
                WORLD_TEST(a_transaction_has_a_limit_of_nodes),
                WORLD_TEST(node_quota_is_checked_at_the_end),
                WORLD_TEST(owners_are_counted_through_transactions),
                WORLD_TEST(permissions_hold_inside),
                WORLD_TEST(a_closed_connection_leaves_no_transaction),
        };

        return cmocka_run_group_tests_name("xstore-transaction", tests, NULL,
                                           NULL);
}
