/* SPDX-License-Identifier: MIT */
/* The ring between two real threads, each sleeping on a semaphore as it would
 * on an event channel. For the thread sanitizer; also without it. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "random.h"
#include "ring/back_ring.h"
#include "ring/front_ring.h"
#include "ring/ring_index.h"

#define REQUESTS 200000u
/* No time is asserted: this long without an event is a lost wake-up. */
#define LOST_S 60

static uint32_t shared[GRANT_PAGE_BYTES] __attribute__((aligned(4096)));
static struct front_ring front;
static struct back_ring back;
static sem_t to_front, to_back;

static void sleep_on(sem_t *event, const char *who)
{
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOST_S;
        while (sem_timedwait(event, &until) < 0)
                check(errno == EINTR, "%s: a wake-up was lost", who);
        /* A channel has one pending bit, not a count. */
        while (sem_trywait(event) == 0)
                ;
}

/* What the request of an id looks like: the backend checks every field. */
static struct blk_request request_of(uint64_t id)
{
        struct blk_request r = {.id = id, .op = BLK_WRITE, .sector = id * 8};

        r.nsegs = 1 + id % BLK_DIRECT_SEGS;
        for (unsigned i = 0; i < r.nsegs; i++)
                r.segs[i] = (struct blk_seg){.gref = (uint32_t)id * 31 + i,
                                             .last_sector = 7};
        return r;
}

static void *front_thread(void *arg)
{
        uint8_t *got = calloc(REQUESTS, 1);
        uint32_t sent = 0, done = 0;

        check(got, "memory");
        while (done < REQUESTS) {
                uint32_t n;

                while (sent < REQUESTS && front_ring_free(&front)) {
                        struct blk_request r = request_of(sent++);

                        front_ring_put(&front, &r);
                        if (sent % 5 == 0)
                                break; /* batches of different sizes */
                }
                if (front_ring_push(&front))
                        sem_post(&to_back);
                n = front_ring_waiting(&front);
                while (n--) {
                        struct blk_response rsp;

                        front_ring_take(&front, &rsp);
                        check(rsp.id < sent && !got[rsp.id]++, "id %llu",
                              (unsigned long long)rsp.id);
                        check(rsp.op == BLK_WRITE && rsp.status == BLK_OKAY,
                              "response");
                        done++;
                }
                check(!front.broken, "broken");
                if (done == REQUESTS ||
                    (sent < REQUESTS && front_ring_free(&front)))
                        continue;
                if (!front_ring_final_check(&front))
                        sleep_on(&to_front, "front");
        }
        free(got);
        return NULL;
}

static void back_check(const struct blk_request *r)
{
        struct blk_request want = request_of(r->id);

        check(r->sector == want.sector && r->nsegs == want.nsegs, "request");
        for (unsigned i = 0; i < r->nsegs; i++)
                check(r->segs[i].gref == want.segs[i].gref, "segment");
}

static void *back_thread(void *arg)
{
        const struct blk_limits lim = {.sectors = 1u << 30, .block_bytes = 512};
        uint32_t answered = 0;
        uint64_t held[512];
        unsigned nheld = 0;

        while (answered < REQUESTS) {
                uint32_t n = back_ring_waiting(&back);

                while (n--) {
                        uint8_t slot[BLK_SLOT_BYTES];
                        struct blk_request r;

                        back_ring_take(&back, slot);
                        check(blk_parse(back.abi, slot, &lim, &r) == BLK_VALID,
                              "refused");
                        back_check(&r);
                        held[nheld++] = r.id;
                }
                check(!back.broken, "broken");
                while (nheld) {
                        back_ring_respond(&back, held[--nheld], BLK_WRITE,
                                          BLK_OKAY);
                        answered++;
                        if (answered % 7 == 0 && back_ring_push(&back))
                                sem_post(&to_front);
                }
                if (back_ring_push(&back))
                        sem_post(&to_front);
                if (answered < REQUESTS && !back_ring_final_check(&back))
                        sleep_on(&to_back, "back");
        }
        return NULL;
}

static void stress(enum blk_abi abi, unsigned order, uint32_t start)
{
        pthread_t f, b;

        front_ring_init(&front, shared, order, abi);
        back_ring_init(&back, shared, order, abi);
        shared[RING_REQ_PROD] = shared[RING_RSP_PROD] = start;
        shared[RING_REQ_EVENT] = shared[RING_RSP_EVENT] = start + 1;
        front.req_prod = front.req_pushed = front.rsp_cons = start;
        back.req_cons = back.rsp_prod = back.rsp_pushed = start;
        sem_init(&to_front, 0, 0);
        sem_init(&to_back, 0, 0);
        check(pthread_create(&f, NULL, front_thread, NULL) == 0, "thread");
        check(pthread_create(&b, NULL, back_thread, NULL) == 0, "thread");
        pthread_join(f, NULL);
        pthread_join(b, NULL);
        printf("%s, order %u, from %#x: %u requests\n", blk_layouts[abi].name,
               order, start, REQUESTS);
}

int main(void)
{
        stress(BLK_ABI_NATIVE, 0, 0u - REQUESTS / 2);
        stress(BLK_ABI_X86_32, 0, 0x80000000u - REQUESTS / 2);
        stress(BLK_ABI_ARM, 2, 0);
        return 0;
}
