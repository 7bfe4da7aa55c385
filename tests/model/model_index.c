/* SPDX-License-Identifier: MIT */
/* The indices of the benchmark (S12) against an array that is searched
 * from end to end: the same answers to random insertions, removals and
 * look-ups, over grefs that lie together, far apart, and at the ends. */
#include "../../bench/index.h"

#include "random.h"

#define STEPS 100000u
#define MOST 64u

struct model {
        struct index_entry entries[MOST];
        bool there[MOST];
};

static uint32_t some_gref(void)
{
        switch (rnd_below(5)) {
        case 0:
                return UINT32_MAX - rnd_below(16);
        case 1:
                return rnd_below(16);
        case 2:
                return rnd_below(64) << 26 | 5;
        default:
                return 1000 + rnd_below(90);
        }
}

static struct index_entry *model_find(struct model *m, uint32_t gref)
{
        for (unsigned i = 0; i < MOST; i++)
                if (m->there[i] && m->entries[i].gref == gref)
                        return &m->entries[i];
        return NULL;
}

static void step(const struct index_kind *kind, struct index *x,
                 struct model *m)
{
        uint32_t gref = some_gref();
        struct index_entry *want = model_find(m, gref);
        unsigned i;

        check(kind->find(x, gref) == want, "%s: gref %u", kind->name, gref);
        if (want && rnd_below(2)) {
                kind->remove(x, want);
                m->there[want - m->entries] = false;
                check(!kind->find(x, gref), "%s: gref %u is still there",
                      kind->name, gref);
        } else if (!want) {
                for (i = 0; i < MOST && m->there[i]; i++)
                        ;
                if (i == MOST)
                        return;
                m->entries[i].gref = gref;
                check(kind->insert(x, &m->entries[i]), "%s: no memory",
                      kind->name);
                m->there[i] = true;
        }
}

static void all_are_there(const struct index_kind *kind, struct index *x,
                          struct model *m)
{
        for (unsigned i = 0; i < MOST; i++)
                if (m->there[i])
                        check(kind->find(x, m->entries[i].gref) ==
                                      &m->entries[i],
                              "%s: gref %u is lost", kind->name,
                              m->entries[i].gref);
}

int main(int argc, char **argv)
{
        static const struct index_kind *const kinds[] = {
                &index_tree, &index_near, &index_hash, &index_array};

        rnd_start(argc, argv);
        for (unsigned k = 0; k < 4; k++) {
                struct index *x = kinds[k]->create(MOST);
                struct model m = {0};

                check(x, "%s: no memory", kinds[k]->name);
                for (unsigned n = 0; n < STEPS; n++) {
                        step(kinds[k], x, &m);
                        if (n % 64 == 0)
                                all_are_there(kinds[k], x, &m);
                }
                kinds[k]->destroy(x);
        }
        return 0;
}
