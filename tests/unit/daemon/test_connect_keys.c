/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "back/connect_keys.h"

struct node {
        const char *key, *value;
};

/* What a frontend wrote: ends with a NULL key. */
struct front {
        const struct node *nodes;
        const char *fails; /* reading this key gives -EIO */
};

static int read_node(void *arg, const char *key, char **value)
{
        const struct front *f = arg;

        if (f->fails && strcmp(key, f->fails) == 0)
                return -EIO;
        for (const struct node *n = f->nodes; n->key; n++) {
                if (strcmp(n->key, key) == 0) {
                        *value = strdup(n->value);
                        return *value ? 0 : -ENOMEM;
                }
        }
        return -ENOENT;
}

static int read_keys(const struct node *nodes, unsigned max_order,
                     struct connect_keys *k, struct err *e)
{
        const struct connect_offer offer = {max_order, 4};
        struct front f = {.nodes = nodes};

        return connect_keys_read(read_node, &f, &offer, k, e);
}

#define NODES(...)                                         \
        ((const struct node[]){{"event-channel", "7"},     \
                               {"protocol", "x86_64-abi"}, \
                               __VA_ARGS__,                \
                               {NULL, NULL}})

static void accepts(const struct node *nodes, unsigned max_order,
                    struct connect_keys *k)
{
        struct err e = {0};

        if (read_keys(nodes, max_order, k, &e) != 0)
                fail_msg("%s", e.text);
}

static void refuses(const struct node *nodes, unsigned max_order,
                    const char *because)
{
        struct connect_keys k;
        struct err e = {0};

        assert_int_equal(read_keys(nodes, max_order, &k, &e), -EINVAL);
        if (!strstr(e.text, because))
                fail_msg("\"%s\" does not say \"%s\"", e.text, because);
}

static void one_page_ring_without_an_order(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-ref", "4294967295"}), 4, &k);
        assert_int_equal(k.ring_order, 0);
        assert_int_equal(k.rings[0].refs[0], 4294967295u);
        assert_int_equal(k.rings[0].event_channel, 7);
        assert_int_equal(k.abi, BLK_ABI_NATIVE);
        assert_false(k.persistent);
}

static void leftover_ring_ref0_is_not_probed(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-ref", "8"}, {"ring-ref0", "9"}), 4, &k);
        assert_int_equal(k.rings[0].refs[0], 8);
        refuses(NODES({"ring-ref0", "9"}), 4, "no ring-ref");
}

static void order_0_takes_either_name(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-page-order", "0"}, {"ring-ref0", "9"}), 4, &k);
        assert_int_equal(k.rings[0].refs[0], 9);
        accepts(NODES({"ring-page-order", "0"}, {"ring-ref", "8"},
                      {"ring-ref0", "9"}),
                4, &k);
        assert_int_equal(k.rings[0].refs[0], 8);
}

static void each_page_of_a_large_ring_has_its_ref(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-page-order", "2"}, {"ring-ref0", "10"},
                      {"ring-ref1", "11"}, {"ring-ref2", "12"},
                      {"ring-ref3", "13"}, {"ring-ref", "99"}),
                2, &k);
        assert_int_equal(k.ring_order, 2);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(k.rings[0].refs[i], 10 + i);
        refuses(NODES({"ring-page-order", "1"}, {"ring-ref0", "10"}), 4,
                "no ring-ref1");
}

static void an_order_over_the_offer_is_refused(void **state)
{
        refuses(NODES({"ring-page-order", "2"}, {"ring-ref0", "1"},
                      {"ring-ref1", "2"}, {"ring-ref2", "3"},
                      {"ring-ref3", "4"}),
                1, "at most 1");
        refuses(NODES({"ring-page-order", "5"}), 9, "at most 4");
        refuses(NODES({"ring-page-order", "4294967295"}), 4, "at most 4");
}

static void only_plain_numbers_are_numbers(void **state)
{
        static const char *const bad[] = {
                "",   "-1",         "+1",
                " 1", "1 ",         "0x8",
                "1a", "4294967296", "99999999999999999999999"};

        for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
                refuses(NODES({"ring-ref", bad[i]}), 4, "ring-ref");
                refuses(NODES({"ring-page-order", bad[i]}), 4,
                        "ring-page-order");
                refuses(NODES({"ring-ref", "8"},
                              {"feature-persistent", bad[i]}),
                        4, "feature-persistent");
                refuses((const struct node[]){{"ring-ref", "8"},
                                              {"event-channel", bad[i]},
                                              {NULL, NULL}},
                        4, "event-channel");
        }
}

static void persistence_is_the_frontends_word(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-ref", "8"}, {"feature-persistent", "1"}), 4, &k);
        assert_true(k.persistent);
        accepts(NODES({"ring-ref", "8"}, {"feature-persistent", "0"}), 4, &k);
        assert_false(k.persistent);
        refuses(NODES({"ring-ref", "8"}, {"feature-persistent", "2"}), 4,
                "feature-persistent");
}

static void a_missing_event_channel_is_refused(void **state)
{
        refuses((const struct node[]){{"ring-ref", "8"}, {NULL, NULL}}, 4,
                "no event-channel");
}

