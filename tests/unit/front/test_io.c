/* SPDX-License-Identifier: MIT */
/* The data path against a backend that is honest. */
#include <pthread.h>
#include <poll.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static void written_bytes_come_back(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t *in = malloc(300000), *out = malloc(300000);

        paint(in, 300000, 3);
        assert_int_equal(eg_pwrite(d, in + 1, 299520 - 512, 512), 0);
        assert_memory_equal(fake.disk + 512, in + 1, 299520 - 512);
        assert_int_equal(fake.disk[0], 0);
        assert_int_equal(eg_pread(d, out + 3, 299520 - 512, 512), 0);
        assert_memory_equal(out + 3, in + 1, 299520 - 512);
        eg_close(d);
        free(in);
        free(out);
}

static void one_sector_touches_one_sector(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t in[512], out[514];

        paint(in, 512, 9);
        memset(fake.disk, 0x55, 8192);
        assert_int_equal(eg_pwrite(d, in, 512, 7 * 512), 0);
        assert_int_equal(fake.last.segs[0].first_sector, 0);
        assert_int_equal(fake.last.segs[0].last_sector, 0);
        assert_int_equal(fake.disk[7 * 512 - 1], 0x55);
        assert_int_equal(fake.disk[8 * 512], 0x55);
        memset(out, 0x11, sizeof(out));
        assert_int_equal(eg_pread(d, out + 1, 512, 7 * 512), 0);
        assert_memory_equal(out + 1, in, 512);
        assert_int_equal(out[0], 0x11);
        assert_int_equal(out[513], 0x11);
        eg_close(d);
}

static void long_io_is_split_into_requests_of_eleven_pages(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t *in = malloc(1 << 20);
        struct eg_stats s;

        paint(in, 1 << 20, 1);
        assert_int_equal(eg_pwrite(d, in, 1 << 20, 0), 0);
        assert_memory_equal(fake.disk, in, 1 << 20);
        eg_stats(d, &s);
        assert_int_equal(s.requests, 24); /* 256 pages by 11 */
        assert_int_equal(s.segments, 256);
        assert_int_equal(s.bytes_written, 1 << 20);
        assert_int_equal(s.inflight, 0);
        eg_close(d);
        free(in);
}

static void light_load_uses_one_page_for_ever(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_stats before, after;
        uint8_t b[4096] = {0};

        assert_int_equal(eg_pwrite(d, b, 4096, 0), 0);
        eg_stats(d, &before);
        for (unsigned i = 0; i < 200; i++)
                assert_int_equal(i & 1 ? eg_pread(d, b, 4096, i * 4096)
                                       : eg_pwrite(d, b, 4096, i * 4096),
                                 0);
        eg_stats(d, &after);
        assert_int_equal(fake.grefs_seen, 1);
        assert_int_equal(after.share_calls, before.share_calls);
        assert_int_equal(after.unshare_calls, before.unshare_calls);
        eg_close(d);
}

static void failed_read_leaves_the_buffer_alone(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t b[8192], same[8192];

        memset(b, 0x77, sizeof(b));
        memset(same, 0x77, sizeof(same));
        fake.fail_reads = true;
        assert_int_equal(eg_pread(d, b, sizeof(b), 0), -EIO);
        assert_memory_equal(b, same, sizeof(b));
        assert_non_null(strstr(eg_error(), "xvda"));
        fake.fail_reads = false;
        assert_int_equal(eg_pread(d, b, sizeof(b), 0), 0);
        eg_close(d);
}

static void read_data_arrives_only_with_the_response(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t b[512] = {0};
        struct blk_request r;
        struct probe p;

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, b, 512, 0)), 0);
        eg_kick(d);
        assert_true(fake_take(&r));
        memset(fake_page(r.segs[0].gref), 0xab, 512);
        assert_int_equal(eg_process(d), 0);
        assert_int_equal(b[0], 0);
        assert_int_equal(p.calls, 0);
        fake_answer(r.id, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.calls, 1);
        assert_int_equal(p.error, 0);
        assert_int_equal(b[511], 0xab);
        eg_close(d);
}

