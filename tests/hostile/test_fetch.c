/* SPDX-License-Identifier: MIT */
/* H3, T-2FETCH in trap mode, and O-FETCH: the whole backend over a ring whose
 * memory changes right after it was read. Each request must have the outcome
 * of one of its values, and every shared word is loaded once. */
#include "rig.h"

#include "ring/ring_index.h"
#include "trap.h"
#include "wire.h"
#include "xen/grants.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_GREF 10u /* of rig.c: ring 0, page 0 */
#define RING_PAGE 0u  /* numbers for the trap */
#define TABLES 3u     /* pages 1 to 3: data pages 20, 21, 22 */
#define TABLE_DATA 20u
#define DATA_PAGES 16u
#define DISK_BYTES (128u << 10)
#define WORDS (GRANT_PAGE_BYTES / 4)

/* ---- what is watched ----------------------------------------------------*/

int __real_xen_grants_map(struct xen_grants *x, uint32_t domid,
                          const uint32_t *refs, unsigned n, bool writable,
                          void **pages);
int __wrap_xen_grants_map(struct xen_grants *x, uint32_t domid,
                          const uint32_t *refs, unsigned n, bool writable,
                          void **pages);
int __wrap_xen_grants_map(struct xen_grants *x, uint32_t domid,
                          const uint32_t *refs, unsigned n, bool writable,
                          void **pages)
{
        int ret = __real_xen_grants_map(x, domid, refs, n, writable, pages);

        if (ret || n != 1)
                return ret;
        if (refs[0] == RING_GREF)
                trap_watch(RING_PAGE, *pages, writable);
        for (unsigned i = 0; i < TABLES; i++)
                if (refs[0] == rig_gref(TABLE_DATA + i))
                        trap_watch(1 + i, *pages, writable);
        return 0;
}

void __real_xen_grants_unmap(struct xen_grants *x, void *pages, unsigned n);
void __wrap_xen_grants_unmap(struct xen_grants *x, void *pages, unsigned n);
void __wrap_xen_grants_unmap(struct xen_grants *x, void *pages, unsigned n)
{
        trap_unwatch(pages);
        __real_xen_grants_unmap(x, pages, n);
}

/* ---- the attack -----------------------------------------------------------*/

enum how {
        HOW_NOT,
        HOW_WORDS, /* each word becomes the other right after its first read */
        HOW_SWAP,  /* all words do after the at-th read */
};

static struct {
        enum how how;
        unsigned page, from, bytes; /* what is attacked */
        uint8_t other[GRANT_PAGE_BYTES];
        unsigned at, seen;
        unsigned loads[1 + TABLES][WORDS];
} attack;

static uint8_t *guest_view(unsigned page)
{
        return page == RING_PAGE ? fake_page(RING_GREF)
                                 : rig_page(TABLE_DATA + page - 1);
}

static void accessed(unsigned page, unsigned offset, bool write)
{
        unsigned word = offset / 4 * 4;
        uint8_t *view = guest_view(page);

        if (write)
                return;
        attack.loads[page][word / 4]++;
        if (page != attack.page || word < attack.from ||
            word >= attack.from + attack.bytes)
                return;
        attack.seen++;
        if (attack.how == HOW_WORDS)
                memcpy(view + word, attack.other + word - attack.from, 4);
        if (attack.how == HOW_SWAP && attack.seen == attack.at)
                memcpy(view + attack.from, attack.other, attack.bytes);
}

/* ---- a request and its outcome --------------------------------------------*/

struct outcome {
        int status;
        uint8_t op;
        uint64_t id, sum;
};

static uint64_t sum_of(const uint8_t *bytes, size_t len, uint64_t sum)
{
        for (size_t i = 0; i < len; i += 8) {
                uint64_t v;

                memcpy(&v, bytes + i, 8);
                sum = (sum ^ v) * 0x9e3779b97f4a7c15ull;
                sum ^= sum >> 29;
        }
        return sum;
}

