/* SPDX-License-Identifier: MIT */
/* T-STATUS (H14: XSA-316, XSA-318): a status that is positive, or that nobody
 * wrote, is no success; what a bounce block had before reaches neither a guest
 * nor a disk. And unmaps that fail (H13). */
#include "ask.h"

#include <stdlib.h>
#include <unistd.h>

#define MOST 11u
#define SECRET 0x77 /* what all bounce blocks have had before */
#define CANARY 0xc7

static const char *const results[] = {
        "+1",         "untouched",    "general_error",
        "bad_domain", "bad_gntref",   "permission_denied",
        "bad_page",   "bad_copy_arg", "eagain",
        "EINVAL",     "ENOMEM",       "EFAULT",
};

struct rig {
        struct guest *g;
        struct page secret, data[MOST + 1], table;
};

static void rig_create(struct rig *r, const char *options, enum blk_abi abi)
{
        r->g = guest_create("ram:16M", options);
        guest_connect(r->g,
                      (struct connect_opts){.persistent = true, .abi = abi});
        guest_page(r->g, &r->secret, true);
        guest_page(r->g, &r->table, true);
        for (unsigned i = 0; i < MOST + 1; i++)
                guest_page(r->g, &r->data[i], true);
        memset(r->secret.bytes, SECRET, 4096);
}

/* Through every bounce block that a request of this size could get. */
static void spread_secret(struct rig *r, unsigned n)
{
        struct page all[MOST + 1];

        for (unsigned i = 0; i < n; i++)
                all[i] = r->secret;
        if (n <= BLK_DIRECT_SEGS) {
                for (int i = 0; i < 32; i++)
                        guest_put(r->g, BLK_WRITE, 20000, all, n);
        } else {
                guest_put_indirect(r->g, BLK_WRITE, 20000, all, n, &r->table);
        }
        guest_kick(r->g);
        for (int i = 0; i < (n <= BLK_DIRECT_SEGS ? 32 : 1); i++)
                assert_int_equal(guest_answer(r->g, NULL), BLK_OKAY);
}

static int io(struct rig *r, enum blk_op op, unsigned n)
{
        if (n <= BLK_DIRECT_SEGS)
                return guest_io(r->g, op, 0, r->data, n);
        guest_put_indirect(r->g, op, 0, r->data, n, &r->table);
        guest_kick(r->g);
        return guest_answer(r->g, NULL);
}

static void fill(struct rig *r, int byte)
{
        for (unsigned i = 0; i < MOST + 1; i++)
                memset(r->data[i].bytes, byte, 4096);
}

static bool has_only(const struct page *p, int a, int b)
{
        for (unsigned i = 0; i < 4096; i++)
                if (p->bytes[i] != a && p->bytes[i] != b)
                        return false;
        return true;
}

static void assert_disk(struct rig *r, unsigned n, int byte)
{
        fill(r, 0);
        assert_int_equal(io(r, BLK_READ, n), BLK_OKAY);
        for (unsigned i = 0; i < n; i++)
                assert_true(has_only(&r->data[i], byte, byte));
}

/* A request of n segments, the copy of one of which ends with `result`. */
static void one_copy(struct rig *r, const char *result, unsigned n, unsigned at)
{
        struct fault_opts bad = {.first = r->data[at].gref,
                                 .last = r->data[at].gref};
        uint64_t writes;

        fill(r, 0x11);
        assert_int_equal(io(r, BLK_WRITE, n), BLK_OKAY);
        spread_secret(r, n);
        fill(r, CANARY);
        fault_set("copy", result, r->g, bad);
        assert_int_equal(io(r, BLK_READ, n), BLK_ERROR);
        assert_true(has_only(&r->data[at], CANARY, CANARY));
        for (unsigned i = 0; i < n; i++)
                assert_true(has_only(&r->data[i], CANARY, 0x11));
        writes = ask_counter(r->g, "writes");
        assert_int_equal(io(r, BLK_WRITE, n), BLK_ERROR);
        assert_int_equal(ask_counter(r->g, "writes"), writes);
        fault_clear();
        assert_disk(r, n, 0x11);
}

static void copy_grid(enum blk_abi abi)
{
        struct zombie_base base = zombie_base();
        struct rig r;

        rig_create(&r, "--grants copy", abi);
        for (unsigned f = 0; f < ARRAY_SIZE(results); f++) {
                one_copy(&r, results[f], 1, 0);
                one_copy(&r, results[f], 11, 0);
                one_copy(&r, results[f], 11, 5);
                one_copy(&r, results[f], 11, 10);
                one_copy(&r, results[f], 12, 6);
        }
        ask_same_account(r.g);
        zombie_end(&base, r.g);
}

static void t_status_copy_x86_64(void **state)
{
        copy_grid(BLK_ABI_NATIVE);
}

static void t_status_copy_x86_32(void **state)
{
        copy_grid(BLK_ABI_X86_32);
}

/* The page that carries the segments. */
static void t_status_of_an_indirect_page(void **state)
{
        static const char *const modes[] = {"--grants copy", "--grants map",
                                            "--grants persistent"};

        for (unsigned m = 0; m < 3; m++) {
                struct zombie_base base = zombie_base();
                struct rig r;

                rig_create(&r, modes[m], BLK_ABI_NATIVE);
                fill(&r, 0x11);
                for (unsigned f = 0; f < ARRAY_SIZE(results); f++) {
                        struct page fresh;
                        struct fault_opts bad;

                        if (m > 0 && (strcmp(results[f], "eagain") == 0 ||
                                      strcmp(results[f], "ENOMEM") == 0))
                                continue;
                        guest_page(r.g, &fresh, true);
                        bad = (struct fault_opts){.first = fresh.gref,
                                                  .last = fresh.gref};
                        fault_set(m ? "map" : "copy", results[f], r.g, bad);
                        guest_put_indirect(r.g, BLK_WRITE, 0, r.data, 12,
                                           &fresh);
                        guest_kick(r.g);
                        assert_int_equal(guest_answer(r.g, NULL), BLK_ERROR);
                        fault_clear();
                        guest_unshare(r.g, &fresh);
                }
                assert_disk(&r, 12, 0);
                ask_same_account(r.g);
                zombie_end(&base, r.g);
        }
}

