/* SPDX-License-Identifier: MIT */
/* Xen hands a domain's number out again. Whatever the daemon keeps by domid,
 * gref or port of the dead one must not reach its successor. */
#include "life.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define PAGES 8u
#define INFLIGHT 16u
static const struct connect_opts persistent = {.persistent = true};

static bool is_all(const struct page *p, uint8_t byte)
{
        for (unsigned i = 0; i < 4096; i++)
                if (p->bytes[i] != byte)
                        return false;
        return true;
}

static void share(struct guest *g, struct page *p, unsigned n, uint8_t byte)
{
        for (unsigned i = 0; i < n; i++) {
                guest_page(g, &p[i], true);
                memset(p[i].bytes, byte, 4096);
        }
}

/* Also where a page of it was mapped: Xen frees the number with the last. */
static void wait_until_free(uint32_t domid)
{
        int tries = 0;

        while (rig_run("%s list --json | jq -e '.domains[] | "
                       "select(.domid == %u)'",
                       getenv("POCKETXEN"), domid) == 0) {
                assert_true(++tries < 600);
                usleep(50000);
        }
}

static void wait_until_detached(uint32_t domid)
{
        int tries = 0;

        while (rig_run("%s exec 0 -- xenstore-exists "
                       "/local/domain/0/backend/evergrant/%u",
                       getenv("POCKETXEN"), domid) == 0) {
                assert_true(++tries < 600);
                usleep(50000);
        }
}

static void destroy(struct guest *g)
{
        assert_int_equal(rig_run("%s destroy %s", getenv("POCKETXEN"), g->name),
                         0);
        guest_leave(g);
}

/* It sees an empty disk, its pages hold what it or a read of its own put
 * there, and what it writes is found again. */
static void check_successor(struct guest *g)
{
        struct page own[PAGES], mine[PAGES];

        assert_int_equal(guest_account(g).mapped, 0);
        share(g, own, PAGES, 0x5a); /* the same grefs as the dead one's */
        guest_connect(g, persistent);
        share(g, mine, PAGES, 0xa5);
        assert_int_equal(guest_io(g, BLK_READ, 0, mine, PAGES), BLK_OKAY);
        for (unsigned i = 0; i < PAGES; i++)
                assert_true(is_all(&mine[i], 0));
        for (unsigned i = 0; i < PAGES; i++)
                memset(mine[i].bytes, 0x33, 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, 64, mine, PAGES), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_READ, 64, own, 1), BLK_OKAY);
        assert_true(is_all(&own[0], 0x33));
        /* A request of the dead one may end now, in nobody's pages. */
        usleep(400000);
        for (unsigned i = 1; i < PAGES; i++)
                assert_true(is_all(&own[i], 0x5a));
        assert_false(front_ring_waiting(&g->ring));
        guest_disconnect(g);
        for (unsigned i = 0; i < PAGES; i++) {
                guest_unshare(g, &own[i]);
                guest_unshare(g, &mine[i]);
        }
}

static void a_number_comes_again_after_a_death_under_load(void **state)
{
        struct guest *g;
        struct page p[PAGES], late[INFLIGHT];
        uint32_t domid;

        for (int round = 0; round < 3; round++) {
                g = guest_create("fault:read-delay-ms=300:ram:8M", "");
                domid = g->domid;
                guest_connect(g, persistent);
                share(g, p, PAGES, 0x77);
                share(g, late, INFLIGHT, 0x78);
                for (unsigned i = 0; i < 4; i++)
                        assert_int_equal(
                                guest_io(g, BLK_WRITE, i * 64, p, PAGES),
                                BLK_OKAY);
                for (unsigned i = 0; i < INFLIGHT; i++)
                        guest_put(g, BLK_READ, i * 8, &late[i], 1);
                guest_kick(g);
                destroy(g);
                wait_until_free(domid);
                wait_until_detached(domid);
                rig_domid = domid;
                g = guest_create("ram:8M", "");
                assert_int_equal(g->domid, domid);
                check_successor(g);
                guest_destroy(g);
        }
}

/* With the daemon held, nobody unmaps: the number stays taken. */
static void a_held_daemon_holds_the_number(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint32_t domid = g->domid;
        struct page p[PAGES];

        guest_connect(g, persistent);
        share(g, p, PAGES, 0x77);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, p, PAGES), BLK_OKAY);
        kill(life_daemon_pid(), SIGSTOP);
        destroy(g);
        usleep(200000);
        assert_int_not_equal(rig_run("%s create --domid %u early 2>&1",
                                     getenv("POCKETXEN"), domid),
                             0);
        assert_non_null(strstr(rig_said, "still dying"));
        kill(life_daemon_pid(), SIGCONT);
        wait_until_free(domid);
        wait_until_detached(domid);
        rig_domid = domid;
        g = guest_create("ram:8M", "");
        check_successor(g);
        guest_destroy(g);
}

