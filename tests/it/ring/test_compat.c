/* SPDX-License-Identifier: MIT */
/* What frontends in the field make of the protocol, one test for each of
 * PROTOCOL.md's Q1 to Q23 that a backend can get wrong; docs/compat.md. */
#include "rig.h"

#include <stdlib.h>
#include <unistd.h>

static const struct connect_opts persistent = {.persistent = true};

/* ram: neither flushes nor cuts holes as small as a page. */
static const char *image(void)
{
        return getenv("IMAGE");
}

static void fill(struct page *p, int with)
{
        memset(p->bytes, with, 4096);
}

/* Write, read back into the same page. */
static void round_trip(struct guest *g, struct page *p, uint64_t sector, int c)
{
        fill(p, c);
        assert_int_equal(guest_io(g, BLK_WRITE, sector, p, 1), BLK_OKAY);
        fill(p, 0xee);
        assert_int_equal(guest_io(g, BLK_READ, sector, p, 1), BLK_OKAY);
        assert_int_equal(p->bytes[0], (uint8_t)c);
        assert_int_equal(p->bytes[4095], (uint8_t)c);
}

static int send(struct guest *g, struct blk_request *req)
{
        uint64_t id;
        int status;

        req->id = g->next_id++;
        req->wire_op = (uint8_t)req->op;
        front_ring_put(&g->ring, req);
        guest_kick(g);
        status = guest_answer(g, &id);
        assert_int_equal(id, req->id);
        return status;
}

static int send_segment(struct guest *g, enum blk_op op, uint64_t sector,
                        const struct page *p, uint8_t first, uint8_t last)
{
        struct blk_request req = {.op = op, .sector = sector, .nsegs = 1};

        req.segs[0] = (struct blk_seg){p->gref, first, last};
        return send(g, &req);
}

static int send_discard(struct guest *g, uint64_t sector, uint64_t sectors)
{
        struct blk_request req = {
                .op = BLK_DISCARD, .sector = sector, .sectors = sectors};

        return send(g, &req);
}

static int send_secure_discard(struct guest *g, uint64_t sector,
                               uint64_t sectors)
{
        struct blk_request req = {.op = BLK_DISCARD,
                                  .secure = true,
                                  .sector = sector,
                                  .sectors = sectors};

        return send(g, &req);
}

/* Everything counts in 512 bytes, whatever the logical block is. */
static void q1_sectors_are_512_bytes(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_int_equal(guest_backend_key(g, "sector-size"), 512);
        assert_int_equal(guest_backend_key(g, "sectors"), 16384);
        assert_int_equal(send_segment(g, BLK_WRITE, 16383, &p, 3, 3), BLK_OKAY);
        assert_int_equal(send_segment(g, BLK_WRITE, 16384, &p, 3, 3),
                         BLK_ERROR);
        guest_disconnect(g);

        rig_backend_write(g, "eg-block-size", "4096");
        guest_connect(g, persistent);
        assert_int_equal(guest_backend_key(g, "sector-size"), 4096);
        assert_int_equal(guest_backend_key(g, "physical-sector-size"), 4096);
        assert_int_equal(guest_backend_key(g, "sectors"), 16384);
        round_trip(g, &p, 16376, 0x31);
        assert_int_equal(guest_io(g, BLK_READ, 16377, &p, 1), BLK_ERROR);
        assert_int_equal(guest_io(g, BLK_READ, 12, &p, 1), BLK_ERROR);
        assert_int_equal(send_segment(g, BLK_READ, 8, &p, 0, 6), BLK_ERROR);
        assert_int_equal(send_discard(g, 8, 4), BLK_ERROR);
        assert_int_equal(send_discard(g, 8, 8), BLK_OKAY);
        guest_disconnect(g);

        rig_backend_write(g, "eg-block-size", "1024");
        guest_state(g, XENBUS_INITIALISING);
        wait_until(strstr(guest_field(g, "error"), "eg-block-size"));
        guest_destroy(g);

        g = guest_create("ram:8M", "--block-size 4096");
        guest_connect(g, persistent);
        assert_int_equal(guest_backend_key(g, "sector-size"), 4096);
        guest_destroy(g);
}

