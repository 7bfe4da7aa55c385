/* SPDX-License-Identifier: MIT */
/* Xen hands a domain's number out again. Whatever the daemon keeps by domid,
 * gref or port of the dead one must not reach its successor. */
#include "life.h"

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
        life_wait(rig_run("%s list --json | jq -e '.domains[] | "
                          "select(.domid == %u)'",
                          getenv("POCKETXEN"), domid) != 0);
}

static void wait_until_detached(uint32_t domid)
{
        life_wait(rig_run("%s exec 0 -- xenstore-exists "
                          "/local/domain/0/backend/evergrant/%u",
                          getenv("POCKETXEN"), domid) != 0);
}

/* The daemon is through with the dead one's requests. */
static void wait_until_let_go(uint32_t domid)
{
        life_wait(rig_run("%s list --json | jq -e '.disks[] | "
                          "select(.domid == %u and .state == \"Connected\")'",
                          getenv("EVERGRANT"), domid) != 0);
}

static void destroy(struct guest *g)
{
        assert_int_equal(rig_run("%s destroy %s", getenv("POCKETXEN"), g->name),
                         0);
        guest_leave(g);
}

static void write_some(struct guest *g, struct page *p)
{
        guest_connect(g, persistent);
        share(g, p, PAGES, 0x77);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(guest_io(g, BLK_WRITE, i * 64, p, PAGES),
                                 BLK_OKAY);
}

/* Nothing of what the dead one wrote is on it. */
static void disk_is_empty(struct guest *g)
{
        struct page mine[PAGES];

        guest_connect(g, persistent);
        share(g, mine, PAGES, 0xa5);
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(guest_io(g, BLK_READ, i * 64, mine, PAGES),
                                 BLK_OKAY);
                for (unsigned n = 0; n < PAGES; n++)
                        assert_true(is_all(&mine[n], 0));
        }
        guest_disconnect(g);
        for (unsigned i = 0; i < PAGES; i++)
                guest_unshare(g, &mine[i]);
}

/* As many as the dead one had: the same grefs, whoever still means those. */
static void pages_stay_untouched(uint32_t domid, const struct page *late)
{
        struct page own[1 + PAGES + INFLIGHT];
        unsigned same = 0;
        struct guest *g, *disk;

        rig_domid = domid;
        g = guest_create_bare();
        assert_int_equal(g->domid, domid);
        share(g, own, ARRAY_SIZE(own), 0x5a);
        for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
                for (unsigned n = 0; n < INFLIGHT; n++)
                        same += own[i].gref == late[n].gref;
        assert_int_equal(same, INFLIGHT);
        wait_until_let_go(domid);
        for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
                assert_true(is_all(&own[i], 0x5a));
        /* Its nodes stay where there was a domain of its number again before
         * they could be removed. */
        rig_run("%s detach %u xvda 2>&1", getenv("EVERGRANT"), domid);
        disk = guest_add_disk(g, "xvda", RIG_VDEV, "ram:8M", "");
        disk_is_empty(disk);
        guest_destroy(disk);
        destroy(g);
}

/* Kept pages hold the number; pages that are copied to do not. */
static void a_number_comes_again_after_a_death_under_load(void **state)
{
        static const char *const grants[] = {"persistent", "map", "copy"};
        struct page p[PAGES], late[INFLIGHT];
        char option[32];
        struct guest *g;
        uint32_t domid;

        for (unsigned round = 0; round < ARRAY_SIZE(grants); round++) {
                snprintf(option, sizeof(option), "--grants %s", grants[round]);
                g = guest_create("fault:read-delay-ms=1500:ram:8M", option);
                domid = g->domid;
                write_some(g, p);
                share(g, late, INFLIGHT, 0x78);
                for (unsigned i = 0; i < INFLIGHT; i++)
                        guest_put(g, BLK_READ, i * 8, &late[i], 1);
                guest_kick(g);
                wait_until(guest_counter(g, "inflight") == INFLIGHT);
                destroy(g);
                wait_until_free(domid);
                pages_stay_untouched(domid, late);
        }
}

/* With the daemon held, nobody unmaps: the number stays taken. */
static void a_held_daemon_holds_the_number(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        uint32_t domid = g->domid;
        struct page p[PAGES];

        write_some(g, p);
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
        disk_is_empty(g);
        guest_destroy(g);
}

/* Leaves the daemon held: to it nothing of all this has happened yet. Nothing
 * of the dead one was mapped, so that its number is free at once. */