/* S9, in the ring and far beyond it. */
static void buffer_may_change_after_submit(void **state)
{
        enum { N = 20, LEN = 128 * 1024 };
        struct eg_disk *d = open_disk(NULL);
        uint8_t *b = malloc(LEN), *want = malloc(LEN);
        struct probe p[N];
        struct eg_stats s;

        fake.hold = true;
        for (unsigned i = 0; i < N; i++) {
                paint(b, LEN, i);
                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_WRITE, b, LEN,
                                                       (uint64_t)i * LEN)),
                                 0);
                memset(b, 0, LEN);
        }
        eg_stats(d, &s);
        assert_int_equal(s.inflight, 32);
        assert_true(s.bounced_bytes > 0);
        eg_kick(d);
        fake.hold = false;
        fake_serve(~0u, false);
        while (eg_process(d) > 0 || fake.served < N * 3)
                ;
        for (unsigned i = 0; i < N; i++) {
                paint(want, LEN, i);
                assert_memory_equal(fake.disk + (size_t)i * LEN, want, LEN);
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, 0);
        }
        eg_close(d);
        free(b);
        free(want);
}

static void writes_that_wait_are_bounded(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        uint8_t *b = calloc(1, 2 << 20);
        struct probe p[3], last;

        o.queue_bytes = 2 << 20;
        d = open_disk(&o);
        /* Twice: what was set aside is given back. */
        for (int round = 0; round < 2; round++) {
                fake.hold = true;
                /* Fills the ring (1.4 MB), the rest waits. */
                assert_int_equal(
                        eg_submit(d, probe_io(&p[0], EG_WRITE, b, 2 << 20, 0)),
                        0);
                assert_int_equal(
                        eg_submit(d, probe_io(&p[1], EG_WRITE, b, 1 << 20, 0)),
                        0);
                assert_int_equal(
                        eg_submit(d, probe_io(&last, EG_WRITE, b, 1 << 20, 0)),
                        -EAGAIN);
                assert_int_equal(last.calls, 0);
                /* Stable memory needs no copy, so no room. */
                probe_io(&p[2], EG_WRITE, b, 1 << 20, 0);
                p[2].io.flags = EG_IO_STABLE;
                assert_int_equal(eg_submit(d, &p[2].io), 0);
                eg_kick(d);
                fake.hold = false;
                fake_serve(~0u, false);
                while (!p[2].calls)
                        eg_process(d);
        }
        assert_int_equal(eg_submit(d, probe_io(&last, EG_WRITE, b, 1 << 20, 0)),
                         0);
        eg_close(d);
        assert_int_equal(last.calls, 1);
        assert_int_equal(last.error, 0);
        free(b);
}

static void many_in_flight_answered_backwards(void **state)
{
        enum { N = 100 };
        struct eg_disk *d = open_disk(NULL);
        static uint8_t in[N][1536], out[N][1536];
        static struct probe p[N];

        fake.hold = true;
        for (unsigned i = 0; i < N; i++) {
                paint(in[i], 1536, i);
                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_WRITE, in[i],
                                                       1536, i * 1536)),
                                 0);
        }
        eg_kick(d);
        while (!p[N - 1].calls || !p[0].calls) {
                fake_serve(7, true);
                eg_process(d);
        }
        for (unsigned i = 0; i < N; i++)
                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_READ, out[i],
                                                       1536, i * 1536)),
                                 0);
        eg_kick(d);
        for (int i = 0; i < 1000; i++) {
                fake_serve(5, true);
                eg_process(d);
        }
        for (unsigned i = 0; i < N; i++) {
                assert_int_equal(p[i].calls, 1);
                assert_memory_equal(out[i], in[i], 1536);
        }
        eg_close(d);
}

