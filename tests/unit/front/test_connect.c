/* SPDX-License-Identifier: MIT */
/* The handshake, and a backend that lies, leaves and comes back. */
#include <stdio.h>

#include "harness.h"

static void one_page_ring_is_published_without_numbers(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        struct eg_info info;

        fake_set(FAKE_F "/ring-ref0", "99"); /* of an earlier frontend */
        fake_set(FAKE_F "/ring-page-order", "3");
        fake_set(FAKE_F "/multi-queue-num-queues", "4");
        fake_set(FAKE_F "/queue-0", "");
        fake_set(FAKE_F "/queue-0/ring-ref", "98");
        d = open_disk(&o);
        assert_non_null(fake_get(FAKE_F "/ring-ref"));
        assert_null(fake_get(FAKE_F "/ring-ref0"));
        assert_null(fake_get(FAKE_F "/ring-page-order"));
        assert_null(fake_get(FAKE_F "/multi-queue-num-queues"));
        assert_null(fake_get(FAKE_F "/queue-0/ring-ref"));
        assert_string_equal(fake_get(FAKE_F "/protocol"), "x86_64-abi");
        assert_string_equal(fake_get(FAKE_F "/feature-persistent"), "1");
        assert_string_equal(fake_get(FAKE_F "/state"), "4");
        assert_string_equal(fake_get(FAKE_F "/virtual-device"), "51712");
        eg_info(d, &info);
        assert_int_equal(info.ring_slots, 32);
        assert_int_equal(info.size_bytes, FAKE_DISK_BYTES);
        assert_true(info.persistent);
        eg_close(d);
        assert_string_equal(fake_get(FAKE_F "/state"), "6");
}

static void larger_rings_are_agreed(void **state)
{
        static const struct {
                unsigned asked;
                const char *max;
                unsigned slots;
        } rows[] = {{4, "4", 512}, {4, "2", 128},  {1, "4", 64},
                    {3, NULL, 32}, {4, "31", 512}, {4, "x", 32}};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct eg_options o = quiet_options();
                struct eg_disk *d;
                struct eg_info info;
                uint8_t *b = malloc(4 << 20);

                fake_reset();
                if (rows[i].max)
                        fake_set(FAKE_B "/max-ring-page-order", rows[i].max);
                else
                        fake_rm(FAKE_B "/max-ring-page-order");
                o.ring_order = rows[i].asked;
                d = open_disk(&o);
                eg_info(d, &info);
                assert_int_equal(info.ring_slots, rows[i].slots);
                assert_int_equal(fake.ring.slots, rows[i].slots);
                paint(b, 4 << 20, 4);
                assert_int_equal(eg_pwrite(d, b, 4 << 20, 0), 0);
                assert_memory_equal(fake.disk, b, 4 << 20);
                eg_close(d);
                free(b);
        }
}

static void persistence_is_agreed_at_each_connect(void **state)
{
        static const char *const back[] = {"0", "1", NULL};

        for (int mine = 0; mine < 2; mine++) {
                for (int i = 0; i < 3; i++) {
                        struct eg_options o = quiet_options();
                        struct eg_disk *d;
                        struct eg_info info;
                        char b[512];

                        fake_reset();
                        o.persistent = mine;
                        if (back[i])
                                fake_set(FAKE_B "/feature-persistent", back[i]);
                        else
                                fake_rm(FAKE_B "/feature-persistent");
                        d = open_disk(&o);
                        eg_info(d, &info);
                        assert_int_equal(info.persistent, mine && i == 1);
                        assert_string_equal(
                                fake_get(FAKE_F "/feature-persistent"),
                                mine ? "1" : "0");
                        assert_int_equal(eg_pread(d, b, 512, 0), 0);
                        eg_close(d);
                }
        }
}

static void backend_may_be_connected_at_once(void **state)
{
        struct eg_disk *d;
        char b[512];

        fake.early = true;
        fake_set(FAKE_B "/state", "4");
        d = open_disk(NULL);
        assert_int_equal(eg_pread(d, b, 512, 0), 0);
        eg_close(d);
}

/* The nodes that a killed process leaves behind. */
static void earlier_connection_is_ended_first(void **state)
{
        struct eg_disk *d;
        char b[512];

        fake_set(FAKE_F "/state", "4");
        fake_set(FAKE_B "/state", "4");
        d = open_disk(NULL);
        assert_int_equal(eg_pread(d, b, 512, 0), 0);
        eg_close(d);
        d = open_disk(NULL); /* and after a goodbye */
        assert_int_equal(eg_pread(d, b, 512, 0), 0);
        eg_close(d);
}

