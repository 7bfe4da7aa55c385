/* SPDX-License-Identifier: MIT */
/* S12: what a look-up costs in each index, by the number of entries and the
 * order of the peer's numbers. "index": a list of rows. */
#include "index.h"
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>

#define PROBES 4096u
#define KINDS 4u

struct rows {
        const struct index_kind *kind;
        struct index *x;
        struct index_entry *entries;
        uint32_t n;
        uint32_t probes[PROBES];
};

enum order { ORDERED, RANDOM, ADVERSARIAL };
static const char *const order_names[] = {"ordered", "random", "adversarial"};

static void run_find(void *arg, uint64_t n)
{
        const struct rows *r = arg;

        for (uint64_t i = 0; i < n; i++)
                micro_use(r->kind->find(r->x, r->probes[i % PROBES]));
}

/* Adversarial: far apart in all 32 bits, with the low bits equal, in an order
 * that alternates between the ends; never consecutive, so that no leaf is
 * shared. No two are equal: an odd factor permutes. */
static uint32_t gref_of(enum order order, uint32_t i, uint32_t n)
{
        switch (order) {
        case ORDERED:
                return i + 8;
        case RANDOM:
                return (i + 1) * 2654435761u;
        case ADVERSARIAL:
        default:
                return (i % 2 ? n - i / 2 : i / 2) << 14 | 5;
        }
}

/* Those that are there, or their neighbours that are not. */
static void choose_probes(struct rows *r, enum order order, bool hit)
{
        uint64_t random = 7;

        for (uint32_t i = 0; i < PROBES; i++) {
                uint32_t at = (uint32_t)(micro_random(&random) % r->n);

                r->probes[i] = r->entries[at].gref;
                while (!hit && r->kind->find(r->x, r->probes[i]))
                        r->probes[i] = order == ORDERED ? r->probes[i] + r->n
                                                        : r->probes[i] ^ 1;
        }
}

static bool fill(struct rows *r, enum order order)
{
        r->x = r->kind->create(r->n);
        r->entries = calloc(r->n, sizeof(*r->entries));
        if (!r->x || !r->entries)
                return false;
        for (uint32_t i = 0; i < r->n; i++) {
                r->entries[i].gref = gref_of(order, i, r->n);
                if (!r->kind->insert(r->x, &r->entries[i]))
                        return false;
        }
        return true;
}

static void empty(struct rows *r)
{
        r->kind->destroy(r->x);
        free(r->entries);
}

/* All kinds side by side: one row. */
static int compare(const struct micro_plan *plan, uint32_t n, enum order order,
                   bool hit, const char *comma)
{
        static const struct index_kind *const kinds[] = {
                &index_tree, &index_near, &index_hash, &index_array};
        struct micro_case cases[KINDS];
        static struct rows rows[KINDS];
        double ns[KINDS];
        int ret = 0;

        for (unsigned k = 0; k < KINDS; k++) {
                rows[k].kind = kinds[k];
                rows[k].n = n;
                if (!fill(&rows[k], order)) {
                        fputs("evergrant-bench-micro: no memory\n", stderr);
                        ret = 1;
                        break;
                }
                choose_probes(&rows[k], order, hit);
                cases[k] =
                        (struct micro_case){kinds[k]->name, run_find, &rows[k]};
        }
        if (ret == 0) {
                micro_measure(plan, cases, KINDS, ns);
                printf("%s{\"entries\":%u,\"order\":\"%s\",\"probe\":\"%s\"",
                       comma, n, order_names[order], hit ? "hit" : "miss");
                for (unsigned k = 0; k < KINDS; k++)
                        printf(",\"%s_ns\":%.2f", kinds[k]->name, ns[k]);
                puts("}");
        }
        for (unsigned k = 0; k < KINDS; k++) {
                empty(&rows[k]);
                rows[k].x = NULL;
                rows[k].entries = NULL;
        }
        return ret;
}

int micro_index(const struct micro_plan *plan)
{
        static const uint32_t sizes[] = {32, 352, 1056, 8192, 67584};
        const char *comma = "";
        int ret = 0;

        puts("\"index\":[");
        for (unsigned s = 0; s < 5 && ret == 0; s++)
                for (int o = ORDERED; o <= ADVERSARIAL && ret == 0; o++)
                        for (int hit = 1; hit >= 0 && ret == 0; hit--) {
                                ret = compare(plan, sizes[s], (enum order)o,
                                              hit, comma);
                                comma = ",";
                        }
        puts("],");
        return ret;
}
