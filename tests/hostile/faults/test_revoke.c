/* SPDX-License-Identifier: MIT */
/* T-REVOKE (H19: XSA-230): a guest takes back, frees and uses again a page that
 * the backend keeps mapped. */
#include "ask.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true};
static const char kept[] = "--grants persistent";

/* (a) As on Xen: it is not given back while it is mapped, and the mapping goes
 * on serving. */
static void t_revoke_is_refused_while_mapped(void **state)
{
        struct zombie_base base = zombie_base();
        struct guest *g = guest_create("ram:8M", kept);
        struct page p, q;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        guest_page(g, &q, true);
        memset(p.bytes, 0x41, 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        guest_unshare(g, &p);
        assert_int_equal(guest_account(g).deferred, 1);
        assert_int_equal(gref_pins(g, p.gref, true), 1);
        /* The number is still good for what is mapped: the old bytes. */
        assert_int_equal(guest_io(g, BLK_WRITE, 8, &p, 1), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_READ, 8, &q, 1), BLK_OKAY);
        assert_int_equal(q.bytes[77], 0x41);
        guest_disconnect(g);
        wait_until(guest_account(g).deferred == 0);
        zombie_end(&base, g);
}

/* (b) Wrongly given back: the frame is somebody else's by now. The backend
 * reads and writes what is there, in this domain's memory, and no further. */
static void t_revoke_wrongly_allowed_is_memory_safe(void **state)
{
        struct zombie_base base = zombie_base();
        struct guest *g = guest_create("ram:8M", kept);
        struct page p[32], fresh[32], q;

        guest_connect(g, persistent);
        guest_page(g, &q, true);
        for (unsigned i = 0; i < 32; i++) {
                guest_page(g, &p[i], true);
                memset(p[i].bytes, 0x42, 4096);
                assert_int_equal(guest_io(g, BLK_WRITE, i * 8, &p[i], 1),
                                 BLK_OKAY);
        }
        fault_set("revoke", "allowed", g, (struct fault_opts){0});
        for (unsigned i = 0; i < 32; i++)
                guest_unshare(g, &p[i]);
        assert_int_equal(guest_account(g).deferred, 0);
        for (unsigned i = 0; i < 32; i++)
                guest_page(g, &fresh[i], true);
        for (unsigned i = 0; i < 32; i++) {
                int status = guest_io(g, i & 1 ? BLK_WRITE : BLK_READ, i * 8,
                                      &p[i], 1);

                assert_true(status == BLK_OKAY || status == BLK_ERROR);
                assert_int_equal(guest_io(g, BLK_WRITE, 1024, &fresh[i], 1),
                                 BLK_OKAY);
        }
        /* Cold, transient and mixed, too. */
        assert_int_equal(guest_io(g, BLK_READ, 0, fresh, 11), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_READ, 0, &q, 1), BLK_OKAY);
        ask_same_account(g);
        guest_disconnect(g);
        guest_connect(g, persistent);
        assert_int_equal(guest_io(g, BLK_READ, 0, &fresh[0], 1), BLK_OKAY);
        zombie_end(&base, g);
}

/* Shares pages until one has that very number, which must be free. */
static void page_with_gref(struct guest *g, struct page *p, uint32_t want)
{
        enum { CHUNK = 4096 };
        static uint32_t refs[CHUNK];

        for (unsigned i = 0; i < 1000000; i++) {
                void *pages;
                uint32_t ahead;

                guest_page(g, p, true);
                if (p->gref == want)
                        return;
                ahead = (want - p->gref) & 32767;
                guest_unshare(g, p);
                if (ahead <= CHUNK + 64)
                        continue;
                assert_int_equal(xen_shares_share(g->shares, 0, CHUNK, true,
                                                  refs, &pages),
                                 0);
                xen_shares_unshare(g->shares, pages, CHUNK);
        }
        fail_msg("gref %u does not come back", want);
}

/* (c) After a reconnect a number means what it is granted for now. */
static void regranted(const char *options, bool clean)
{
        struct zombie_base base = zombie_base();
        struct guest *g = guest_create("ram:8M", options);
        struct page p, other, q;
        uint8_t *old;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        guest_page(g, &q, true);
        memset(p.bytes, 0x43, 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        old = p.bytes;
        if (clean) {
                guest_disconnect(g);
        } else {
                fault_set("revoke", "allowed", g, (struct fault_opts){0});
        }
        guest_unshare(g, &p);
        page_with_gref(g, &other, p.gref);
        assert_true(other.gref == p.gref && (clean || old != NULL));
        if (!clean)
                guest_disconnect(g);
        guest_connect(g, persistent);
        memset(other.bytes, 0x44, 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, 8, &other, 1), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_READ, 8, &q, 1), BLK_OKAY);
        for (unsigned i = 0; i < 4096; i++)
                assert_int_equal(q.bytes[i], 0x44);
        memset(other.bytes, 0, 4096);
        assert_int_equal(guest_io(g, BLK_READ, 0, &other, 1), BLK_OKAY);
        assert_int_equal(other.bytes[4095], 0x43);
        ask_same_account(g);
        zombie_end(&base, g);
}

static void t_revoke_and_grant_again_after_reconnect(void **state)
{
        regranted(kept, true);
        regranted(kept, false);
        regranted("--grants map", true);
        regranted("--grants copy", true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_revoke_is_refused_while_mapped),
                cmocka_unit_test(t_revoke_wrongly_allowed_is_memory_safe),
                cmocka_unit_test(t_revoke_and_grant_again_after_reconnect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
