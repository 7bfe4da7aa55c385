/* SPDX-License-Identifier: MIT */
/* Grants that are not what they should be: T-IND, T-DUPGREF, T-GNTDOS. */
#include "kit.h"

#include <inttypes.h>
#include <stdlib.h>

#define SECTORS 2048u

static const char *const modes[] = {"persistent", "map", "copy"};
static struct connect_opts layout(enum blk_abi abi)
{
        return (struct connect_opts){.persistent = true, .abi = abi};
}

/* ---- H7, T-IND
 * --------------------------------------------------------------*/

struct ind {
        struct guest *g;
        struct image disk;
        struct guarded data, table;
};

static void ind_create(struct ind *s, const char *mode, enum blk_abi abi)
{
        char opts[64];

        kit_image(&s->disk, "ind.img", SECTORS);
        snprintf(opts, sizeof(opts), "--grants %s", mode);
        s->g = guest_create(s->disk.path, opts);
        guest_connect(s->g, layout(abi));
        kit_guard(s->g, &s->data, 32);
        kit_guard(s->g, &s->table, 8);
        for (unsigned t = 0; t < 8; t++)
                for (unsigned i = 0; i < 512; i++)
                        kit_entry(&s->table.page[t], i,
                                  s->data.page[i % 32].gref, 0, 0);
}

static void ind_destroy(struct ind *s)
{
        kit_guard_check(&s->data);
        kit_guard_check(&s->table);
        kit_image_check(&s->disk, 0, 0);
        guest_destroy(s->g);
        kit_image_free(&s->disk);
}

/* Reads only: whatever is accepted changes no sector. */
static void t_ind_operations_and_counts(void **state)
{
        static const uint8_t ops[] = {BLK_READ,    BLK_FLUSH,    BLK_BARRIER,
                                      BLK_DISCARD, BLK_INDIRECT, 255};
        static const uint16_t counts[] = {0,    1,    255,  256,  257,
                                          511,  512,  513,  1023, 1024,
                                          1025, 4095, 4096, 4097, 65535};
        uint32_t grefs[8];

        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct ind s;

                ind_create(&s, modes[m], kit_abis[m % 2]);
                for (unsigned i = 0; i < 8; i++)
                        grefs[i] = s.table.page[i].gref;
                for (unsigned o = 0; o < ARRAY_SIZE(ops); o++) {
                        for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
                                uint16_t n = counts[i];
                                int status = kit_do(
                                        s.g, kit_put_indirect(s.g, ops[o], n, 0,
                                                              grefs, 8));

                                if (ops[o] != BLK_READ)
                                        assert_int_not_equal(status, BLK_OKAY);
                                else
                                        assert_int_equal(status,
                                                         n && n <= 256
                                                                 ? BLK_OKAY
                                                                 : BLK_ERROR);
                        }
                }
                kit_gnt(s.g);
                ind_destroy(&s);
        }
}

static int ind_read(struct ind *s, uint32_t gref, uint16_t n)
{
        return kit_do(s->g, kit_put_indirect(s->g, BLK_READ, n, 0, &gref, 1));
}

static void t_ind_descriptor_grefs_of_every_kind(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct page gone, readonly, *table;
                struct ind s;

                ind_create(&s, modes[m], kit_abis[m % 2]);
                table = &s.table.page[0];
                assert_int_equal(ind_read(&s, 30000, 20), BLK_ERROR);
                assert_int_equal(ind_read(&s, UINT32_MAX, 20), BLK_ERROR);
                assert_int_equal(ind_read(&s, 0, 20), BLK_ERROR);
                /* In itself: it is read before anything is put into it. */
                kit_entry(table, 3, table->gref, 0, 0);
                assert_int_equal(ind_read(&s, table->gref, 4), BLK_OKAY);
                for (unsigned i = 0; i < 512; i++)
                        kit_entry(table, i, s.data.page[i % 32].gref, 0, 0);
                assert_int_equal(ind_read(&s, table->gref, 256), BLK_OKAY);
                guest_page(s.g, &readonly, false);
                memcpy(readonly.bytes, table->bytes, 4096);
                assert_int_equal(ind_read(&s, readonly.gref, 64), BLK_OKAY);
                /* Not to be read into, as a descriptor's own page neither. */
                kit_entry(table, 5, readonly.gref, 0, 7);
                assert_int_equal(ind_read(&s, table->gref, 20), BLK_ERROR);
                kit_entry(table, 5, s.data.page[5].gref, 0, 0);
                guest_page(s.g, &gone, true);
                memcpy(gone.bytes, table->bytes, 4096);
                guest_unshare(s.g, &gone);
                assert_int_equal(ind_read(&s, gone.gref, 20), BLK_ERROR);
                kit_gnt(s.g);
                ind_destroy(&s);
        }
}