static void paint(struct rig *rig)
{
        uint8_t *disk = test_store_data(rig->store);

        for (unsigned i = 0; i < DISK_BYTES; i += SECTOR_BYTES)
                memset(disk + i, (int)(1 + i / SECTOR_BYTES), SECTOR_BYTES);
        for (unsigned i = 0; i < DATA_PAGES; i++)
                rig_fill(i, (uint8_t)(0x80 + i));
}

static unsigned slot_offset(struct rig *rig)
{
        struct front_ring *f = &rig->rings[0].front;

        return (unsigned)((uint8_t *)ring_slot(f->shared, f->abi, f->slots,
                                               f->req_prod) -
                          (uint8_t *)f->shared);
}

/* Puts the slot as it is, and says what became of it. */
static struct outcome play(struct rig *rig, const union slot *s)
{
        struct rig_ring *r = &rig->rings[0];
        unsigned len = blk_layouts[r->p.abi].request_bytes;
        unsigned at = slot_offset(rig);
        struct blk_response rsp;
        struct outcome o;

        paint(rig);
        if (attack.page == RING_PAGE) {
                attack.from = at;
                attack.bytes = len;
        }
        memcpy(fake_page(RING_GREF) + at, s->bytes, len);
        attack.seen = 0;
        memset(attack.loads, 0, sizeof(attack.loads));
        r->front.req_prod++;
        rig_push(r);
        for (unsigned i = 0; i < 2000 && !rig_response_waits(r); i++)
                sched_yield();
        rsp = rig_await(r);
        for (unsigned i = 0; i < len / 4; i++)
                if (attack.loads[RING_PAGE][at / 4 + i] != 1)
                        fail_msg("word %u of the slot is loaded %u times", i,
                                 attack.loads[RING_PAGE][at / 4 + i]);
        o = (struct outcome){.status = rsp.status, .op = rsp.op, .id = rsp.id};
        o.sum = sum_of(test_store_data(rig->store), DISK_BYTES, 1);
        for (unsigned i = 0; i < DATA_PAGES; i++)
                o.sum = sum_of(rig_page(i), GRANT_PAGE_BYTES, o.sum);
        return o;
}

static void same(const struct outcome *got, const struct outcome *want,
                 const char *a, const char *b, unsigned at)
{
        if (got->status != want->status || got->op != want->op ||
            got->id != want->id || got->sum != want->sum)
                fail_msg("\"%s\" that becomes \"%s\" (%u): status %d and %d, "
                         "operation %u and %u",
                         a, b, at, got->status, want->status, got->op,
                         want->op);
}

/* ---- values of a slot
 * -------------------------------------------------------*/

struct value {
        const char *name;
        union slot slot;
};

struct values {
        enum blk_abi abi;
        struct value v[40];
        unsigned n;
};

#define ID 0x1122334455667788ull

static union slot *add(struct values *all, const char *name,
                       const union slot *base)
{
        struct value *v = &all->v[all->n++];

        v->name = name;
        v->slot = *base;
        return &v->slot;
}

#define SLOT(name, statement)                          \
        do {                                           \
                union slot *s = add(all, name, &base); \
                statement;                             \
        } while (0)
#define SET(field, value) WIRE_SET(s, all->abi, rw, field, value)

