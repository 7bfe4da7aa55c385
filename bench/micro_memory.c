/* SPDX-License-Identifier: MIT */
/* What every data path pays: memory copied. Hot: one page over and over; cold:
 * from a random place of 64 MiB, as a random read of a RAM disk does. */
#include "micro.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STORE_BYTES (64u << 20)
#define MOST_BYTES (1u << 20)

struct copies {
        uint8_t *store, *page;
        uint64_t random;
};

struct copy_arg {
        struct copies *c;
        size_t bytes;
        char name[32];
};

static void copy_cold(void *arg, uint64_t n)
{
        struct copy_arg *a = arg;
        uint64_t places = STORE_BYTES / a->bytes;

        for (uint64_t i = 0; i < n; i++) {
                uint64_t at = micro_random(&a->c->random) % places * a->bytes;

                memcpy(a->c->page, a->c->store + at, a->bytes);
                micro_use(a->c->page);
        }
}

static void copy_hot(void *arg, uint64_t n)
{
        struct copy_arg *a = arg;

        for (uint64_t i = 0; i < n; i++) {
                memcpy(a->c->page, a->c->store, a->bytes);
                micro_use(a->c->page);
        }
}

int micro_memory(const struct micro_plan *plan)
{
        static const unsigned sizes[] = {512,      4096,      16 << 10,
                                         64 << 10, 256 << 10, 1 << 20};
        struct micro_case cases[12];
        struct copy_arg args[12];
        struct copies c = {.random = 1};
        unsigned n = 0;

        c.store = mmap(NULL, STORE_BYTES + MOST_BYTES, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (c.store == MAP_FAILED) {
                fprintf(stderr, "evergrant-bench-micro: 65 MiB of memory: %s\n",
                        strerror(errno));
                return 1;
        }
        memset(c.store, 0x5a, STORE_BYTES + MOST_BYTES);
        c.page = c.store + STORE_BYTES;
        for (unsigned s = 0; s < 6; s++) {
                for (int cold = 0; cold < 2; cold++, n++) {
                        args[n] = (struct copy_arg){&c, sizes[s], ""};
                        snprintf(args[n].name, sizeof(args[n].name),
                                 "memcpy_%s_%u_ns", cold ? "cold" : "hot",
                                 sizes[s]);
                        cases[n] = (struct micro_case){
                                args[n].name, cold ? copy_cold : copy_hot,
                                &args[n]};
                }
        }
        micro_print(plan, cases, n);
        munmap(c.store, STORE_BYTES + MOST_BYTES);
        return 0;
}