static void disks_that_are_not_there(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d = NULL;

        assert_int_equal(eg_open(&d, "xvdz", &o), -ENOENT);
        assert_non_null(strstr(eg_error(), "xvdz"));
        assert_int_equal(eg_open(&d, "nonsense!", &o), -EINVAL);
        o.ring_order = 9;
        assert_int_equal(eg_open(&d, "xvda", &o), -EINVAL);
        assert_null(d);
}

static void backend_path_must_be_the_one_of_backend_id(void **state)
{
        static const char *const paths[] = {
                "/local/domain/7/backend/vbd/5/51712",
                "/local/domain/0/backend/vbd/6/51712",
                "/local/domain/0/backend/vbd/5/51728",
                "/local/domain/0/backend/vbd/../vbd/5/51712",
                "/local/domain/0/backend//5/51712",
                "/local/domain/0/backend/vbd/5/51712/x",
                "/local/domain/0/backend/VBD/5/51712",
                "/local/domain/5/device/vbd/51712",
                "\x1b[2J",
                "",
        };
        struct eg_options o = quiet_options();
        struct eg_disk *d = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
                fake_set(FAKE_F "/backend", paths[i]);
                assert_int_equal(eg_open(&d, "xvda", &o), -EPERM);
                assert_null(strchr(eg_error(), '\x1b'));
        }
        fake_set(FAKE_F "/backend", FAKE_B);
        fake_set(FAKE_F "/backend-id", "-1");
        assert_true(eg_open(&d, "xvda", &o) < 0);
        fake_set(FAKE_F "/backend-id", "0");
        fake_set(FAKE_B "/frontend", "/local/domain/6/device/vbd/51712");
        assert_int_equal(eg_open(&d, "xvda", &o), -EPERM);
        fake_set(FAKE_B "/frontend", FAKE_F);
        fake_set(FAKE_B "/frontend-id", "6");
        assert_int_equal(eg_open(&d, "xvda", &o), -EPERM);
        assert_string_equal(fake_get(FAKE_F "/state"), "1");
}