static void direct_values(struct values *all, uint8_t op)
{
        union slot base;

        all->n = 0;
        wire_rw(&base, all->abi, op, 3, ID, 8);
        for (unsigned i = 0; i < 11; i++)
                wire_seg(&base, all->abi, i, rig_gref(i), 0, 7);
        SLOT("base", (void)s);
        SLOT("read", SET(operation, BLK_READ));
        SLOT("write", SET(operation, BLK_WRITE));
        SLOT("barrier", SET(operation, BLK_BARRIER));
        SLOT("flush", SET(operation, BLK_FLUSH));
        SLOT("discard", SET(operation, BLK_DISCARD));
        SLOT("indirect", SET(operation, BLK_INDIRECT));
        SLOT("unknown", SET(operation, 255));
        SLOT("no segments", SET(nr_segments, 0));
        SLOT("2 segments", SET(nr_segments, 2));
        SLOT("11 segments", SET(nr_segments, 11));
        SLOT("12 segments", SET(nr_segments, 12));
        SLOT("255 segments", SET(nr_segments, 255));
        SLOT("handle", SET(handle, 0x1234));
        SLOT("id", SET(id, UINT64_MAX));
        SLOT("sector 64", SET(sector_number, 64));
        SLOT("past the end", SET(sector_number, 1ull << 63));
        SLOT("other gref", SET(seg[0].gref, rig_gref(12)));
        SLOT("bad gref", SET(seg[2].gref, RIG_BAD_GREF));
        SLOT("first 2", SET(seg[1].first_sect, 2));
        SLOT("first 5 last 3", SET(seg[1].first_sect, 5);
             SET(seg[1].last_sect, 3));
        SLOT("last 3", SET(seg[2].last_sect, 3));
        SLOT("last 8", SET(seg[2].last_sect, 8));
        SLOT("last 255", SET(seg[0].last_sect, 255));
        /* in every word */
        SLOT("another", wire_rw(s, all->abi, op ^ 1, 11, ~ID, 96);
             SET(handle, 0); for (unsigned i = 0; i < 11; i++)
                     wire_seg(s, all->abi, i, rig_gref(15 - i), 1, 6););
}

#undef SET
#define SET(field, value) WIRE_SET(s, all->abi, discard, field, value)

static void discard_values(struct values *all)
{
        union slot base;

        all->n = 0;
        wire_discard(&base, all->abi, 0, ID, 8, 16);
        SLOT("base", (void)s);
        SLOT("secure", SET(flag, 1));
        SLOT("nothing", SET(nr_sectors, 0));
        SLOT("64 sectors", SET(nr_sectors, 64));
        SLOT("2^63 sectors", SET(nr_sectors, 1ull << 63));
        SLOT("sector 32", SET(sector_number, 32));
        SLOT("sector 2^64 - 1", SET(sector_number, UINT64_MAX));
        SLOT("no operation", SET(operation, 4));
}

#undef SET
#define SET(field, value) WIRE_SET(s, all->abi, ind, field, value)

static void indirect_values(struct values *all, uint8_t op)
{
        union slot base;

        all->n = 0;
        wire_indirect(&base, all->abi, op, 3, ID, 8);
        for (unsigned i = 0; i < 8; i++)
                WIRE_SET(&base, all->abi, ind, indirect_grefs[i],
                         rig_gref(TABLE_DATA));
        SLOT("base", (void)s);
        SLOT("inner read", SET(indirect_op, BLK_READ));
        SLOT("inner write", SET(indirect_op, BLK_WRITE));
        SLOT("inner flush", SET(indirect_op, BLK_FLUSH));
        SLOT("inner unknown", SET(indirect_op, 255));
        SLOT("no segments", SET(nr_segments, 0));
        SLOT("2 segments", SET(nr_segments, 2));
        SLOT("9 segments", SET(nr_segments, 9));
        SLOT("257 segments", SET(nr_segments, 257));
        SLOT("65535 segments", SET(nr_segments, 65535));
        SLOT("sector 64", SET(sector_number, 64));
        SLOT("past the end", SET(sector_number, UINT64_MAX - 2));
        SLOT("other page", SET(indirect_grefs[0], rig_gref(TABLE_DATA + 1)));
        SLOT("bad page", SET(indirect_grefs[0], RIG_BAD_GREF));
        SLOT("id", SET(id, 0));
        SLOT("handle", SET(handle, 7));
        SLOT("direct", SET(operation, BLK_READ));
}

/* ---- all pairs
 * --------------------------------------------------------------*/

static void pair(struct rig *rig, struct values *all, unsigned a, unsigned b,
                 const struct outcome *of)
{
        unsigned len = blk_layouts[all->abi].request_bytes;
        struct outcome got;

        attack.how = HOW_WORDS;
        memcpy(attack.other, all->v[b].slot.bytes, len);
        got = play(rig, &all->v[a].slot);
        same(&got, &of[a], all->v[a].name, all->v[b].name, 0);
        attack.how = HOW_NOT;
}

