/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

uint64_t kit_scale(uint64_t small, uint64_t whole)
{
        const char *v = getenv("HOSTILE_WHOLE");

        return v && *v && strcmp(v, "0") != 0 ? whole : small;
}

static struct timespec started;

int kit_setup(void **state)
{
        clock_gettime(CLOCK_MONOTONIC, &started);
        return 0;
}

int kit_teardown(void **state)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("%.1f s\n",
               (double)(now.tv_sec - started.tv_sec) +
                       (double)(now.tv_nsec - started.tv_nsec) / 1e9);
        return 0;
}

/* xorshift64* */
uint64_t kit_random(void)
{
        static uint64_t x;

        if (!x) {
                const char *seed = getenv("HOSTILE_SEED");

                x = seed ? strtoull(seed, NULL, 0)
                         : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
                if (!x)
                        x = 1;
                printf("seed %" PRIu64 "\n", x);
        }
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        return x * 0x2545f4914f6cdd1dull;
}

/* ---- slots ----------------------------------------------------------------*/

uint8_t *kit_slot(struct guest *g, uint32_t index)
{
        return ring_slot(g->ring.shared, g->ring.abi, g->ring.slots, index);
}

void kit_put(struct guest *g, const union slot *s)
{
        assert_true(front_ring_free(&g->ring) > 0);
        memcpy(kit_slot(g, g->ring.req_prod), s->bytes,
               blk_layouts[g->ring.abi].request_bytes);
        g->ring.req_prod++;
}

void kit_put_rw(struct guest *g, uint8_t op, uint8_t nsegs, uint64_t sector,
                const struct page *pages, unsigned npages)
{
        union slot s;

        wire_rw(&s, g->ring.abi, op, nsegs, g->next_id++, sector);
        for (unsigned i = 0; i < npages && i < BLK_DIRECT_SEGS; i++)
                wire_seg(&s, g->ring.abi, i, pages[i].gref, 0, 7);
        kit_put(g, &s);
}

void kit_put_part(struct guest *g, uint8_t op, uint64_t sector,
                  const struct page *p, uint8_t first, uint8_t last)
{
        union slot s;

        wire_rw(&s, g->ring.abi, op, 1, g->next_id++, sector);
        wire_seg(&s, g->ring.abi, 0, p->gref, first, last);
        kit_put(g, &s);
}

void kit_put_discard(struct guest *g, uint8_t flag, uint64_t sector,
                     uint64_t sectors)
{
        union slot s;

        wire_discard(&s, g->ring.abi, flag, g->next_id++, sector, sectors);
        kit_put(g, &s);
}

void kit_put_indirect(struct guest *g, uint8_t op, uint16_t nsegs,
                      uint64_t sector, const uint32_t *grefs, unsigned n)
{
        union slot s;

        wire_indirect(&s, g->ring.abi, op, nsegs, g->next_id++, sector);
        for (unsigned i = 0; i < n && i < BLK_MAX_INDIRECT_PAGES; i++)
                WIRE_SET(&s, g->ring.abi, ind, indirect_grefs[i], grefs[i]);
        kit_put(g, &s);
}

void kit_entry(struct page *table, unsigned i, uint32_t gref, uint8_t first,
               uint8_t last)
{
        const uint8_t tail[4] = {first, last, 0xee, 0xee};

        memcpy(table->bytes + 8 * (size_t)i, &gref, 4);
        memcpy(table->bytes + 8 * (size_t)i + 4, tail, 4);
}

void kit_advance(struct guest *g, uint32_t slot)
{
        struct batch b;

        kit_begin(g, &b);
        while ((g->ring.req_prod & (g->ring.slots - 1)) != slot)
                kit_put_rw(g, 200, 0, 0, NULL, 0);
        kit_exchange(g, &b);
        for (unsigned i = 0; i < b.n; i++)
                assert_int_equal(b.rsp[i].status, BLK_EOPNOTSUPP);
}

/* ---- batches: O-RSP -------------------------------------------------------*/

void kit_begin(struct guest *g, struct batch *b)
{
        b->first_id = g->next_id;
        b->n = 0;
}

/* Taken by hand: guest_answer forgets the operation. */
static void take(struct guest *g, struct batch *b, bool *seen)
{
        struct blk_response rsp;
        uint64_t at;

        if (!front_ring_waiting(&g->ring) &&
            !front_ring_final_check(&g->ring)) {
                int status = guest_answer(g, NULL);

                /* guest_answer has taken it: look at the slot again. */
                (void)status;
                g->ring.rsp_cons--;
        }
        front_ring_take(&g->ring, &rsp);
        at = rsp.id - b->first_id;
        if (at >= b->n)
                fail_msg("an answer to %" PRIu64 ", which was not asked",
                         rsp.id);
        if (seen[at])
                fail_msg("two answers to %" PRIu64, rsp.id);
        seen[at] = true;
        if (rsp.status != BLK_OKAY && rsp.status != BLK_ERROR &&
            rsp.status != BLK_EOPNOTSUPP)
                fail_msg("status %d", rsp.status);
        b->rsp[at] = rsp;
}

void kit_exchange(struct guest *g, struct batch *b)
{
        bool seen[KIT_SLOTS] = {0};

        b->n = g->ring.req_prod - g->ring.req_pushed;
        assert_int_equal(b->n, g->next_id - b->first_id);
        guest_kick(g);
        for (unsigned i = 0; i < b->n; i++)
                take(g, b, seen);
        assert_int_equal(
                ring_load_acquire(ring_word(g->ring.shared, RING_RSP_PROD)),
                g->ring.rsp_cons);
}
