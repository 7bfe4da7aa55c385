/* SPDX-License-Identifier: MIT */
/* The frontend's pool against an array that is shifted by hand. */
#include <errno.h>
#include <string.h>

#include "fake_xen.h"
#include "grant/pool.h"
#include "random.h"

#define STEPS 200000
#define MAX_PAGES 200

struct model {
        /* Free pages, the next one to be taken first. */
        struct pool_page *free[MAX_PAGES];
        unsigned nfree;
        struct pool_page *taken[MAX_PAGES];
        unsigned ntaken;
        uint32_t high;
        uint64_t empty;
};

static bool known(struct model *m, const struct pool_page *page)
{
        for (unsigned i = 0; i < m->nfree; i++)
                if (m->free[i] == page)
                        return true;
        for (unsigned i = 0; i < m->ntaken; i++)
                if (m->taken[i] == page || m->taken[i]->gref == page->gref ||
                    m->taken[i]->page == page->page)
                        return true;
        return false;
}

static void take(struct grant_pool *p, struct model *m, uint32_t max)
{
        struct pool_page *got[40];
        unsigned n = 1 + rnd_below(rnd_below(3) ? 4 : 40);
        uint32_t before = fake.shared_pages;
        unsigned warm = m->nfree < n ? m->nfree : n;
        int ret = grant_pool_take(p, n, got);

        if (ret < 0) {
                /* What can be shared is asked for before anybody waits, but
                 * for the platform's refusals, which are not in the model. */
                check(m->ntaken + n > max || fake.share_limit < max,
                      "refused %u with %u taken of %u", n, m->ntaken, max);
                check(ret == (fake.shared_pages >= n ? -EAGAIN : -ENOSPC),
                      "answered %d", ret);
                m->empty++;
        }
        /* New pages wait at the cold end; the model learns of them only when
         * they come out. */
        if (m->nfree >= n)
                check(ret == 0 && fake.shared_pages == before,
                      "shared more with %u free for %u", m->nfree, n);
        if (ret < 0)
                return;
        for (unsigned i = 0; i < warm; i++)
                check(got[i] == m->free[i], "page %u is not the hot one", i);
        memmove(m->free, m->free + warm,
                (m->nfree - warm) * sizeof(m->free[0]));
        m->nfree -= warm;
        for (unsigned i = warm; i < n; i++)
                check(!known(m, got[i]), "given out twice");
        memcpy(m->taken + m->ntaken, got, n * sizeof(got[0]));
        m->ntaken += n;
        if (m->ntaken > m->high)
                m->high = m->ntaken;
        for (unsigned i = 0; i < n; i++)
                memset(got[i]->page, (int)(got[i]->gref & 0x7f) + 1, 4096);
}

static void give(struct grant_pool *p, struct model *m)
{
        bool wipe = rnd_below(2);
        struct pool_page *page;
        unsigned i;

        if (m->ntaken == 0)
                return;
        i = rnd_below(m->ntaken);
        page = m->taken[i];
        for (unsigned b = 0; b < 4096; b += 511)
                check(page->page[b] == (page->gref & 0x7f) + 1,
                      "somebody else wrote here");
        m->taken[i] = m->taken[--m->ntaken];
        grant_pool_give(p, page, wipe);
        check(!wipe || (page->page[0] == 0 && page->page[4095] == 0), "wipe");
        memmove(m->free + 1, m->free, m->nfree * sizeof(m->free[0]));
        m->free[0] = page;
        m->nfree++;
}

/* After a trim: free pages whose memory is gone are gone from the pool, the
 * order of the others stays. The pool's own memory tells which, before. */
static void trim(struct grant_pool *p, struct model *m)
{
        struct pool_chunk *busy[MAX_PAGES];
        struct pool_page *left[MAX_PAGES];
        uint32_t before = fake.shared_pages;
        unsigned nleft = 0, given;

        for (unsigned i = 0; i < m->ntaken; i++)
                busy[i] = m->taken[i]->chunk;
        for (unsigned i = 0; i < m->nfree; i++)
                for (unsigned j = 0; j < m->ntaken; j++)
                        if (m->free[i]->chunk == busy[j]) {
                                left[nleft++] = m->free[i];
                                break;
                        }
        given = grant_pool_trim(p, 0);
        check(before - given == fake.shared_pages, "count");
        check(fake.shared_pages >= m->ntaken + nleft, "a busy chunk went");
        memcpy(m->free, left, nleft * sizeof(left[0]));
        m->nfree = nleft;
        if (m->ntaken == 0)
                check(fake.shared_pages == 0, "idle chunks stayed");
}

static void compare(struct grant_pool *p, struct model *m, uint32_t max)
{
        struct grant_pool_stats s;

        grant_pool_stats(p, &s);
        check(s.pages == fake.shared_pages && s.pages <= max, "pages");
        check(s.taken == m->ntaken && s.taken_high == m->high, "taken");
        check(s.empty == m->empty, "empty");
        check(s.share_calls == fake.share_calls, "shares");
        check(s.unshare_calls == fake.unshare_calls, "unshares");
        check(s.share_calls + s.share_failures == fake.share_attempts,
              "attempts");
        check(fake.misuse == 0, "unshared what was not shared");
        check(fake.largest_share <= GRANT_POOL_CHUNK_PAGES, "chunk too large");
}

static void random_operations(uint32_t max, uint32_t limit, bool trims)
{
        struct grant_pool *p;
        struct model m;

        memset(&m, 0, sizeof(m));
        fake_reset();
        fake.share_limit = limit;
        check(grant_pool_create(&p, fake_shares(), 1, max) == 0, "create");
        for (unsigned step = 0; step < STEPS; step++) {
                unsigned what = rnd_below(1000);

                if (what < 200)
                        take(p, &m, max);
                else if (what < 999 || !trims)
                        give(p, &m);
                else
                        trim(p, &m);
                compare(p, &m, max);
                if (step % 64 == 0 && trims == 0)
                        while (m.ntaken)
                                give(p, &m);
        }
        grant_pool_destroy(p);
        check(fake.shared_pages == 0, "left %u shared", fake.shared_pages);
        check(fake.share_calls == fake.unshare_calls, "unbalanced");
        check(fake.misuse == 0, "unshared twice");
        printf("max %u, platform %u: %u operations agree\n", max, limit, STEPS);
}

int main(int argc, char **argv)
{
        rnd_start(argc, argv);
        random_operations(MAX_PAGES, UINT32_MAX, false);
        random_operations(MAX_PAGES, UINT32_MAX, true);
        random_operations(7, UINT32_MAX, true);
        random_operations(MAX_PAGES, 45, false);
        return 0;
}
