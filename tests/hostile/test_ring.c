/* SPDX-License-Identifier: MIT */
/* Indices, counts, ids and the ring page, by a raw-ring attacker: T-SEG,
 * T-PROD, T-ID-B, T-RSPIDX, T-PAD and the random writes of A11, in both slot
 * layouts. */
#include "kit.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>

#define SECTORS 2048u

static const char broken_line[] = "more requests than its ring holds";
static struct connect_opts layout(enum blk_abi abi)
{
        return (struct connect_opts){.persistent = true, .abi = abi};
}

static bool offers(struct guest *g, uint8_t op)
{
        switch (op) {
        case BLK_FLUSH:
                return guest_backend_key(g, "feature-flush-cache") == 1;
        case BLK_BARRIER:
                return guest_backend_key(g, "feature-barrier") == 1;
        case BLK_DISCARD:
                return guest_backend_key(g, "feature-discard") == 1;
        default:
                return true;
        }
}

/* ---- H1, T-SEG
 * --------------------------------------------------------------*/

static void direct_counts(struct guest *g, const struct guarded *p)
{
        static const uint8_t counts[] = {0, 1, 10, 11, 12, 13, 127, 128, 255};
        static const uint8_t ops[] = {BLK_READ, BLK_WRITE, BLK_FLUSH,
                                      BLK_BARRIER};

        uint64_t refused = 0;

        for (unsigned o = 0; o < ARRAY_SIZE(ops); o++) {
                bool data = ops[o] == BLK_READ || ops[o] == BLK_WRITE;
                bool offered = offers(g, ops[o]);

                for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
                        uint8_t n = counts[i];
                        int want = !offered                 ? BLK_EOPNOTSUPP
                                   : n > 11 || (!n && data) ? BLK_ERROR
                                                            : BLK_OKAY;

                        refused += want == BLK_ERROR;
                        /* Last in the ring: an over-read leaves the page. */
                        kit_advance(g, g->ring.slots - 1);
                        assert_int_equal(kit_do(g, kit_put_rw(g, ops[o], n, 64,
                                                              p->page, 11)),
                                         want);
                }
        }
        /* … not by luck, for what was read behind them */
        assert_int_equal(kit_refused(g, "segments"), refused);
}

static void indirect_counts(struct guest *g, const struct guarded *p,
                            struct page *table)
{
        static const uint16_t counts[] = {0,   1,    32,   255,  256,
                                          257, 4095, 4096, 65535};
        uint32_t grefs[8];

        for (unsigned i = 0; i < 8; i++)
                grefs[i] = table->gref;
        for (unsigned i = 0; i < 512; i++)
                kit_entry(table, i, p->page[i % p->n].gref, 0, 0);
        for (unsigned op = 0; op < 2; op++) {
                for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
                        uint16_t n = counts[i];

                        kit_advance(g, g->ring.slots - 1);
                        assert_int_equal(
                                kit_do(g, kit_put_indirect(g, (uint8_t)op, n,
                                                           64, grefs, 8)),
                                n && n <= 256 ? BLK_OKAY : BLK_ERROR);
                }
        }
}

static void t_seg_counts_beyond_the_slot(void **state)
{
        static const char *const modes[] = {"persistent", "map", "copy"};
        struct image disk;
        char opts[64];

        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                kit_image(&disk, "seg.img", SECTORS);
                snprintf(opts, sizeof(opts), "--grants %s", modes[m]);
                for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                        struct guest *g = guest_create(disk.path, opts);
                        struct guarded p, table;

                        guest_connect(g, layout(kit_abis[a]));
                        kit_guard(g, &p, 11);
                        kit_guard(g, &table, 1);
                        direct_counts(g, &p);
                        indirect_counts(g, &p, &table.page[0]);
                        kit_guard_check(&p);
                        kit_guard_check(&table);
                        /* What was legal wrote there, and only there. */
                        kit_image_check(&disk, 64, 256);
                        kit_gnt(g);
                        guest_destroy(g);
                }
                kit_image_free(&disk);
        }
        kit_witness_check();
}

/* ---- H2, T-PROD
 * -------------------------------------------------------------*/

static void set_prod(struct guest *g, uint32_t v)
{
        ring_store_release(ring_word(g->ring.shared, RING_REQ_PROD), v);
        xen_evtchn_notify(g->ev, g->port);
}

static uint32_t rsp_prod(struct guest *g)
{
        return ring_load_acquire(ring_word(g->ring.shared, RING_RSP_PROD));
}

/* Until the log says so, or the daemon's counter: a domain's lines have a limit
 * that this test is faster than. */
