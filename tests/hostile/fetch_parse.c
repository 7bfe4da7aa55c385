/* SPDX-License-Identifier: MIT */
/* O-FETCH for any compiler: loads of the index, of each word of a slot and of
 * an indirect page by the ring and the parser, counted in the optimised code.
 * fetch_compilers.sh compiles it; no library but libc. */
#include "trap.h"

#include "ring/back_ring.h"
#include "ring/ring_barrier.h"
#include "ring/ring_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORDS (GRANT_PAGE_BYTES / 4)

static unsigned loads[2][WORDS], stores[2];
static uint8_t *view[2], *watched[2];

static void accessed(unsigned page, unsigned offset, bool write)
{
        if (write)
                stores[page]++;
        else
                loads[page][offset / 4]++;
}

static void map_twice(unsigned page)
{
        int fd = memfd_create("page", 0);

        if (fd < 0 || ftruncate(fd, GRANT_PAGE_BYTES))
                exit(1);
        view[page] = mmap(NULL, GRANT_PAGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_SHARED, fd, 0);
        watched[page] = mmap(NULL, GRANT_PAGE_BYTES, PROT_READ | PROT_WRITE,
                             MAP_SHARED, fd, 0);
        trap_watch(page, watched[page], true);
}

static void each_once(unsigned page, unsigned from, unsigned n,
                      const char *what)
{
        for (unsigned i = 0; i < WORDS; i++) {
                unsigned want = i >= from && i < from + n;

                if (loads[page][i] == want)
                        continue;
                printf("%s: word %u is loaded %u times, should be %u\n", what,
                       i, loads[page][i], want);
                exit(1);
        }
        memset(loads, 0, sizeof(loads));
}

/* Volatile: what the parser made of it is used. */
static volatile unsigned kept;

static void one_slot(enum blk_abi abi, uint8_t op, uint8_t nsegs,
                     uint32_t index)
{
        static const struct blk_limits lim = {.sectors = 1 << 20,
                                              .block_bytes = 512,
                                              .flush = true,
                                              .barrier = true,
                                              .discard = true,
                                              .max_indirect_segs = 4096};
        unsigned len = blk_layouts[abi].request_bytes;
        _Alignas(8) uint8_t copy[BLK_SLOT_BYTES];
        struct blk_request req;
        struct back_ring r;
        uint8_t *slot;

        back_ring_init(&r, watched[0], 0, abi);
        slot = ring_slot(view[0], abi, r.slots, index);
        memset(slot, 0, len);
        slot[0] = op;
        slot[1] = nsegs;
        slot[2] = 9;
        r.req_cons = r.rsp_prod = index;
        *ring_word(view[0], RING_REQ_PROD) = index + 1;
        if (back_ring_waiting(&r) != 1)
                exit(1);
        each_once(0, 0, 1, "req_prod");
        back_ring_take(&r, copy);
        kept = blk_parse(abi, copy, &lim, &req);
        each_once(0, (unsigned)(slot - view[0]) / 4, len / 4, "slot");
        if (stores[0])
                exit(1);
}

static void one_page(unsigned nsegs)
{
        static const struct blk_limits lim = {.sectors = 1 << 20,
                                              .block_bytes = 512};
        static uint8_t copy[GRANT_PAGE_BYTES];
        static struct blk_seg segs[512];
        struct blk_request req = {.nsegs = nsegs};

        ring_copy_from_shared(copy, watched[1],
                              (size_t)nsegs * BLK_SEG_WIRE_BYTES);
        kept = blk_parse_indirect(copy, &lim, &req, segs);
        each_once(1, 0, nsegs * 2, "indirect page");
}

int main(void)
{
        static const uint8_t counts[] = {0, 1, 3, 11, 12, 255};

        if (!TRAP_WORKS)
                return 77;
        trap_init(accessed);
        map_twice(0);
        map_twice(1);
        for (unsigned abi = 0; abi < 2; abi++)
                for (unsigned op = 0; op < 8; op++)
                        for (unsigned n = 0; n < sizeof(counts); n++)
                                for (uint32_t at = 0; at < 32; at += 31)
                                        one_slot((enum blk_abi)abi, (uint8_t)op,
                                                 counts[n], at);
        one_page(1);
        one_page(300);
        one_page(512);
        printf("each word of a slot and of an indirect page: 1 load\n");
        return 0;
}
