/* SPDX-License-Identifier: MIT */
/* The indices against peers that lie, and the edges of the ring. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ring/back_ring.h"
#include "ring/front_ring.h"
#include "ring/ring_index.h"

/* A ring between two pages that cannot be touched. */
struct fenced {
        uint8_t *all;
        size_t bytes;
        void *ring;
};

static struct fenced fenced_ring(unsigned order)
{
        size_t ring = (size_t)GRANT_PAGE_BYTES << order;
        struct fenced f = {.bytes = ring + 2 * GRANT_PAGE_BYTES};

        f.all = mmap(NULL, f.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0);
        assert_ptr_not_equal(f.all, MAP_FAILED);
        f.ring = f.all + GRANT_PAGE_BYTES;
        assert_int_equal(mprotect(f.ring, ring, PROT_READ | PROT_WRITE), 0);
        return f;
}

static void unfence(struct fenced *f)
{
        munmap(f->all, f->bytes);
}

static uint32_t page[GRANT_PAGE_BYTES / 4] __attribute__((aligned(4096)));

static void fresh(struct front_ring *f, struct back_ring *b)
{
        front_ring_init(f, page, 0, BLK_ABI_NATIVE);
        back_ring_init(b, page, 0, BLK_ABI_NATIVE);
}

static void ask(struct front_ring *f, uint64_t id)
{
        struct blk_request req = {.id = id, .op = BLK_FLUSH};

        front_ring_put(f, &req);
}

static void slots_of_each_order(void **state)
{
        static const uint32_t want[] = {32, 64, 128, 256, 512};

        for (unsigned order = 0; order <= BLK_MAX_RING_ORDER; order++)
                for (int abi = 0; abi < BLK_ABIS; abi++)
                        assert_int_equal(
                                blk_ring_slots((enum blk_abi)abi, order),
                                want[order]);
}

static void every_slot_round_trips_inside_the_pages(void **state)
{
        for (unsigned order = 0; order <= BLK_MAX_RING_ORDER; order++) {
                for (int a = 0; a < BLK_ABIS; a++) {
                        enum blk_abi abi = (enum blk_abi)a;
                        struct fenced mem = fenced_ring(order);
                        struct front_ring f;
                        struct back_ring b;

                        front_ring_init(&f, mem.ring, order, abi);
                        back_ring_init(&b, mem.ring, order, abi);
                        for (uint64_t id = 0; id < f.slots * 2; id++) {
                                uint8_t slot[BLK_SLOT_BYTES];
                                struct blk_response rsp;
                                uint64_t got;

                                ask(&f, id);
                                front_ring_push(&f);
                                assert_int_equal(back_ring_waiting(&b), 1);
                                back_ring_take(&b, slot);
                                memcpy(&got, slot + blk_layouts[abi].id, 8);
                                assert_int_equal(got, id);
                                back_ring_respond(&b, ~id, BLK_FLUSH,
                                                  BLK_ERROR);
                                back_ring_push(&b);
                                assert_int_equal(front_ring_waiting(&f), 1);
                                front_ring_take(&f, &rsp);
                                assert_true(rsp.id == ~id);
                                assert_int_equal(rsp.op, BLK_FLUSH);
                                assert_int_equal(rsp.status, BLK_ERROR);
                        }
                        unfence(&mem);
                }
        }
}

static void a_ring_full_is_fine_one_more_breaks(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ring_store_once(ring_word(page, RING_REQ_PROD), 32);
        assert_int_equal(back_ring_waiting(&b), 32);
        ring_store_once(ring_word(page, RING_REQ_PROD), 33);
        assert_int_equal(back_ring_waiting(&b), 0);
        assert_true(b.broken);
        /* For good: a repaired index does not heal it. */
        ring_store_once(ring_word(page, RING_REQ_PROD), 1);
        assert_int_equal(back_ring_waiting(&b), 0);
        assert_false(back_ring_final_check(&b));
}

