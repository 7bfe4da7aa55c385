/* SPDX-License-Identifier: MIT */
/* Where data may come from and go to: T-RO, T-END, T-SECT, T-MERGE, T-STALE. */
#include "kit.h"

#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char *const modes[] = {"persistent", "map", "copy"};
static struct connect_opts layout(enum blk_abi abi, unsigned order)
{
        return (struct connect_opts){
                .persistent = true, .abi = abi, .order = order};
}

/* ---- H4, T-RO
 * ---------------------------------------------------------------*/

static void fail_op(const char *what, uint8_t op, int status)
{
        fail_msg("%s, operation %u: status %d", what, op, status);
}

static void changes_nothing(struct guest *g, struct image *disk,
                            const struct guarded *p, struct page *table)
{
        uint64_t refused;
        int status;

        for (unsigned op = 1; op < 256; op++) {
                for (uint8_t nsegs = 0; nsegs <= 11; nsegs += 11) {
                        /* without data they write nothing */
                        bool may = (op == BLK_FLUSH || op == BLK_BARRIER) &&
                                   nsegs == 0;

                        status = kit_do(g, kit_put_rw(g, (uint8_t)op, nsegs, 8,
                                                      p->page, nsegs));
                        if (status == BLK_OKAY && !may)
                                fail_op("direct", (uint8_t)op, status);
                }
                kit_entry(table, 0, p->page[0].gref, 0, 7);
                status = kit_do(g, kit_put_indirect(g, (uint8_t)op, 1, 8,
                                                    &table->gref, 1));
                if (status == BLK_OKAY)
                        fail_op("indirect", (uint8_t)op, status);
        }
        for (uint8_t flag = 0; flag < 4; flag++) {
                status = kit_do(g, kit_put_discard(g, flag, 8, 64));
                if (status == BLK_OKAY)
                        fail_op("discard", flag, status);
        }
        kit_image_check(disk, 0, 0);
        /* The image is open for reading only; here it must not get so far. */
        refused = kit_refused(g, "readonly");
        for (uint8_t op = 0; op < 2; op++) {
                kit_do(g, kit_put_indirect(g, op, 1, 8, &table->gref, 1));
                assert_int_equal(kit_refused(g, "readonly"), refused + op);
        }
}

static void t_ro_a_read_only_disk_is_never_written(void **state)
{
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                char opts[64];
                struct image disk;
                struct guest *g;

                kit_image(&disk, "ro.img", 512);
                snprintf(opts, sizeof(opts), "--readonly --grants %s",
                         modes[m]);
                g = guest_create(disk.path, opts);
                for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                        struct guarded p, table;

                        guest_connect(g, layout(kit_abis[a], 0));
                        kit_guard(g, &p, 11);
                        kit_guard(g, &table, 1);
                        changes_nothing(g, &disk, &p, &table.page[0]);
                        assert_int_equal(kit_do(g, kit_put_rw(g, BLK_READ, 11,
                                                              8, p.page, 11)),
                                         BLK_OKAY);
                        kit_guard_check(&p);
                        kit_guard_check(&table);
                        guest_disconnect(g);
                }
                guest_destroy(g);
                kit_image_free(&disk);
        }
}

/* Attached for writing, but what is below refuses to be written: the guest is
 * told, whatever it asks. */
static void t_ro_an_image_that_cannot_be_written(void **state)
{
        struct image disk;
        struct guarded p;
        struct guest *g;
        uint8_t *was = malloc(512 * 512);
        int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

        assert_non_null(was);
        snprintf(disk.path, sizeof(disk.path), "/proc/%d/fd/%d", getpid(), fd);
        disk.sectors = 512;
        disk.was = was;
        memset(was, 0x3c, 512 * 512);
        assert_int_equal(write(fd, was, 512 * 512), 512 * 512);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK),
                         0);
        g = guest_create(disk.path, "");
        guest_connect(g, layout(BLK_ABI_NATIVE, 0));
        kit_guard(g, &p, 2);
        assert_int_equal(kit_do(g, kit_put_rw(g, BLK_WRITE, 1, 8, p.page, 1)),
                         BLK_ERROR);
        assert_int_equal(kit_do(g, kit_put_rw(g, BLK_BARRIER, 1, 8, p.page, 1)),
                         BLK_ERROR);
        assert_int_not_equal(kit_do(g, kit_put_discard(g, 0, 0, 512)),
                             BLK_OKAY);
        assert_int_equal(kit_do(g, kit_put_rw(g, BLK_READ, 2, 8, p.page, 2)),
                         BLK_OKAY);
        kit_image_check(&disk, 0, 0);
        guest_destroy(g);
        kit_image_free(&disk);
        close(fd);
}

