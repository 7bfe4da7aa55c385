/* SPDX-License-Identifier: MIT */
/* A guest's program: writes and reads a disk through libevergrant, checks all
 * that it reads, until it is told to end. it-daemon-guest VDEV [OPTION…]:
 *   stop=FILE      ends when FILE exists
 *   order=N, persistent=0
 *   hold=1         does one write and then nothing
 * Prints "open", and at the end "ok N" or what is wrong. */
#include <evergrant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 32768u
#define CHUNKS 64u

static uint32_t written[CHUNKS]; /* generation of each; 0: never */

static void fill(uint32_t *words, uint32_t chunk, uint32_t generation)
{
        for (uint32_t i = 0; i < CHUNK / 4; i++)
                words[i] = chunk * 2654435761u + generation * 40503u + i;
}

static int fail(const char *what, uint32_t chunk)
{
        printf("%s chunk %u: %s\n", what, chunk, eg_error());
        return 1;
}

static int step(struct eg_disk *disk, uint32_t chunk, int is_write)
{
        static uint32_t want[CHUNK / 4], got[CHUNK / 4];
        uint64_t at = (uint64_t)chunk * CHUNK;

        if (is_write) {
                fill(want, chunk, ++written[chunk]);
                return eg_pwrite(disk, want, CHUNK, at) < 0
                               ? fail("write", chunk)
                               : 0;
        }
        memset(got, 0xee, CHUNK);
        if (eg_pread(disk, got, CHUNK, at) < 0)
                return fail("read", chunk);
        fill(want, chunk, written[chunk]);
        if (!written[chunk] || memcmp(want, got, CHUNK) == 0)
                return 0;
        printf("chunk %u is not what was written\n", chunk);
        return 1;
}

static int run(struct eg_disk *disk, const char *stop, int hold)
{
        unsigned seed = 1;
        unsigned long n = 0;

        do {
                uint32_t chunk = (uint32_t)rand_r(&seed) % CHUNKS;

                if (step(disk, chunk, n == 0 || rand_r(&seed) & 1))
                        return 1;
                n++;
                while (hold && access(stop, F_OK) != 0)
                        usleep(20000);
        } while (n % 16 != 0 || access(stop, F_OK) != 0);
        for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
                if (written[chunk] && step(disk, chunk, 0))
                        return 1;
        }
        printf("ok %lu\n", n);
        return 0;
}

int main(int argc, char **argv)
{
        struct eg_options opts;
        struct eg_disk *disk;
        const char *stop = "/nonexistent";
        int hold = 0, ret;

        setvbuf(stdout, NULL, _IOLBF, 0);
        eg_options_init(&opts);
        for (int i = 2; i < argc; i++) {
                if (strncmp(argv[i], "stop=", 5) == 0)
                        stop = argv[i] + 5;
                else if (strncmp(argv[i], "order=", 6) == 0)
                        opts.ring_order = (unsigned)atoi(argv[i] + 6);
                else if (strcmp(argv[i], "persistent=0") == 0)
                        opts.persistent = false;
                else if (strcmp(argv[i], "hold=1") == 0)
                        hold = 1;
        }
        if (argc < 2 || eg_open(&disk, argv[1], &opts) < 0) {
                printf("open: %s\n", eg_error());
                return 1;
        }
        printf("open\n");
        ret = run(disk, stop, hold);
        eg_close(disk);
        return ret;
}