static void lies_about_the_disk_are_refused(void **state)
{
        static const char *const rows[][2] = {
                {"/sectors", "0"},
                {"/sectors", "18446744073709551615"},
                {"/sectors", "18446744073709551616"},
                {"/sectors", "-5"},
                {"/sectors", ""},
                {"/sectors", NULL},
                {"/sector-size", "0"},
                {"/sector-size", "3"},
                {"/sector-size", "511"},
                {"/sector-size", "256"},
                {"/sector-size", "1536"},
                {"/sector-size", "8192"},
                {"/sector-size", "2147483648"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct eg_options o = quiet_options();
                struct eg_disk *d = NULL;
                char path[128] = FAKE_B;

                fake_reset();
                strcat(path, rows[i][0]);
                if (rows[i][1])
                        fake_set(path, rows[i][1]);
                else
                        fake_rm(path);
                assert_int_equal(eg_open(&d, "xvda", &o), -EPROTO);
                assert_string_equal(fake_get(FAKE_F "/state"), "6");
                fake_check_clean();
        }
}

static void large_blocks_are_honoured(void **state)
{
        struct eg_disk *d;
        struct eg_info info;
        char b[8192] = {0};

        fake_set(FAKE_B "/sector-size", "4096");
        fake_set(FAKE_B "/sectors", "16391"); /* a rest of 7 */
        fake_set(FAKE_B "/discard-granularity", "0");
        fake.lim.block_bytes = 4096;
        d = open_disk(NULL);
        eg_info(d, &info);
        assert_int_equal(info.block_bytes, 4096);
        assert_int_equal(info.physical_block_bytes, 4096);
        assert_int_equal(info.discard_granularity_bytes, 4096);
        assert_int_equal(info.size_bytes, FAKE_DISK_BYTES);
        assert_int_equal(eg_pwrite(d, b, 512, 0), -EINVAL);
        assert_int_equal(eg_pwrite(d, b, 4096, 512), -EINVAL);
        assert_int_equal(eg_pwrite(d, b, 8192, 4096), 0);
        eg_close(d);
}

static void silence_ends_in_a_timeout(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d = NULL;

        fake.silent = true;
        assert_int_equal(eg_open(&d, "xvda", &o), -ETIMEDOUT);
        assert_non_null(strstr(eg_error(), FAKE_B));
        assert_string_equal(fake_get(FAKE_F "/state"), "6");
}

static void refusal_is_reported_with_its_reason(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d = NULL;

        fake.refuses = true;
        fake_set("/local/domain/0/error/backend/vbd/5/51712/error",
                 "22 no good\n");
        assert_int_equal(eg_open(&d, "xvda", &o), -ECONNREFUSED);
        assert_non_null(strstr(eg_error(), "22 no good\\x0a"));
}

static void new_size_is_followed(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_info info;
        char b[512];

        fake_set(FAKE_B "/sectors", "8192");
        fake_back_state(XENBUS_CONNECTED);
        assert_int_equal(eg_process(d), 0);
        eg_info(d, &info);
        assert_int_equal(info.size_bytes, 4 << 20);
        assert_int_equal(eg_pread(d, b, 512, 4 << 20), -EINVAL);
        fake_set(FAKE_B "/sectors", "rubbish");
        fake_back_state(XENBUS_CONNECTED);
        assert_int_equal(eg_process(d), 0);
        eg_info(d, &info);
        assert_int_equal(info.size_bytes, 4 << 20);
        eg_close(d);
}

static void impossible_state_ends_the_disk(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_stats s;
        char b[512];

        fake_back_state(XENBUS_INITIALISED);
        assert_int_equal(eg_process(d), -EIO);
        eg_stats(d, &s);
        assert_int_equal(s.state, EG_STATE_ERROR);
        assert_int_equal(eg_pread(d, b, 512, 0), -EIO);
        assert_string_equal(fake_get(FAKE_F "/state"), "6");
        eg_close(d);
}

/* ---- away and back ---------------------------------------------------------
 */

enum { N = 60, LEN = 60000 / 512 * 512 };

struct load {
        struct probe w[N], r[4];
        uint8_t *data[N], *in[4];
};

static void load_start(struct eg_disk *d, struct load *l)
{
        for (unsigned i = 0; i < N; i++) {
                l->data[i] = malloc(LEN);
                paint(l->data[i], LEN, i);
                assert_int_equal(
                        eg_submit(d, probe_io(&l->w[i], EG_WRITE, l->data[i],
                                              LEN, (uint64_t)i * LEN)),
                        0);
                memset(l->data[i], 0xdd, LEN); /* ours again */
        }
        for (unsigned i = 0; i < 4; i++) {
                l->in[i] = malloc(4096);
                assert_int_equal(
                        eg_submit(d, probe_io(&l->r[i], EG_READ, l->in[i], 4096,
                                              FAKE_DISK_BYTES - 4096)),
                        0);
        }
        eg_kick(d);
}

static void load_check(struct load *l, int error)
{
        for (unsigned i = 0; i < N; i++) {
                assert_int_equal(l->w[i].calls, 1);
                assert_int_equal(l->w[i].error, error);
                if (!error) {
                        paint(l->data[i], LEN, i);
                        assert_memory_equal(fake.disk + (size_t)i * LEN,
                                            l->data[i], LEN);
                }
                free(l->data[i]);
        }
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(l->r[i].calls, 1);
                assert_int_equal(l->r[i].error, error);
                if (!error)
                        assert_int_equal(l->in[i][4095], 0x42);
                free(l->in[i]);
        }
}

static void unanswered_requests_are_sent_again(void **state)
{
        static const enum xenbus_state ways[] = {XENBUS_CLOSING, XENBUS_CLOSED,
                                                 XENBUS_INIT_WAIT,
                                                 XENBUS_UNKNOWN};

        for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
                static struct load l;
                struct eg_options o = quiet_options();
                struct eg_disk *d;
                struct eg_stats s;

                fake_reset();
                o.ring_order = 2;
                d = open_disk(&o);
                memset(fake.disk + FAKE_DISK_BYTES - 4096, 0x42, 4096);
                fake.hold = true;
                load_start(d, &l);
                fake_serve(10, true);
                assert_true(eg_process(d) >= 0);
                fake_serve(3, false); /* answered, but we hear it late */
                /* Comes back with a smaller ring. */
                fake_set(FAKE_B "/max-ring-page-order", "0");
                fake.silent = ways[way] == XENBUS_UNKNOWN;
                fake_back_away(ways[way]);
                if (fake.silent) {
                        assert_true(eg_process(d) >= 0);
                        eg_stats(d, &s);
                        assert_int_equal(s.state, EG_STATE_CONNECTING);
                        fake.silent = false;
                        fake_set(FAKE_B "/state", "2");
                }
                for (int i = 0; i < 3; i++)
                        assert_true(eg_process(d) >= 0);
                eg_stats(d, &s);
                assert_int_equal(s.state, EG_STATE_CONNECTED);
                assert_int_equal(s.reconnects, 1);
                assert_true(s.resubmitted > 0);
                fake.hold = false;
                fake_serve(~0u, true);
                for (int i = 0; i < 100; i++)
                        eg_process(d);
                load_check(&l, 0);
                assert_int_equal(eg_process(d), 0);
                eg_close(d);
                fake_check_clean();
        }
}