/* ---- H5, T-END
 * --------------------------------------------------------------*/

#define GUARD_SECTORS 64u

/* The file goes on after the disk's end: what is there is not the guest's. */
static void grow_behind(struct image *disk)
{
        uint64_t all = disk->sectors + GUARD_SECTORS;
        int fd = open(disk->path, O_WRONLY | O_APPEND);

        disk->was = realloc(disk->was, all * 512);
        assert_non_null(disk->was);
        memset(disk->was + disk->sectors * 512, 0x99, GUARD_SECTORS * 512);
        assert_int_equal(
                write(fd, disk->was + disk->sectors * 512, GUARD_SECTORS * 512),
                GUARD_SECTORS * 512);
        close(fd);
        disk->sectors = all;
}

struct end {
        struct guest *g;
        struct image disk;
        struct guarded p;
        struct blk_limits lim;
        unsigned accepted;
};

/* The request in the producer's slot: served exactly if the reference parser,
 * in 128 bit arithmetic, accepts it, and then only there. */
static void judge(struct end *e)
{
        struct blk_request req; /* for the message only */
        struct ref_request ref;
        union slot slot;
        struct batch b;
        uint64_t from = 0, n = 0;
        int want;

        memcpy(slot.bytes, kit_slot(e->g, e->g->ring.req_prod - 1),
               blk_layouts[e->g->ring.abi].request_bytes);
        ref_parse(e->g->ring.abi, slot.bytes, &e->lim, &ref);
        blk_parse(e->g->ring.abi, slot.bytes, &e->lim, &req);
        b.first_id = e->g->next_id - 1;
        kit_exchange(e->g, &b);
        want = ref.accept        ? BLK_OKAY
               : ref.not_offered ? BLK_EOPNOTSUPP
                                 : BLK_ERROR;
        if (b.rsp[0].status != want)
                fail_msg("operation %u at %" PRIu64 ": status %d",
                         slot.rw.operation, req.sector, b.rsp[0].status);
        if (ref.accept && ref.npairs) {
                const struct ref_pair *last = &ref.pairs[ref.npairs - 1];

                from = (uint64_t)ref.pairs[0].sector;
                n = (uint64_t)(last->sector + last->sectors) - from;
                e->accepted++;
        }
        kit_image_check(&e->disk, from, n);
        if (n)
                kit_image_settle(&e->disk);
}

static void starts_and_lengths(struct end *e)
{
        uint64_t size = e->lim.sectors;
        const uint64_t starts[] = {0,
                                   size - 1,
                                   size,
                                   size + 1,
                                   size - 8,
                                   size - 7,
                                   size - 88,
                                   1ull << 63,
                                   UINT64_MAX,
                                   UINT64_MAX - 7,
                                   UINT64_MAX - 87,
                                   (1ull << 55) - 1,
                                   1ull << 55};
        const uint64_t lengths[] = {0,        1,        8,          size,
                                    size - 1, size + 1, 1ull << 63, UINT64_MAX};
        static const uint8_t segs[] = {1, 2, 11};

        for (unsigned s = 0; s < ARRAY_SIZE(starts); s++) {
                for (uint8_t op = 0; op < 4; op++) {
                        for (unsigned n = 0; n < ARRAY_SIZE(segs); n++) {
                                kit_put_rw(e->g, op, segs[n], starts[s],
                                           e->p.page, segs[n]);
                                judge(e);
                        }
                        kit_put_part(e->g, op, starts[s], e->p.page, 3, 3);
                        judge(e);
                }
                for (unsigned n = 0; n < ARRAY_SIZE(lengths); n++) {
                        kit_put_discard(e->g, 0, starts[s], lengths[n]);
                        judge(e);
                }
        }
}