/* All of it changes between two reads: what was read before is the old value,
 * what comes after is the new one, and nothing else counts. */
static void swaps(struct rig *rig, struct values *all, unsigned a, unsigned b)
{
        unsigned len = blk_layouts[all->abi].request_bytes;

        for (unsigned at = 1; at < len / 4; at++) {
                union slot mixed = all->v[b].slot;
                struct outcome got, want;

                memcpy(mixed.bytes, all->v[a].slot.bytes, 4 * (size_t)at);
                if (memcmp(mixed.bytes, all->v[a].slot.bytes, len) == 0 ||
                    memcmp(mixed.bytes, all->v[b].slot.bytes, len) == 0)
                        continue;
                want = play(rig, &mixed);
                attack.how = HOW_SWAP;
                attack.at = at;
                memcpy(attack.other, all->v[b].slot.bytes, len);
                got = play(rig, &all->v[a].slot);
                attack.how = HOW_NOT;
                same(&got, &want, all->v[a].name, all->v[b].name, at);
        }
}

static void all_pairs(struct rig *rig, struct values *all, bool each)
{
        struct outcome of[ARRAY_SIZE(all->v)];
        unsigned okay = 0;

        attack.how = HOW_NOT;
        attack.page = RING_PAGE;
        for (unsigned i = 0; i < all->n; i++) {
                of[i] = play(rig, &all->v[i].slot);
                okay += of[i].status == BLK_OKAY;
        }
        assert_in_range(okay, 1, all->n - 1);
        for (unsigned a = 0; a < all->n; a++) {
                for (unsigned b = 0; b < all->n; b++)
                        if (a != b && (each || a == 0 || b == 0))
                                pair(rig, all, a, b, of);
                if (a && each) {
                        swaps(rig, all, 0, a);
                        swaps(rig, all, a, 0);
                }
        }
}

/* ---- the tests
 * ----------------------------------------------------------------*/

static trap_fn told;

static void connect(struct rig *rig, enum blk_abi abi, enum back_grants how)
{
        struct back_queue_params *p = &rig->rings[0].p;

        trap_init(told); /* in each test: cmocka has a handler of its own */
        p->abi = abi;
        p->grants = how;
        p->persistent = how == BACK_PERSISTENT;
        p->max_persistent = 64;
        p->limits.max_indirect_segs = 256;
        front_ring_init(&rig->rings[0].front, fake_page(RING_GREF), 0, abi);
        assert_int_equal(rig_attach(rig, 0), 0);
}

static void fill_tables(void)
{
        for (unsigned t = 0; t < TABLES; t++) {
                for (unsigned i = 0; i < BLK_SEGS_PER_INDIRECT_PAGE; i++) {
                        uint32_t gref = rig_gref((i + 5 * t) % DATA_PAGES);
                        uint8_t tail[4] = {0, 7};

                        memcpy(rig_page(TABLE_DATA + t) + 8 * i, &gref, 4);
                        memcpy(rig_page(TABLE_DATA + t) + 8 * i + 4, tail, 4);
                }
        }
}

static const enum blk_abi abis[] = {BLK_ABI_NATIVE, BLK_ABI_X86_32};
static const enum back_grants hows[] = {BACK_PERSISTENT, BACK_MAP, BACK_COPY};

#define FOR_EACH(rig, abi_, how_)                                  \
        for (unsigned case_ = 0; case_ < 6; case_++)               \
                for (bool once_ = (connect((rig), abis[case_ % 2], \
                                           hows[case_ / 2]),       \
                                   fill_tables(), true);           \
                     once_; once_ = (rig_detach((rig), 0), false))

static void t_2fetch_each_field_of_a_request(void **state)
{
        struct rig *rig = *state;

        FOR_EACH(rig, abi, how)
        {
                struct values all = {.abi = abis[case_ % 2]};

                direct_values(&all, BLK_WRITE);
                all_pairs(rig, &all, case_ < 2);
                direct_values(&all, BLK_READ);
                all_pairs(rig, &all, false);
        }
}

