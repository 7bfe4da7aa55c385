/* SPDX-License-Identifier: MIT */
/* The backend's grant cache against a list that is searched from end to end.
 * Input: cap, then operations of one byte and what they need. */
#include "fuzz.h"

#include <errno.h>

#include "fake_pages.h"
#include "grant/cache.h"

#define MAX_CAP 40

struct kept {
        uint32_t gref;
        bool held;
        uint64_t last_used_ms;
        struct grant_page *page;
};

/* Least recently released first; those that are held may be anywhere. */
static struct {
        struct kept kept[MAX_CAP];
        unsigned n;
        bool overflowed;
        struct grant_cache_stats want;
} model;

static struct kept *find(uint32_t gref)
{
        for (unsigned i = 0; i < model.n; i++)
                if (model.kept[i].gref == gref)
                        return &model.kept[i];
        return NULL;
}

static void forget(unsigned i)
{
        memmove(model.kept + i, model.kept + i + 1,
                (model.n - i - 1) * sizeof(model.kept[0]));
        model.n--;
        model.want.kept--;
}

static enum grant_result expected(const struct kept *k)
{
        if (k)
                return k->held ? GRANT_IN_USE : GRANT_HIT;
        if (model.n == model.want.cap)
                return GRANT_OVER_LIMIT;
        if (fake_pages.map_error)
                return fake_pages.map_error == -ENOMEM ? GRANT_NO_MEMORY
                                                       : GRANT_BAD_REF;
        return GRANT_MAPPED;
}

static void count(enum grant_result r)
{
        struct grant_cache_stats *s = &model.want;
        uint64_t *const counters[] = {
                [GRANT_HIT] = &s->hits,
                [GRANT_MAPPED] = &s->misses,
                [GRANT_IN_USE] = &s->in_use,
                [GRANT_OVER_LIMIT] = &s->overflows,
                [GRANT_NO_MEMORY] = &s->no_memory,
                [GRANT_BAD_REF] = &s->bad_refs,
        };

        ++*counters[r];
        model.overflowed |= r == GRANT_OVER_LIMIT;
}

static void acquire(struct grant_cache *c, uint32_t gref)
{
        struct kept *k = find(gref);
        enum grant_result want = expected(k);
        struct grant_page *page = NULL;
        enum grant_result got = grant_cache_acquire(c, gref, &page);

        must(got == want, "gref %u: %d, want %d", gref, got, want);
        count(want);
        if (want != GRANT_MAPPED && want != GRANT_HIT)
                return;
        if (want == GRANT_MAPPED) {
                k = &model.kept[model.n++];
                *k = (struct kept){.gref = gref, .page = page};
                model.want.kept++;
        }
        must(page == k->page && page->gref == gref, "another page");
        must(!memcmp(page->page, &gref, sizeof(gref)), "another's memory");
        k->held = true;
        model.want.held++;
        if (model.want.held > model.want.held_high)
                model.want.held_high = model.want.held;
        if (model.want.kept > model.want.kept_high)
                model.want.kept_high = model.want.kept;
}

static void release(struct grant_cache *c, unsigned i, uint64_t now_ms)
{
        struct kept k;

        if (!model.n)
                return;
        i %= model.n;
        k = model.kept[i];
        grant_cache_release(c, k.page, now_ms);
        if (!k.held)
                return; /* the second release does nothing */
        k.held = false;
        k.last_used_ms = now_ms;
        forget(i);
        model.kept[model.n++] = k;
        model.want.kept++;
        model.want.held--;
}

static unsigned oldest(void)
{
        for (unsigned i = 0; i < model.n; i++)
                if (!model.kept[i].held)
                        return i;
        return UINT32_MAX;
}

static void evict(struct grant_cache *c, uint64_t now_ms, uint64_t idle_ms,
                  unsigned max)
{
        unsigned got = grant_cache_evict(c, now_ms, idle_ms, max);
        unsigned share = model.want.cap / 20 ? model.want.cap / 20 : 1;
        unsigned room = model.overflowed ? share : 0, done = 0, i;

        while (done < max && (i = oldest()) != UINT32_MAX) {
                uint64_t used = model.kept[i].last_used_ms;
                bool idle =
                        idle_ms && now_ms >= used && now_ms - used >= idle_ms;

                if (!idle && done >= room)
                        break;
                model.want.evicted_idle += idle;
                model.want.evicted_lru += !idle;
                forget(i);
                done++;
        }
        model.overflowed = false;
        must(got == done, "evicted %u, want %u", got, done);
}

static void shrink(struct grant_cache *c, unsigned max)
{
        unsigned got = grant_cache_shrink(c, max), done = 0, i;

        while (done < max && (i = oldest()) != UINT32_MAX) {
                forget(i);
                model.want.evicted_lru++;
                done++;
        }
        must(got == done, "shrank by %u, want %u", got, done);
}

static void compare(struct grant_cache *c)
{
        unsigned depth = grant_cache_tree_depth(c), limit = 1;
        struct grant_cache_stats s;

        grant_cache_stats(c, &s);
        must(!memcmp(&s, &model.want, sizeof(s)), "counters");
        must(fake_pages.live == model.n, "%u mapped, want %u", fake_pages.live,
             model.n);
        must(fake_pages.maps == model.want.misses, "maps");
        while ((1u << limit) <= model.n + 1)
                limit++;
        must(depth <= 2 * limit, "depth %u of %u", depth, model.n);
}

/* Few different ones, so that they meet; and the extremes of 32 bits. */
static uint32_t some_gref(struct input *in)
{
        uint8_t b = in_u8(in);

        switch (b >> 6) {
        case 0:
                return UINT32_MAX - b;
        case 1:
                return (uint32_t)b << 26;
        case 2:
                return in_u32(in);
        default:
                return b;
        }
}

static void operation(struct grant_cache *c, struct input *in, uint64_t *now_ms)
{
        static const int errors[] = {0, -ENOMEM, -EINVAL, -EIO};

        switch (in_u8(in) % 8) {
        case 0:
        case 1:
        case 2:
                acquire(c, some_gref(in));
                break;
        case 3:
                release(c, in_u8(in), *now_ms);
                break;
        case 4:
                evict(c, *now_ms, in_u8(in), in_u8(in) % 16);
                break;
        case 5:
                shrink(c, in_u8(in) % 8);
                break;
        case 6:
                fake_pages.map_error = errors[in_u8(in) % ARRAY_SIZE(errors)];
                break;
        case 7:
                *now_ms += in_u8(in);
                *now_ms -= *now_ms > 300 ? in_u8(in) : 0; /* clocks differ */
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct grant_cache *c;
        uint64_t now_ms = 0;

        memset(&model, 0, sizeof(model));
        fake_pages_reset();
        model.want.cap = in_u8(&in) % (MAX_CAP + 1);
        must(grant_cache_create(&c, NULL, 1, model.want.cap) == 0, "create");
        while (in.left) {
                operation(c, &in, &now_ms);
                compare(c);
        }
        grant_cache_destroy(c);
        must(fake_pages.live == 0, "%u left mapped", fake_pages.live);
        must(fake_pages.maps == fake_pages.unmaps, "unbalanced");
        return 0;
}