static void q2_order_0_goes_with_either_name(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct connect_opts o = {.persistent = true, .write_order = true};
        struct page p;

        guest_page(g, &p, true);
        for (int ref0 = 0; ref0 < 2; ref0++) {
                o.ref0 = ref0;
                guest_connect(g, o);
                round_trip(g, &p, 8, 0x20 + ref0);
                guest_disconnect(g);
        }
        guest_destroy(g);
}

/* A large ring's keys must not reach the next frontend, neither when this end
 * removes them nor when they come back. */
static void q3_stale_keys_are_not_inherited(void **state)
{
        static const char *const gone[] = {
                "ring-page-order",    "ring-ref0", "ring-ref3",
                "event-channel",      "ring-ref",  "multi-queue-num-queues",
                "feature-persistent", "queue-0",   "queue-1"};
        struct connect_opts large = {.persistent = true, .order = 2};
        struct connect_opts next = {.persistent = true, .keep_old_keys = true};
        struct guest *g = guest_create("ram:8M", "--queues 2");
        struct page p;

        guest_page(g, &p, true);
        for (unsigned queues = 1; queues <= 2; queues++) {
                large.queues = queues;
                guest_connect(g, large);
                guest_disconnect(g);
                for (unsigned i = 0; i < ARRAY_SIZE(gone); i++)
                        assert_false(guest_has_key(g, gone[i]));
                guest_key(g, "ring-ref0", 12345);
                guest_key(g, "queue-0/ring-ref", 12345);
                guest_connect(g, next);
                round_trip(g, &p, 8, 0x50);
                guest_disconnect(g);
                guest_drop(g, "ring-ref0");
                guest_drop(g, "queue-0");
        }
        guest_destroy(g);
}

static void q4_no_protocol_means_the_32_bit_layout(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct connect_opts o = {.persistent = true, .no_protocol = true};
        struct page p;

#if defined(__x86_64__) || defined(__i386__)
        o.abi = BLK_ABI_X86_32;
#else
        o.abi = BLK_ABI_ARM;
#endif
        guest_connect(g, o);
        guest_page(g, &p, true);
        round_trip(g, &p, 40, 0x44);
        assert_string_equal(guest_field(g, "protocol"),
                            blk_layouts[o.abi].name);
        guest_destroy(g);
}

static void q5_all_layouts_carry_all_operations(void **state)
{
        static const enum blk_abi abis[] = {BLK_ABI_NATIVE, BLK_ABI_X86_32,
                                            BLK_ABI_ARM};
        struct page p[20], table, *at = p;
        uint64_t id;

        for (unsigned a = 0; a < ARRAY_SIZE(abis); a++) {
                for (unsigned order = 0; order <= 3; order += 3) {
                        struct guest *g = guest_create(image(), "");

                        guest_connect(g,
                                      (struct connect_opts){.persistent = true,
                                                            .abi = abis[a],
                                                            .order = order});
                        for (unsigned i = 0; i < 20; i++)
                                guest_page(g, &p[i], true);
                        guest_page(g, &table, true);
                        /* Over the end of the ring, in one batch each. */
                        for (unsigned i = 0; i < 90; i++)
                                round_trip(g, at, 8 * i, (int)i + 1);
                        assert_int_equal(guest_io(g, BLK_WRITE, 0, p, 11),
                                         BLK_OKAY);
                        fill(&p[19], 0x19);
                        id = guest_put_indirect(g, BLK_WRITE, 800, p, 20,
                                                &table);
                        guest_kick(g);
                        assert_int_equal(guest_answer(g, &id), BLK_OKAY);
                        assert_int_equal(
                                guest_io(g, BLK_READ, 800 + 19 * 8, &p[3], 1),
                                BLK_OKAY);
                        assert_int_equal(p[3].bytes[9], 0x19);
                        assert_int_equal(guest_io(g, BLK_FLUSH, 0, NULL, 0),
                                         BLK_OKAY);
                        assert_int_equal(send_discard(g, 800, 160), BLK_OKAY);
                        assert_int_equal(guest_io(g, BLK_READ, 800, &p[3], 1),
                                         BLK_OKAY);
                        assert_int_equal(p[3].bytes[9], 0);
                        guest_destroy(g);
                }
        }
}

