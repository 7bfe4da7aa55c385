/* SPDX-License-Identifier: MIT */
/* Our two ends against the macros of xen/io/ring.h, which specify them: the
 * same random steps run on a page whose ends are all macros and on pages where
 * one or both ends are ours. Every answer must agree, and every byte of
 * the pages after every step (of 16 pages after every hundredth). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What ring.h calls its fences unless told of a newer interface. */
#define mb() __sync_synchronize()
#define rmb() __sync_synchronize()
#define wmb() __sync_synchronize()
#include <xen/xen.h>
#include <xen/io/blkif.h>

#include "ring/back_ring.h"
#include "ring/front_ring.h"

#define STEPS 200000

struct pair {
        bool front_ours, back_ours;
        unsigned order;
        void *shared;
        struct front_ring f;
        struct back_ring b;
        blkif_front_ring_t mf;
        blkif_back_ring_t mb;
};

static uint64_t seed;
static uint64_t rnd(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed;
}

static void pair_start(struct pair *p, unsigned order, uint32_t index)
{
        size_t bytes = (size_t)GRANT_PAGE_BYTES << order;
        struct blkif_sring *s;

        p->order = order;
        p->shared = aligned_alloc(GRANT_PAGE_BYTES, bytes);
        assert_non_null(p->shared);
        s = p->shared;
        if (p->front_ours) {
                front_ring_init(&p->f, s, order, BLK_ABI_NATIVE);
        } else {
                memset(s, 0, bytes);
                XEN_FRONT_RING_INIT(&p->mf, s, bytes);
        }
        BACK_RING_INIT(&p->mb, s, bytes);
        back_ring_init(&p->b, s, order, BLK_ABI_NATIVE);
        /* As if the ring had been in use for long. */
        s->req_prod = s->rsp_prod = index;
        s->req_event = s->rsp_event = index + 1;
        p->f.req_prod = p->f.req_pushed = p->f.rsp_cons = index;
        p->mf.req_prod_pvt = p->mf.rsp_cons = index;
        p->mb.req_cons = p->mb.rsp_prod_pvt = index;
        p->b.req_cons = p->b.rsp_prod = p->b.rsp_pushed = index;
}

/* ---- one step of each end; the answer, or what was read ------------------ */

static uint64_t front_free(struct pair *p)
{
        return p->front_ours ? front_ring_free(&p->f)
                             : RING_FREE_REQUESTS(&p->mf);
}

static void front_put(struct pair *p, const struct blk_request *r)
{
        struct blkif_request *q;

        if (p->front_ours) {
                front_ring_put(&p->f, r);
                return;
        }
        q = RING_GET_REQUEST(&p->mf, p->mf.req_prod_pvt);
        memset(q, 0, offsetof(struct blkif_request, seg));
        q->operation = (uint8_t)r->op;
        q->nr_segments = (uint8_t)r->nsegs;
        q->id = r->id;
        q->sector_number = r->sector;
        for (unsigned i = 0; i < r->nsegs; i++) {
                memset(&q->seg[i], 0, sizeof(q->seg[i]));
                q->seg[i].gref = r->segs[i].gref;
                q->seg[i].first_sect = r->segs[i].first_sector;
                q->seg[i].last_sect = r->segs[i].last_sector;
        }
        p->mf.req_prod_pvt++;
}

static uint64_t front_push(struct pair *p)
{
        int notify;

        if (p->front_ours)
                return front_ring_push(&p->f);
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&p->mf, notify);
        return (uint64_t)notify;
}

static uint64_t front_waiting(struct pair *p)
{
        return p->front_ours ? front_ring_waiting(&p->f)
                             : XEN_RING_NR_UNCONSUMED_RESPONSES(&p->mf);
}

static uint64_t front_take(struct pair *p)
{
        struct blkif_response m;
        struct blk_response o;

        if (p->front_ours) {
                front_ring_take(&p->f, &o);
        } else {
                RING_COPY_RESPONSE(&p->mf, p->mf.rsp_cons, &m);
                p->mf.rsp_cons++;
                o.id = m.id;
                o.op = m.operation;
                o.status = m.status;
        }
        return o.id * 1000 + o.op * 10u + (uint64_t)(-o.status);
}

static uint64_t front_final(struct pair *p)
{
        int more;

        if (p->front_ours)
                return front_ring_final_check(&p->f);
        RING_FINAL_CHECK_FOR_RESPONSES(&p->mf, more);
        return more != 0;
}

static uint64_t back_waiting(struct pair *p)
{
        return p->back_ours ? back_ring_waiting(&p->b)
                            : XEN_RING_NR_UNCONSUMED_REQUESTS(&p->mb);
}

static uint64_t back_take(struct pair *p)
{
        uint8_t slot[BLK_SLOT_BYTES];
        struct blkif_request q;
        uint64_t sum = 0;

        if (p->back_ours) {
                back_ring_take(&p->b, slot);
        } else {
                RING_COPY_REQUEST(&p->mb, p->mb.req_cons, &q);
                p->mb.req_cons++;
                memcpy(slot, &q, sizeof(slot));
        }
        for (unsigned i = 0; i < BLK_SLOT_BYTES; i++)
                sum = sum * 31 + slot[i];
        return sum;
}