/* S11: no page is in two requests at once. */
/* The backend has something to do before the last of them is submitted. */
static void requests_of_a_long_batch_go_early(void **state)
{
        enum { EARLY = 8 };
        static uint8_t mem[512];
        struct probe p[EARLY + 1];
        struct eg_disk *d;
        uint64_t served;

        fake.hold = true;
        d = open_disk(NULL);
        served = fake.served;
        for (unsigned i = 0; i <= EARLY; i++) {
                assert_int_equal(back_ring_waiting(&fake.ring),
                                 i < EARLY ? 0 : EARLY);
                /* With gaps, so that each is a request. */
                assert_int_equal(eg_submit(d, probe_io(&p[i], EG_READ, mem, 512,
                                                       i * 8192)),
                                 0);
        }
        assert_int_equal(back_ring_waiting(&fake.ring), EARLY);
        eg_kick(d);
        assert_int_equal(back_ring_waiting(&fake.ring), EARLY + 1);
        assert_int_equal(fake_serve(EARLY + 1, false), EARLY + 1);
        assert_int_equal(eg_process(d), EARLY + 1);
        assert_int_equal(fake.served, served + EARLY + 1);
        eg_close(d);
}

static void pages_in_flight_are_distinct(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        static uint8_t b[32][45056];
        static struct probe p[32];
        static bool used[4096];
        struct blk_request r;

        fake.hold = true;
        for (unsigned i = 0; i < 32; i++)
                assert_int_equal(
                        eg_submit(d, probe_io(&p[i], EG_WRITE, b[i], 45056,
                                              (uint64_t)i * 45056)),
                        0);
        eg_kick(d);
        memset(used, 0, sizeof(used));
        for (unsigned i = 0; i < 32; i++) {
                assert_true(fake_take(&r));
                for (unsigned s = 0; s < r.nsegs; s++) {
                        assert_false(used[r.segs[s].gref]);
                        used[r.segs[s].gref] = true;
                }
                fake_answer(r.id, r.wire_op, BLK_OKAY);
        }
        assert_int_equal(fake.grefs_seen, 352);
        fake_push();
        eg_close(d);
}

static void flush_and_discard_reach_the_backend(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_info info;

        eg_info(d, &info);
        assert_true(info.can_flush && info.can_discard);
        assert_int_equal(eg_flush(d), 0);
        assert_int_equal(fake.last.wire_op, BLK_FLUSH);
        assert_int_equal(fake.last.nsegs, 0);
        memset(fake.disk, 1, 8192);
        assert_int_equal(eg_discard(d, 512, 1024), 0);
        assert_int_equal(fake.last.wire_op, BLK_DISCARD);
        assert_int_equal(fake.disk[511], 1);
        assert_int_equal(fake.disk[512], 0);
        assert_int_equal(fake.disk[1535], 0);
        assert_int_equal(fake.disk[1536], 1);
        eg_close(d);
}

/* Never less than what was asked for: not now, not later. */
static void secure_discard_is_secure_or_nothing(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct blk_request r;
        struct eg_info info;
        struct probe p;

        eg_info(d, &info);
        assert_false(info.can_discard_secure);
        assert_int_equal(eg_discard_secure(d, 0, 512), -EOPNOTSUPP);
        assert_non_null(strstr(eg_error(), "no secure discard"));
        assert_int_equal(fake.discards, 0);
        eg_close(d);

        fake_reset();
        fake_set(FAKE_B "/discard-secure", "1");
        fake.lim.discard_secure = true;
        d = open_disk(NULL);
        eg_info(d, &info);
        assert_true(info.can_discard_secure);
        assert_int_equal(eg_discard_secure(d, 512, 1024), 0);
        assert_true(fake.last.secure);
        assert_int_equal(fake.last.sector, 1);
        assert_int_equal(eg_discard(d, 512, 1024), 0);
        assert_false(fake.last.secure);
        /* On the ring when the backend goes; it comes back without. */
        fake.hold = true;
        probe_io(&p, EG_DISCARD, NULL, 0, 512);
        p.io.length_bytes = 512;
        p.io.flags = EG_IO_SECURE;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        fake_back_away(XENBUS_CLOSED);
        fake_set(FAKE_B "/discard-secure", "0");
        fake_back_state(XENBUS_INIT_WAIT);
        for (int i = 0; i < 8; i++)
                eg_process(d);
        assert_int_equal(p.calls, 1);
        assert_int_equal(p.error, -EOPNOTSUPP);
        assert_false(fake_take(&r));
        eg_close(d);
}

