/* SPDX-License-Identifier: MIT */
/* T-NEG (CVE-2026-45890): every key that a frontend negotiates with, as it must
 * not be. The sentence is where the toolstack reads it, the disk is closed,
 * nothing is mapped, and the next honest frontend connects. */
#include "life.h"

#include <stdlib.h>

#define MAX_QUEUES 3u
#define MAX_ORDER 2u

static uint64_t slowest_ns, total_ns, refusals;

static void text_key(struct guest *g, const char *key, const char *value)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", g->dir, key);
        assert_int_equal(xen_store_write(g->xs, path, value), 0);
}

/* An honest frontend's keys up to now; the state, and what must come of it. */
static void refused(struct guest *g, const char *because)
{
        uint64_t rss = life_daemon_use().rss_kb, began = life_now_ns(), took;
        const char *error;

        guest_state(g, XENBUS_INITIALISED);
        while (guest_backend_state(g) != XENBUS_CLOSED &&
               guest_backend_state(g) != XENBUS_CONNECTED)
                if (life_now_ns() - began > 60000000000u)
                        fail_msg("neither refused nor connected in a minute");
        took = life_now_ns() - began;
        assert_int_equal(guest_backend_state(g), XENBUS_CLOSED);
        total_ns += took;
        slowest_ns = took > slowest_ns ? took : slowest_ns;
        refusals++;
        error = guest_backend_text(g, "hotplug-error");
        if (!error || !strstr(error, because))
                fail_msg("\"%s\" does not say \"%s\"", error ? error : "",
                         because);
        for (; *error; error++)
                assert_in_range(*error, 0x20, 0x7e);
        assert_string_equal(guest_backend_text(g, "hotplug-status"), "error");
        assert_int_equal(guest_account(g).mapped, 0);
        /* Nothing is allocated by what a key says (2^31 queues …). */
        assert_true(life_daemon_use().rss_kb < rss + 1024);
        guest_state(g, XENBUS_CLOSED);
        guest_let_go(g);
}

static void begin(struct guest *g, unsigned queues, unsigned order)
{
        guest_begin(g);
        guest_drop(g, "queue-0");
        guest_drop(g, "queue-1");
        guest_drop(g, "queue-2");
        guest_publish(g,
                      (struct connect_opts){.queues = queues, .order = order});
}

static struct guest *create(void)
{
        char options[64];

        snprintf(options, sizeof(options), "--queues %u --ring-order %u",
                 MAX_QUEUES, MAX_ORDER);
        return guest_create("ram:8M", options);
}

static const char *const no_numbers[] = {
        "",
        "-1",
        "1 ",
        " 1",
        "0x1",
        "+1",
        "1.0",
        "1\n",
        "one",
        "4294967296",
        "18446744073709551616",
        "99999999999999999999999",
};

static void bad_numbers(struct guest *g, const char *key, const char *said)
{
        for (unsigned i = 0; i < ARRAY_SIZE(no_numbers); i++) {
                begin(g, 1, 0);
                text_key(g, key, no_numbers[i]);
                refused(g, said);
        }
}

static void connects(struct guest *g, unsigned queues)
{
        guest_state(g, XENBUS_INITIALISED);
        life_wait(guest_backend_state(g) == XENBUS_CONNECTED);
        assert_int_equal(guest_counter(g, "queues"), queues);
        guest_state(g, XENBUS_CONNECTED);
        guest_disconnect(g);
}

static void the_number_of_queues(void **state)
{
        static const char *const beyond[] = {"0", "4", "2147483648",
                                             "4294967295"};
        struct guest *g = create();

        begin(g, 1, 0); /* absent */
        connects(g, 1);
        begin(g, MAX_QUEUES, 0);
        connects(g, MAX_QUEUES);
        for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
                begin(g, 1, 0);
                text_key(g, "multi-queue-num-queues", beyond[i]);
                refused(g, "queues, 1 to 3 are offered");
        }
        bad_numbers(g, "multi-queue-num-queues",
                    "multi-queue-num-queues is \"");
        life_honest(g);
        guest_destroy(g);
}

static void the_order_of_the_ring(void **state)
{
        static const char *const beyond[] = {"3", "31", "2147483648",
                                             "4294967295"};
        struct guest *g = create();

        begin(g, 1, MAX_ORDER);
        connects(g, 1);
        for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
                begin(g, 1, 0);
                text_key(g, "ring-page-order", beyond[i]);
                refused(g, "at most 2 is offered");
        }
        bad_numbers(g, "ring-page-order", "ring-page-order is \"");
        life_honest(g);
        guest_destroy(g);
}

