/* SPDX-License-Identifier: MIT */
/* Which events go to whom, with which path and token. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static void watch(struct peer *p, const char *path, const char *token)
{
        assert_string_equal(ask2(p, XS_WATCH, 0, path, token), "OK");
}

static void a_watch_fires_once_when_it_is_set(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "/not/there", "token");
        assert_string_equal(events(&w->d0), "/not/there|token ");
        assert_string_equal(events(&w->other), "");
}

static void changes_at_and_below_the_path_fire(void **state)
{
        struct world *w = *state;

        watch(&w->other, "/w", "t");
        events(&w->other);
        put(&w->d0, 0, "/w", "1");
        put(&w->d0, 0, "/w/a/b", "1");
        ask1(&w->d0, XS_MKDIR, 0, "/w/m");
        ask1(&w->d0, XS_MKDIR, 0, "/w/m");
        chmod_node(&w->d0, 0, "/w/a", "n1");
        ask1(&w->d0, XS_RM, 0, "/w/a/b");
        ask1(&w->d0, XS_RM, 0, "/w/none");
        put(&w->d0, 0, "/ww", "1");
        put(&w->d0, 0, "/v", "1");
        assert_string_equal(events(&w->other),
                            "/w|t /w/a/b|t /w/m|t /w/a|t /w/a/b|t ");
}

static void the_root_sees_everything_but_the_specials(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "/", "r");
        put(&w->d0, 0, "/a", "");
        xstore_domain_introduce(w->xs, 3);
        put(&w->d0, 0, "/", "v");
        assert_string_equal(events(&w->d0), "/|r /a|r /|r ");
}

static void removal_tells_watches_deeper_down_of_their_own_node(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/a/b/c/d", "");
        put(&w->d0, 0, "/a/b/e", "");
        watch(&w->d0, "/a", "top");
        watch(&w->d0, "/a/b/c", "deep");
        watch(&w->d0, "/a/b/none", "none");
        events(&w->d0);
        ask1(&w->d0, XS_RM, 0, "/a/b");
        assert_string_equal(events(&w->d0), "/a/b/c|deep /a/b|top ");
}

static void relative_watches_get_relative_paths(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/local/domain/1/x", "");
        chmod_node(&w->d0, 0, "/local/domain/1/x", "n1");
        watch(&w->d1, "x", "rel");
        watch(&w->d1, "/local/domain/1/x", "abs");
        events(&w->d1);
        put(&w->d1, 0, "x/y", "");
        assert_string_equal(events(&w->d1), "x/y|rel /local/domain/1/x/y|abs ");
        assert_string_equal(
                ask2(&w->d1, XS_UNWATCH, 0, "/local/domain/1/x", "rel"), "OK");
        put(&w->d1, 0, "x/y", "");
        assert_string_equal(events(&w->d1), "/local/domain/1/x/y|abs ");
}

static void several_watches_fire_in_the_order_of_setting(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "/a/b", "1");
        watch(&w->d0, "/", "2");
        watch(&w->d0, "/a", "3");
        watch(&w->d0, "/a/b", "4");
        events(&w->d0);
        put(&w->d0, 0, "/a/b", "");
        assert_string_equal(events(&w->d0), "/a/b|1 /a/b|2 /a/b|3 /a/b|4 ");
}

static void equal_events_of_one_change_come_once(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "/a", "same");
        watch(&w->d0, "/a/b", "same");
        watch(&w->other, "/a", "same");
        events(&w->d0);
        events(&w->other);
        put(&w->d0, 0, "/a/b", "");
        assert_string_equal(events(&w->d0), "/a/b|same ");
        assert_string_equal(events(&w->other), "/a/b|same ");
}

static void a_path_and_token_can_be_watched_once(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "/a", "t");
        assert_string_equal(ask2(&w->d0, XS_WATCH, 0, "/a", "t"), "EEXIST");
        watch(&w->d0, "/a", "u");
        watch(&w->other, "/a", "t");
        assert_string_equal(ask2(&w->d0, XS_UNWATCH, 0, "/a", "x"), "ENOENT");
        assert_string_equal(ask2(&w->d0, XS_UNWATCH, 0, "/b", "t"), "ENOENT");
        assert_string_equal(ask2(&w->d0, XS_UNWATCH, 0, "/a", "t"), "OK");
        assert_string_equal(ask2(&w->d0, XS_UNWATCH, 0, "/a", "t"), "ENOENT");
        events(&w->d0);
        events(&w->other);
        put(&w->d0, 0, "/a", "");
        assert_string_equal(events(&w->d0), "/a|u ");
        assert_string_equal(events(&w->other), "/a|t ");
}

static void who_may_not_read_is_not_told(void **state)
{
        struct world *w = *state;

        watch(&w->d1, "/", "t");
        events(&w->d1);
        put(&w->d0, 0, "/secret/x", "");
        assert_string_equal(events(&w->d1), "");
        chmod_node(&w->d0, 0, "/secret/x", "n0 r1");
        assert_string_equal(events(&w->d1), "/secret/x|t ");
        put(&w->d0, 0, "/secret/x", "v");
        put(&w->d0, 0, "/secret/y", "v");
        assert_string_equal(events(&w->d1), "/secret/x|t ");
        /* It could be read until now. */
        chmod_node(&w->d0, 0, "/secret/x", "n0");
        assert_string_equal(events(&w->d1), "/secret/x|t ");
        put(&w->d0, 0, "/secret/x", "v");
        ask1(&w->d0, XS_RM, 0, "/secret/x");
        assert_string_equal(events(&w->d1), "");
}

