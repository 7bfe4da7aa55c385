/* SPDX-License-Identifier: MIT */
/* Linux gives memory that is not there and kills somebody later. A guest that
 * fills a ram: disk must get an error instead, and the daemon must live on, so
 * the room is asked before memory is taken. */
#include "ram.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Left for others, of the machine or the control group. */
static uint64_t less_reserve(uint64_t room_bytes, uint64_t total_bytes)
{
        uint64_t reserve = min_u64(256ull << 20, total_bytes / 16);

        return room_bytes > reserve ? room_bytes - reserve : 0;
}

/* The sum of the numbers in "NAME NUMBER" lines whose names are given. False
 * if the file cannot be read. */
static bool sum_of(const char *path, const char *name1, const char *name2,
                   uint64_t *sum)
{
        char line[256], name[64];
        unsigned long long value;
        FILE *f = fopen(path, "re");

        if (!f)
                return false;
        *sum = 0;
        while (fgets(line, sizeof(line), f)) {
                if (sscanf(line, "%63s %llu", name, &value) == 2 &&
                    (strcmp(name, name1) == 0 || strcmp(name, name2) == 0))
                        *sum += value;
        }
        fclose(f);
        return true;
}

static uint64_t machine_room(const char *root)
{
        uint64_t available_kib, total_kib;
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/proc/meminfo", root);
        if (!sum_of(path, "MemAvailable:", "", &available_kib) ||
            !sum_of(path, "MemTotal:", "", &total_kib))
                return UINT64_MAX;
        return less_reserve(available_kib * 1024, total_kib * 1024);
}

static bool number_in(const char *dir, const char *file, uint64_t *value)
{
        char path[PATH_MAX + 64];
        unsigned long long v;
        FILE *f;
        bool ok;

        snprintf(path, sizeof(path), "%s/%s", dir, file);
        f = fopen(path, "re");
        if (!f)
                return false;
        ok = fscanf(f, "%llu", &v) == 1; /* "max" is none */
        fclose(f);
        *value = v;
        return ok;
}

static uint64_t group_room(const char *dir)
{
        uint64_t max, used, cache = 0;
        char path[PATH_MAX + 64];

        if (!number_in(dir, "memory.max", &max) ||
            !number_in(dir, "memory.current", &used))
                return UINT64_MAX;
        snprintf(path, sizeof(path), "%s/memory.stat", dir);
        sum_of(path, "active_file", "inactive_file", &cache);
        used -= min_u64(used, cache); /* the kernel drops this on demand */
        return less_reserve(max > used ? max - used : 0, max);
}

/* "/a/b" of the line "0::/a/b"; false without version 2 control groups. */
static bool own_group(const char *root, char *group, size_t group_bytes)
{
        char path[PATH_MAX], line[PATH_MAX];
        bool found = false;
        FILE *f;

        snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
        f = fopen(path, "re");
        if (!f)
                return false;
        while (!found && fgets(line, sizeof(line), f)) {
                if (strncmp(line, "0::/", 4) != 0)
                        continue;
                line[strcspn(line, "\n")] = '\0';
                found = (size_t)snprintf(group, group_bytes, "%s", line + 3) <
                        group_bytes;
        }
        fclose(f);
        return found;
}

uint64_t ram_room_bytes(const char *root)
{
        char group[PATH_MAX / 2], dir[PATH_MAX];
        uint64_t room = machine_room(root);

        if (!own_group(root, group, sizeof(group)))
                return room;
        /* Each level above may have a limit too. */
        while (group[0]) {
                snprintf(dir, sizeof(dir), "%s/sys/fs/cgroup%s", root, group);
                room = min_u64(room, group_room(dir));
                *strrchr(group, '/') = '\0';
        }
        return room;
}