static void wait_broken(struct guest *g, uint64_t lines)
{
        unsigned looks = 0;

        while (kit_log_lines(broken_line) <= lines) {
                if (++looks % 64 == 0 && guest_counter(g, "ring_broken") == 1)
                        return;
                usleep(300);
        }
}

/* The ring that was told `prod` stops: nothing taken, nothing answered, told
 * once; the witness is served, and this disk is after a reconnect. */
static void stops(struct guest *g, uint32_t prod, enum blk_abi abi)
{
        uint64_t lines = kit_log_lines(broken_line), reads;
        uint32_t answered = rsp_prod(g);

        reads = guest_counter(g, "reads");
        set_prod(g, prod);
        if (lines == 0)
                printf("C10: refused after %" PRIu64 " us\n",
                       kit_log_wait(broken_line, 1) / 1000);
        wait_broken(g, lines);
        for (unsigned i = 0; i < 3; i++) {
                set_prod(g, prod + i);
                kit_witness_check();
        }
        /* It does not heal either. */
        set_prod(g, g->ring.req_pushed);
        kit_witness_check();
        assert_int_equal(guest_counter(g, "ring_broken"), 1);
        assert_int_equal(guest_counter(g, "reads"), reads);
        assert_int_equal(guest_counter(g, "inflight"), 0);
        assert_int_equal(rsp_prod(g), answered);
        assert_true(kit_log_lines(broken_line) <= lines + 1);
        kit_live(g, layout(abi));
}

static void fill_ring(struct guest *g, const struct guarded *p, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                kit_put_rw(g, BLK_READ, 1, 8 * i, &p->page[i], 1);
}

static void t_prod_impossible_indices_stop_the_ring(void **state)
{
        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct guest *g = guest_create("ram:1M", "");
                uint32_t n;
                struct guarded p;
                struct batch b;

                guest_connect(g, layout(kit_abis[a]));
                n = g->ring.slots;
                kit_guard(g, &p, n);
                const uint32_t ahead[] = {n + 1,    2 * n,      0x7fffffff,
                                          1u << 31, 0xffffffff, 1u << 20};

                for (unsigned i = 0; i < ARRAY_SIZE(ahead); i++) {
                        /* A full ring is legal, at any place in it. */
                        kit_advance(g, i);
                        kit_begin(g, &b);
                        fill_ring(g, &p, n);
                        kit_exchange(g, &b);
                        for (unsigned k = 0; k < n; k++)
                                assert_int_equal(b.rsp[k].status, BLK_OKAY);
                        stops(g, g->ring.req_pushed + ahead[i], kit_abis[a]);
                }
                kit_guard_check(&p);
                guest_destroy(g);
        }
}

/* With requests in flight there is less room; they are answered all the same,
 * each once, and nothing else is. */
static void t_prod_while_requests_are_in_flight(void **state)
{
        static const uint32_t more[] = {0xffffffff, 33, 1u << 20, 1u << 31};

        for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
                struct guest *g =
                        guest_create("fault:delay-ms=1500:ram:1M", "");
                uint64_t lines = kit_log_lines(broken_line);
                struct guarded p;
                uint32_t n;

                guest_connect(g, layout(kit_abis[i % 2]));
                n = g->ring.slots;
                kit_guard(g, &p, n);
                fill_ring(g, &p, n);
                guest_kick(g);
                /* Not before they are taken; some may be answered already. */
                wait_until(guest_counter(g, "inflight") > 0 || rsp_prod(g));
                set_prod(g, g->ring.req_pushed + more[i]);
                wait_broken(g, lines);
                wait_until(guest_counter(g, "inflight") == 0);
                assert_int_equal(rsp_prod(g), n);
                for (unsigned k = 0; k < n; k++)
                        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
                assert_int_equal(guest_counter(g, "reads"), n);
                kit_live(g, layout(kit_abis[i % 2]));
                guest_destroy(g);
        }
        kit_witness_check();
}

/* A daemon that starts again takes the indices from the ring page. */
static void take_up_at(struct guest *g, uint32_t req, uint32_t rsp)
{
        uint32_t *word = ring_word(g->ring.shared, RING_REQ_PROD);

        kit_daemon_stop();
        ring_store_release(&word[RING_REQ_PROD], req);
        ring_store_release(&word[RING_REQ_EVENT], req + 1);
        ring_store_release(&word[RING_RSP_PROD], rsp);
        ring_store_release(&word[RING_RSP_EVENT], rsp + 1);
        g->ring.req_prod = g->ring.req_pushed = req;
        g->ring.rsp_cons = rsp;
        kit_daemon_start();
}

/* Both indices just before the end of 32 bits: a full ring, and one that is
 * not legal, across it. */