static void protocols_are_known_or_refused(void **state)
{
        struct connect_keys k;
        struct node nodes[] = {{"event-channel", "7"},
                               {"ring-ref", "8"},
                               {"protocol", "x86_32-abi"},
                               {NULL, NULL}};

        accepts(nodes, 4, &k);
        assert_int_equal(k.abi, BLK_ABI_X86_32);
        nodes[2].value = "vax-abi\x1b[2J";
        refuses(nodes, 4, "vax-abi\\x1b");
        nodes[2].key = NULL;
        accepts(nodes, 4, &k);
#if defined(__x86_64__)
        /* As the x86 backends in the field take it (Q4). */
        assert_int_equal(k.abi, BLK_ABI_X86_32);
#endif
}

#define TWO_QUEUES                                                           \
        {"multi-queue-num-queues", "2"}, {"queue-0/ring-ref", "20"},         \
                {"queue-0/event-channel", "21"}, {"queue-1/ring-ref", "30"}, \
        {                                                                    \
                "queue-1/event-channel", "31"                                \
        }

static void one_queue_may_be_said(void **state)
{
        struct connect_keys k;

        accepts(NODES({"ring-ref", "8"}, {"multi-queue-num-queues", "1"}), 4,
                &k);
        assert_int_equal(k.nrings, 1);
        assert_int_equal(k.rings[0].refs[0], 8);
        refuses(NODES({"queue-0/ring-ref", "8"}, {"queue-0/event-channel", "8"},
                      {"multi-queue-num-queues", "1"}),
                4, "no ring-ref");
}

static void as_many_queues_as_were_offered(void **state)
{
        refuses(NODES({"ring-ref", "8"}, {"multi-queue-num-queues", "0"}), 4,
                "0 queues");
        refuses(NODES({"ring-ref", "8"}, {"multi-queue-num-queues", "5"}), 4,
                "5 queues");
        refuses(NODES({"ring-ref", "8"},
                      {"multi-queue-num-queues", "4294967295"}),
                4, "4294967295 queues");
}

static void each_queue_has_its_own_keys(void **state)
{
        struct connect_keys k;

        accepts(NODES(TWO_QUEUES), 4, &k);
        assert_int_equal(k.nrings, 2);
        assert_int_equal(k.ring_order, 0);
        assert_int_equal(k.rings[0].refs[0], 20);
        assert_int_equal(k.rings[0].event_channel, 21);
        assert_int_equal(k.rings[1].refs[0], 30);
        assert_int_equal(k.rings[1].event_channel, 31);
        accepts(NODES({"ring-page-order", "1"}, {"queue-0/ring-ref0", "40"},
                      {"queue-0/ring-ref1", "41"}, {"queue-1/ring-ref0", "50"},
                      {"queue-1/ring-ref1", "51"}, TWO_QUEUES),
                4, &k);
        assert_int_equal(k.ring_order, 1);
        assert_int_equal(k.rings[0].refs[1], 41);
        assert_int_equal(k.rings[1].refs[0], 50);
        assert_int_equal(k.rings[1].refs[1], 51);
}

static void a_queue_without_its_keys_is_refused(void **state)
{
        refuses(NODES({"ring-ref", "8"}, {"multi-queue-num-queues", "2"}), 4,
                "no queue-0/ring-ref");
        refuses(NODES({"ring-ref", "8"}, {"multi-queue-num-queues", "3"},
                      TWO_QUEUES),
                4, "no queue-2/ring-ref");
        refuses(NODES({"multi-queue-num-queues", "2"},
                      {"queue-0/ring-ref", "1"}, {"queue-0/event-channel", "2"},
                      {"queue-1/ring-ref", "3"}),
                4, "no queue-1/event-channel");
}

static void a_failing_xenstore_is_not_an_absent_key(void **state)
{
        static const char *const keys[] = {"multi-queue-num-queues",
                                           "ring-page-order",
                                           "ring-ref",
                                           "event-channel",
                                           "protocol",
                                           "feature-persistent"};

        for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
                struct front f = {.nodes = NODES({"ring-ref", "8"}),
                                  .fails = keys[i]};
                struct connect_keys k;
                struct err e = {0};

                const struct connect_offer offer = {4, 4};

                assert_int_equal(
                        connect_keys_read(read_node, &f, &offer, &k, &e), -EIO);
                assert_non_null(strstr(e.text, keys[i]));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_page_ring_without_an_order),
                cmocka_unit_test(leftover_ring_ref0_is_not_probed),
                cmocka_unit_test(order_0_takes_either_name),
                cmocka_unit_test(each_page_of_a_large_ring_has_its_ref),
                cmocka_unit_test(an_order_over_the_offer_is_refused),
                cmocka_unit_test(only_plain_numbers_are_numbers),
                cmocka_unit_test(persistence_is_the_frontends_word),
                cmocka_unit_test(a_missing_event_channel_is_refused),
                cmocka_unit_test(protocols_are_known_or_refused),
                cmocka_unit_test(one_queue_may_be_said),
                cmocka_unit_test(as_many_queues_as_were_offered),
                cmocka_unit_test(each_queue_has_its_own_keys),
                cmocka_unit_test(a_queue_without_its_keys_is_refused),
                cmocka_unit_test(a_failing_xenstore_is_not_an_absent_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