static void the_rings_references(void **state)
{
        struct guest *g = create();

        begin(g, 1, 0);
        guest_drop(g, "ring-ref");
        refused(g, "has no ring-ref");
        begin(g, 1, 0); /* the name of the other kind only */
        guest_drop(g, "ring-ref");
        guest_key(g, "ring-ref0", g->rings[0].refs[0]);
        refused(g, "has no ring-ref");
        begin(g, 1, 1);
        guest_drop(g, "ring-ref1");
        refused(g, "has no ring-ref1");
        begin(g, 1, 1); /* one page instead of two */
        guest_drop(g, "ring-ref0");
        guest_drop(g, "ring-ref1");
        guest_key(g, "ring-ref", g->rings[0].refs[0]);
        refused(g, "has no ring-ref0");
        bad_numbers(g, "ring-ref", "ring-ref is \"");
        begin(g, 1, 0);
        guest_key(g, "ring-ref", UINT32_MAX);
        refused(g, "cannot map");
        begin(g, 1, 1); /* one page for both: it would overwrite itself */
        guest_key(g, "ring-ref1", g->rings[0].refs[0]);
        refused(g, "twice");
        begin(g, 2, 0);
        guest_drop(g, "queue-1");
        refused(g, "has no queue-1/ring-ref");
        begin(g, 2, 0);
        guest_drop(g, "queue-1/event-channel");
        refused(g, "has no queue-1/event-channel");
        begin(g, 2, 0); /* one page for two queues */
        guest_key(g, "queue-1/ring-ref", g->rings[0].refs[0]);
        refused(g, "twice");
        life_honest(g);
        guest_destroy(g);
}

static void the_event_channel(void **state)
{
        struct guest *g = create(), *other = create();
        int port;

        begin(g, 1, 0);
        guest_drop(g, "event-channel");
        refused(g, "has no event-channel");
        bad_numbers(g, "event-channel", "event-channel is \"");
        begin(g, 1, 0);
        guest_key(g, "event-channel", UINT32_MAX);
        refused(g, "cannot bind");
        begin(g, 2, 0); /* the other queue's */
        guest_key(g, "queue-1/event-channel", (uint64_t)g->rings[0].port);
        refused(g, "cannot bind");
        /* Of another device that is connected: it goes on. */
        guest_connect(other, (struct connect_opts){0});
        begin(g, 1, 0);
        port = xen_evtchn_bind_unbound(g->ev, g->domid); /* not for us */
        guest_key(g, "event-channel", (uint64_t)port);
        refused(g, "cannot bind");
        xen_evtchn_unbind(g->ev, port);
        guest_disconnect(other);
        life_honest(g);
        life_honest(other);
        guest_destroy(g);
        guest_destroy(other);
}

static void the_protocol(void **state)
{
        /* xenstore takes about 2,000 bytes; the wire no more than 4,096. */
        static const unsigned lengths[] = {1, 2, 63, 64, 65, 1000, 1900};
        struct guest *g = create();
        char name[2000];

        for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
                for (unsigned n = 0; n < lengths[i]; n++)
                        name[n] = (char)(n % 255 + 1); /* all but NUL */
                name[lengths[i]] = '\0';
                begin(g, 1, 0);
                text_key(g, "protocol", name);
                refused(g, "speaks the protocol \"");
        }
        begin(g, 1, 0);
        text_key(g, "protocol", "");
        refused(g, "speaks the protocol \"\"");
        begin(g, 1, 0);
        text_key(g, "protocol", "x86_64-abi ");
        refused(g, "speaks the protocol \"x86_64-abi \"");
        bad_numbers(g, "feature-persistent", "feature-persistent is \"");
        life_honest(g);
        guest_destroy(g);
}

static int report(void **state)
{
        if (refusals)
                printf("%llu refusals: %llu us on average, slowest %llu us\n",
                       (unsigned long long)refusals,
                       (unsigned long long)(total_ns / 1000 / refusals),
                       (unsigned long long)(slowest_ns / 1000));
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_number_of_queues),
                cmocka_unit_test(the_order_of_the_ring),
                cmocka_unit_test(the_rings_references),
                cmocka_unit_test(the_event_channel),
                cmocka_unit_test(the_protocol),
        };

        return cmocka_run_group_tests(tests, NULL, report);
}