static void t_prod_across_the_wrap(void **state)
{
        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct image disk;
                struct guest *g;
                struct guarded p;
                struct batch b;

                kit_image(&disk, "wrap.img", SECTORS);
                g = guest_create(disk.path, "");
                guest_connect(g, layout(kit_abis[a]));
                kit_guard(g, &p, g->ring.slots);
                for (unsigned illegal = 0; illegal < 2; illegal++) {
                        take_up_at(g, 0xfffffff0, 0xfffffff0);
                        for (unsigned round = 0; round < 3 && !illegal;
                             round++) {
                                kit_begin(g, &b);
                                fill_ring(g, &p, g->ring.slots);
                                kit_exchange(g, &b);
                                for (unsigned k = 0; k < b.n; k++)
                                        assert_int_equal(b.rsp[k].status,
                                                         BLK_OKAY);
                        }
                        if (illegal)
                                stops(g, 0xfffffff0 + g->ring.slots + 1,
                                      kit_abis[a]);
                }
                kit_guard_check(&p);
                guest_destroy(g);
                kit_image_free(&disk);
        }
}

/* ---- H9, T-RSPIDX
 * -------------------------------------------------------------*/

/* Indices that cannot be are refused when a ring is taken up again; the disk
 * works for whoever connects next. */
static void t_rspidx_a_bad_index_is_not_taken_up(void **state)
{
        static const uint32_t ahead[] = {33, 1u << 31, 0xffffffff};

        for (unsigned i = 0; i < ARRAY_SIZE(ahead); i++) {
                struct image disk;
                struct guest *g;

                kit_image(&disk, "rspidx.img", SECTORS);
                g = guest_create(disk.path, "");
                guest_connect(g, layout(kit_abis[i % 2]));
                take_up_at(g, 100 + ahead[i], 100);
                guest_refused(g, "indices are impossible");
                guest_connect(g, layout(kit_abis[i % 2]));
                kit_live(g, layout(kit_abis[i % 2]));
                guest_destroy(g);
                kit_image_free(&disk);
        }
        kit_witness_check();
}

/* True if slot i holds the answer to id: requests begin with an operation. */
static bool answered(struct guest *g, uint32_t index, uint64_t id)
{
        uint64_t there;

        memcpy(&there, kit_slot(g, index), sizeof(there));
        return there == id;
}

static void scribble(struct guest *g)
{
        uint32_t v = (uint32_t)kit_random();

        ring_store_once(ring_word(g->ring.shared, RING_RSP_EVENT), v);
        ring_store_once(ring_word(g->ring.shared, RING_RSP_PROD),
                        v & 1 ? v : g->ring.rsp_cons + v % 64);
}

static void one_scribbled_ring(struct guest *g, const struct page *p)
{
        uint32_t from = g->ring.req_prod, n = g->ring.slots;
        uint64_t base = 0xa5a5a5a500000000ull | (uint64_t)from << 1;

        for (uint32_t i = 0; i < n; i++) {
                g->next_id = base + i;
                kit_put_rw(g, i & 1 ? BLK_READ : BLK_WRITE, 1, 8 * (i % 4), p,
                           1);
        }
        scribble(g);
        (void)front_ring_push(&g->ring);
        xen_evtchn_notify(g->ev, g->port);
        for (uint32_t i = 0; i < n; i++) {
                uint64_t spins = 0;
                bool seen = false;

                /* Answers may come in another order. */
                while (!seen) {
                        for (uint32_t k = 0; k < n && !seen; k++)
                                seen = answered(g, from + i, base + k);
                        scribble(g);
                        sched_yield();
                        if (++spins > 200000000)
                                fail_msg("no answer in slot %u", i);
                }
        }
        g->ring.rsp_cons += n;
}

static void t_rspidx_scribbled_responses_indices(void **state)
{
        uint64_t most = kit_scale(20000, 1000000), done = 0;

        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct guest *g = guest_create("ram:1M", "");
                struct guarded p;

                guest_connect(g, layout(kit_abis[a]));
                kit_guard(g, &p, 1);
                for (done = 0; done < most / 2; done += g->ring.slots)
                        one_scribbled_ring(g, &p.page[0]);
                wait_until(guest_counter(g, "inflight") == 0);
                assert_int_equal(guest_counter(g, "reads") +
                                         guest_counter(g, "writes"),
                                 done);
                assert_int_equal(guest_counter(g, "errors"), 0);
                kit_guard_check(&p);
                kit_gnt(g);
                kit_live(g, layout(kit_abis[a]));
                guest_destroy(g);
        }
        kit_witness_check();
}

