/* SPDX-License-Identifier: MIT */
/* A frontend and a backend on one ring, step by step in every order (within
 * bounds): each request is answered exactly once, and nobody sleeps while work
 * waits and no event is on its way. */
#include <string.h>

#include "explore.h"
#include "random.h"
#include "ring/back_ring.h"
#include "ring/front_ring.h"
#include "ring/ring_index.h"

#define MAX_REQUESTS 64

enum answering {
        AT_ONCE,  /* each response is pushed alone */
        IN_BATCH, /* what was drained is answered backwards, then pushed */
        LATE,     /* only when nothing waits, one at a time, last in first */
        ANSWERINGS
};

static struct {
        unsigned requests, slots;
        bool push_each; /* the frontend */
        enum answering answering;
        uint32_t start;
} cfg;

static uint32_t shared[GRANT_PAGE_BYTES / 4] __attribute__((aligned(4096)));
static struct front_ring front;
static struct back_ring back;
static unsigned sent, done, answered;
static unsigned asked[MAX_REQUESTS], got[MAX_REQUESTS];

static void start(void)
{
        memset(shared, 0, sizeof(shared));
        front = (struct front_ring){.shared = shared,
                                    .slots = cfg.slots,
                                    .req_prod = cfg.start,
                                    .req_pushed = cfg.start,
                                    .rsp_cons = cfg.start};
        back = (struct back_ring){.shared = shared,
                                  .slots = cfg.slots,
                                  .req_cons = cfg.start,
                                  .rsp_prod = cfg.start,
                                  .rsp_pushed = cfg.start};
        shared[RING_REQ_PROD] = shared[RING_RSP_PROD] = cfg.start;
        shared[RING_REQ_EVENT] = shared[RING_RSP_EVENT] = cfg.start + 1;
        sent = done = answered = 0;
        memset(asked, 0, sizeof(asked));
        memset(got, 0, sizeof(got));
}

static void front_push(void)
{
        if (front_ring_push(&front))
                explore_notify(BACK);
}

static void front_send(void)
{
        bool more = false;

        while (sent < cfg.requests && front_ring_free(&front)) {
                struct blk_request req = {.id = sent++, .op = BLK_FLUSH};

                front_ring_put(&front, &req);
                more = true;
                if (cfg.push_each)
                        front_push();
        }
        if (more && !cfg.push_each)
                front_push();
}

static void front_drain(void)
{
        uint32_t n;

        while ((n = front_ring_waiting(&front))) {
                while (n--) {
                        struct blk_response rsp;

                        front_ring_take(&front, &rsp);
                        if (rsp.id >= sent)
                                explore_fail("answer to what was not asked");
                        if (got[rsp.id]++)
                                explore_fail("answered twice");
                        done++;
                }
        }
        if (front.broken)
                explore_fail("the frontend thinks that the backend lies");
}

static void front_side(void)
{
        while (done < cfg.requests) {
                front_send();
                front_drain();
                if (done == cfg.requests)
                        break;
                if (sent < cfg.requests && front_ring_free(&front))
                        continue;
                if (!front_ring_final_check(&front))
                        explore_sleep();
        }
}

static void back_answer(uint64_t id)
{
        back_ring_respond(&back, id, BLK_FLUSH, BLK_OKAY);
        answered++;
}

static void back_push(void)
{
        if (back_ring_push(&back))
                explore_notify(FRONT);
}

static void back_side(void)
{
        uint64_t held[MAX_REQUESTS];
        unsigned nheld = 0;

        while (answered < cfg.requests) {
                uint32_t n = back_ring_waiting(&back);

                while (n--) {
                        uint8_t slot[BLK_SLOT_BYTES];
                        uint64_t id;

                        back_ring_take(&back, slot);
                        memcpy(&id, slot + blk_layouts[0].id, sizeof(id));
                        if (id >= sent || asked[id]++)
                                explore_fail("took what was not asked, or "
                                             "took it twice");
                        held[nheld++] = id;
                        if (cfg.answering == AT_ONCE) {
                                back_answer(held[--nheld]);
                                back_push();
                        }
                }
                if (nheld && cfg.answering == IN_BATCH) {
                        while (nheld)
                                back_answer(held[--nheld]);
                        back_push();
                }
                if (back.broken)
                        explore_fail("the backend thinks that the frontend "
                                     "lies");
                if (answered == cfg.requests || back_ring_final_check(&back))
                        continue;
                if (nheld) {
                        back_answer(held[--nheld]);
                        back_push();
                        continue;
                }
                explore_sleep();
        }
}

static void end(void)
{
        for (unsigned i = 0; i < cfg.requests; i++)
                if (asked[i] != 1 || got[i] != 1)
                        explore_fail("not answered exactly once");
        if (shared[RING_REQ_PROD] != cfg.start + cfg.requests ||
            shared[RING_RSP_PROD] != cfg.start + cfg.requests)
                explore_fail("the indices do not add up");
}

static const struct explore ring = {
        .name = "ring",
        .start = start,
        .side = {front_side, back_side},
        .end = end,
};

static uint64_t every_order(unsigned requests, unsigned slots,
                            unsigned departures)
{
        static const uint32_t starts[] = {0, 0xffffffff};
        uint64_t runs = 0;

        for (unsigned i = 0; i < 2 * ANSWERINGS * ARRAY_SIZE(starts); i++) {
                cfg.requests = requests;
                cfg.slots = slots;
                cfg.push_each = i % 2;
                cfg.answering = (enum answering)(i / 2 % ANSWERINGS);
                cfg.start = starts[i / 2 / ANSWERINGS];
                runs += explore_all(&ring, departures);
        }
        printf("%u requests, %u slots: %llu orders\n", requests, slots,
               (unsigned long long)runs);
        return runs;
}

int main(int argc, char **argv)
{
        rnd_start(argc, argv);
        check(every_order(1, 1, 4) > 10000, "too few orders");
        check(every_order(2, 1, 2) > 1000, "too few orders");
        check(every_order(2, 2, 3) > 10000, "too few orders");
        check(every_order(3, 2, 2) > 10000, "too few orders");
        for (unsigned i = 0; i < 200; i++) {
                cfg.requests = 1 + rnd_below(MAX_REQUESTS);
                cfg.slots = 1u << rnd_below(6);
                cfg.push_each = rnd_below(2);
                cfg.answering = (enum answering)rnd_below(ANSWERINGS);
                cfg.start = rnd_below(2) ? 0u - rnd_below(64) : (uint32_t)rnd();
                explore_random(&ring, 50, 2 + rnd_below(20));
        }
        printf("10000 random orders\n");
        return 0;
}