/* The library folds each status of a map into one EINVAL. */
static void t_status_map(void **state)
{
        static const char *const modes[] = {"--grants map",
                                            "--grants persistent"};

        for (unsigned m = 0; m < 2; m++) {
                struct zombie_base base = zombie_base();
                struct rig r;

                rig_create(&r, modes[m], BLK_ABI_X86_32);
                for (unsigned f = 0; f < 2; f++) {
                        struct fault_opts bad = {.first = r.data[f].gref,
                                                 .last = r.data[f].gref};

                        fault_set("map", results[f], r.g, bad);
                        fill(&r, CANARY);
                        assert_int_equal(guest_io(r.g, BLK_READ, 0, r.data, 11),
                                         BLK_ERROR);
                        for (unsigned i = 0; i < 11; i++)
                                assert_true(
                                        has_only(&r.data[i], CANARY, CANARY));
                        assert_int_equal(
                                guest_io(r.g, BLK_WRITE, 0, r.data, 11),
                                BLK_ERROR);
                        fault_clear();
                        assert_disk(&r, 11, 0);
                        ask_same_account(r.g);
                        /* Cold again. */
                        guest_disconnect(r.g);
                        guest_connect(
                                r.g, (struct connect_opts){.persistent = true});
                }
                ask_same_account(r.g);
                zombie_end(&base, r.g);
        }
}

/* ---- unmaps ----------------------------------------------------------------
 */
static uint64_t log_lines(const char *with)
{
        FILE *f = fopen(getenv("DAEMON_LOG"), "re");
        char line[1024];
        uint64_t n = 0;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                n += strstr(line, with) != NULL;
        fclose(f);
        return n;
}

/* Counted, said, tried once, and everything else goes on. What stays mapped
 * ends with the daemon; rig.sh looks whether the domain dies then. */
static void unmaps_that_fail(const char *options, const char *result,
                             bool seen_by_us)
{
        struct rig r;
        unsigned id;

        rig_create(&r, options, BLK_ABI_NATIVE);
        id = fault_set("unmap", result, r.g,
                       (struct fault_opts){.first = r.data[0].gref,
                                           .last = r.data[2].gref});
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(guest_io(r.g, BLK_WRITE, 0, &r.data[i], 1),
                                 BLK_OKAY);
        /* Kept grants are unmapped now, others were after each request. */
        guest_disconnect(r.g);
        assert_int_equal(guest_account(r.g).mapped, 3);
        assert_int_equal(fault_seen(id), 3);
        if (seen_by_us)
                wait_until(log_lines("cannot unmap what it granted") > 0);
        guest_connect(r.g, (struct connect_opts){.persistent = true});
        for (unsigned i = 3; i < 6; i++)
                assert_int_equal(guest_io(r.g, BLK_WRITE, 0, &r.data[i], 1),
                                 BLK_OKAY);
        guest_disconnect(r.g);
        assert_int_equal(fault_seen(id), 3);
        assert_int_equal(guest_account(r.g).mapped, 3);
        fault_clear();
        rig_run("%s detach %s xvda 2>&1", getenv("EVERGRANT"), r.g->name);
        rig_run("%s destroy %s", getenv("POCKETXEN"), r.g->name);
        guest_leave(r.g);
}

/* While it is connected the counter says so as well. */
static void a_failed_unmap_is_counted(void **state)
{
        struct rig r;

        rig_create(&r, "--grants map", BLK_ABI_NATIVE);
        fault_set("unmap", "EFAULT", r.g,
                  (struct fault_opts){.first = r.data[0].gref,
                                      .last = r.data[0].gref,
                                      .times = 2});
        for (int i = 0; i < 5; i++)
                assert_int_equal(guest_io(r.g, BLK_READ, 0, &r.data[0], 1),
                                 BLK_OKAY);
        wait_until(ask_counter(r.g, "unmap_failures") == 2);
        assert_int_equal(guest_account(r.g).mapped, 1 + 2);
        guest_disconnect(r.g);
        rig_run("%s detach %s xvda 2>&1", getenv("EVERGRANT"), r.g->name);
        rig_run("%s destroy %s", getenv("POCKETXEN"), r.g->name);
        guest_leave(r.g);
}

static void a_failed_unmap_is_said_and_not_retried(void **state)
{
        unmaps_that_fail("--grants map", "EINVAL", true);
        unmaps_that_fail("--grants persistent", "EFAULT", true);
        /* The kernel keeps these to itself. */
        unmaps_that_fail("--grants map", "bad_handle", false);
        unmaps_that_fail("--grants persistent", "general_error", false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_status_copy_x86_64),
                cmocka_unit_test(t_status_copy_x86_32),
                cmocka_unit_test(t_status_of_an_indirect_page),
                cmocka_unit_test(t_status_map),
                cmocka_unit_test(a_failed_unmap_is_counted),
                cmocka_unit_test(a_failed_unmap_is_said_and_not_retried),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