static void end_of(uint64_t sectors, uint32_t block, enum blk_abi abi)
{
        struct end e = {.accepted = 0};

        kit_image(&e.disk, "end.img", sectors);
        e.g = guest_create(e.disk.path, "--grants persistent");
        if (block != 512) { /* it holds from the next connect on */
                guest_connect(e.g, layout(abi, 0));
                guest_disconnect(e.g);
                rig_backend_write(e.g, "eg-block-size", "4096");
        }
        guest_connect(e.g, layout(abi, 0));
        grow_behind(&e.disk);
        kit_guard(e.g, &e.p, 11);
        e.lim = (struct blk_limits){
                .sectors = guest_backend_key(e.g, "sectors"),
                .block_bytes = block,
                .flush = guest_backend_key(e.g, "feature-flush-cache"),
                .barrier = guest_backend_key(e.g, "feature-barrier"),
                .discard = guest_backend_key(e.g, "feature-discard"),
                .max_indirect_segs = 256,
        };
        assert_int_equal(e.lim.sectors, sectors);
        assert_int_equal(guest_backend_key(e.g, "sector-size"), block);
        starts_and_lengths(&e);
        assert_true(e.accepted > 20);
        kit_guard_check(&e.p);
        guest_destroy(e.g);
        kit_image_free(&e.disk);
}

static void t_end_nothing_past_the_end_is_touched(void **state)
{
        end_of(1024, 512, BLK_ABI_NATIVE);
        end_of(1021, 512, BLK_ABI_X86_32);
        end_of(1024, 4096, BLK_ABI_NATIVE);
        end_of(1016, 4096, BLK_ABI_X86_32);
        kit_witness_check();
}