static uint32_t dies_behind_its_back(void)
{
        struct guest *g = guest_create("ram:8M", "");
        uint32_t domid = g->domid;
        struct page p[PAGES];

        write_some(g, p);
        guest_disconnect(g);
        kill(life_daemon_pid(), SIGSTOP);
        destroy(g);
        wait_until_free(domid);
        assert_int_equal(rig_run("%s exec 0 -- xenstore-rm "
                                 "/local/domain/0/backend/evergrant/%u",
                                 getenv("POCKETXEN"), domid),
                         0);
        return domid;
}

/* A directory of Domain-0's, or the guest's, that the other may read. */
static void make_dir(const char *dir, uint32_t owner, uint32_t reader)
{
        const char *px = getenv("POCKETXEN");

        assert_int_equal(rig_run("%s exec 0 -- xenstore-write %s '' && "
                                 "%s exec 0 -- xenstore-chmod %s n%u r%u",
                                 px, dir, px, dir, owner, reader),
                         0);
}

/* What a toolstack writes for the guest's xvda on a backend's side … */
static void write_back(const struct guest *g, const char *back)
{
        make_dir(back, 0, g->domid);
        assert_int_equal(rig_run("%s exec 0 -- xenstore-write "
                                 "%s/frontend /local/domain/%u/%s "
                                 "%s/frontend-id %u %s/online 1 %s/mode w "
                                 "%s/params ram:8M %s/state 1",
                                 getenv("POCKETXEN"), back, g->domid, g->dir,
                                 back, g->domid, back, back, back, back),
                         0);
}

/* … and on the guest's. */
static void write_front(const struct guest *g, const char *back)
{
        char front[96];

        snprintf(front, sizeof(front), "/local/domain/%u/%s", g->domid, g->dir);
        make_dir(front, g->domid, 0);
        assert_int_equal(rig_run("%s exec 0 -- xenstore-write %s/backend %s "
                                 "%s/backend-id 0 %s/state 1",
                                 getenv("POCKETXEN"), front, back, front,
                                 front),
                         0);
}

/* When the daemon goes on, a disk of the same name for a domain of the same
 * number is there: only its state tells that it is another one. */
static void a_disk_comes_again_while_the_daemon_is_held(void **state)
{
        uint32_t domid = dies_behind_its_back();
        struct guest *g;
        char back[96];

        rig_domid = domid;
        g = guest_create_bare();
        assert_int_equal(g->domid, domid);
        /* By hand: `evergrant attach` asks the daemon first. */
        snprintf(back, sizeof(back), "/local/domain/0/backend/evergrant/%u/%u",
                 domid, g->vdev);
        write_back(g, back);
        write_front(g, back);
        kill(life_daemon_pid(), SIGCONT);
        disk_is_empty(g);
        guest_destroy(g);
}

static bool has_disk(uint32_t domid)
{
        return rig_run("%s list --json | jq -e '.disks[] | "
                       "select(.domid == %u)'",
                       getenv("EVERGRANT"), domid) == 0;
}

/* When the daemon goes on, there is a domain of that number, without a disk:
 * the dead one's is not kept for it. */
static void a_number_comes_again_while_the_daemon_is_held(void **state)
{
        uint32_t domid = dies_behind_its_back();
        struct guest *g, *disk;

        rig_domid = domid;
        g = guest_create_bare();
        kill(life_daemon_pid(), SIGCONT);
        life_wait(!has_disk(domid));
        disk = guest_add_disk(g, "xvda", RIG_VDEV, "ram:8M", "");
        disk_is_empty(disk);
        guest_destroy(disk);
        destroy(g);
}

/* What `evergrant list` says: the successor may not read what was its
 * predecessor's. */
static void wait_for_field(const struct guest *g, const char *name,
                           enum xenbus_state want)
{
        life_wait(strcmp(guest_field(g, name), xenbus_state_name(want)) == 0);
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
        char back[96];

        guest_wait_backend(g, XENBUS_INIT_WAIT);
        kill(life_daemon_pid(), SIGSTOP);
        destroy(g);
        wait_until_free(domid);
        rig_domid = domid;
        g = guest_create_bare();
        snprintf(back, sizeof(back), "/local/domain/0/backend/qdisk/%u/%u",
                 domid, g->vdev);
        write_front(g, back);
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
                cmocka_unit_test(a_disk_comes_again_while_the_daemon_is_held),
                cmocka_unit_test(a_number_comes_again_while_the_daemon_is_held),
                cmocka_unit_test(a_number_comes_again_after_a_death_under_load),
                cmocka_unit_test(
                        a_successor_with_another_backend_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