static void *let_go_on(void *arg)
{
        usleep(500000);
        kill(life_daemon_pid(), SIGCONT);
        return arg;
}

/* Nothing was mapped, so that the number is free at once: when the daemon goes
 * on, there is a domain of that number, without a disk, and soon one with a
 * disk of the same name. */
static void a_number_comes_again_while_the_daemon_is_held(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint32_t domid = g->domid;
        struct page p[PAGES];
        pthread_t t;

        guest_connect(g, persistent);
        share(g, p, PAGES, 0x77);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(guest_io(g, BLK_WRITE, i * 64, p, PAGES),
                                 BLK_OKAY);
        guest_disconnect(g);
        kill(life_daemon_pid(), SIGSTOP);
        destroy(g);
        wait_until_free(domid);
        assert_int_equal(rig_run("%s exec 0 -- xenstore-rm "
                                 "/local/domain/0/backend/evergrant/%u",
                                 getenv("POCKETXEN"), domid),
                         0);
        assert_int_equal(pthread_create(&t, NULL, let_go_on, NULL), 0);
        rig_domid = domid;
        g = guest_create("ram:8M", "");
        pthread_join(t, NULL);
        check_successor(g);
        guest_destroy(g);
}

/* xvda, which other software serves: what its toolstack writes. */
static void attach_elsewhere(const struct guest *g)
{
        const char *px = getenv("POCKETXEN");
        char f[64];

        snprintf(f, sizeof(f), "/local/domain/%u/device/vbd/%u", g->domid,
                 g->vdev);
        assert_int_equal(rig_run("%s exec 0 -- xenstore-write %s '' && "
                                 "%s exec 0 -- xenstore-chmod %s n%u r0 && "
                                 "%s exec 0 -- xenstore-write %s/backend "
                                 "/local/domain/0/backend/qdisk/%u/%u "
                                 "%s/backend-id 0 %s/state 1",
                                 px, f, px, f, g->domid, px, f, g->domid,
                                 g->vdev, f, f),
                         0);
}

/* What `evergrant list` says: the successor may not read what was its
 * predecessor's. */
static void wait_for_field(const struct guest *g, const char *name,
                           enum xenbus_state want)
{
        int tries = 0;

        while (strcmp(guest_field(g, name), xenbus_state_name(want)) != 0) {
                assert_true(++tries < 600);
                usleep(50000);
        }
}

static void daemon_has_seen(struct guest *g, enum xenbus_state state)
{
        guest_state(g, state);
        wait_for_field(g, "frontend_state", state);
}

/* Nobody but its own backend touches its ring, or its keys. */
static void is_left_alone(struct guest *g)
{
        assert_int_equal(guest_account(g).mapped_high, 0);
        assert_true(guest_has_key(g, "ring-ref"));
        assert_true(guest_has_key(g, "event-channel"));
        assert_true(guest_has_key(g, "feature-persistent"));
}

/* The dead one's disk is still offered when a domain with its number connects
 * to another backend: with that one it shares its ring. */
static void a_successor_with_another_backend_is_left_alone(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint32_t domid = g->domid;

        guest_wait_backend(g, XENBUS_INIT_WAIT);
        kill(life_daemon_pid(), SIGSTOP);
        destroy(g);
        wait_until_free(domid);
        rig_domid = domid;
        g = guest_create_bare();
        attach_elsewhere(g);
        guest_publish(g, persistent);
        guest_state(g, XENBUS_INITIALISED);
        kill(life_daemon_pid(), SIGCONT);
        wait_for_field(g, "state", XENBUS_CLOSED);
        assert_non_null(strstr(guest_field(g, "error"), "evergrant detach"));
        is_left_alone(g);
        for (int round = 0; round < 2; round++) {
                daemon_has_seen(g, XENBUS_CONNECTED);
                daemon_has_seen(g, XENBUS_CLOSING);
                daemon_has_seen(g, XENBUS_CLOSED);
                is_left_alone(g);
                /* Here the dead one's disk is offered again … */
                daemon_has_seen(g, XENBUS_INITIALISING);
                wait_for_field(g, "state", XENBUS_INIT_WAIT);
                /* … and closed. */
                daemon_has_seen(g, XENBUS_CLOSED);
                wait_for_field(g, "state", XENBUS_CLOSED);
                is_left_alone(g);
                daemon_has_seen(g, XENBUS_INITIALISED);
        }
        assert_int_equal(
                rig_run("%s detach %s xvda 2>&1", getenv("EVERGRANT"), g->name),
                0);
        is_left_alone(g);
        guest_let_go(g);
        destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_held_daemon_holds_the_number),
                cmocka_unit_test(a_number_comes_again_while_the_daemon_is_held),
                cmocka_unit_test(a_number_comes_again_after_a_death_under_load),
                cmocka_unit_test(
                        a_successor_with_another_backend_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