static void q6_connected_without_initialised(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct connect_opts o = {.persistent = true, .connected_first = true};
        struct page p;

        guest_connect(g, o);
        guest_page(g, &p, true);
        round_trip(g, &p, 8, 0x66);
        guest_disconnect(g);
        /* After a close the frontend has to be seen at 1 or 2 once. */
        guest_begin(g);
        guest_connect(g, o);
        round_trip(g, &p, 8, 0x67);
        guest_destroy(g);
}

/* Unlike NetBSD's, this backend is not Connected before it has the ring. */
static void q7_connected_means_that_the_ring_is_served(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_begin(g);
        guest_publish(g, persistent);
        guest_page(g, &p, true);
        guest_put(g, BLK_READ, 0, &p, 1);
        guest_kick(g);
        usleep(300000);
        assert_int_equal(guest_backend_state(g), XENBUS_INIT_WAIT);
        assert_int_equal(guest_account(g).mapped, 0);
        guest_state(g, XENBUS_INITIALISED);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        guest_wait_backend(g, XENBUS_CONNECTED);
        guest_state(g, XENBUS_CONNECTED);
        guest_destroy(g);
}

static void q8_every_key_is_there(void **state)
{
        static const char *const early[] = {"feature-max-indirect-segments",
                                            "multi-queue-max-queues",
                                            "max-ring-page-order",
                                            "feature-persistent",
                                            "feature-flush-cache",
                                            "feature-barrier",
                                            "feature-discard"};
        static const char *const late[] = {"sectors",
                                           "sector-size",
                                           "info",
                                           "physical-sector-size",
                                           "discard-alignment",
                                           "discard-granularity",
                                           "discard-secure"};
        static const char *const options[] = {"", "--readonly --grants copy"};

        for (unsigned o = 0; o < 2; o++) {
                struct guest *g = guest_create("ram:8M", options[o]);

                guest_begin(g);
                for (unsigned i = 0; i < ARRAY_SIZE(early); i++)
                        if (guest_backend_key(g, early[i]) == UINT64_MAX)
                                fail_msg("no %s", early[i]);
                guest_connect(g, persistent);
                for (unsigned i = 0; i < ARRAY_SIZE(early); i++)
                        if (guest_backend_key(g, early[i]) == UINT64_MAX)
                                fail_msg("no %s", early[i]);
                for (unsigned i = 0; i < ARRAY_SIZE(late); i++)
                        if (guest_backend_key(g, late[i]) == UINT64_MAX)
                                fail_msg("no %s", late[i]);
                assert_int_equal(guest_backend_key(g, "feature-discard"), !o);
                assert_int_equal(guest_backend_key(g, "discard-secure"), 0);
                guest_destroy(g);
        }
}

/* Offered before the frontend decides, not only once it is connected. */
static void q9_persistence_is_offered_early(void **state)
{
        struct guest *g = guest_create("ram:8M", "");

        guest_begin(g);
        assert_int_equal(guest_backend_key(g, "feature-persistent"), 1);
        guest_destroy(g);
}

/* Others map and unmap, or copy, each time; here the page stays. */
static void q10_what_was_mapped_once_stays_mapped(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct account before, after;
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        round_trip(g, &p, 0, 1);
        before = guest_account(g);
        for (unsigned i = 0; i < 100; i++)
                round_trip(g, &p, 8 * i, (int)i);
        after = guest_account(g);
        assert_int_equal(after.map_pages, before.map_pages);
        assert_int_equal(after.unmap_pages, before.unmap_pages);
        assert_int_equal(after.copy_segments, before.copy_segments);
        assert_int_equal(gref_pins(g, p.gref, false), 1);
        guest_destroy(g);
}

static void q11_no_persistence_where_pages_are_not_kept(void **state)
{
        static const char *const options[] = {"--grants copy", "--grants map"};

        for (unsigned i = 0; i < 2; i++) {
                struct guest *g = guest_create("ram:8M", options[i]);
                struct page p;

                guest_connect(g, persistent);
                assert_int_equal(guest_backend_key(g, "feature-persistent"), 0);
                guest_page(g, &p, true);
                round_trip(g, &p, 0, 0x71);
                assert_int_equal(gref_pins(g, p.gref, false), 0);
                guest_destroy(g);
        }
}