static void unanswered_requests_count_toward_the_ring(void **state)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ring_store_once(ring_word(page, RING_REQ_PROD), 32);
        for (int i = 0; i < 32; i++) {
                assert_true(back_ring_waiting(&b) > 0);
                back_ring_take(&b, slot);
        }
        assert_int_equal(back_ring_waiting(&b), 0);
        assert_false(b.broken);
        back_ring_respond(&b, 0, 0, BLK_OKAY);
        ring_store_once(ring_word(page, RING_REQ_PROD), 33);
        assert_int_equal(back_ring_waiting(&b), 1);
        ring_store_once(ring_word(page, RING_REQ_PROD), 34);
        assert_int_equal(back_ring_waiting(&b), 0);
        assert_true(b.broken);
}

static void index_that_moves_backwards_breaks(void **state)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ring_store_once(ring_word(page, RING_REQ_PROD), 4);
        assert_int_equal(back_ring_waiting(&b), 4);
        back_ring_take(&b, slot);
        back_ring_take(&b, slot);
        ring_store_once(ring_word(page, RING_REQ_PROD), 1);
        assert_int_equal(back_ring_waiting(&b), 0);
        assert_true(b.broken);
}

static void lying_backend_breaks_the_frontend_end(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ask(&f, 1);
        ask(&f, 2);
        /* Two are in the ring, one was published. */
        f.req_prod--;
        front_ring_push(&f);
        f.req_prod++;
        ring_store_once(ring_word(page, RING_RSP_PROD), 1);
        assert_int_equal(front_ring_waiting(&f), 1);
        ring_store_once(ring_word(page, RING_RSP_PROD), 2);
        assert_int_equal(front_ring_waiting(&f), 0);
        assert_true(f.broken);
        assert_false(front_ring_final_check(&f));
}

static void shared_rsp_prod_decides_nothing(void **state)
{
        uint8_t slot[BLK_SLOT_BYTES];

        /* Whatever the guest puts there, the same event is sent. */
        for (uint32_t lie = 0; lie < 100; lie++) {
                struct front_ring f;
                struct back_ring b;

                fresh(&f, &b);
                ask(&f, 1);
                ask(&f, 2);
                front_ring_push(&f);
                assert_int_equal(back_ring_waiting(&b), 2);
                back_ring_take(&b, slot);
                back_ring_take(&b, slot);
                back_ring_respond(&b, 1, BLK_FLUSH, BLK_OKAY);
                ring_store_once(ring_word(page, RING_RSP_PROD), lie * 77);
                assert_true(back_ring_push(&b));
                back_ring_respond(&b, 2, BLK_FLUSH, BLK_OKAY);
                ring_store_once(ring_word(page, RING_RSP_PROD), lie * 77);
                assert_false(back_ring_push(&b));
                assert_int_equal(ring_load_once(ring_word(page, RING_RSP_PROD)),
                                 2);
        }
}

static void response_leaks_no_byte(void **state)
{
        struct front_ring f;
        struct back_ring b;
        uint8_t *slot = ring_slot(page, BLK_ABI_NATIVE, 32, 0);

        fresh(&f, &b);
        memset(slot, 0xee, BLK_SLOT_BYTES);
        back_ring_respond(&b, 5, BLK_READ, BLK_OKAY);
        assert_int_equal(slot[9], 0xee);
        for (unsigned i = 12; i < BLK_SLOT_BYTES; i++)
                assert_int_equal(slot[i], 0xee);
}

static void attach_goes_on_at_the_shared_rsp_prod(void **state)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        for (uint64_t id = 0; id < 5; id++)
                ask(&f, id);
        front_ring_push(&f);
        for (uint64_t id = 0; id < 3; id++) {
                assert_true(back_ring_waiting(&b) > 0);
                back_ring_take(&b, slot);
                back_ring_respond(&b, id, BLK_FLUSH, BLK_OKAY);
        }
        back_ring_push(&b);
        memset(&b, 0xff, sizeof(b));
        assert_int_equal(back_ring_attach(&b, page, 0, BLK_ABI_NATIVE), 0);
        assert_int_equal(back_ring_waiting(&b), 2);
        back_ring_take(&b, slot);
        assert_int_equal(slot[blk_layouts[0].id], 3);
}

