/* SPDX-License-Identifier: MIT */
/* How much memory may be taken, from a made-up /proc and /sys. */
#include "rig.h"

#include "store/ram.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

uint64_t __real_ram_room_bytes(const char *root);

#define MIB (1ull << 20)

static void put(struct rig *r, const char *path, const char *text)
{
        char full[256];
        FILE *f;

        snprintf(full, sizeof(full), "%s%s", r->dir, path);
        for (char *p = full + strlen(r->dir) + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                mkdir(full, 0700);
                *p = '/';
        }
        f = fopen(full, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void machine(struct rig *r)
{
        put(r, "/proc/meminfo",
            "MemTotal:       1048576 kB\nMemFree: 100 kB\n"
            "MemAvailable:    524288 kB\n");
}

static void a_part_of_the_machine_is_left_to_others(void **state)
{
        struct rig *r = *state;

        machine(r);
        /* 512 MiB less a sixteenth of 1 GiB */
        assert_int_equal(__real_ram_room_bytes(r->dir), (512 - 64) * MIB);
}

static void the_tightest_group_counts(void **state)
{
        struct rig *r = *state;

        machine(r);
        put(r, "/proc/self/cgroup", "1:cpu:/x\n0::/a/b\n");
        put(r, "/sys/fs/cgroup/a/b/memory.max", "max\n");
        put(r, "/sys/fs/cgroup/a/b/memory.current", "5\n");
        assert_int_equal(__real_ram_room_bytes(r->dir), (512 - 64) * MIB);
        put(r, "/sys/fs/cgroup/a/memory.max", "67108864\n");
        put(r, "/sys/fs/cgroup/a/memory.current", "33554432\n");
        assert_int_equal(__real_ram_room_bytes(r->dir), (64 - 32 - 4) * MIB);
        put(r, "/sys/fs/cgroup/a/memory.stat",
            "anon 1\nfile 9999\ninactive_file 4194304\nactive_file 4194304\n"
            "shmem 7\n");
        assert_int_equal(__real_ram_room_bytes(r->dir), (64 - 24 - 4) * MIB);
        put(r, "/sys/fs/cgroup/a/memory.current", "99999999\n");
        assert_int_equal(__real_ram_room_bytes(r->dir), 0);
}

static void without_any_knowledge_there_is_room(void **state)
{
        struct rig *r = *state;

        assert_true(__real_ram_room_bytes(r->dir) == UINT64_MAX);
        assert_true(__real_ram_room_bytes("") > 0);
        assert_true(__real_ram_room_bytes("") < UINT64_MAX);
}

const struct CMUnitTest room_tests[] = {
        ONE_WAY(a_part_of_the_machine_is_left_to_others),
        ONE_WAY(the_tightest_group_counts),
        ONE_WAY(without_any_knowledge_there_is_room),
};
const size_t room_tests_n = ARRAY_SIZE(room_tests);