static void t_2fetch_each_field_of_a_discard(void **state)
{
        struct rig *rig = *state;

        FOR_EACH(rig, abi, how)
        {
                struct values all = {.abi = abis[case_ % 2]};

                discard_values(&all);
                all_pairs(rig, &all, true);
        }
}

static void t_2fetch_each_field_of_an_indirect_request(void **state)
{
        struct rig *rig = *state;

        FOR_EACH(rig, abi, how)
        {
                struct values all = {.abi = abis[case_ % 2]};

                indirect_values(&all, BLK_WRITE);
                all_pairs(rig, &all, case_ < 2);
                indirect_values(&all, BLK_READ);
                all_pairs(rig, &all, false);
        }
}

/* A read becomes a write between the check and the act: nothing is written. */
static void t_2fetch_no_write_gets_to_a_read_only_disk(void **state)
{
        struct rig *rig = *state;

        rig->rings[0].p.limits.readonly = true;
        FOR_EACH(rig, abi, how)
        {
                struct values all = {.abi = abis[case_ % 2]};
                uint64_t pristine;

                paint(rig);
                pristine = sum_of(test_store_data(rig->store), DISK_BYTES, 1);
                for (unsigned kind = 0; kind < 2; kind++) {
                        if (kind)
                                indirect_values(&all, BLK_READ);
                        else
                                direct_values(&all, BLK_READ);
                        all_pairs(rig, &all, case_ == 1);
                        assert_true(sum_of(test_store_data(rig->store),
                                           DISK_BYTES, 1) == pristine);
                }
        }
}

/* ---- indirect pages
 * -------------------------------------------------------------*/

/* One word of an 8-byte entry, before and after. */
static const struct {
        const char *name;
        unsigned entry;
        uint32_t gref; /* 0: as it is */
        uint8_t first, last;
} entries[] = {
        {"as it is", 0, 0, 0, 7},       {"other page", 0, 5, 0, 7},
        {"no such gref", 2, 999, 0, 7}, {"first 3", 1, 0, 3, 7},
        {"last 2", 2, 0, 0, 2},         {"last 8", 0, 0, 0, 8},
        {"last 255", 2, 0, 0, 255},     {"first 6 last 1", 1, 0, 6, 1},
};

static void set_entry(uint8_t *table, unsigned which)
{
        uint8_t *at = table + 8 * (size_t)entries[which].entry;
        const uint8_t tail[4] = {entries[which].first, entries[which].last};
        uint32_t gref = entries[which].gref == 999
                                ? RIG_BAD_GREF
                                : rig_gref(entries[which].gref);

        if (entries[which].gref)
                memcpy(at, &gref, 4);
        memcpy(at + 4, tail, 4);
}

static void entry_pair(struct rig *rig, const union slot *s, unsigned a,
                       unsigned b, bool mapped)
{
        uint8_t *table = rig_page(TABLE_DATA);
        struct outcome want, got;

        attack.page = 1;
        attack.from = 0;
        attack.bytes = 9 * 8;
        fill_tables();
        set_entry(table, a);
        attack.how = HOW_NOT;
        want = play(rig, s);
        fill_tables();
        memcpy(attack.other, table, attack.bytes);
        set_entry(attack.other, b);
        set_entry(table, a);
        attack.how = HOW_WORDS;
        got = play(rig, s);
        same(&got, &want, entries[a].name, entries[b].name, 0);
        for (unsigned i = 0; mapped && i < 9 * 2; i++)
                assert_int_equal(attack.loads[1][i], 1);
        for (unsigned i = 9 * 2; i < WORDS; i++)
                assert_int_equal(attack.loads[1][i], 0);
        attack.how = HOW_NOT;
}