static void attach_refuses_impossible_indices(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ring_store_once(ring_word(page, RING_RSP_PROD), 0xfffffff0);
        ring_store_once(ring_word(page, RING_REQ_PROD), 0x10);
        assert_int_equal(back_ring_attach(&b, page, 0, BLK_ABI_NATIVE), 0);
        assert_int_equal(back_ring_waiting(&b), 32);
        ring_store_once(ring_word(page, RING_REQ_PROD), 0x11);
        assert_int_equal(back_ring_attach(&b, page, 0, BLK_ABI_NATIVE),
                         -EPROTO);
        ring_store_once(ring_word(page, RING_REQ_PROD), 0xffffffef);
        assert_int_equal(back_ring_attach(&b, page, 0, BLK_ABI_NATIVE),
                         -EPROTO);
}

static void final_check_asks_for_the_next_event(void **state)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        ask(&f, 1);
        assert_true(front_ring_push(&f));
        assert_true(back_ring_final_check(&b)); /* something waits */
        assert_int_equal(back_ring_waiting(&b), 1);
        back_ring_take(&b, slot);
        ask(&f, 2);
        assert_false(front_ring_push(&f)); /* nobody asked for it */
        assert_int_equal(back_ring_waiting(&b), 1);
        back_ring_take(&b, slot);
        assert_false(back_ring_final_check(&b));
        ask(&f, 3);
        assert_true(front_ring_push(&f));
}

/* One request there and back, n times, by ends that look by themselves. */
static void turns(struct front_ring *f, struct back_ring *b, unsigned n)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct blk_response rsp;

        for (unsigned i = 0; i < n; i++) {
                ask(f, i);
                front_ring_push(f);
                assert_int_equal(back_ring_waiting(b), 1);
                back_ring_take(b, slot);
                back_ring_respond(b, i, BLK_FLUSH, BLK_OKAY);
                back_ring_push(b);
                assert_int_equal(front_ring_waiting(f), 1);
                front_ring_take(f, &rsp);
        }
}

static void who_takes_a_ring_without_an_event_looks(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        /* The first event is always asked for. */
        turns(&f, &b, 33);
        assert_false(back_ring_peer_looks(&b));
        assert_false(front_ring_peer_looks(&f));
        turns(&f, &b, 1);
        assert_true(back_ring_peer_looks(&b));
        assert_true(front_ring_peer_looks(&f));
        turns(&f, &b, 1000);
        assert_true(back_ring_peer_looks(&b));
        assert_true(front_ring_peer_looks(&f));
        /* One wants an event; the other goes on looking. */
        assert_false(front_ring_final_check(&f));
        turns(&f, &b, 1);
        assert_false(back_ring_peer_looks(&b));
        assert_true(front_ring_peer_looks(&f));
        turns(&f, &b, 33);
        assert_true(back_ring_peer_looks(&b));
        assert_false(back_ring_final_check(&b));
        turns(&f, &b, 1);
        assert_true(back_ring_peer_looks(&b));
        assert_false(front_ring_peer_looks(&f));
}

static void who_goes_on_at_an_index_has_been_told_nothing(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        turns(&f, &b, 1000);
        assert_int_equal(back_ring_attach(&b, page, 0, BLK_ABI_NATIVE), 0);
        assert_false(back_ring_peer_looks(&b));
        turns(&f, &b, 33);
        assert_true(back_ring_peer_looks(&b));
}