/* ---- H8, T-ID-B
 * ---------------------------------------------------------------*/

static void t_id_b_ids_are_echoed_whatever_they_are(void **state)
{
        static const uint64_t ids[] = {0,
                                       31,
                                       UINT64_MAX,
                                       0x00007fffdeadbee8,
                                       0xffff888000000000,
                                       1ull << 63};
        struct guest *g = guest_create("fault:read-delay-ms=50:ram:1M", "");
        struct guarded p;

        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                guest_connect(g, layout(kit_abis[a]));
                kit_guard(g, &p, g->ring.slots);
                for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
                        unsigned reads = 0;
                        uint64_t id;

                        for (unsigned k = 0; k < g->ring.slots; k++) {
                                g->next_id = ids[i];
                                kit_put_rw(g, k & 1 ? BLK_READ : 77, 1, 8 * k,
                                           &p.page[k], 1);
                        }
                        guest_kick(g);
                        for (unsigned k = 0; k < g->ring.slots; k++) {
                                reads += guest_answer(g, &id) == BLK_OKAY;
                                assert_true(id == ids[i]);
                        }
                        assert_int_equal(reads, g->ring.slots / 2);
                        assert_int_equal(rsp_prod(g), g->ring.rsp_cons);
                }
                kit_guard_check(&p);
                guest_disconnect(g);
        }
        guest_destroy(g);
}

/* ---- H33, T-PAD
 * ---------------------------------------------------------------*/

/* All that may differ between the two is an answer in slot i. */
static void only_an_answer(const struct guest *g, const uint8_t *was,
                           const uint8_t *now, uint64_t id, int status)
{
        const struct blk_layout *l = &blk_layouts[g->ring.abi];
        uint8_t want[BLK_SLOT_BYTES];
        int16_t s = (int16_t)status;

        memcpy(want, was, l->slot_bytes);
        memcpy(want, &id, 8);
        want[8] = now[8]; /* the operation is looked at elsewhere */
        memcpy(want + 10, &s, 2);
        for (unsigned i = 0; i < l->slot_bytes; i++)
                if (want[i] != now[i])
                        fail_msg("byte %u of a response slot is %#x, was %#x",
                                 i, now[i], was[i]);
}

/* From the index words to the page's end. */
static void paint(struct guest *g)
{
        memset(g->ring_pages + 16, 0x5a, 4096 - 16);
}

/* What lies between the index words and slot 0, and behind the last. */
static void only_slots(struct guest *g, const uint8_t *was)
{
        uint8_t *first = kit_slot(g, 0);
        size_t from = first - g->ring_pages;
        size_t end = from + g->ring.slots * blk_layouts[g->ring.abi].slot_bytes;

        assert_memory_equal(g->ring_pages + 16, was + 16, from - 16);
        assert_memory_equal(g->ring_pages + end, was + end, 4096 - end);
}

static void wait_taken(const struct guest *g)
{
        /* as soon as it asks for the next */
        wait_until(
                ring_load_acquire(ring_word(g->ring.shared, RING_REQ_EVENT)) ==
                g->ring.req_prod + 1);
}

/* A ring of slow ones, all but one slot (of a full ring nobody asks to be told
 * of the next): the page is painted when all are taken and none
 * is answered, so each byte of a slot that changes was written as an answer.
 * False: the machine stood still for so long that answers came first. */
static bool slow_round(struct guest *g, const struct guarded *p, uint8_t *was)
{
        uint32_t at = g->ring.req_prod, n = g->ring.slots - 1;
        uint64_t first_id = g->next_id;
        uint8_t *slots = g->ring_pages;
        bool in_time;

        for (unsigned i = 0; i < n; i++)
                kit_put_rw(g, i & 1 ? BLK_WRITE : BLK_READ, 1, 0, p->page, 1);
        guest_kick(g);
        wait_taken(g);
        paint(g);
        memcpy(was, g->ring_pages, 4096);
        in_time = rsp_prod(g) == at;
        wait_until(rsp_prod(g) == at + n);
        g->ring.rsp_cons = at + n;
        if (!in_time)
                return false;
        assert_memory_equal(kit_slot(g, at + n),
                            was + (kit_slot(g, at + n) - slots),
                            blk_layouts[g->ring.abi].slot_bytes);
        for (unsigned k = 0; k < n; k++) {
                uint8_t *now = kit_slot(g, at + k);
                uint64_t id;

                memcpy(&id, now, 8);
                assert_in_range(id, first_id, first_id + n - 1);
                only_an_answer(g, was + (now - slots), now, id, BLK_OKAY);
        }
        only_slots(g, was);
        return true;
}

