/* SPDX-License-Identifier: MIT */
/* T-MAPERR (H13: XSA-361, 362, 365, 367, 371, CVE-2022-50257): some grants of a
 * request cannot be mapped. That request fails and touches no disk, all others
 * are served, and no mapping is forgotten or kept by mistake. */
#include "ask.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST 256u
#define WITNESS_SECTOR 20000u

static const unsigned counts[] = {1, 11, 32, 256};
enum place { FIRST, MIDDLE, LAST, TWO, ALL, PLACES };
static const struct {
        const char *result;
        bool ours; /* the backend's own limit: no error of the guest's */
} faults[] = {
        {"bad_gntref", false},    {"permission_denied", false},
        {"bad_page", false},      {"no_space", false},
        {"general_error", false}, {"+1", false},
        {"untouched", false},     {"EINVAL", false},
        {"ENOMEM", true},
};
/* What the pages that do not fail are. */
static const struct {
        const char *name, *options;
        bool warm;
} others[] = {
        {"already persistent", "--grants persistent --max-persistent 6000",
         true},
        {"new persistent", "--grants persistent --max-persistent 6000", false},
        {"transient", "--grants map", false},
};

struct rig {
        struct guest *g;
        struct page witness, check, table, data[MOST];
        uint8_t *all;
        unsigned n, fail_at, fail_to, fail_also; /* indices of bad pages */
        bool warm;
};

static void fresh_pages(struct rig *r, unsigned n)
{
        uint32_t refs[MOST];
        void *all;

        assert_int_equal(xen_shares_share(r->g->shares, 0, n, true, refs, &all),
                         0);
        r->all = all;
        r->n = n;
        for (unsigned i = 0; i < n; i++)
                r->data[i] = (struct page){r->all + i * 4096, refs[i]};
}

static void fill(struct rig *r, int byte)
{
        memset(r->all, byte, r->n * 4096);
}

static uint64_t put(struct rig *r, enum blk_op op)
{
        if (r->n <= BLK_DIRECT_SEGS)
                return guest_put(r->g, op, 0, r->data, r->n);
        return guest_put_indirect(r->g, op, 0, r->data, r->n, &r->table);
}

static int io(struct rig *r, enum blk_op op)
{
        put(r, op);
        guest_kick(r->g);
        return guest_answer(r->g, NULL);
}

static bool is_bad(const struct rig *r, unsigned i)
{
        return (i >= r->fail_at && i <= r->fail_to) || i == r->fail_also;
}

static void choose(struct rig *r, enum place place)
{
        unsigned n = r->n;

        r->fail_at = place == MIDDLE ? n / 2 : place == LAST ? n - 1 : 0;
        r->fail_to = place == ALL ? n - 1 : r->fail_at;
        r->fail_also = place == TWO ? n - 1 : r->fail_at;
}

static void break_pages(struct rig *r, const char *result)
{
        const uint32_t base = r->data[0].gref;

        /* One share call gives refs in a row. */
        assert_int_equal(r->data[r->n - 1].gref, base + r->n - 1);
        fault_set("map", result, r->g,
                  (struct fault_opts){.first = base + r->fail_at,
                                      .last = base + r->fail_to});
        if (r->fail_also != r->fail_at)
                fault_set("map", result, r->g,
                          (struct fault_opts){.first = base + r->fail_also,
                                              .last = base + r->fail_also});
}

/* Each alone, so that the bad ones stay cold. */
static void warm_others(struct rig *r)
{
        for (unsigned i = 0; i < r->n; i++)
                if (!is_bad(r, i))
                        assert_int_equal(guest_io(r->g, BLK_READ,
                                                  WITNESS_SECTOR, &r->data[i],
                                                  1),
                                         BLK_OKAY);
}

/* What the disk has where the request went to, at its ends and middle. */
static void assert_disk(struct rig *r, int byte)
{
        const unsigned at[] = {0, r->n / 2, r->n - 1};

        for (unsigned i = 0; i < 3; i++) {
                memset(r->check.bytes, 0x99, 4096);
                assert_int_equal(
                        guest_io(r->g, BLK_READ, at[i] * 8, &r->check, 1),
                        BLK_OKAY);
                assert_int_equal(r->check.bytes[0], byte);
                assert_int_equal(r->check.bytes[4095], byte);
        }
}

static void assert_pages(struct rig *r, int byte)
{
        for (unsigned i = 0; i < r->n * 4096; i += 511)
                if (r->all[i] != byte)
                        fail_msg("page %u has %#x, not %#x", i / 4096,
                                 r->all[i], byte);
}

/* The victim between two others, in one batch. */
static int batch(struct rig *r, enum blk_op op)
{
        uint64_t id, victim;
        int status, verdict = -1;

        guest_put(r->g, BLK_WRITE, WITNESS_SECTOR, &r->witness, 1);
        victim = put(r, op);
        guest_put(r->g, BLK_READ, WITNESS_SECTOR, &r->witness, 1);
        guest_kick(r->g);
        for (int i = 0; i < 3; i++) {
                status = guest_answer(r->g, &id);
                if (id == victim)
                        verdict = status;
                else
                        assert_int_equal(status, BLK_OKAY);
        }
        return verdict;
}

/* Disk requests that were done, reads and writes. */
static uint64_t done(struct rig *r)
{
        return ask_counter(r->g, "reads") + ask_counter(r->g, "writes");
}