static void t_2fetch_each_entry_of_an_indirect_page(void **state)
{
        struct rig *rig = *state;

        FOR_EACH(rig, abi, how)
        {
                union slot s;

                for (uint8_t op = 0; op < 2; op++) {
                        wire_indirect(&s, abis[case_ % 2], op, 9, ID, 8);
                        WIRE_SET(&s, abis[case_ % 2], ind, indirect_grefs[0],
                                 rig_gref(TABLE_DATA));
                        for (unsigned a = 0; a < ARRAY_SIZE(entries); a++)
                                for (unsigned b = 0; b < ARRAY_SIZE(entries);
                                     b++)
                                        if (a == 0 || b == 0 || case_ == 0)
                                                entry_pair(rig, &s, a, b,
                                                           hows[case_ / 2] !=
                                                                   BACK_COPY);
                }
        }
}

/* ---- the producer index
 * -----------------------------------------------------*/

static struct {
        bool armed;
        uint32_t then;
} index_attack;

static void index_accessed(unsigned page, unsigned offset, bool write)
{
        uint32_t *prod = ring_word(fake_page(RING_GREF), RING_REQ_PROD);

        if (page != RING_PAGE || offset != 0 || write || !index_attack.armed)
                return;
        index_attack.armed = false;
        ring_store_release(prod, index_attack.then);
}

static bool is_broken(struct rig *rig)
{
        struct back_stats s;

        back_queue_stats(rig->rings[0].q, &s);
        return s.ring_broken;
}

static void t_2fetch_the_producer_index(void **state)
{
        static const struct {
                uint32_t first, then;
                unsigned answers;
                bool breaks;
        } cases[] = {
                {1, 40, 1, true},         /* legal, then not */
                {1, UINT32_MAX, 1, true}, /* … then backwards */
                {40, 1, 0, true},         /* not legal, then so */
                {1u << 31, 0, 0, true},
                {3, 5, 5, false}, /* legal, then more */
        };
        struct rig *rig = *state;
        struct rig_ring *r = &rig->rings[0];

        told = index_accessed;
        for (unsigned c = 0; c < 2 * ARRAY_SIZE(cases); c++) {
                enum blk_abi abi = abis[c % 2];
                uint32_t answered;
                union slot s;

                connect(rig, abi, BACK_PERSISTENT);
                rig_settle(rig);
                for (uint32_t i = 0; i < r->front.slots; i++) {
                        wire_rw(&s, abi, BLK_READ, 1, i, 0);
                        wire_seg(&s, abi, 0, rig_gref(0), 0, 7);
                        memcpy(ring_slot(r->front.shared, abi, r->front.slots,
                                         i),
                               s.bytes, blk_layouts[abi].request_bytes);
                }
                index_attack.then = cases[c / 2].then;
                index_attack.armed = true;
                ring_store_release(ring_word(r->front.shared, RING_REQ_PROD),
                                   cases[c / 2].first);
                fake_port_kick(r->remote_port);
                rig_until(!index_attack.armed);
                fake_port_kick(r->remote_port);
                if (cases[c / 2].breaks)
                        rig_until(is_broken(rig));
                rig_until((answered = ring_load_acquire(ring_word(
                                   r->front.shared, RING_RSP_PROD))) ==
                          cases[c / 2].answers);
                rig_settle(rig);
                assert_int_equal(ring_load_acquire(ring_word(r->front.shared,
                                                             RING_RSP_PROD)),
                                 cases[c / 2].answers);
                assert_int_equal(is_broken(rig), cases[c / 2].breaks);
                rig_detach(rig, 0);
        }
}

static int setup(void **state)
{
        told = accessed;
        attack.how = HOW_NOT;
        return rig_setup(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(t_2fetch_each_field_of_a_request),
                TEST(t_2fetch_each_field_of_a_discard),
                TEST(t_2fetch_each_field_of_an_indirect_request),
                TEST(t_2fetch_no_write_gets_to_a_read_only_disk),
                TEST(t_2fetch_each_entry_of_an_indirect_page),
                TEST(t_2fetch_the_producer_index),
        };

        if (!TRAP_WORKS)
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