/* The plain one may work all the same. */
static void withdrawn_secure_discard_leaves_the_plain_one(void **state)
{
        struct blk_request r;
        struct eg_disk *d;
        struct probe p;

        fake_set(FAKE_B "/discard-secure", "1");
        fake.lim.discard_secure = true;
        d = open_disk(NULL);
        fake.hold = true;
        probe_io(&p, EG_DISCARD, NULL, 0, 512);
        p.io.length_bytes = 512;
        p.io.flags = EG_IO_SECURE;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        assert_true(fake_take(&r));
        fake_answer(r.id, r.wire_op, BLK_EOPNOTSUPP);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, -EOPNOTSUPP);
        assert_int_equal(eg_submit(d, &p.io), -EOPNOTSUPP);
        fake.hold = false;
        assert_int_equal(eg_discard(d, 0, 512), 0);
        eg_close(d);
}

static void backend_may_take_flush_back(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_info info;

        fake.no_flush = true;
        assert_int_equal(eg_flush(d), 0);
        assert_int_equal(fake.flushes, 1);
        eg_info(d, &info);
        assert_false(info.can_flush);
        assert_int_equal(eg_flush(d), 0);
        assert_int_equal(fake.flushes, 1);
        eg_close(d);
}

static void backend_without_features_is_used_all_the_same(void **state)
{
        struct eg_disk *d;

        fake_rm(FAKE_B "/feature-flush-cache");
        fake_rm(FAKE_B "/feature-discard");
        fake_set(FAKE_B "/feature-barrier", "1");
        d = open_disk(NULL);
        assert_int_equal(eg_flush(d), 0);
        assert_int_equal(fake.last.wire_op, BLK_BARRIER);
        assert_int_equal(eg_discard(d, 0, 512), -EOPNOTSUPP);
        eg_close(d);
        fake_reset();
        fake_rm(FAKE_B "/feature-flush-cache");
        d = open_disk(NULL);
        assert_int_equal(eg_flush(d), 0);
        assert_int_equal(fake.flushes, 0);
        eg_close(d);
}

/* Done without a request, in the middle of a queue. */
static void flush_without_a_cache_is_done_once(void **state)
{
        struct eg_disk *d;
        struct probe p[3];
        struct pollfd fd = {.events = POLLIN};
        char b[1024];
        int ran = 0;

        fake_rm(FAKE_B "/feature-flush-cache");
        d = open_disk(NULL);
        fake.hold = true;
        while (eg_process(d) > 0)
                ;
        fd.fd = eg_fd(d);
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_int_equal(eg_submit(d, probe_io(&p[0], EG_READ, b, 512, 0)), 0);
        assert_int_equal(eg_submit(d, probe_io(&p[1], EG_FLUSH, NULL, 0, 0)),
                         0);
        assert_int_equal(poll(&fd, 1, 0), 1);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_int_equal(eg_submit(d, probe_io(&p[2], EG_READ, b, 512, 0)), 0);
        eg_kick(d);
        fake_serve(~0u, false);
        for (int i = 0; i < 5; i++)
                ran += eg_process(d);
        assert_int_equal(ran, 2);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(p[i].calls, 1);
                assert_int_equal(p[i].error, 0);
        }
        eg_close(d);
}

static void withdrawn_discard_is_an_error(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct blk_request r;
        struct probe p;

        fake.hold = true;
        probe_io(&p, EG_DISCARD, NULL, 0, 512);
        p.io.length_bytes = 512;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        assert_true(fake_take(&r));
        fake_answer(r.id, r.wire_op, BLK_EOPNOTSUPP);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, -EOPNOTSUPP);
        assert_int_equal(eg_submit(d, &p.io), -EOPNOTSUPP);
        eg_close(d);
}