/* The ring page as descriptors and as data: harmful to its owner only. */
static void t_ind_the_ring_page_is_no_special_page(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct page ring;
                struct ind s;

                ind_create(&s, modes[m], kit_abis[m % 2]);
                ring = (struct page){s.g->ring_pages, s.g->rings[0].refs[0]};
                (void)ind_read(&s, ring.gref, 3);
                /* Overwrites the indices: they are not believed. */
                guest_put(s.g, BLK_READ, 0, &ring, 1);
                guest_kick(s.g);
                usleep(100000);
                kit_witness_check();
                kit_live(s.g, layout(BLK_ABI_NATIVE));
                ind_destroy(&s);
        }
}

/* ---- H18, T-DUPGREF
 * ---------------------------------------------------------*/

static void only_kept(struct guest *g, uint32_t gref, unsigned mode)
{
        wait_until(guest_counter(g, "inflight") == 0);
        assert_int_equal(gref_pins(g, gref, false), mode == 0);
        kit_gnt(g);
}

static void in_flight(struct guest *g, const struct page *p, bool write)
{
        for (unsigned i = 0; i < 8; i++)
                guest_put(g, write && i % 2 ? BLK_WRITE : BLK_READ, 8 * i, p,
                          1);
        guest_kick(g);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
}

static void t_dupgref_one_gref_in_many_places(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct connect_opts two = {.persistent = true, .queues = 2};
                struct page twice[11];
                struct guarded p;
                struct guest *g;
                char opts[64];

                snprintf(opts, sizeof(opts), "--queues 2 --grants %s",
                         modes[m]);
                g = guest_create("fault:delay-ms=20:ram:1M", opts);
                for (unsigned round = 0; round < 2; round++) {
                        guest_connect(g, two);
                        kit_guard(g, &p, 1);
                        for (unsigned i = 0; i < 11; i++)
                                twice[i] = p.page[0];
                        /* in one request */
                        assert_int_equal(guest_io(g, BLK_READ, 0, twice, 11),
                                         BLK_OKAY);
                        assert_int_equal(guest_io(g, BLK_WRITE, 0, twice, 2),
                                         BLK_OKAY);
                        /* in several at once */
                        in_flight(g, p.page, false);
                        in_flight(g, p.page, true);
                        only_kept(g, p.page[0].gref, m);
                        /* in two rings at once: each has a cache of its own */
                        for (unsigned q = 0; q < 2; q++) {
                                guest_select(g, q);
                                for (unsigned i = 0; i < 8; i++)
                                        guest_put(g, i % 2, 0, p.page, 1);
                                guest_kick(g);
                        }
                        for (unsigned q = 0; q < 2; q++) {
                                guest_select(g, q);
                                for (unsigned i = 0; i < 8; i++)
                                        assert_int_equal(guest_answer(g, NULL),
                                                         BLK_OKAY);
                        }
                        wait_until(guest_counter(g, "inflight") == 0);
                        assert_int_equal(gref_pins(g, p.page[0].gref, false),
                                         m == 0 ? 2 : 0);
                        kit_gnt(g);
                        kit_guard_check(&p);
                        /* across a reconnect: nothing is inherited */
                        guest_disconnect(g);
                        assert_int_equal(gref_pins(g, p.page[0].gref, false),
                                         0);
                }
                guest_destroy(g);
        }
}

/* In flight for a write and for a read at once, granted for reading only: the
 * write is served, the read is refused, and no mapping may write. */
