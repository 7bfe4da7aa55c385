/* SPDX-License-Identifier: MIT */
/* The calls, as a program uses them. */
#include "guest.h"

#include <pthread.h>
#include <unistd.h>

static bool readable(struct eg_disk *disk, int timeout_ms)
{
        struct pollfd fd = {.fd = eg_fd(disk), .events = POLLIN};

        return poll(&fd, 1, timeout_ms) == 1 && (fd.revents & POLLIN);
}

/* Late news, of xenstore say, may make it readable once more, but not again and
 * again. */
static void settle(struct eg_disk *disk)
{
        for (int i = 0; i < 10 && readable(disk, 0); i++)
                assert_int_equal(eg_process(disk), 0);
        assert_false(readable(disk, 0));
}

/* Nothing else has to be watched, and nothing is said for nothing. */
static void one_descriptor_is_enough(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        char mem[GUEST_PAGE] = "";
        int fd = eg_fd(disk);
        struct guest_io g;

        for (int i = 0; i < 20; i++) {
                guest_io_init(&g, i % 2 ? EG_READ : EG_WRITE, mem, sizeof(mem),
                              0);
                guest_hold();
                assert_int_equal(eg_submit(disk, &g.io), 0);
                eg_kick(disk);
                settle(disk);
                assert_int_equal(g.error, 1);
                guest_let_go();
                assert_true(readable(disk, 20000));
                assert_int_equal(g.error, 1); /* no callback but in process */
                assert_int_equal(guest_finish(disk, &g), 0);
                assert_int_equal(eg_fd(disk), fd);
        }
        guest_close(disk);
}

/* Submitted without a kick: eg_process tells the backend too. */
static void process_kicks(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        char mem[GUEST_PAGE] = "";
        struct guest_io g;

        guest_io_init(&g, EG_READ, mem, sizeof(mem), 0);
        assert_int_equal(eg_submit(disk, &g.io), 0);
        eg_process(disk);
        assert_int_equal(guest_finish(disk, &g), 0);
        guest_close(disk);
}

/* ---- eight threads ---------------------------------------------------------
 */

#define THREADS 8
#define ROUNDS 150

struct worker {
        pthread_t thread;
        struct eg_disk *disk;
        unsigned nr;
        int error;
};

static int round_trip(struct worker *w, unsigned round)
{
        char out[13 * GUEST_PAGE], in[sizeof(out)];
        uint64_t place = w->nr * 16u * GUEST_PAGE;
        size_t len = (round * 7 % (sizeof(out) / 512) + 1) * 512;
        int ret;

        memset(out, (int)(w->nr * 31 + round), len);
        memset(in, 0, len);
        ret = eg_pwrite(w->disk, out, len, place);
        if (ret == 0 && round % 16 == 0)
                ret = eg_flush(w->disk);
        if (ret == 0)
                ret = eg_pread(w->disk, in, len, place);
        return ret ? ret : memcmp(in, out, len) ? -EILSEQ : 0;
}

static void *work(void *arg)
{
        struct worker *w = arg;

        for (unsigned i = 0; i < ROUNDS && !w->error; i++)
                w->error = round_trip(w, i);
        return NULL;
}