static void what_is_not_on_the_disk_is_refused(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        uint8_t b[1024];
        struct iovec none = {b, 0};
        struct probe p;

        assert_int_equal(eg_pread(d, b, 511, 0), -EINVAL);
        assert_int_equal(eg_pread(d, b, 512, 1), -EINVAL);
        assert_int_equal(eg_pread(d, b, 1024, FAKE_DISK_BYTES - 512), -EINVAL);
        assert_int_equal(eg_pread(d, b, 512, FAKE_DISK_BYTES), -EINVAL);
        assert_int_equal(eg_pread(d, b, 512, UINT64_MAX - 511), -EINVAL);
        assert_int_equal(eg_preadv(d, &none, 1, 0), -EINVAL);
        assert_int_equal(eg_discard(d, 0, 0), -EINVAL);
        probe_io(&p, (enum eg_op)9, b, 512, 0);
        assert_int_equal(eg_submit(d, &p.io), -EINVAL);
        assert_int_equal(eg_pread(d, b, 512, FAKE_DISK_BYTES - 512), 0);
        assert_int_equal(fake.served, 1);
        eg_close(d);
}

static void read_only_disks_refuse_changes(void **state)
{
        static const char *const how[][2] = {{"/info", "4"}, {"/mode", "r"}};

        for (int i = 0; i < 2; i++) {
                char path[128] = FAKE_B, b[512] = {0};
                struct eg_disk *d;

                fake_reset();
                strcat(path, how[i][0]);
                fake_set(path, how[i][1]);
                d = open_disk(NULL);
                assert_int_equal(eg_pwrite(d, b, 512, 0), -EROFS);
                assert_int_equal(eg_discard(d, 0, 512), -EROFS);
                assert_int_equal(eg_pread(d, b, 512, 0), 0);
                assert_int_equal(eg_flush(d), 0);
                eg_close(d);
        }
}

static void s1_shares_for_one_request_only(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        struct blk_request r;
        uint8_t b[8192];
        struct eg_stats s;
        struct probe p;

        o.share_per_request = true;
        o.persistent = false;
        d = open_disk(&o);
        assert_string_equal(fake_get(FAKE_F "/feature-persistent"), "0");
        assert_int_equal(fake.live_pages, 1); /* the ring */
        fake.hold = true;
        paint(b, 8192, 5);
        assert_int_equal(eg_submit(d, probe_io(&p, EG_WRITE, b, 8192, 0)), 0);
        eg_kick(d);
        assert_int_equal(fake.live_pages, 3);
        assert_int_equal(fake_serve(1, false), 1);
        assert_int_equal(fake.live_pages, 3);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(fake.live_pages, 1);
        fake.hold = false;
        for (int i = 0; i < 10; i++)
                assert_int_equal(eg_pread(d, b, 4096, 0), 0);
        assert_int_equal(fake.grefs_seen, 12);
        eg_stats(d, &s);
        assert_int_equal(s.share_calls, 12);
        assert_int_equal(s.unshare_calls, 11);
        assert_false(fake_take(&r));
        eg_close(d);
}

static bool pool_page_is_clean(uint32_t gref)
{
        const uint8_t *page = fake_page(gref);

        for (unsigned i = 0; page && i < 4096; i++) {
                if (page[i])
                        return false;
        }
        return true;
}

static void untrusted_backend_sees_no_earlier_data(void **state)
{
        for (int by_node = 0; by_node < 2; by_node++) {
                struct eg_options o = quiet_options();
                struct eg_disk *d;
                struct blk_request r;
                struct eg_info info;
                struct probe p;
                uint8_t b[4096];

                fake_reset();
                o.untrusted_backend = !by_node;
                if (by_node)
                        fake_set(FAKE_F "/trusted", "0");
                d = open_disk(&o);
                eg_info(d, &info);
                assert_true(info.untrusted);
                memset(b, 0xc3, sizeof(b));
                assert_int_equal(eg_pwrite(d, b, 4096, 0), 0);
                assert_true(pool_page_is_clean(fake.last.segs[0].gref));
                fake.hold = true;
                assert_int_equal(
                        eg_submit(d, probe_io(&p, EG_WRITE, b, 512, 0)), 0);
                eg_kick(d);
                assert_true(fake_take(&r));
                assert_int_equal(((uint8_t *)fake_page(r.segs[0].gref))[511],
                                 0xc3);
                assert_int_equal(((uint8_t *)fake_page(r.segs[0].gref))[512],
                                 0);
                fake_answer(r.id, r.wire_op, BLK_OKAY);
                fake_push();
                eg_close(d);
        }
}