/* A frontend without persistence takes its pages back at the answer. */
static void q12_unmapped_when_answered(void **state)
{
        struct guest *g = guest_create("ram:8M", "--grants map");
        struct page p;

        guest_connect(g, (struct connect_opts){.persistent = false});
        for (int i = 0; i < 20; i++) {
                guest_page(g, &p, true);
                assert_int_equal(
                        guest_io(g, i & 1 ? BLK_READ : BLK_WRITE, 0, &p, 1),
                        BLK_OKAY);
                assert_int_equal(gref_pins(g, p.gref, false), 0);
                guest_unshare(g, &p);
        }
        assert_int_equal(guest_account(g).deferred, 0);
        guest_destroy(g);
}

static void q13_one_queue_under_the_top_keys(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_connect(g, (struct connect_opts){.persistent = true,
                                               .write_queues = true});
        guest_page(g, &p, true);
        round_trip(g, &p, 8, 0x13);
        assert_string_equal(guest_field(g, "queues"), "1");
        guest_destroy(g);
}

static void q14_ring_sizes_are_powers_of_two(void **state)
{
        struct guest *g = guest_create("ram:8M", "--ring-order 3");

        guest_begin(g);
        assert_int_equal(guest_backend_key(g, "max-ring-page-order"), 3);
        assert_int_equal(guest_backend_key(g, "max-ring-pages"), UINT64_MAX);
        guest_destroy(g);
}

/* Heads and tails may stay; nothing else may go, and none of it is an error. */
static void q15_discard_of_odd_ranges(void **state)
{
        struct guest *g = guest_create(image(), "");
        struct page p[3];

        guest_connect(g, persistent);
        assert_true(guest_backend_key(g, "discard-granularity") % 512 == 0);
        assert_int_equal(guest_backend_key(g, "discard-alignment"), 0);
        for (unsigned i = 0; i < 3; i++) {
                guest_page(g, &p[i], true);
                fill(&p[i], 0x15);
        }
        assert_int_equal(guest_io(g, BLK_WRITE, 0, p, 3), BLK_OKAY);
        assert_int_equal(send_discard(g, 3, 18), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_READ, 0, p, 3), BLK_OKAY);
        for (unsigned at = 0; at < 3 * 512; at += 100)
                assert_int_equal(p[0].bytes[at], 0x15);
        for (unsigned at = 5 * 512; at < 4096; at += 100)
                assert_int_equal(p[2].bytes[at], 0x15);
        assert_int_equal(p[1].bytes[1000], 0);
        assert_int_equal(send_discard(g, 5, 0), BLK_OKAY);
        assert_int_equal(send_discard(g, 16384, 0), BLK_OKAY);
        assert_int_equal(send_discard(g, 16380, 5), BLK_ERROR);
        assert_int_equal(send_discard(g, ~0ull - 3, 8), BLK_ERROR);
        assert_int_equal(send_discard(g, 8, ~0ull), BLK_ERROR);
        round_trip(g, &p[0], 0, 0x16);
        /* A file cannot promise that nothing is left: not offered, and then
         * nothing is done by halves. */
        assert_int_equal(guest_backend_key(g, "discard-secure"), 0);
        assert_int_equal(send_secure_discard(g, 0, 8), BLK_EOPNOTSUPP);
        assert_int_equal(guest_io(g, BLK_READ, 0, p, 1), BLK_OKAY);
        assert_int_equal(p[0].bytes[0], 0x16);
        guest_destroy(g);
}