static void the_parents_list_shows_what_comes_and_goes(void **state)
{
        struct world *w = *state;

        put(&w->d0, 0, "/list/x", "");
        chmod_node(&w->d0, 0, "/list", "r0");
        watch(&w->d1, "/list", "t");
        events(&w->d1);
        ask1(&w->d0, XS_RM, 0, "/list/x");
        assert_string_equal(events(&w->d1), "/list/x|t ");
}

static void specials_fire_for_those_that_domain_0_allows(void **state)
{
        struct world *w = *state;

        watch(&w->d0, "@introduceDomain", "i");
        watch(&w->d0, "@releaseDomain", "r");
        watch(&w->d1, "@introduceDomain", "i");
        watch(&w->d1, "@releaseDomain", "r");
        assert_string_equal(events(&w->d1),
                            "@introduceDomain|i @releaseDomain|r ");
        events(&w->d0);
        xstore_domain_introduce(w->xs, 7);
        xstore_domain_introduce(w->xs, 7);
        assert_string_equal(events(&w->d0), "@introduceDomain|i ");
        assert_string_equal(events(&w->d1), "");
        assert_string_equal(chmod_node(&w->d0, 0, "@releaseDomain", "n0 r1"),
                            "OK");
        xstore_domain_release(w->xs, 7);
        xstore_domain_release(w->xs, 7);
        assert_string_equal(events(&w->d0), "@releaseDomain|r ");
        assert_string_equal(events(&w->d1), "@releaseDomain|r ");
        xstore_domain_dying(w->xs);
        assert_string_equal(events(&w->d0), "@releaseDomain|r ");
        assert_string_equal(chmod_node(&w->d0, 0, "@other", "n0"), "ENOENT");
}

static void reset_removes_watches_and_transactions(void **state)
{
        struct world *w = *state;
        uint32_t tx = begin(&w->d0);

        watch(&w->d0, "/a", "t");
        watch(&w->other, "/a", "t");
        events(&w->d0);
        events(&w->other);
        assert_string_equal(ask1(&w->d0, XS_RESET_WATCHES, 0, ""), "OK");
        put(&w->d0, 0, "/a", "");
        assert_string_equal(events(&w->d0), "");
        assert_string_equal(events(&w->other), "/a|t ");
        assert_string_equal(finish(&w->d0, tx), "ENOENT");
}