static void t_dupgref_granted_read_only(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct page p, both[2];
                struct guest *g;
                char opts[64];
                uint64_t id, write;

                snprintf(opts, sizeof(opts), "--grants %s", modes[m]);
                g = guest_create("fault:delay-ms=20:ram:1M", opts);
                guest_connect(g, layout(kit_abis[m % 2]));
                guest_page(g, &p, false);
                memset(p.bytes, 0x61, 4096);
                both[0] = both[1] = p;
                write = guest_put(g, BLK_WRITE, 0, both, 2);
                guest_put(g, BLK_READ, 0, both, 1);
                guest_put(g, BLK_READ, 0, both, 2);
                guest_kick(g);
                for (unsigned i = 0; i < 3; i++) {
                        int status = guest_answer(g, &id);

                        assert_int_equal(status,
                                         id == write ? BLK_OKAY : BLK_ERROR);
                }
                for (unsigned i = 0; i < 4096; i++)
                        assert_int_equal(p.bytes[i], 0x61);
                assert_int_equal(gref_pins(g, p.gref, true), 0);
                assert_int_equal(gref_pins(g, p.gref, false), 0);
                kit_gnt(g);
                guest_destroy(g);
        }
}

static void t_dupgref_the_ring_page(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                struct page ring, p;
                struct guest *g;
                char opts[64];

                snprintf(opts, sizeof(opts), "--grants %s", modes[m]);
                g = guest_create("ram:1M", opts);
                guest_connect(g, layout(kit_abis[m % 2]));
                ring = (struct page){g->ring_pages, g->rings[0].refs[0]};
                guest_page(g, &p, true);
                for (unsigned i = 0; i < 40; i++)
                        assert_int_equal(guest_io(g, BLK_WRITE, 8, &ring, 1),
                                         BLK_OKAY);
                kit_gnt(g);
                assert_int_equal(guest_io(g, BLK_READ, 8, &p, 1), BLK_OKAY);
                kit_live(g, layout(BLK_ABI_NATIVE));
                guest_destroy(g);
        }
}

/* ---- H17, T-GNTDOS
 * ----------------------------------------------------------*/

#define DOS_REQUESTS 256u
#define DOS_SEGS 8u

struct dos {
        struct guest *g;
        uint64_t bound;
        uint64_t requests;
        uint32_t *refs;
        void **chunks;
        unsigned npages, used, at;
};

/* A full batch on each ring, each segment the next page of the set. */
static void dos_batch(struct dos *d)
{
        unsigned n = (unsigned)min_u64(d->g->ring.slots, DOS_REQUESTS);

        for (unsigned q = 0; q < d->g->queues; q++) {
                guest_select(d->g, q);
                for (unsigned i = 0; i < n; i++) {
                        unsigned segs =
                                1 + (unsigned)(kit_random() >> 40) % DOS_SEGS;
                        struct page p[DOS_SEGS];

                        for (unsigned k = 0; k < segs; k++, d->at++)
                                p[k].gref = d->refs[d->at % d->used];
                        guest_put(d->g, i % 2 ? BLK_WRITE : BLK_READ, 0, p,
                                  segs);
                }
                guest_kick(d->g);
                d->requests += n;
        }
        for (unsigned q = 0; q < d->g->queues; q++) {
                guest_select(d->g, q);
                for (unsigned i = 0; i < n; i++)
                        assert_int_equal(guest_answer(d->g, NULL), BLK_OKAY);
        }
}

#define DOS_CHUNK 64u

/* In chunks: frames of one share follow one another, and kept ones are spread
 * all over. */
static void share(struct dos *d, unsigned n)
{
        d->npages = (n + DOS_CHUNK - 1) / DOS_CHUNK * DOS_CHUNK;
        d->refs = calloc(d->npages, sizeof(*d->refs));
        d->chunks = calloc(d->npages / DOS_CHUNK, sizeof(*d->chunks));
        assert_non_null(d->refs);
        assert_non_null(d->chunks);
        for (unsigned i = 0; i < d->npages; i += DOS_CHUNK)
                assert_int_equal(xen_shares_share(d->g->shares, 0, DOS_CHUNK,
                                                  true, d->refs + i,
                                                  &d->chunks[i / DOS_CHUNK]),
                                 0);
        d->used = n;
}