static void small_platform_limits_slow_but_do_not_fail(void **state)
{
        struct eg_disk *d;
        uint8_t *b = malloc(1 << 20);

        fake.max_shares = 4; /* ring and three pages */
        d = open_disk(NULL);
        paint(b, 1 << 20, 8);
        assert_int_equal(eg_pwrite(d, b, 1 << 20, 0), 0);
        assert_memory_equal(fake.disk, b, 1 << 20);
        eg_close(d);
        fake.max_shares = 1;
        fake_set(FAKE_B "/state", "2");
        d = open_disk(NULL);
        assert_int_equal(eg_pwrite(d, b, 512, 0), -ENOSPC);
        eg_close(d);
        free(b);
}

static void no_room_for_the_ring_names_the_limit(void **state)
{
        struct eg_options o;
        struct eg_disk *d;

        eg_options_init(&o);
        o.ring_order = 2;
        fake.max_shares = 1;
        assert_int_equal(eg_open(&d, "xvda", &o), -ENOSPC);
        assert_non_null(strstr(eg_error(), "xen_gntalloc/parameters/limit"));
}

/* ---- pool buffers ----------------------------------------------------------
 */

static void pool_buffers_are_used_in_place(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        const struct iovec *v;
        struct blk_request r;
        struct eg_buf *buf;
        struct probe p;
        unsigned n;

        assert_int_equal(eg_buf_alloc(d, 10000, &buf), 0);
        v = eg_buf_iov(buf, &n);
        assert_int_equal(n, 3);
        assert_int_equal(v[2].iov_len, 10000 - 8192);
        for (unsigned i = 0; i < n; i++)
                memset(v[i].iov_base, 'a' + (int)i, v[i].iov_len);
        fake.hold = true;
        probe_io(&p, EG_WRITE, NULL, 0, 1024);
        p.io.buf = buf;
        p.io.buf_offset_bytes = 3584;
        p.io.length_bytes = 512 + 4096 + 512;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        assert_true(fake_take(&r));
        assert_int_equal(r.nsegs, 3);
        assert_int_equal(r.segs[0].first_sector, 7);
        assert_int_equal(r.segs[0].last_sector, 7);
        assert_int_equal(r.segs[1].first_sector, 0);
        assert_int_equal(r.segs[1].last_sector, 7);
        assert_int_equal(r.segs[2].last_sector, 0);
        for (unsigned i = 0; i < n; i++)
                assert_ptr_equal(fake_page(r.segs[i].gref), v[i].iov_base);
        fake_answer(r.id, r.wire_op, BLK_OKAY);
        fake_push();
        assert_int_equal(eg_process(d), 1);
        fake.hold = false;
        memset(fake.disk, 'z', 4096);
        p.io.op = EG_READ;
        p.io.offset_bytes = 0;
        p.io.buf_offset_bytes = 4096;
        p.io.length_bytes = 512;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(((char *)v[1].iov_base)[511], 'z');
        assert_int_equal(((char *)v[1].iov_base)[512], 'b');
        p.io.length_bytes = 8192;
        assert_int_equal(eg_submit(d, &p.io), -EINVAL);
        eg_buf_free(d, buf);
        eg_close(d);
}

