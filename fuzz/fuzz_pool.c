/* SPDX-License-Identifier: MIT */
/* The frontend's page pool against an array that is shifted by hand. Input:
 * max_pages, room of the platform, then operations. */
#include "fuzz.h"

#include <errno.h>

#include "fake_pages.h"
#include "grant/pool.h"

#define MAX_PAGES 130
#define MAX_TAKE 40

static struct {
        /* Free pages that were out once, the next one to be taken first. */
        struct pool_page *free[MAX_PAGES];
        unsigned nfree;
        struct pool_page *taken[MAX_PAGES];
        unsigned ntaken;
        uint32_t max, high;
        uint64_t empty;
} model;

static bool known(const struct pool_page *page)
{
        for (unsigned i = 0; i < model.nfree; i++)
                if (model.free[i] == page)
                        return true;
        for (unsigned i = 0; i < model.ntaken; i++)
                if (model.taken[i] == page ||
                    model.taken[i]->gref == page->gref)
                        return true;
        return false;
}

static void refused(int ret, unsigned n)
{
        /* Once refused, the platform is not asked again each time. */
        must(model.ntaken + n > model.max ||
                     fake_pages.attempts > fake_pages.shares,
             "refused %u with %u of %u taken", n, model.ntaken, model.max);
        must(ret == (fake_pages.live >= n ? -EAGAIN : -ENOSPC), "answered %d",
             ret);
        model.empty++;
}

static void take(struct grant_pool *p, unsigned n)
{
        struct pool_page *got[MAX_TAKE];
        uint32_t before = fake_pages.live;
        unsigned warm = model.nfree < n ? model.nfree : n;
        int ret = grant_pool_take(p, n, got);

        if (model.nfree >= n)
                must(ret == 0 && fake_pages.live == before,
                     "shared more with %u free for %u", model.nfree, n);
        if (ret < 0) {
                refused(ret, n);
                return;
        }
        for (unsigned i = 0; i < warm; i++)
                must(got[i] == model.free[i], "page %u is not the hot one", i);
        memmove(model.free, model.free + warm,
                (model.nfree - warm) * sizeof(model.free[0]));
        model.nfree -= warm;
        for (unsigned i = warm; i < n; i++)
                must(!known(got[i]), "given out twice");
        memcpy(model.taken + model.ntaken, got, n * sizeof(got[0]));
        model.ntaken += n;
        if (model.ntaken > model.high)
                model.high = model.ntaken;
        for (unsigned i = 0; i < n; i++)
                memset(got[i]->page, (int)(got[i]->gref & 0x7f) + 1,
                       GRANT_PAGE_BYTES);
}

static void give(struct grant_pool *p, unsigned i, bool wipe)
{
        struct pool_page *page;

        if (!model.ntaken)
                return;
        i %= model.ntaken;
        page = model.taken[i];
        for (unsigned b = 0; b < GRANT_PAGE_BYTES; b += 511)
                must(page->page[b] == (page->gref & 0x7f) + 1,
                     "somebody else wrote here");
        model.taken[i] = model.taken[--model.ntaken];
        grant_pool_give(p, page, wipe);
        must(!wipe || (page->page[0] == 0 && page->page[4095] == 0), "wipe");
        memmove(model.free + 1, model.free,
                model.nfree * sizeof(model.free[0]));
        model.free[0] = page;
        model.nfree++;
        grant_pool_give(p, page, false); /* once more: nothing */
}

static bool busy(const struct pool_chunk *chunk)
{
        for (unsigned i = 0; i < model.ntaken; i++)
                if (model.taken[i]->chunk == chunk)
                        return true;
        return false;
}

/* Everything idle goes, the order of what stays is as it was. */
static void trim(struct grant_pool *p)
{
        struct pool_page *left[MAX_PAGES];
        uint32_t before = fake_pages.live;
        unsigned nleft = 0, given;

        for (unsigned i = 0; i < model.nfree; i++)
                if (busy(model.free[i]->chunk))
                        left[nleft++] = model.free[i];
        given = grant_pool_trim(p, 0);
        must(before - given == fake_pages.live, "count");
        must(fake_pages.live >= model.ntaken + nleft, "a busy chunk went");
        must(model.ntaken || !fake_pages.live, "idle chunks stayed");
        memcpy(model.free, left, nleft * sizeof(left[0]));
        model.nfree = nleft;
}

static void compare(struct grant_pool *p)
{
        struct grant_pool_stats s;

        grant_pool_stats(p, &s);
        must(s.pages == fake_pages.live && s.pages <= model.max, "pages");
        must(s.taken == model.ntaken && s.taken_high == model.high, "taken");
        must(s.empty == model.empty, "empty");
        must(s.share_calls == fake_pages.shares, "shares");
        must(s.unshare_calls == fake_pages.unshares, "unshares");
        must(s.share_calls + s.share_failures == fake_pages.attempts,
             "attempts");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct grant_pool *p;

        memset(&model, 0, sizeof(model));
        fake_pages_reset();
        model.max = in_u8(&in) % (MAX_PAGES + 1);
        fake_pages.room = in_u8(&in);
        must(grant_pool_create(&p, NULL, 1, model.max) == 0, "create");
        while (in.left) {
                switch (in_u8(&in) % 8) {
                case 0:
                case 1:
                        take(p, 1 + in_u8(&in) % MAX_TAKE);
                        break;
                case 2:
                        take(p, 1);
                        break;
                case 3:
                case 4:
                case 5:
                        give(p, in_u8(&in), in_u8(&in) & 1);
                        break;
                case 6:
                        trim(p);
                        break;
                case 7:
                        fake_pages.room = in_u8(&in);
                        break;
                }
                compare(p);
        }
        grant_pool_destroy(p);
        must(fake_pages.live == 0, "%u left shared", fake_pages.live);
        return 0;
}
