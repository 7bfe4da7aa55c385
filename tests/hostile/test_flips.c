/* SPDX-License-Identifier: MIT */
/* H3, T-2FETCH in random mode: a second thread flips bits of slots, indirect
 * pages and data pages from a printed seed while real requests run. */
#include "kit.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define SECTORS 4096u
#define DATA 64u
#define TABLES 4u

struct mutator {
        pthread_t thread;
        struct guest *g;
        struct guarded *data, *tables;
        uint64_t seed, flips, most;
        bool stop;
};

static uint64_t next(uint64_t *x)
{
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        return *x;
}

static void flip(uint8_t *at, uint64_t r)
{
        __atomic_xor_fetch(at, (uint8_t)(1u << (r & 7)), __ATOMIC_RELAXED);
}

static void flip_one(struct mutator *m, uint64_t *x)
{
        unsigned slots =
                m->g->ring.slots * blk_layouts[m->g->ring.abi].slot_bytes;
        uint64_t r = next(x);
        unsigned at = (unsigned)(r >> 40);

        if ((r >> 8 & 3) == 0)
                flip(m->data->page[at % DATA].bytes + (r >> 12) % 4096, r);
        else if ((r >> 8 & 3) == 1)
                flip(m->tables->page[at % TABLES].bytes + (r >> 12) % 256, r);
        else
                flip(m->g->ring_pages + RING_HEADER_BYTES + at % slots, r);
        __atomic_fetch_add(&m->flips, 1, __ATOMIC_RELAXED);
}

/* In turns so fast that hardly a request is left whole, and so slow that most
 * of them get far. */
static void *mutate(void *arg)
{
        struct mutator *m = arg;
        uint64_t x = m->seed;

        while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
                for (unsigned i = 0; i < 20000; i++)
                        flip_one(m, &x);
                for (unsigned i = 0; i < 40; i++) {
                        flip_one(m, &x);
                        usleep(50);
                }
        }
        return NULL;
}

static void put_one(struct guest *g, struct guarded *data,
                    struct guarded *tables, uint64_t r)
{
        unsigned n = 1 + (unsigned)(r >> 32) % 11;
        uint64_t sector = (r >> 40) % (SECTORS - 512);

        switch (r & 7) {
        case 0:
                kit_put_discard(g, 0, sector, 64);
                return;
        case 1:
                kit_put_rw(g, BLK_FLUSH, 0, 0, NULL, 0);
                return;
        case 2:
        case 3: {
                struct page *t = &tables->page[(r >> 16) % TABLES];

                for (unsigned i = 0; i < 32; i++)
                        kit_entry(t, i, data->page[(i + n) % DATA].gref, 0, 7);
                kit_put_indirect(g, (uint8_t)(r >> 3 & 1), 32, sector, &t->gref,
                                 1);
                return;
        }
        default:
                kit_put_rw(g, (uint8_t)(r >> 3 & 1), (uint8_t)n, sector,
                           &data->page[(r >> 20) % (DATA - 11)], n);
        }
}

/* Nobody but this guest writes req_prod: unless it asked for a read into its
 * own ring page, which a flipped gref may well do. */
static bool ring_is_whole(struct guest *g)
{
        return ring_load_acquire(ring_word(g->ring.shared, RING_REQ_PROD)) ==
               g->ring.req_pushed;
}

/* Ids and statuses are flipped too: all that can be said is how many answers
 * there are. False: the ring is no more. */
static bool take_all(struct guest *g, uint64_t *okay)
{
        struct pollfd p = {.fd = xen_evtchn_fd(g->ev), .events = POLLIN};
        struct blk_response rsp;
        int port;

        for (unsigned waits = 0; g->ring.rsp_cons != g->ring.req_pushed;) {
                if (!ring_is_whole(g))
                        return false;
                if (front_ring_waiting(&g->ring) ||
                    front_ring_final_check(&g->ring)) {
                        front_ring_take(&g->ring, &rsp);
                        *okay += rsp.status == BLK_OKAY;
                        continue;
                }
                if (++waits > 600)
                        fail_msg("no answer");
                poll(&p, 1, 100);
                while ((port = xen_evtchn_pending(g->ev)) >= 0)
                        xen_evtchn_unmask(g->ev, port);
        }
        return ring_load_acquire(ring_word(g->ring.shared, RING_RSP_PROD)) ==
                       g->ring.rsp_cons ||
               !ring_is_whole(g);
}

static void start(struct mutator *m)
{
        m->stop = false;
        assert_int_equal(pthread_create(&m->thread, NULL, mutate, m), 0);
}

static void stop(struct mutator *m)
{
        __atomic_store_n(&m->stop, true, __ATOMIC_RELAXED);
        pthread_join(m->thread, NULL);
        m->seed += 2;
}

static void flips(const char *mode, enum blk_abi abi, uint64_t most)
{
        struct connect_opts o = {.persistent = true, .abi = abi};
        uint64_t requests = 0, okay = 0, rings = 1;
        struct guarded data, tables;
        struct bounds before;
        struct image disk;
        struct mutator m;
        char opts[64];

        kit_image(&disk, "flips.img", SECTORS);
        snprintf(opts, sizeof(opts), "--grants %s", mode);
        m = (struct mutator){.g = guest_create(disk.path, opts),
                             .data = &data,
                             .tables = &tables,
                             .seed = kit_random() | 1};
        guest_connect(m.g, o);
        kit_guard(m.g, &data, DATA);
        kit_guard(m.g, &tables, TABLES);
        before = kit_bounds();
        start(&m);
        while (m.flips < most || requests < 10000) {
                for (unsigned i = 0; i < m.g->ring.slots; i++)
                        put_one(m.g, &data, &tables, kit_random());
                guest_kick(m.g);
                requests += m.g->ring.slots;
                if (!take_all(m.g, &okay)) {
                        stop(&m);
                        kit_live(m.g, o);
                        start(&m);
                        rings++;
                }
                if (requests == 32 * 150) /* after a warm-up */
                        before = kit_bounds();
        }
        stop(&m);
        printf("%s: %" PRIu64 " flips under %" PRIu64 " requests, %" PRIu64
               " of them served, on %" PRIu64 " rings\n",
               mode, m.flips, requests, okay, rings);
        assert_true(okay > 0 && okay < requests);
        /* Any page of its own, and any sector, may have been hit: it asked for
         * that. Nobody else's, and the file's size is what it was. */
        kit_image_check(&disk, 0, SECTORS);
        kit_bounds_check(&before, mode);
        kit_live(m.g, o);
        kit_gnt(m.g);
        kit_witness_check();
        guest_destroy(m.g);
        kit_image_free(&disk);
}

static void t_2fetch_random_flips(void **state)
{
        uint64_t most = kit_scale(3000000, 100000000) / 3;

        flips("persistent", BLK_ABI_NATIVE, most);
        flips("map", BLK_ABI_X86_32, most);
        flips("copy", BLK_ABI_NATIVE, most);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                KIT_TEST(t_2fetch_random_flips),
        };

        setvbuf(stdout, NULL, _IOLBF, 0);
        return cmocka_run_group_tests(tests, kit_group_setup,
                                      kit_group_teardown);
}