static void back_respond(struct pair *p, uint64_t id, uint8_t op, int status)
{
        struct blkif_response *r;

        if (p->back_ours) {
                back_ring_respond(&p->b, id, op, (enum blk_status)status);
                return;
        }
        r = RING_GET_RESPONSE(&p->mb, p->mb.rsp_prod_pvt);
        r->id = id;
        r->operation = op;
        r->status = (int16_t)status;
        p->mb.rsp_prod_pvt++;
}

static uint64_t back_push(struct pair *p)
{
        int notify;

        if (p->back_ours)
                return back_ring_push(&p->b);
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&p->mb, notify);
        return (uint64_t)notify;
}

static uint64_t back_final(struct pair *p)
{
        int more;

        if (p->back_ours)
                return back_ring_final_check(&p->b);
        RING_FINAL_CHECK_FOR_REQUESTS(&p->mb, more);
        return more != 0;
}

/* ---- the same step on all pairs -------------------------------------------
 */

enum { PAIRS = 4 };

static const char *const step_names[] = {
        "put",       "front push", "front take", "front final check",
        "back take", "respond",    "back push",  "back final check",
};

static struct blk_request random_request(void)
{
        struct blk_request r = {.id = rnd(), .sector = rnd()};

        r.op = rnd() % 2 ? BLK_READ : BLK_WRITE;
        r.nsegs = (unsigned)(1 + rnd() % 11);
        for (unsigned i = 0; i < r.nsegs; i++)
                r.segs[i] = (struct blk_seg){.gref = (uint32_t)rnd(),
                                             .first_sector = (uint8_t)rnd(),
                                             .last_sector = (uint8_t)rnd()};
        return r;
}

static uint64_t step(struct pair *p, unsigned kind, const struct blk_request *r,
                     uint32_t unanswered)
{
        switch (kind) {
        case 0:
                if (front_free(p) == 0)
                        return 0;
                front_put(p, r);
                return front_free(p);
        case 1:
                return front_push(p);
        case 2:
                return front_waiting(p) ? front_take(p) : 1;
        case 3:
                return front_final(p);
        case 4:
                return back_waiting(p) ? back_take(p) : 1;
        case 5:
                if (unanswered)
                        back_respond(p, r->id, (uint8_t)r->op,
                                     -(int)(r->id % 3));
                return 0;
        case 6:
                return back_push(p);
        default:
                return back_final(p);
        }
}

static void run(unsigned order, uint32_t index)
{
        struct pair p[PAIRS] = {
                {.front_ours = false, .back_ours = false},
                {.front_ours = true, .back_ours = false},
                {.front_ours = false, .back_ours = true},
                {.front_ours = true, .back_ours = true},
        };
        size_t bytes = (size_t)GRANT_PAGE_BYTES << order;
        int every = order ? 100 : 1;

        for (int i = 0; i < PAIRS; i++)
                pair_start(&p[i], order, index);
        for (int n = 0; n < STEPS; n++) {
                struct blk_request r = random_request();
                unsigned kind = (unsigned)(rnd() % ARRAY_SIZE(step_names));
                uint32_t open = p[0].mb.req_cons - p[0].mb.rsp_prod_pvt;
                uint64_t want = step(&p[0], kind, &r, open);

                for (int i = 1; i < PAIRS; i++) {
                        uint64_t got = step(&p[i], kind, &r, open);

                        if (got == want &&
                            (n % every ||
                             !memcmp(p[0].shared, p[i].shared, bytes)))
                                continue;
                        fail_msg("%s differs (front %s, back %s) at step %d",
                                 step_names[kind],
                                 p[i].front_ours ? "ours" : "macros",
                                 p[i].back_ours ? "ours" : "macros", n);
                }
        }
        /* It did go round. */
        assert_true(p[0].mb.req_cons - index > 4 * p[0].mb.nr_ents);
        for (int i = 0; i < PAIRS; i++) {
                assert_false(p[i].f.broken);
                assert_false(p[i].b.broken);
                free(p[i].shared);
        }
}

static void same_answers_and_bytes_from_index_0(void **state)
{
        run(0, 0);
}

static void same_answers_and_bytes_where_the_index_wraps(void **state)
{
        run(0, 0xffffffe0);
        run(0, 0x7fffffe0);
}

static void same_answers_and_bytes_on_16_pages(void **state)
{
        run(4, 0xffffff00);
}

static void same_number_of_slots(void **state)
{
        for (unsigned order = 0; order <= BLK_MAX_RING_ORDER; order++)
                assert_int_equal(
                        blk_ring_slots(BLK_ABI_NATIVE, order),
                        __CONST_RING_SIZE(blkif,
                                          (size_t)GRANT_PAGE_BYTES << order));
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(same_number_of_slots),
                cmocka_unit_test(same_answers_and_bytes_from_index_0),
                cmocka_unit_test(same_answers_and_bytes_where_the_index_wraps),
                cmocka_unit_test(same_answers_and_bytes_on_16_pages),
        };
        const char *env = getenv("SEED");

        seed = strtoull(argc > 1 ? argv[1] : env ? env : "1", NULL, 0);
        printf("seed %llu\n", (unsigned long long)seed);
        seed = seed * 0x9e3779b97f4a7c15u + 1;
        return cmocka_run_group_tests_name("ring against ring.h", tests, NULL,
                                           NULL);
}
