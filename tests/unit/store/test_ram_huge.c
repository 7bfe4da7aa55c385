/* SPDX-License-Identifier: MIT */
/* A ram: disk in huge pages, by the kernel's word. */
#include "rig.h"

#include "store/ram.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes of the disk's mapping that are in huge pages. */
static uint64_t huge_bytes(void)
{
        FILE *f = fopen("/proc/self/smaps", "re");
        unsigned long long kib;
        uint64_t sum = 0;
        char line[512];

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                if (sscanf(line, "ShmemPmdMapped: %llu kB", &kib) == 1)
                        sum += kib << 10;
        }
        fclose(f);
        return sum;
}

static bool kernel_joins_pages(void)
{
        int fd = memfd_create("test", MFD_CLOEXEC), ret;
        void *map;

        assert_int_equal(ftruncate(fd, RAM_DATA_OFFSET + RAM_HUGE_BYTES), 0);
        map = ram_huge_map(fd, RAM_HUGE_BYTES);
        assert_ptr_not_equal(map, MAP_FAILED);
        assert_int_equal((uintptr_t)map % RAM_HUGE_BYTES, 0);
        memset(map, 1, RAM_HUGE_BYTES);
        ret = madvise(map, RAM_HUGE_BYTES, 25 /* MADV_COLLAPSE */);
        munmap(map, RAM_HUGE_BYTES);
        close(fd);
        return ret == 0;
}

/* 5 MiB and 128 KiB: two huge pages, and what is none. */
static void written_memory_becomes_huge_pages_once(void **state)
{
        struct rig *r = *state;
        const uint64_t size = (5 << 20) + (128 << 10);
        uint8_t *buf = malloc(65536), *want = malloc(65536);
        struct err e;

        if (!kernel_joins_pages()) {
                print_message("this kernel joins no pages\n");
                skip();
        }
        rig_open(r, "ram:5248k");
        for (uint64_t at = 0; at < size; at += 65536) {
                memset(buf, (int)(1 + at / 65536), 65536);
                assert_int_equal(rig_do(r, STORE_WRITE, at, buf, 65536), 0);
                assert_int_equal(huge_bytes(), (at + 65536) / RAM_HUGE_BYTES *
                                                       RAM_HUGE_BYTES);
        }
        for (uint64_t at = 0; at < size; at += 65536) {
                memset(want, (int)(1 + at / 65536), 65536);
                assert_int_equal(rig_do(r, STORE_READ, at, buf, 65536), 0);
                assert_memory_equal(buf, want, 65536);
        }
        /* What a guest takes apart stays so, whatever it writes, and whatever
         * the disk's size becomes; the other one is not touched. */
        assert_int_equal(rig_do(r, STORE_DISCARD, 65536, NULL, 65536), 0);
        assert_int_equal(rig_do(r, STORE_WRITE, 65536, buf, 65536), 0);
        assert_int_equal(huge_bytes(), RAM_HUGE_BYTES);
        assert_int_equal(store_resize(r->s, 16 << 20, &e), 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 65536, NULL, 65536), 0);
        assert_int_equal(rig_do(r, STORE_WRITE, 65536, buf, 65536), 0);
        assert_int_equal(rig_do(r, STORE_READ, 2 << 20, buf, 65536), 0);
        assert_int_equal(huge_bytes(), RAM_HUGE_BYTES);
        free(want);
        free(buf);
}

static struct {
        struct rig *r;
        unsigned parts, wholes;
        bool used_in_parts, stopped_for_wholes;
} seen;

static void note_punch(off_t at, off_t len)
{
        bool stopped = !atomic_load(&to_ram(seen.r->s)->view);

        if (len % RAM_HUGE_BYTES) {
                seen.parts++;
                seen.used_in_parts |= !stopped;
        } else {
                seen.wholes++;
                seen.stopped_for_wholes |= stopped;
        }
        assert_true(at >= RAM_DATA_OFFSET);
}

/* What a thread uses the kernel does not take apart, and its memory would stay.
 * Whole pages are no trouble, nor are small ones. */
static void a_huge_page_is_taken_apart_while_nobody_uses_the_disk(void **state)
{
        struct rig *r = *state;
        uint8_t *buf = malloc(8 << 20);
        struct err e;
        uint64_t before;

        rig_open(r, "ram:8M");
        before = rig_memory(r);
        seen.r = r;
        seen.parts = seen.wholes = 0;
        seen.used_in_parts = seen.stopped_for_wholes = false;
        fake_punch_seen = note_punch;
        memset(buf, 7, 8 << 20);
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 8 << 20), 0);
        /* The end of the first, two whole ones, the start of the last. */
        assert_int_equal(
                rig_do(r, STORE_DISCARD, 1 << 20, NULL, (5 << 20) + 65536), 0);
        assert_int_equal(seen.parts, 2);
        assert_int_equal(seen.wholes, 1);
        assert_false(seen.used_in_parts);
        assert_false(seen.stopped_for_wholes);
        assert_int_equal(rig_memory(r), before + (3 << 20) - RAM_EXTENT_BYTES);
        assert_int_equal(store_resize(r->s, 7 << 20, &e), 0);
        assert_int_equal(seen.parts, 3);
        assert_false(seen.used_in_parts);
        fake_punch_seen = NULL;
        memset(buf, 1, 8 << 20);
        assert_int_equal(rig_do(r, STORE_READ, 0, buf, 7 << 20), 0);
        for (size_t at = 0; at < 7 << 20; at += 4096)
                assert_int_equal(buf[at],
                                 at < 1 << 20 || at >= (6 << 20) + 65536 ? 7
                                                                         : 0);
        free(buf);
}

static void small_pages_are_given_back_while_others_work(void **state)
{
        struct rig *r = *state;
        uint8_t buf[512] = {1};

        rig_open(r, "ram:4M");
        seen.r = r;
        seen.parts = 0;
        seen.used_in_parts = false;
        fake_punch_seen = note_punch;
        assert_int_equal(rig_do(r, STORE_WRITE, 0, buf, 512), 0);
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 65536), 0);
        fake_punch_seen = NULL;
        assert_int_equal(seen.parts, 1);
        assert_true(seen.used_in_parts);
}

const struct CMUnitTest ram_huge_tests[] = {
        ONE_WAY(written_memory_becomes_huge_pages_once),
        ONE_WAY(a_huge_page_is_taken_apart_while_nobody_uses_the_disk),
        ONE_WAY(small_pages_are_given_back_while_others_work),
};
const size_t ram_huge_tests_n = ARRAY_SIZE(ram_huge_tests);
