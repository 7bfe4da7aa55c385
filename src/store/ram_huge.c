/* SPDX-License-Identifier: MIT */
/* A ram: disk in huge pages. With small ones each request for another place
 * walks the page tables, and those of many disks are not in the caches: with
 * 32 disks of 64 MiB that was a quarter of all time. Memory is still had in
 * extents; what has all of its extents becomes one page. */
#include "ram.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

void *ram_huge_map(int fd, size_t map_bytes)
{
        size_t room = map_bytes + RAM_HUGE_BYTES, before, behind;
        uint8_t *start;
        void *map;
        int error;

        start = mmap(NULL, room, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED)
                return MAP_FAILED;
        before = -(uintptr_t)start % RAM_HUGE_BYTES;
        map = mmap(start + before, map_bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, RAM_DATA_OFFSET);
        if (map == MAP_FAILED) {
                error = errno;
                munmap(start, room);
                errno = error;
                return MAP_FAILED;
        }
        behind = RAM_HUGE_BYTES - before;
        if (before)
                munmap(start, before);
        munmap(start + before + map_bytes, behind);
        return map;
}

static bool has_all(struct ram_view *v, size_t first)
{
        for (size_t i = first; i < first + RAM_HUGE_EXTENTS; i++) {
                if (!ram_view_has(v, i))
                        return false;
        }
        return true;
}

bool ram_huge_any(const struct ram_view *v, size_t first, size_t end)
{
        size_t whole = v->extents / RAM_HUGE_EXTENTS * RAM_HUGE_EXTENTS;

        for (size_t i = first; i < end && i < whole; i++) {
                if (v->joined[i / RAM_HUGE_EXTENTS])
                        return true;
        }
        return false;
}

void ram_huge_join(struct ram_view *v, size_t extent)
{
        size_t huge = extent / RAM_HUGE_EXTENTS;
        size_t first = huge * RAM_HUGE_EXTENTS;

        /* Once: a guest that discards and writes again in turn would have 2 MiB
         * copied each time. */
        if (first + RAM_HUGE_EXTENTS > v->extents || v->joined[huge] ||
            !has_all(v, first))
                return;
        v->joined[huge] = true;
        /* Advice: where the kernel has no such pages, or none left, all stays
         * as it is. */
        madvise(v->map + first * RAM_EXTENT_BYTES, RAM_HUGE_BYTES,
                MADV_COLLAPSE);
}