/* Cut while it is connected: what was legal is no more. */
static void t_end_a_disk_that_shrinks(void **state)
{
        struct guest *g =
                guest_create("fault:write-delay-ms=1500@3:ram:1M", "");
        struct guarded p;

        guest_connect(g, layout(BLK_ABI_NATIVE, 0));
        kit_guard(g, &p, 1);
        assert_int_equal(guest_io(g, BLK_WRITE, 2040, p.page, 1), BLK_OKAY);
        assert_int_equal(rig_run("%s resize %s xvda 512k 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         0);
        assert_int_equal(guest_io(g, BLK_WRITE, 1016, p.page, 1), BLK_OKAY);
        assert_int_equal(guest_io(g, BLK_WRITE, 1017, p.page, 1), BLK_ERROR);
        assert_int_equal(guest_io(g, BLK_READ, 2040, p.page, 1), BLK_ERROR);
        /* Not under a write. */
        guest_put(g, BLK_WRITE, 1016, p.page, 1);
        guest_kick(g);
        wait_until(guest_counter(g, "inflight") == 1);
        assert_int_equal(rig_run("%s resize %s xvda 256k 2>&1",
                                 getenv("EVERGRANT"), g->name),
                         1);
        assert_int_equal(guest_answer(g, NULL), BLK_OKAY);
        kit_guard_check(&p);
        guest_destroy(g);
}

/* ---- H6, T-SECT
 * -------------------------------------------------------------*/

#define SECT_ORDER 2u

struct sect {
        struct guest *g;
        struct image disk;
        struct guarded p, tables;
        bool write, indirect;
        uint8_t *now;
};

static bool is_legal(unsigned first, unsigned last)
{
        return first <= last && last < 8;
}

/* All pages but what was asked for are as painted. */
static void check_read(struct sect *s, unsigned i, unsigned first,
                       unsigned last)
{
        uint8_t *page = s->p.page[i].bytes;
        uint8_t want[4096];

        memset(want, 0x5a, 4096);
        if (is_legal(first, last))
                memcpy(want + first * 512, s->disk.was + (size_t)i * 4096,
                       (last - first + 1) * 512);
        if (memcmp(page, want, 4096) != 0)
                fail_msg("read of sectors %u to %u wrote elsewhere", first,
                         last);
        if (is_legal(first, last))
                memset(page, 0x5a, 4096);
}

static void check_writes(struct sect *s, unsigned n, unsigned first,
                         unsigned last)
{
        bool any = false;

        for (unsigned i = 0; i < n; i++) {
                if (!is_legal(first, last + i))
                        continue;
                memcpy(s->disk.was + (size_t)i * 4096,
                       s->p.page[i].bytes + first * 512,
                       (last + i - first + 1) * 512);
                any = true;
        }
        kit_image_read(&s->disk, 0, s->now, s->disk.sectors);
        if (memcmp(s->now, s->disk.was, s->disk.sectors * 512) != 0)
                fail_msg("a write of sectors %u to %u… went elsewhere", first,
                         last);
        if (any) /* other bytes for the next */
                for (unsigned i = 0; i < n; i++)
                        memset(s->p.page[i].bytes, (int)kit_random(), 4096);
}

/* A full ring of pairs: one first, `slots` values of last. */
static void sect_batch(struct sect *s, unsigned first, unsigned last)
{
        struct guest *g = s->g;
        unsigned n = g->ring.slots;
        struct batch b;

        kit_begin(g, &b);
        for (unsigned i = 0; i < n; i++) {
                uint8_t f = (uint8_t)first, l = (uint8_t)(last + i);

                if (!s->indirect) {
                        kit_put_part(g, s->write, 8 * i, &s->p.page[i], f, l);
                        continue;
                }
                kit_entry(&s->tables.page[i], 0, s->p.page[i].gref, f, l);
                kit_put_indirect(g, s->write, 1, 8 * i, &s->tables.page[i].gref,
                                 1);
        }
        kit_exchange(g, &b);
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(b.rsp[i].status, is_legal(first, last + i)
                                                          ? BLK_OKAY
                                                          : BLK_ERROR);
                if (!s->write)
                        check_read(s, i, first, last + i);
        }
        if (s->write)
                check_writes(s, n, first, last);
}

static void t_sect_all_pairs_of_first_and_last(void **state)
{
        for (unsigned a = 0; a < ARRAY_SIZE(kit_abis); a++) {
                struct sect s = {.write = false};
                unsigned n;

                kit_image(&s.disk, "sect.img", 1024);
                s.now = malloc(1024 * 512);
                s.g = guest_create(s.disk.path, "");
                guest_connect(s.g, layout(kit_abis[a], SECT_ORDER));
                n = s.g->ring.slots;
                assert_int_equal(n * 8, s.disk.sectors);
                kit_guard(s.g, &s.p, n);
                kit_guard(s.g, &s.tables, n);
                for (unsigned kind = 0; kind < 4; kind++) {
                        s.write = kind & 1;
                        s.indirect = kind & 2;
                        for (unsigned i = 0; i < n; i++)
                                memset(s.p.page[i].bytes, 0x5a, 4096);
                        for (unsigned f = 0; f < 256; f++)
                                for (unsigned l = 0; l < 256; l += n)
                                        sect_batch(&s, f, l);
                }
                kit_guard_check(&s.p);
                kit_guard_check(&s.tables);
                guest_destroy(s.g);
                kit_image_free(&s.disk);
                free(s.now);
        }
        kit_witness_check();
}

/* ---- H16, T-MERGE
 * -----------------------------------------------------------*/

#define MERGE_PAGES 128u

/* Each 8 bytes say which page and where. */
static void tag(uint8_t *page, uint64_t number)
{
        for (unsigned i = 0; i < 4096; i += 8) {
                uint64_t v = number << 32 | i | 0x7a7a0000u;

                memcpy(page + i, &v, 8);
        }
}

struct merge {
        struct guest *g;
        struct image disk;
        struct page page[MERGE_PAGES], table;
        uint8_t *now;
};

/* Order k of page i in a request of n. */
static unsigned order_of(unsigned kind, unsigned i, unsigned n,
                         const unsigned *shuffled)
{
        switch (kind) {
        case 0:
                return i; /* adjacent in the guest's memory */
        case 1:
                return n - 1 - i; /* the reverse */
        case 2:
                return i % 2 ? n - 1 - i / 2 : i / 2;
        default:
                return shuffled[i];
        }
}

static void merge_once(struct merge *m, unsigned kind, unsigned n, bool parts)
{
        unsigned shuffled[MERGE_PAGES], at[MERGE_PAGES];
        uint8_t first[MERGE_PAGES], last[MERGE_PAGES];
        uint64_t sector = 16, here = sector;
        uint8_t read[4096];

        for (unsigned i = 0; i < n; i++)
                shuffled[i] = i;
        for (unsigned i = n - 1; i > 0; i--) {
                unsigned k = (unsigned)(kit_random() >> 20) % (i + 1);
                unsigned t = shuffled[i];

                shuffled[i] = shuffled[k];
                shuffled[k] = t;
        }
        for (unsigned i = 0; i < n; i++) {
                at[i] = order_of(kind, i, n, shuffled);
                first[i] = parts ? (uint8_t)(i % 3) : 0;
                last[i] = parts ? (uint8_t)(7 - i / 3 % 3) : 7;
                tag(m->page[i].bytes, 1000 * kind + i);
                kit_entry(&m->table, i, m->page[at[i]].gref, first[i], last[i]);
        }
        assert_int_equal(
                kit_do(m->g, kit_put_indirect(m->g, BLK_WRITE, (uint16_t)n,
                                              sector, &m->table.gref, 1)),
                BLK_OKAY);
        kit_image_read(&m->disk, 0, m->now, m->disk.sectors);
        for (unsigned i = 0; i < n; i++) {
                unsigned len = last[i] - first[i] + 1u;

                if (memcmp(m->now + here * 512,
                           m->page[at[i]].bytes + first[i] * 512,
                           len * 512) != 0)
                        fail_msg("segment %u of %u came from another page", i,
                                 n);
                here += len;
        }
        kit_image_check(&m->disk, sector, here - sector);
        /* Back, into pages full of something else. */
        for (unsigned i = 0; i < n; i++)
                memset(m->page[i].bytes, 0x33, 4096);
        assert_int_equal(
                kit_do(m->g, kit_put_indirect(m->g, BLK_READ, (uint16_t)n,
                                              sector, &m->table.gref, 1)),
                BLK_OKAY);
        for (unsigned i = 0; i < n; i++) {
                memset(read, 0x33, 4096);
                tag(read, 1000 * kind + at[i]);
                memset(read, 0x33, first[i] * 512u);
                memset(read + (last[i] + 1) * 512, 0x33, (7u - last[i]) * 512);
                assert_memory_equal(m->page[at[i]].bytes, read, 4096);
        }
        kit_image_settle(&m->disk);
}

static void t_merge_each_sector_in_its_page(void **state)
{
        static const unsigned sizes[] = {1, 2, 3, 11, 12, 64, MERGE_PAGES};

        for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
                struct merge m;
                char opts[64];
                uint32_t refs[MERGE_PAGES];
                void *pages;

                kit_image(&m.disk, "merge.img", 2048);
                m.now = malloc(2048 * 512);
                snprintf(opts, sizeof(opts), "--grants %s", modes[mode]);
                m.g = guest_create(m.disk.path, opts);
                guest_connect(m.g, layout(kit_abis[mode % 2], 0));
                assert_int_equal(xen_shares_share(m.g->shares, 0, MERGE_PAGES,
                                                  true, refs, &pages),
                                 0);
                for (unsigned i = 0; i < MERGE_PAGES; i++)
                        m.page[i] = (struct page){
                                (uint8_t *)pages + (size_t)i * 4096, refs[i]};
                guest_page(m.g, &m.table, true);
                for (unsigned kind = 0; kind < 5; kind++)
                        for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++)
                                for (unsigned parts = 0; parts < 2; parts++)
                                        merge_once(&m, kind, sizes[s], parts);
                guest_destroy(m.g);
                kit_image_free(&m.disk);
                free(m.now);
        }
}