static void t_pad_nothing_but_a_late_answer_is_written(void **state)
{
        static const char slow[] =
                "fault:read-delay-ms=700,write-delay-ms=700:ram:1M";

        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct guest *g = guest_create(slow, "");
                uint8_t was[4096];
                struct guarded p;
                unsigned tries = 1;

                guest_connect(g, layout(kit_abis[a]));
                kit_guard(g, &p, 1);
                while (!slow_round(g, &p, was))
                        assert_true(tries++ < 20);
                guest_destroy(g);
        }
}

/* What is answered at once: its slot keeps all else of the request, and no
 * other slot changes. */
static void t_pad_nothing_but_the_answer_is_written(void **state)
{
        static const uint8_t ops[] = {BLK_FLUSH, BLK_DISCARD, 4, 77, 255};

        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct guest *g = guest_create("ram:1M", "");
                uint8_t was[4096];
                struct guarded p;

                guest_connect(g, layout(kit_abis[a]));
                kit_guard(g, &p, 1);
                paint(g);
                for (unsigned i = 0; i < 3 * g->ring.slots; i++) {
                        uint8_t *now = kit_slot(g, g->ring.req_prod);
                        size_t offset = now - g->ring_pages;
                        uint64_t id = g->next_id;
                        int status;

                        kit_put_rw(g, ops[i % ARRAY_SIZE(ops)], 1, 0, p.page,
                                   1);
                        memcpy(was, g->ring_pages, 4096);
                        guest_kick(g);
                        status = guest_answer(g, NULL);
                        only_an_answer(g, was + offset, now, id, status);
                        /* … and nothing of any other slot. */
                        memcpy(now, was + offset,
                               blk_layouts[g->ring.abi].slot_bytes);
                        assert_memory_equal(g->ring_pages + 16, was + 16,
                                            4096 - 16);
                }
                guest_destroy(g);
        }
}

/* ---- A11
 * ------------------------------------------------------------------------*/

static void random_round(struct guest *g, const struct guarded *p,
                         uint64_t writes, bool indices_too)
{
        uint32_t *words = (uint32_t *)(void *)g->ring_pages;

        for (uint64_t i = 0; i < writes; i++) {
                uint64_t r = kit_random();
                uint32_t at = (uint32_t)(r >> 8) % 1024;
                uint32_t v = (uint32_t)(r >> 32);

                if (!indices_too && at == RING_REQ_PROD)
                        at = 16;
                /* Often enough something that gets far. */
                if ((r & 3) == 0)
                        v = p->page[v % p->n].gref;
                else if ((r & 3) == 1)
                        v &= 0x0007050bu;
                ring_store_once(&words[at], v);
                if ((i & 63) == 0) {
                        set_prod(g, rsp_prod(g) + 1 + (v & 7));
                        if ((i & 1023) == 0)
                                usleep(50);
                }
        }
}

static void a11_random_writes_over_the_ring_page(void **state)
{
        uint64_t writes = kit_scale(100000, 1000000), rounds = 20;
        struct image disk;
        struct guest *g;
        struct guarded p;
        struct bounds before;

        kit_image(&disk, "a11.img", SECTORS);
        g = guest_create(disk.path, "");
        guest_connect(g, layout(BLK_ABI_NATIVE));
        kit_guard(g, &p, 32);
        kit_live(g, layout(BLK_ABI_NATIVE));
        before = kit_bounds();
        for (uint64_t i = 0; i < rounds; i++) {
                random_round(g, &p, writes / rounds, i % 4 == 3);
                kit_live(g, layout(kit_abis[i % 2]));
                kit_witness_check();
        }
        kit_bounds_check(&before, "A11");
        kit_witness_check();
        kit_gnt(g);
        guest_destroy(g);
        kit_image_free(&disk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                KIT_TEST(t_seg_counts_beyond_the_slot),
                KIT_TEST(t_prod_impossible_indices_stop_the_ring),
                KIT_TEST(t_prod_while_requests_are_in_flight),
                KIT_TEST(t_prod_across_the_wrap),
                KIT_TEST(t_rspidx_a_bad_index_is_not_taken_up),
                KIT_TEST(t_rspidx_scribbled_responses_indices),
                KIT_TEST(t_id_b_ids_are_echoed_whatever_they_are),
                KIT_TEST(t_pad_nothing_but_a_late_answer_is_written),
                KIT_TEST(t_pad_nothing_but_the_answer_is_written),
                KIT_TEST(a11_random_writes_over_the_ring_page),
        };

        setvbuf(stdout, NULL, _IOLBF, 0);
        return cmocka_run_group_tests(tests, kit_group_setup,
                                      kit_group_teardown);
}