/* Far is who is late one time in five, whatever a single time said. */
static void far_is_who_is_often_late(void **state)
{
        struct ring_distance d = {0};

        for (unsigned i = 0; i < 10; i++)
                ring_distance_note(&d, 60);
        assert_false(ring_distance_is_far(&d));
        for (unsigned i = 0; i < 100; i++)
                ring_distance_note(&d, i % 10 ? 60 : 1000000);
        assert_false(ring_distance_is_far(&d));
        for (unsigned i = 0; i < 100; i++)
                ring_distance_note(&d, i % 3 ? 30 : 150);
        assert_true(ring_distance_is_far(&d));
        for (unsigned i = 0; i < 10; i++)
                ring_distance_note(&d, 60);
        assert_true(ring_distance_is_far(&d));
        for (unsigned i = 0; i < 20; i++)
                ring_distance_note(&d, 60);
        assert_false(ring_distance_is_far(&d));
}

/* Who looks says nothing about how far it is. */
static void far_is_a_matter_of_time_alone(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        turns(&f, &b, 100);
        assert_int_equal(b.distance.pushes, 100);
        assert_int_equal(f.distance.pushes, 100);
        b.distance.score = f.distance.score = 0;
        assert_false(back_ring_peer_is_far(&b));
        assert_false(front_ring_peer_is_far(&f));
        b.distance.score = f.distance.score = RING_EVIDENCE_MOST;
        assert_false(front_ring_final_check(&f));
        assert_false(back_ring_final_check(&b));
        assert_true(back_ring_peer_is_far(&b));
        assert_true(front_ring_peer_is_far(&f));
}

/* Raw bytes, as a 32-bit guest's compiler lays them out. */
static void i386_slots_are_108_bytes_apart(void **state)
{
        const uint8_t *raw = (const uint8_t *)page;
        struct front_ring f;
        struct back_ring b;

        front_ring_init(&f, page, 0, BLK_ABI_X86_32);
        back_ring_init(&b, page, 0, BLK_ABI_X86_32);
        for (uint64_t i = 0; i < 32; i++) {
                const uint8_t *slot = raw + 64 + 108 * i;
                int16_t status;
                uint64_t id;

                ask(&f, ~i);
                memcpy(&id, slot + 4, sizeof(id));
                assert_true(id == ~i);
                back_ring_respond(&b, i, BLK_WRITE, BLK_EOPNOTSUPP);
                memcpy(&id, slot, sizeof(id));
                memcpy(&status, slot + 10, sizeof(status));
                assert_true(id == i);
                assert_int_equal(slot[8], BLK_WRITE);
                assert_int_equal(status, BLK_EOPNOTSUPP);
        }
}

static void free_slots_are_counted(void **state)
{
        struct front_ring f;
        struct back_ring b;

        fresh(&f, &b);
        assert_int_equal(front_ring_free(&f), 32);
        for (uint64_t id = 0; id < 32; id++)
                ask(&f, id);
        assert_int_equal(front_ring_free(&f), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slots_of_each_order),
                cmocka_unit_test(every_slot_round_trips_inside_the_pages),
                cmocka_unit_test(a_ring_full_is_fine_one_more_breaks),
                cmocka_unit_test(unanswered_requests_count_toward_the_ring),
                cmocka_unit_test(index_that_moves_backwards_breaks),
                cmocka_unit_test(lying_backend_breaks_the_frontend_end),
                cmocka_unit_test(shared_rsp_prod_decides_nothing),
                cmocka_unit_test(response_leaks_no_byte),
                cmocka_unit_test(attach_goes_on_at_the_shared_rsp_prod),
                cmocka_unit_test(attach_refuses_impossible_indices),
                cmocka_unit_test(final_check_asks_for_the_next_event),
                cmocka_unit_test(who_takes_a_ring_without_an_event_looks),
                cmocka_unit_test(who_goes_on_at_an_index_has_been_told_nothing),
                cmocka_unit_test(far_is_who_is_often_late),
                cmocka_unit_test(far_is_a_matter_of_time_alone),
                cmocka_unit_test(i386_slots_are_108_bytes_apart),
                cmocka_unit_test(free_slots_are_counted),
        };

        return cmocka_run_group_tests_name("ring indices", tests, NULL, NULL);
}