/* ---- H34, T-STALE
 * -----------------------------------------------------------*/

static const uint64_t secret = 0xa7d1a7d1a7d1a7d1ull;

static bool has_secret(const uint8_t *bytes, size_t len)
{
        for (size_t i = 0; i + 8 <= len; i += 8) {
                uint64_t v;

                memcpy(&v, bytes + i, 8);
                if (v == secret)
                        return true;
        }
        return false;
}

/* A has the secret in its pages and on its disk; B's reads fail again and
 * again: beyond the end of a file that was cut, and by EIO. */
#define STALE_PAGES 32u
#define STALE_LEFT 512u /* sectors of B's file that are still there */

struct stale {
        struct guest *a, *b;
        struct image disk_a, disk_b;
        struct guarded pa, pb;
        bool copy;
};

/* A full ring of each: A's writes and reads of the secret, B's reads. */
static void stale_step(struct stale *s, bool fault)
{
        uint64_t sector[STALE_PAGES];
        struct batch b;

        for (unsigned k = 0; k < STALE_PAGES; k++) {
                sector[k] = (kit_random() >> 20) % 1016;
                for (unsigned w = 0; w < 4096; w += 512)
                        memcpy(s->pa.page[k].bytes + w, &secret, 8);
                memset(s->pb.page[k].bytes, 0x42, 4096);
                guest_put(s->a, k & 1 ? BLK_WRITE : BLK_READ, sector[k],
                          &s->pa.page[k], 1);
        }
        guest_kick(s->a);
        kit_begin(s->b, &b);
        for (unsigned k = 0; k < STALE_PAGES; k++)
                kit_put_rw(s->b, BLK_READ, 1, sector[k], &s->pb.page[k], 1);
        kit_exchange(s->b, &b);
        for (unsigned k = 0; k < STALE_PAGES; k++) {
                uint8_t *bytes = s->pb.page[k].bytes;
                bool bad = fault || sector[k] + 8 > STALE_LEFT;

                assert_int_equal(guest_answer(s->a, NULL), BLK_OKAY);
                assert_int_equal(b.rsp[k].status, bad ? BLK_ERROR : BLK_OKAY);
                if (has_secret(bytes, 4096))
                        fail_msg("bytes of another domain");
                /* A disk that gave nothing, or a bounce block between. */
                for (unsigned i = 0; bad && (fault || s->copy) && i < 4096; i++)
                        assert_int_equal(bytes[i], 0x42);
                if (!bad)
                        assert_memory_equal(
                                bytes, s->disk_b.was + sector[k] * 512, 4096);
        }
}