static void io_waits_while_the_backend_is_away(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct probe p, f;
        uint8_t b[1024];

        fake.silent = true;
        fake_back_away(XENBUS_CLOSING);
        assert_int_equal(eg_process(d), 0);
        paint(b, 1024, 6);
        assert_int_equal(eg_submit(d, probe_io(&p, EG_WRITE, b, 1024, 0)), 0);
        memset(b, 0, 1024);
        assert_int_equal(eg_submit(d, probe_io(&f, EG_FLUSH, NULL, 0, 0)), 0);
        eg_kick(d);
        assert_int_equal(eg_process(d), 0);
        fake.silent = false;
        fake_back_state(XENBUS_CLOSED);
        while (!f.calls || !p.calls)
                assert_true(eg_process(d) >= 0);
        assert_int_equal(p.error, 0);
        paint(b, 1024, 6);
        assert_memory_equal(fake.disk, b, 1024);
        eg_close(d);
}

static void pool_buffers_survive_a_reconnect(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        const struct iovec *v;
        struct eg_buf *buf;
        struct probe p;
        unsigned n;

        assert_int_equal(eg_buf_alloc(d, 8192, &buf), 0);
        v = eg_buf_iov(buf, &n);
        memset(v[0].iov_base, 'p', 4096);
        memset(v[1].iov_base, 'q', 4096);
        fake.hold = true;
        probe_io(&p, EG_WRITE, NULL, 0, 512);
        p.io.buf = buf;
        p.io.buf_offset_bytes = 512;
        p.io.length_bytes = 7168;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        fake_back_away(XENBUS_CLOSED);
        for (int i = 0; i < 3; i++)
                assert_int_equal(eg_process(d), 0);
        fake.hold = false;
        fake_serve(~0u, false);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, 0);
        assert_int_equal(fake.disk[511], 0);
        assert_int_equal(fake.disk[512], 'p');
        assert_int_equal(fake.disk[512 + 3583], 'p');
        assert_int_equal(fake.disk[512 + 3584], 'q');
        assert_int_equal(fake.disk[512 + 7167], 'q');
        assert_int_equal(fake.disk[512 + 7168], 0);
        /* The old pages still work, by copying. */
        memset(fake.disk, 'n', 4096);
        p.io.op = EG_READ;
        p.io.offset_bytes = 0;
        p.io.length_bytes = 512;
        p.calls = 0;
        assert_int_equal(eg_submit(d, &p.io), 0);
        eg_kick(d);
        assert_int_equal(eg_process(d), 1);
        assert_ptr_not_equal(fake_page(fake.last.segs[0].gref), v[0].iov_base);
        assert_int_equal(((char *)v[0].iov_base)[511], 'p');
        assert_int_equal(((char *)v[0].iov_base)[512], 'n');
        assert_int_equal(((char *)v[0].iov_base)[1024], 'p');
        eg_buf_free(d, buf);
        eg_close(d);
}

static void removal_fails_everything_once(void **state)
{
        for (int way = 0; way < 3; way++) {
                static struct load l;
                struct eg_options o = quiet_options();
                struct eg_disk *d;
                struct eg_stats s;
                char b[512];

                fake_reset();
                o.reconnect = way == 2 ? EG_RECONNECT_NEVER : EG_RECONNECT_WAIT;
                d = open_disk(&o);
                fake.hold = true;
                load_start(d, &l);
                if (way == 0)
                        fake_set(FAKE_B "/online", "0");
                if (way == 1)
                        fake_rm(FAKE_F);
                fake_back_away(XENBUS_CLOSING);
                assert_int_equal(eg_process(d), N + 4);
                load_check(&l, -ENODEV);
                assert_int_equal(eg_process(d), -ENODEV);
                eg_stats(d, &s);
                assert_int_equal(s.state, EG_STATE_GONE);
                assert_int_equal(eg_pread(d, b, 512, 0), -ENODEV);
                eg_close(d);
                fake_check_clean();
        }
}