static void a_closed_connection_hears_nothing(void **state)
{
        struct world *w = *state;

        watch(&w->other, "/a", "t");
        watch(&w->d0, "/a", "t");
        events(&w->other);
        xstore_conn_close(w->other.c);
        put(&w->d0, 0, "/a", "");
        assert_string_equal(events(&w->other), "");
        assert_string_equal(events(&w->d0), "/a|t /a|t ");
        peer_open(&w->other, w->xs, 0);
}

static void watch_quota_is_the_domains(void **state)
{
        struct world *w = *state;
        struct peer more;
        char token[16];

        peer_open(&more, w->xs, 1);
        /* xenstored lets one more than its limit through. */
        for (int i = 0; i <= 128; i++) {
                snprintf(token, sizeof(token), "t%d", i);
                watch(i % 2 ? &w->d1 : &more, "/x", token);
        }
        assert_string_equal(ask2(&w->d1, XS_WATCH, 0, "/x", "y"), "E2BIG");
        assert_string_equal(ask2(&w->d2, XS_WATCH, 0, "/x", "y"), "OK");
        xstore_conn_close(more.c);
        assert_string_equal(ask2(&w->d1, XS_WATCH, 0, "/x", "y"), "OK");
        for (int i = 0; i <= 200; i++) {
                snprintf(token, sizeof(token), "t%d", i);
                watch(&w->d0, "/x", token);
        }
}

static void an_event_that_does_not_fit_is_not_sent(void **state)
{
        struct world *w = *state;
        char token[4096];

        memset(token, 't', sizeof(token));
        token[4090] = '\0';
        watch(&w->d0, "/a", token);
        events(&w->d0);
        put(&w->d0, 0, "/a/bb", "");
        assert_string_equal(events(&w->d0), "");
        put(&w->d0, 0, "/a", "");
        assert_int_equal(strlen(events(&w->d0)), 4090 + 4);
}

static void malformed_watches_are_invalid(void **state)
{
        struct world *w = *state;

        assert_string_equal(ask(&w->d0, XS_WATCH, 0, "/a", 3), "EINVAL");
        assert_string_equal(ask(&w->d0, XS_WATCH, 0, "/a\0t", 4), "EINVAL");
        assert_string_equal(ask(&w->d0, XS_WATCH, 0, "/a\0t\0u", 7), "EINVAL");
        assert_string_equal(ask2(&w->d0, XS_WATCH, 0, "/a/", "t"), "EINVAL");
        assert_string_equal(ask2(&w->d0, XS_UNWATCH, 0, "/ a", "t"), "EINVAL");
        assert_string_equal(ask(&w->d0, XS_UNWATCH, 0, "/a", 3), "EINVAL");
        assert_string_equal(events(&w->d0), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(a_watch_fires_once_when_it_is_set),
                WORLD_TEST(changes_at_and_below_the_path_fire),
                WORLD_TEST(the_root_sees_everything_but_the_specials),
                WORLD_TEST(removal_tells_watches_deeper_down_of_their_own_node),
                WORLD_TEST(relative_watches_get_relative_paths),
                WORLD_TEST(several_watches_fire_in_the_order_of_setting),
                WORLD_TEST(equal_events_of_one_change_come_once),
                WORLD_TEST(a_path_and_token_can_be_watched_once),
                WORLD_TEST(who_may_not_read_is_not_told),
                WORLD_TEST(the_parents_list_shows_what_comes_and_goes),
                WORLD_TEST(specials_fire_for_those_that_domain_0_allows),
                WORLD_TEST(reset_removes_watches_and_transactions),
                WORLD_TEST(a_closed_connection_hears_nothing),
                WORLD_TEST(watch_quota_is_the_domains),
                WORLD_TEST(an_event_that_does_not_fit_is_not_sent),
                WORLD_TEST(malformed_watches_are_invalid),
        };

        return cmocka_run_group_tests_name("xstore-watch", tests, NULL, NULL);
}