static void stale_rounds(const char *mode, bool fault, uint64_t ops)
{
        struct stale s = {.copy = strcmp(mode, "copy") == 0};
        char opts[64], target[300];

        kit_image(&s.disk_a, "stale-a.img", 1024);
        kit_image(&s.disk_b, "stale-b.img", 1024);
        snprintf(opts, sizeof(opts), "--grants %s", mode);
        snprintf(target, sizeof(target), "%s%s",
                 fault ? "fault:read-error=EIO:" : "", s.disk_b.path);
        s.a = guest_create(s.disk_a.path, opts);
        s.b = guest_create(target, opts);
        guest_connect(s.a, layout(BLK_ABI_NATIVE, 0));
        guest_connect(s.b, layout(BLK_ABI_NATIVE, 0));
        kit_guard(s.a, &s.pa, STALE_PAGES);
        kit_guard(s.b, &s.pb, STALE_PAGES);
        assert_int_equal(truncate(s.disk_b.path, STALE_LEFT * 512), 0);
        for (uint64_t i = 0; i < ops; i += 2 * STALE_PAGES)
                stale_step(&s, fault);
        kit_guard_check(&s.pa);
        kit_guard_check(&s.pb);
        guest_destroy(s.b);
        guest_destroy(s.a);
        kit_image_free(&s.disk_a);
        kit_image_free(&s.disk_b);
}

static void t_stale_failed_reads_bring_nothing(void **state)
{
        uint64_t ops = kit_scale(20000, 1000000);

        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
                stale_rounds(modes[m], true, ops / 6);
                stale_rounds(modes[m], false, ops / 6);
        }
        kit_witness_check();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                KIT_TEST(t_ro_a_read_only_disk_is_never_written),
                KIT_TEST(t_ro_an_image_that_cannot_be_written),
                KIT_TEST(t_end_nothing_past_the_end_is_touched),
                KIT_TEST(t_end_a_disk_that_shrinks),
                KIT_TEST(t_sect_all_pairs_of_first_and_last),
                KIT_TEST(t_merge_each_sector_in_its_page),
                KIT_TEST(t_stale_failed_reads_bring_nothing),
        };

        setvbuf(stdout, NULL, _IOLBF, 0);
        return cmocka_run_group_tests(tests, kit_group_setup,
                                      kit_group_teardown);
}