static void unshare(struct dos *d)
{
        for (unsigned i = 0; i < d->npages / DOS_CHUNK; i++)
                xen_shares_unshare(d->g->shares, d->chunks[i], DOS_CHUNK);
        free(d->refs);
        free(d->chunks);
}

static void dos(const char *what, const char *opts, struct connect_opts o,
                unsigned set, uint64_t requests)
{
        struct dos d = {.g = guest_create("null:1G", opts)};
        struct account a;
        struct bounds before;
        bool fresh = set == 0;
        uint64_t samples = 0;

        guest_connect(d.g, o);
        d.bound = kit_map_bound(d.g, DOS_SEGS);
        if (!fresh)
                share(&d, set);
        before = kit_bounds();
        for (unsigned batch = 0; d.requests < requests; batch++) {
                if (fresh)
                        share(&d, o.queues * DOS_SEGS *
                                          (unsigned)min_u64(d.g->ring.slots,
                                                            DOS_REQUESTS));
                dos_batch(&d);
                if (fresh)
                        unshare(&d);
                if (batch == 0) /* what a first batch needs, it may keep */
                        before = kit_bounds();
                if (batch % 200 == 0) {
                        a = guest_account(d.g);
                        assert_true(a.mapped <= d.bound);
                        samples++;
                }
        }
        a = guest_account(d.g);
        printf("%s: %" PRIu64 " requests, %" PRIu64 " maps, at most %" PRIu64
               " at once, bound %" PRIu64 "\n",
               what, d.requests, a.map_pages, a.mapped_high, d.bound);
        assert_true(a.mapped_high <= d.bound);
        assert_true(guest_counter(d.g, "kept_high") <=
                    guest_counter(d.g, "max_persistent"));
        assert_int_equal(guest_counter(d.g, "errors"), 0);
        kit_gnt(d.g);
        kit_bounds_check(&before, what);
        kit_witness_check();
        if (!fresh)
                unshare(&d);
        guest_destroy(d.g);
}

static void t_gntdos_maps_stay_under_the_bound(void **state)
{
        uint64_t n = kit_scale(6000, 200000);
        struct connect_opts one = {.persistent = true, .queues = 1};
        struct connect_opts all = {.persistent = true, .queues = 4, .order = 4};
        static const char cap[] = "--grants persistent --max-persistent 64";

        dos("as many grants as the cap", cap, one, 64, n);
        dos("one more than the cap", cap, one, 65, n);
        dos("twice the cap", cap, one, 128, n);
        dos("always new grants", "--grants persistent", one, 0, n);
        dos("always new grants, 4 rings of order 4",
            "--grants persistent --queues 4 --ring-order 4", all, 0, n);
}

/* C3: descriptors do not grow with what is connected beyond 4 a disk. */
static void c3_descriptors_per_disk(void **state)
{
        struct bounds none = kit_bounds(), now;
        struct guest *g[8];

        for (unsigned i = 0; i < ARRAY_SIZE(g); i++) {
                g[i] = guest_create("ram:1M", "");
                guest_connect(g[i], layout(BLK_ABI_NATIVE));
        }
        now = kit_bounds();
        printf("C3: %" PRIu64 " descriptors with 1 disk, %" PRIu64
               " with %zu\n",
               none.fds, now.fds, 1 + ARRAY_SIZE(g));
        assert_true(now.fds <= none.fds + 4 * ARRAY_SIZE(g));
        assert_int_equal(now.threads, none.threads);
        for (unsigned i = 0; i < ARRAY_SIZE(g); i++)
                guest_destroy(g[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                KIT_TEST(c3_descriptors_per_disk),
                KIT_TEST(t_ind_operations_and_counts),
                KIT_TEST(t_ind_descriptor_grefs_of_every_kind),
                KIT_TEST(t_ind_the_ring_page_is_no_special_page),
                KIT_TEST(t_dupgref_one_gref_in_many_places),
                KIT_TEST(t_dupgref_granted_read_only),
                KIT_TEST(t_dupgref_the_ring_page),
                KIT_TEST(t_gntdos_maps_stay_under_the_bound),
        };

        setvbuf(stdout, NULL, _IOLBF, 0);
        return cmocka_run_group_tests(tests, kit_group_setup,
                                      kit_group_teardown);
}