static void buffers_leave_room_for_other_io(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_buf *buf, *more;
        struct eg_disk *d;
        char b[65536] = {0};

        o.pool_pages = 32;
        d = open_disk(&o);
        assert_int_equal(eg_buf_alloc(d, 22 * 4096, &more), -EAGAIN);
        assert_int_equal(eg_buf_alloc(d, 21 * 4096, &buf), 0);
        assert_int_equal(eg_buf_alloc(d, 1, &more), -EAGAIN);
        assert_int_equal(eg_buf_alloc(d, 0, &more), -EINVAL);
        assert_int_equal(eg_buf_alloc(d, SIZE_MAX, &more), -EAGAIN);
        assert_int_equal(eg_pwrite(d, b, sizeof(b), 0), 0);
        eg_buf_free(d, buf);
        assert_int_equal(eg_buf_alloc(d, 4096, &buf), 0);
        eg_buf_free(d, buf);
        eg_close(d);
}

/* ---- threads ----------------------------------------------------------------
 */

static _Atomic bool server_stops;
static pthread_mutex_t server_lock = PTHREAD_MUTEX_INITIALIZER;

static void *server(void *arg)
{
        unsigned seed = 1;

        while (!server_stops) {
                seed = seed * 1103515245 + 12345;
                pthread_mutex_lock(&server_lock);
                fake_serve(1 + (seed >> 16) % 5, seed & 0x1000000);
                pthread_mutex_unlock(&server_lock);
        }
        return NULL;
}

struct worker {
        struct eg_disk *disk;
        unsigned index;
        unsigned bad;
};

static void *worker(void *arg)
{
        struct worker *w = arg;
        uint8_t in[3072], out[3072];

        for (unsigned i = 0; i < 300; i++) {
                uint64_t at = (uint64_t)(w->index * 300 + i) * 3072;

                paint(in, sizeof(in), w->index * 7 + i);
                if (eg_pwrite(w->disk, in, sizeof(in), at) < 0 ||
                    eg_pread(w->disk, out, sizeof(out), at) < 0 ||
                    memcmp(in, out, sizeof(in)) != 0)
                        w->bad++;
        }
        return NULL;
}

static void *read_one(void *arg)
{
        char b[512];

        return eg_pread(arg, b, 512, 0) == 0 ? arg : NULL;
}

static void reader_start(struct eg_disk *d, pthread_t *t, uint64_t inflight)
{
        struct eg_stats s;

        pthread_create(t, NULL, read_one, d);
        do {
                usleep(1000);
                eg_stats(d, &s);
        } while (s.inflight != inflight);
        usleep(20000); /* likely polling by now; right either way */
}

static struct timespec from_now(unsigned s)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += s;
        return t;
}

static void reader_join(struct eg_disk *d, pthread_t t)
{
        struct timespec until = from_now(20);
        void *ret = NULL;

        assert_int_equal(pthread_timedjoin_np(t, &ret, &until), 0);
        assert_ptr_equal(ret, d);
}

static void follower_leads_when_the_leader_is_served(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        pthread_t t[3];

        fake.hold = true;
        for (unsigned i = 0; i < 3; i++)
                reader_start(d, &t[i], i + 1);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(fake_serve(1, false), 1);
                reader_join(d, t[i]);
        }
        eg_close(d);
}

/* Someone else may take the response of the one who polls. */
static void leader_is_woken_by_another_thread(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct blk_request r;
        pthread_t t;

        fake.hold = true;
        reader_start(d, &t, 1);
        assert_true(fake_take(&r));
        fake_answer(r.id, r.wire_op, BLK_OKAY);
        (void)back_ring_push(&fake.ring); /* no event */
        assert_int_equal(eg_process(d), 0);
        reader_join(d, t);
        eg_close(d);
}