static void backend_that_never_returns_is_given_up(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d;
        struct probe p;
        char b[512];

        o.reconnect_timeout_ms = 20;
        d = open_disk(&o);
        fake.hold = fake.silent = true;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, b, 512, 0)), 0);
        fake_back_away(XENBUS_CLOSED);
        while (!p.calls)
                eg_process(d);
        assert_int_equal(p.error, -ENODEV);
        /* Blocking callers too. */
        assert_int_equal(eg_pread(d, b, 512, 0), -ENODEV);
        eg_close(d);
}

/* A backend that comes back with nonsense. */
static void nonsense_after_a_reconnect_is_eio(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_buf *buf;
        struct eg_stats s;
        struct probe p;
        char b[512];

        fake.hold = true;
        assert_int_equal(eg_submit(d, probe_io(&p, EG_READ, b, 512, 0)), 0);
        fake_set(FAKE_B "/sectors", "0");
        fake_back_away(XENBUS_INIT_WAIT);
        assert_int_equal(eg_process(d), 1);
        assert_int_equal(p.error, -EIO);
        assert_int_equal(eg_process(d), -EIO);
        assert_int_equal(eg_pread(d, b, 512, 0), -EIO);
        assert_int_equal(eg_buf_alloc(d, 512, &buf), -EIO);
        assert_non_null(strstr(eg_error(), "sectors"));
        eg_stats(d, &s);
        assert_int_equal(s.state, EG_STATE_ERROR);
        eg_close(d);
}

/* A driver domain that was restarted has another id. */
static void another_backend_is_followed(void **state)
{
        struct eg_disk *d = open_disk(NULL);
        struct eg_info info;

        fake_set("/local/domain/9/backend/vbd/5/51712/state", "2");
        fake_set(FAKE_F "/backend-id", "9");
        fake_set(FAKE_F "/backend", "/local/domain/9/backend/vbd/5/51712");
        assert_int_equal(eg_process(d), 0);
        eg_info(d, &info);
        assert_int_equal(info.backend_domid, 9);
        assert_string_equal(fake_get(FAKE_F "/state"), "3");
        fake_set(FAKE_F "/backend", "/local/domain/0/backend/vbd/5/1");
        assert_int_equal(eg_process(d), 0);
        eg_info(d, &info);
        assert_int_equal(info.backend_domid, 9); /* not followed */
        eg_close(d);
}

static void close_waits_for_what_was_accepted(void **state)
{
        static struct load l;
        struct eg_disk *d = open_disk(NULL);

        memset(fake.disk + FAKE_DISK_BYTES - 4096, 0x42, 4096);
        fake.hold = true;
        load_start(d, &l);
        fake.hold = false;
        fake_serve(~0u, false);
        eg_close(d);
        load_check(&l, 0);
}

static void close_gives_up_on_a_dead_backend(void **state)
{
        static struct load l;
        struct eg_disk *d = open_disk(NULL);

        fake.hold = fake.silent = true;
        load_start(d, &l);
        eg_close(d);
        load_check(&l, -ESHUTDOWN);
        assert_string_equal(fake_get(FAKE_F "/state"), "6");
        fake_check_clean();
}

static void second_open_is_refused(void **state)
{
        struct eg_options o = quiet_options();
        struct eg_disk *d = open_disk(&o), *d2 = NULL;

        assert_int_equal(eg_open(&d2, "xvda", &o), -EBUSY);
        eg_close(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(one_page_ring_is_published_without_numbers),
                T(larger_rings_are_agreed),
                T(persistence_is_agreed_at_each_connect),
                T(backend_may_be_connected_at_once),
                T(earlier_connection_is_ended_first),
                T(disks_that_are_not_there),
                T(backend_path_must_be_the_one_of_backend_id),
                T(lies_about_the_disk_are_refused),
                T(large_blocks_are_honoured),
                T(silence_ends_in_a_timeout),
                T(refusal_is_reported_with_its_reason),
                T(new_size_is_followed),
                T(impossible_state_ends_the_disk),
                T(unanswered_requests_are_sent_again),
                T(io_waits_while_the_backend_is_away),
                T(pool_buffers_survive_a_reconnect),
                T(removal_fails_everything_once),
                T(backend_that_never_returns_is_given_up),
                T(nonsense_after_a_reconnect_is_eio),
                T(another_backend_is_followed),
                T(close_waits_for_what_was_accepted),
                T(close_gives_up_on_a_dead_backend),
                T(second_open_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