static void one_cell(struct rig *r, unsigned fault, enum blk_op op,
                     enum place place)
{
        int status, before = op == BLK_READ ? 0xc7 : 0x5a;
        uint64_t did, bad;

        choose(r, place);
        fill(r, 0x11); /* what the disk has */
        assert_int_equal(io(r, BLK_WRITE), BLK_OKAY);
        xen_shares_unshare(r->g->shares, r->all, r->n);
        fresh_pages(r, r->n);
        if (r->warm)
                warm_others(r);
        fill(r, before);
        did = done(r);
        bad = ask_counter(r->g, "bad_grants");
        break_pages(r, faults[fault].result);
        status = batch(r, op);
        ask_same_account(r->g);
        fault_clear();
        if (!faults[fault].ours) {
                assert_int_equal(status, BLK_ERROR);
                assert_int_equal(done(r), did + 2);
                assert_int_equal(ask_counter(r->g, "bad_grants"), bad + 1);
                assert_pages(r, before);
                assert_disk(r, 0x11);
        } else {
                assert_int_equal(status, BLK_OKAY);
                assert_int_equal(ask_counter(r->g, "bad_grants"), bad);
                assert_disk(r, op == BLK_READ ? 0x11 : before);
                assert_pages(r, op == BLK_READ ? 0x11 : before);
        }
        /* Nothing of it is broken. */
        fill(r, 0x22);
        assert_int_equal(io(r, BLK_WRITE), BLK_OKAY);
        assert_disk(r, 0x22);
        ask_same_account(r->g);
}

static void connect_rig(struct rig *r, enum blk_abi abi)
{
        guest_connect(r->g,
                      (struct connect_opts){.persistent = true, .abi = abi});
        guest_page(r->g, &r->witness, true);
        guest_page(r->g, &r->check, true);
        guest_page(r->g, &r->table, true);
}

static void disconnect_rig(struct rig *r)
{
        guest_disconnect(r->g);
        assert_int_equal(guest_account(r->g).mapped, 0);
        guest_unshare(r->g, &r->witness);
        guest_unshare(r->g, &r->check);
        guest_unshare(r->g, &r->table);
}

static void grid(unsigned state, enum blk_abi abi)
{
        struct zombie_base base = zombie_base();
        struct rig r = {.warm = others[state].warm};
        unsigned cells = 0;

        r.g = guest_create("ram:16M", others[state].options);
        for (unsigned n = 0; n < 4; n++) {
                for (enum place place = FIRST; place < PLACES; place++) {
                        if (counts[n] == 1 && place != FIRST)
                                continue;
                        connect_rig(&r, abi);
                        fresh_pages(&r, counts[n]);
                        for (unsigned f = 0; f < 9; f++) {
                                one_cell(&r, f, BLK_READ, place);
                                one_cell(&r, f, BLK_WRITE, place);
                                cells += 2;
                        }
                        xen_shares_unshare(r.g->shares, r.all, r.n);
                        disconnect_rig(&r);
                }
        }
        printf("%u cells, others %s, abi %d\n", cells, others[state].name,
               (int)abi);
        zombie_end(&base, r.g);
}

static void t_maperr_others_already_persistent(void **state)
{
        grid(0, BLK_ABI_NATIVE);
}

static void t_maperr_others_new_persistent(void **state)
{
        grid(1, BLK_ABI_X86_32);
}

static void t_maperr_others_transient(void **state)
{
        grid(2, BLK_ABI_NATIVE);
}

static uint64_t rss_kib(void)
{
        char path[64], line[128];
        unsigned long long kib = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%llu/status",
                 (unsigned long long)ask_about_daemon("pid"));
        f = fopen(path, "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "VmRSS: %llu", &kib) == 1)
                        break;
        fclose(f);
        return kib;
}

/* HOSTILE_WHOLE=1: the 10^5 rounds of HOSTILE.md. */
static void t_maperr_for_ever_costs_no_memory(void **state)
{
        unsigned rounds = getenv("HOSTILE_WHOLE") ? 100000 : 3000;

        for (unsigned mode = 1; mode < 3; mode++) {
                struct zombie_base base = zombie_base();
                struct rig r = {0};
                uint64_t before = 0;

                r.g = guest_create("ram:16M", others[mode].options);
                connect_rig(&r, BLK_ABI_NATIVE);
                fresh_pages(&r, 11);
                choose(&r, TWO);
                break_pages(&r, "general_error");
                for (unsigned i = 0; i < rounds; i++) {
                        assert_int_equal(io(&r, i & 1 ? BLK_WRITE : BLK_READ),
                                         BLK_ERROR);
                        if (i == rounds / 5)
                                before = rss_kib();
                }
                ask_same_account(r.g);
                assert_int_equal(ask_counter(r.g, "bad_grants"), rounds);
                printf("%u rounds: RSS %llu -> %llu KiB\n", rounds,
                       (unsigned long long)before,
                       (unsigned long long)rss_kib());
                /* A sanitizer's quarantine grows by design. */
                if (strcmp(getenv("EG_SANITIZE"), "none") == 0)
                        assert_true(rss_kib() <= before + 1024);
                xen_shares_unshare(r.g->shares, r.all, r.n);
                zombie_end(&base, r.g);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_maperr_others_already_persistent),
                cmocka_unit_test(t_maperr_others_new_persistent),
                cmocka_unit_test(t_maperr_others_transient),
                cmocka_unit_test(t_maperr_for_ever_costs_no_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