static void threads_may_block_together(void **state)
{
        struct worker w[THREADS];
        struct eg_options opts;
        struct eg_disk *disk;
        struct eg_stats s;

        eg_options_init(&opts);
        opts.pool_pages = 60; /* they wait for pages, too */
        disk = guest_open(guest_image(1 << 20), "", &opts);
        for (unsigned i = 0; i < THREADS; i++) {
                w[i] = (struct worker){.disk = disk, .nr = i};
                assert_int_equal(
                        pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(w[i].thread, NULL);
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(w[i].error, 0);
        eg_stats(disk, &s);
        assert_int_equal(s.ios, THREADS * (2 * ROUNDS + (ROUNDS + 15) / 16));
        assert_int_equal(s.pool_taken, 0);
        assert_int_equal(s.errors, 0);
        /* In flight together: more than one thread's share at some time. */
        assert_true(guest_counter("inflight_high") > 2);
        guest_close(disk);
}

/* ---- operations without data
 * -------------------------------------------------
 */

static void discard_frees_blocks_and_flush_is_counted(void **state)
{
        struct eg_disk *disk = guest_open(guest_image(1 << 20), "", NULL);
        unsigned long before = guest_image_blocks();
        uint8_t got[512], want[512];
        struct eg_info i;

        eg_info(disk, &i);
        assert_true(i.can_discard && i.can_flush);
        assert_int_equal(eg_discard(disk, 256 << 10, 512 << 10), 0);
        assert_true(guest_image_blocks() <= before - 1024);
        /* And not a sector more. */
        for (unsigned sector = 511; sector < 1600; sector += 1025) {
                guest_image_read(got, 512, sector * 512);
                guest_sectors(want, 512, sector);
                assert_memory_equal(got, want, 512);
        }
        assert_int_equal(guest_counter("discards"), 1);
        assert_int_equal(guest_counter("discard_bytes"), 512 << 10);
        assert_int_equal(eg_flush(disk), 0);
        assert_int_equal(eg_flush(disk), 0);
        assert_int_equal(guest_counter("flushes"), 2);
        guest_close(disk);
}

static void failures_are_told(void **state)
{
        struct eg_disk *disk;
        char target[300];
        char mem[512] = "";
        struct eg_stats s;

        snprintf(target, sizeof(target),
                 "fault:flush-error=EIO@1,discard-error=EIO@1,"
                 "write-error=ENOSPC@2:%s",
                 guest_image(1 << 20));
        disk = guest_open(target, "", NULL);
        assert_int_equal(eg_flush(disk), -EIO);
        assert_int_equal(eg_flush(disk), 0);
        assert_int_equal(eg_discard(disk, 0, 4096), -EIO);
        assert_int_equal(eg_pwrite(disk, mem, 512, 0), 0);
        assert_int_equal(eg_pwrite(disk, mem, 512, 0), -EIO);
        assert_int_equal(eg_pwrite(disk, mem, 512, 0), 0);
        eg_stats(disk, &s);
        assert_int_equal(s.errors, 3);
        assert_int_equal(s.bytes_written, 1024);
        guest_close(disk);
}

static void nonsense_is_refused_here(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "", NULL);
        static char mem[2 * GUEST_PAGE];
        struct eg_stats s;

        assert_int_equal(eg_pread(disk, mem, 511, 0), -EINVAL);
        assert_int_equal(eg_pread(disk, mem, 512, 1), -EINVAL);
        assert_int_equal(eg_pread(disk, mem, 0, 0), -EINVAL);
        assert_int_equal(eg_pread(disk, mem, 512, 8 << 20), -EINVAL);
        assert_int_equal(eg_pwrite(disk, mem, 1024, (8 << 20) - 512), -EINVAL);
        assert_int_equal(eg_pwrite(disk, mem, 512, UINT64_MAX - 511), -EINVAL);
        assert_int_equal(eg_discard(disk, 0, 0), -EINVAL);
        assert_int_equal(eg_discard(disk, 512, 8 << 20), -EINVAL);
        assert_true(strlen(eg_error()) > 10);
        eg_stats(disk, &s);
        assert_int_equal(s.requests, 0); /* the backend never saw them */
        guest_close(disk);

        disk = guest_open("ram:8M", "--readonly", NULL);
        assert_int_equal(eg_pwrite(disk, mem, 512, 0), -EROFS);
        assert_int_equal(eg_discard(disk, 0, 4096), -EROFS);
        assert_int_equal(eg_pread(disk, mem, 512, 0), 0);
        guest_close(disk);
}

static void second_opener_is_refused(void **state)
{
        struct eg_disk *disk = guest_open("ram:8M", "", NULL), *second = NULL;
        char mem[512];

        assert_int_equal(eg_open(&second, "xvda", NULL), -EBUSY);
        assert_null(second);
        assert_int_equal(eg_open(&second, "xvdq", NULL), -ENOENT);
        assert_int_equal(eg_open(&second, "floppy", NULL), -EINVAL);
        assert_int_equal(eg_pread(disk, mem, 512, 0), 0);
        guest_close(disk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_descriptor_is_enough),
                cmocka_unit_test(process_kicks),
                cmocka_unit_test(threads_may_block_together),
                cmocka_unit_test(discard_frees_blocks_and_flush_is_counted),
                cmocka_unit_test(failures_are_told),
                cmocka_unit_test(nonsense_is_refused_here),
                cmocka_unit_test(second_opener_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