static void q16_a_flush_may_carry_data(void **state)
{
        struct guest *g = guest_create(image(), "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        fill(&p, 0x61);
        assert_int_equal(guest_io(g, BLK_FLUSH, 24, &p, 1), BLK_OKAY);
        fill(&p, 0);
        assert_int_equal(guest_io(g, BLK_READ, 24, &p, 1), BLK_OKAY);
        assert_int_equal(p.bytes[17], 0x61);
        assert_int_equal(guest_io(g, BLK_FLUSH, ~0ull, NULL, 0), BLK_OKAY);
        assert_int_equal(guest_counter(g, "flushes"), 2);
        guest_destroy(g);
}

/* A barrier waits for what its own ring took before, and for no other ring. */
static void q17_a_barrier_is_its_rings(void **state)
{
        char target[256];
        struct guest *g;
        struct page p[4];
        uint64_t id, before, barrier;

        snprintf(target, sizeof(target),
                 "fault:write-delay-ms=6000@1,write-delay-ms=500@2:%s",
                 image());
        g = guest_create(target, "--queues 2");
        guest_connect(g,
                      (struct connect_opts){.persistent = true, .queues = 2});
        for (unsigned i = 0; i < 4; i++) {
                guest_page(g, &p[i], true);
                fill(&p[i], (int)i);
        }
        guest_select(g, 1);
        guest_put(g, BLK_WRITE, 80, &p[0], 1);
        guest_kick(g);
        wait_until(guest_ring_counter(g, 1, "inflight") == 1);
        guest_select(g, 0);
        before = guest_put(g, BLK_WRITE, 0, &p[1], 1);
        barrier = guest_put(g, BLK_BARRIER, 8, &p[2], 1);
        guest_put(g, BLK_READ, 16, &p[3], 1);
        guest_kick(g);
        assert_int_equal(guest_answer(g, &id), BLK_OKAY);
        assert_int_equal(id, before);
        assert_int_equal(guest_answer(g, &id), BLK_OKAY);
        assert_int_equal(id, barrier);
        assert_int_equal(guest_answer(g, &id), BLK_OKAY);
        assert_int_equal(guest_ring_counter(g, 1, "inflight"), 1);
        guest_select(g, 1);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        guest_destroy(g);
}

static void q18_info_and_mode_agree(void **state)
{
        for (int ro = 0; ro < 2; ro++) {
                struct guest *g =
                        guest_create("ram:8M", ro ? "--readonly" : "");

                guest_connect(g, persistent);
                assert_int_equal(guest_backend_key(g, "info") & 4, ro ? 4 : 0);
                assert_string_equal(guest_backend_text(g, "mode"),
                                    ro ? "r" : "w");
                guest_destroy(g);
        }
}

/* Served as a disk with media in it that says what it is; without any, a
 * sentence (H32). */
static void q19_cdrom_and_removable_are_announced(void **state)
{
        struct guest *g = guest_create("ram:8M", "--readonly");
        struct page p;

        guest_connect(g, persistent);
        guest_disconnect(g);
        rig_backend_write(g, "device-type", "cdrom");
        rig_backend_write(g, "removable", "1");
        guest_connect(g, persistent);
        assert_int_equal(guest_backend_key(g, "info"), 1 + 2 + 4);
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        assert_int_not_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        guest_disconnect(g);
        rig_backend_write(g, "params", "");
        guest_state(g, XENBUS_INITIALISING);
        wait_until(strstr(guest_field(g, "error"), "params is empty"));
        guest_destroy(g);
}

static void q20_the_handle_means_nothing(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        for (unsigned h = 0; h < 0x10000; h += 0x1357) {
                struct blk_request req = {.op = h & 1 ? BLK_READ : BLK_WRITE,
                                          .handle = (uint16_t)h,
                                          .nsegs = 1};

                req.segs[0] = (struct blk_seg){p.gref, 0, 7};
                assert_int_equal(send(g, &req), BLK_OKAY);
        }
        guest_destroy(g);
}

/* Guests with larger pages send chunks of 4 KiB, and parts of them. */
static void q21_every_part_of_a_page_works(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p, q;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        guest_page(g, &q, true);
        for (uint8_t first = 0; first < 8; first++) {
                for (uint8_t last = first; last < 8; last++) {
                        size_t at = first * 512u;
                        size_t n = (last - first + 1u) * 512u;

                        memset(p.bytes, 0x80 + first, 4096);
                        memset(q.bytes, 0x11, 4096);
                        assert_int_equal(send_segment(g, BLK_WRITE, 100, &p,
                                                      first, last),
                                         BLK_OKAY);
                        assert_int_equal(
                                send_segment(g, BLK_READ, 100, &q, first, last),
                                BLK_OKAY);
                        assert_memory_equal(q.bytes + at, p.bytes + at, n);
                        assert_true(first == 0 || q.bytes[at - 1] == 0x11);
                        assert_true(last == 7 || q.bytes[at + n] == 0x11);
                }
        }
        guest_destroy(g);
}

/* The store has the guest's page until it has answered: it is mapped until
 * then, and Closed, which gives it back, waits for that. */
static void q22_a_page_is_the_stores_until_it_answers(void **state)
{
        char target[300];
        struct guest *g;
        struct page p;

        snprintf(target, sizeof(target), "fault:write-delay-ms=1500:%s",
                 image());
        for (int way = 0; way < 2; way++) {
                struct connect_opts o = {.persistent = way == 0};
                uint64_t pins;

                g = guest_create(target, "");
                guest_connect(g, o);
                guest_page(g, &p, true);
                fill(&p, 0x22 + way);
                guest_put(g, BLK_WRITE, 64, &p, 1);
                guest_kick(g);
                wait_until(guest_counter(g, "inflight") == 1 ||
                           front_ring_waiting(&g->ring));
                pins = gref_pins(g, p.gref, false);
                /* Looked at before the answer came. */
                if (!front_ring_waiting(&g->ring) &&
                    guest_counter(g, "via_copy") == 0 && way == 0)
                        assert_int_equal(pins, 1);
                guest_state(g, XENBUS_CLOSING);
                guest_wait_backend(g, XENBUS_CLOSED);
                assert_true(front_ring_waiting(&g->ring) > 0);
                assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
                assert_int_equal(guest_account(g).mapped, 0);
                guest_disconnect(g);
                guest_connect(g, persistent);
                fill(&p, 0xee);
                assert_int_equal(guest_io(g, BLK_READ, 64, &p, 1), BLK_OKAY);
                assert_int_equal(p.bytes[100], 0x22 + way);
                guest_destroy(g);
        }
}

static void q23_disk_numbers_of_every_kind(void **state)
{
        static const struct {
                const char *name;
                uint32_t vdev;
        } disks[] = {
                {"xvda", 202u << 8},
                {"xvdb3", 202u << 8 | 1u << 4 | 3},
                {"xvdp", 202u << 8 | 15u << 4},
                {"xvdq", 1u << 28 | 16u << 8},
                {"xvdaa", 1u << 28 | 26u << 8},
                {"hda", 3u << 8},
                {"hdc", 22u << 8},
                {"sda", 8u << 8},
        };

        for (unsigned i = 0; i < ARRAY_SIZE(disks); i++) {
                struct guest *g = guest_create_disk(
                        disks[i].name, disks[i].vdev, "ram:1M", "");
                struct page p;

                guest_connect(g, persistent);
                guest_page(g, &p, true);
                round_trip(g, &p, 0, 0x23);
                if (disks[i].name[0] == 'x')
                        assert_string_equal(guest_field(g, "name"),
                                            disks[i].name);
                guest_destroy(g);
        }
}

/* The same device by two programs of the guest after one another, with other
 * layouts, ring sizes and opinions about persistence. */
static void a_boot_loader_and_then_a_kernel(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;
        unsigned pins;

        guest_page(g, &p, true);
        for (int round = 0; round < 6; round++) {
                bool kernel = round & 1;
                struct connect_opts o = {
                        .order = kernel ? 4 : 0,
                        .persistent = kernel,
                        .abi = kernel ? BLK_ABI_NATIVE : BLK_ABI_X86_32,
                        .no_protocol = !kernel,
                        .keep_old_keys = true,
                };

                guest_connect(g, o);
                round_trip(g, &p, 8, 0x10 + round);
                pins = (unsigned)gref_pins(g, p.gref, false);
                assert_int_equal(pins, kernel);
                guest_disconnect(g);
                assert_int_equal(guest_account(g).mapped, 0);
        }
        guest_destroy(g);
}

/* The frontend takes no notice, and its disk goes nevertheless. */
static void a_disk_is_taken_from_a_frontend_that_sleeps(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        round_trip(g, &p, 0, 1);
        assert_int_equal(
                rig_run("%s detach %s xvda 2>&1", getenv("EVERGRANT"), g->name),
                0);
        assert_int_equal(guest_account(g).mapped, 0);
        assert_int_equal(guest_backend_state(g), XENBUS_UNKNOWN);
        assert_int_equal(rig_run("%s attach %s xvda ram:8M 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         0);
        guest_wait_backend(g, XENBUS_INIT_WAIT);
        guest_connect(g, persistent);
        round_trip(g, &p, 0, 2);
        guest_destroy(g);
}

/* Surprise removal: both directories are gone, and nobody was asked. */
static void a_disk_that_is_pulled_out_is_let_go(void **state)
{
        struct guest *g = guest_create("ram:8M", "");
        struct guest *other = guest_create("ram:8M", "");
        struct page p, q;

        guest_connect(g, persistent);
        guest_connect(other, persistent);
        guest_page(g, &p, true);
        guest_page(other, &q, true);
        round_trip(g, &p, 0, 1);
        assert_true(guest_account(g).mapped > 0);
        rig_remove_disk(g);
        wait_until(guest_account(g).mapped == 0);
        round_trip(other, &q, 0, 2);
        assert_int_equal(guest_backend_state(g), XENBUS_UNKNOWN);
        assert_int_equal(rig_run("%s attach %s xvda ram:8M 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         0);
        guest_connect(g, persistent);
        round_trip(g, &p, 0, 3);
        guest_destroy(g);
        guest_destroy(other);
}

static void a_new_size_is_told_by_the_state_node(void **state)
{
        struct guest *g = guest_create("ram:1M", "");
        struct page p;

        guest_connect(g, persistent);
        guest_page(g, &p, true);
        assert_int_equal(rig_run("%s resize %s xvda 4M 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         0);
        assert_int_equal(guest_backend_key(g, "sectors"), 8192);
        assert_int_equal(guest_backend_state(g), XENBUS_CONNECTED);
        round_trip(g, &p, 8184, 3);
        guest_destroy(g);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(q1_sectors_are_512_bytes),
                cmocka_unit_test(q2_order_0_goes_with_either_name),
                cmocka_unit_test(q3_stale_keys_are_not_inherited),
                cmocka_unit_test(q4_no_protocol_means_the_32_bit_layout),
                cmocka_unit_test(q5_all_layouts_carry_all_operations),
                cmocka_unit_test(q6_connected_without_initialised),
                cmocka_unit_test(q7_connected_means_that_the_ring_is_served),
                cmocka_unit_test(q8_every_key_is_there),
                cmocka_unit_test(q9_persistence_is_offered_early),
                cmocka_unit_test(q10_what_was_mapped_once_stays_mapped),
                cmocka_unit_test(q11_no_persistence_where_pages_are_not_kept),
                cmocka_unit_test(q12_unmapped_when_answered),
                cmocka_unit_test(q13_one_queue_under_the_top_keys),
                cmocka_unit_test(q14_ring_sizes_are_powers_of_two),
                cmocka_unit_test(q15_discard_of_odd_ranges),
                cmocka_unit_test(q16_a_flush_may_carry_data),
                cmocka_unit_test(q17_a_barrier_is_its_rings),
                cmocka_unit_test(q18_info_and_mode_agree),
                cmocka_unit_test(q19_cdrom_and_removable_are_announced),
                cmocka_unit_test(q20_the_handle_means_nothing),
                cmocka_unit_test(q21_every_part_of_a_page_works),
                cmocka_unit_test(q22_a_page_is_the_stores_until_it_answers),
                cmocka_unit_test(q23_disk_numbers_of_every_kind),
                cmocka_unit_test(a_boot_loader_and_then_a_kernel),
                cmocka_unit_test(a_disk_is_taken_from_a_frontend_that_sleeps),
                cmocka_unit_test(a_disk_that_is_pulled_out_is_let_go),
                cmocka_unit_test(a_new_size_is_told_by_the_state_node),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