static void several_threads_block_on_one_disk(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        pthread_t server_thread, t[8];
        struct worker w[8];
        struct probe p;
        uint8_t b[512];

        fake.hold = true;
        server_stops = false;
        pthread_create(&server_thread, NULL, server, NULL);
        for (unsigned i = 0; i < 8; i++) {
                w[i] = (struct worker){d, i, 0};
                pthread_create(&t[i], NULL, worker, &w[i]);
        }
        /* An asynchronous user beside them: its callbacks are its own. */
        for (int i = 0; i < 200; i++) {
                struct pollfd f = {.fd = eg_fd(d), .events = POLLIN};

                assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, b, 512, 0)),
                                 0);
                eg_kick(d);
                while (!p.calls) {
                        assert_true(poll(&f, 1, 20000) > 0);
                        eg_process(d);
                }
                assert_int_equal(p.error, 0);
        }
        for (unsigned i = 0; i < 8; i++) {
                pthread_join(t[i], NULL);
                assert_int_equal(w[i].bad, 0);
        }
        server_stops = true;
        pthread_join(server_thread, NULL);
        eg_close(d);
}

struct reader {
        struct eg_disk *disk;
        sem_t go, went;
        bool stops;
        unsigned bad;
};

static void *read_when_told(void *arg)
{
        struct reader *r = arg;

        for (;;) {
                sem_wait(&r->go);
                if (r->stops)
                        return NULL;
                r->bad += !read_one(r->disk);
                sem_post(&r->went);
        }
}

/* Each sleeps, and one event is there for both: whoever is first takes it, and
 * the other one's answer, and must say so. */
static void who_waits_and_who_blocks_wake_each_other(void **state)
{
        enum { ROUNDS = 4000, LIMIT_MS = 5000 };
        struct eg_options o = quiet_options();
        struct reader r = {0};
        struct eg_disk *d;
        pthread_t server_thread, t;
        struct timespec until;
        uint8_t b[512];

        o.polling = EG_POLLING_OFF;
        d = open_disk(&o);
        r.disk = d;
        fake.hold = true;
        server_stops = false;
        sem_init(&r.go, 0, 0);
        sem_init(&r.went, 0, 0);
        pthread_create(&server_thread, NULL, server, NULL);
        pthread_create(&t, NULL, read_when_told, &r);
        for (unsigned i = 0; i < ROUNDS; i++) {
                struct probe p;

                sem_post(&r.go);
                assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, b, 512, 0)),
                                 0);
                eg_kick(d);
                while (!p.calls) {
                        uint64_t before = clock_ms();

                        eg_wait(d, LIMIT_MS);
                        assert_true(clock_ms() - before < LIMIT_MS);
                }
                until = from_now(LIMIT_MS / 1000);
                assert_int_equal(sem_timedwait(&r.went, &until), 0);
        }
        r.stops = true;
        sem_post(&r.go);
        pthread_join(t, NULL);
        assert_int_equal(r.bad, 0);
        server_stops = true;
        pthread_join(server_thread, NULL);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(written_bytes_come_back),
                T(one_sector_touches_one_sector),
                T(long_io_is_split_into_requests_of_eleven_pages),
                T(light_load_uses_one_page_for_ever),
                T(failed_read_leaves_the_buffer_alone),
                T(read_data_arrives_only_with_the_response),
                T(buffer_may_change_after_submit),
                T(writes_that_wait_are_bounded),
                T(many_in_flight_answered_backwards),
                T(requests_of_a_long_batch_go_early),
                T(pages_in_flight_are_distinct),
                T(secure_discard_is_secure_or_nothing),
                T(withdrawn_secure_discard_leaves_the_plain_one),
                T(flush_and_discard_reach_the_backend),
                T(backend_may_take_flush_back),
                T(backend_without_features_is_used_all_the_same),
                T(what_is_not_on_the_disk_is_refused),
                T(read_only_disks_refuse_changes),
                T(s1_shares_for_one_request_only),
                T(untrusted_backend_sees_no_earlier_data),
                T(small_platform_limits_slow_but_do_not_fail),
                T(no_room_for_the_ring_names_the_limit),
                T(pool_buffers_are_used_in_place),
                T(buffers_leave_room_for_other_io),
                T(flush_without_a_cache_is_done_once),
                T(withdrawn_discard_is_an_error),
                T(follower_leads_when_the_leader_is_served),
                T(leader_is_woken_by_another_thread),
                T(several_threads_block_on_one_disk),
                T(who_waits_and_who_blocks_wake_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
