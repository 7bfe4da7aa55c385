/* SPDX-License-Identifier: MIT */
/* What a hostile backend can do to libevergrant over a real ring, real grants
 * and a real xenstore. Each test bears the name of its attack in HOSTILE.md;
 * the grid of single impossible fields is in tests/unit/front/test_bad.c. */
#include "evil.h"

#include <unistd.h>

#define PAGE 4096u
enum { IOS = 32 };

static struct evil_io io[4096];
static uint8_t mem[2 << 20], mirror[2 << 20];

static void submit_some(struct evil *e, unsigned n, enum eg_op op, size_t bytes)
{
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(evil_submit(e, &io[i], op, mem + i * bytes,
                                             bytes, i * bytes),
                                 0);
        eg_kick(e->disk);
}

static void process(struct evil *e, int ms)
{
        struct pollfd f = {.fd = eg_fd(e->disk), .events = POLLIN};

        poll(&f, 1, ms);
        eg_process(e->disk);
}

static enum eg_state disk_state(struct evil *e)
{
        struct eg_stats s;

        eg_stats(e->disk, &s);
        return s.state;
}

/* ---- T-BADRSP ------------------------------------------------------------ */

/* Responses of random bytes, and now and then a random index: the disk works
 * on or ends, each I/O is done once, and what failed is left alone. */
static void t_badrsp_random_answers(void **state)
{
        struct eg_options o = evil_options();
        unsigned ended = 0;

        (void)state;
        o.close_timeout_ms = 50;
        for (int round = 0; round < 40; round++) {
                struct evil *e = evil_create();
                struct evil_request q;

                o.queues = round % 3 ? 1 : 2;
                evil_open(e, &o);
                memset(mem, 0x31, IOS * PAGE);
                submit_some(e, IOS, EG_READ, PAGE);
                while (evil_take(e, 0, &q)) {
                        uint64_t r = evil_random();
                        uint64_t id = r & 1 ? q.r.id : r >> 58;
                        int status = r & 0x30 ? 0 : (int)(r >> 8 & 7) - 4;

                        evil_answer(e, 0, id, r & 6 ? 0 : (uint8_t)(r >> 16),
                                    status);
                }
                if (round % 4 == 3)
                        memset((uint8_t *)e->rings[0].pages + 8,
                               (int)evil_random(), 4); /* rsp_prod */
                evil_push(e, 0);
                for (int i = 0; i < 3; i++)
                        process(e, 5);
                ended += disk_state(e) == EG_STATE_ERROR;
                evil_close(e);
                for (unsigned i = 0; i < IOS; i++) {
                        assert_int_equal(io[i].calls, 1);
                        if (io[i].error)
                                assert_int_equal(mem[i * PAGE], 0x31);
                }
                evil_destroy(e);
        }
        assert_true(ended > 20);
}

struct scribbler {
        struct evil *e;
        _Atomic bool stop;
        uint8_t *at[512];
        unsigned n;
};

/* Flips what stands there between two words, all the time. */
static void *flip_answers(void *arg)
{
        struct scribbler *s = arg;

        while (!s->stop) {
                for (unsigned i = 0; i < s->n; i++) {
                        volatile uint16_t *status =
                                (volatile uint16_t *)(void *)s->at[i];

                        *status = (uint16_t)(*status ^ 0x7fff);
                }
        }
        return NULL;
}

/* The response changes after rsp_prod: it is read once, so that an I/O either
 * succeeds or the disk ends; never both, never twice. */
static void t_badrsp_answer_changes_under_the_reader(void **state)
{
        (void)state;
        for (int round = 0; round < 15; round++) {
                struct evil *e = evil_create();
                struct scribbler s = {.e = e};
                struct evil_request q;
                pthread_t t;

                evil_open(e, NULL);
                for (unsigned i = 0; i < 32; i++)
                        s.at[s.n++] = (uint8_t *)e->rings[0].pages + 64 +
                                      i * 112 + 10;
                memset(mem, 0x31, IOS * PAGE);
                submit_some(e, IOS, EG_READ, PAGE);
                for (unsigned i = 0; evil_take(e, 0, &q); i++)
                        evil_answer(e, 0, q.r.id, q.r.wire_op, BLK_OKAY);
                assert_int_equal(pthread_create(&t, NULL, flip_answers, &s), 0);
                evil_push(e, 0);
                for (int i = 0; i < 3; i++)
                        process(e, 5);
                s.stop = true;
                pthread_join(t, NULL);
                evil_close(e);
                for (unsigned i = 0; i < IOS; i++) {
                        assert_int_equal(io[i].calls, 1);
                        assert_true(io[i].error == 0 || io[i].error == -EIO ||
                                    io[i].error == -ESHUTDOWN);
                        assert_int_equal(mem[i * PAGE], io[i].error ? 0x31 : 0);
                }
                evil_destroy(e);
        }
}

/* ---- T-LEAK-F ------------------------------------------------------------ */

/* All that was ever granted, looked at while a request is in flight: nothing
 * but its own bytes, and the description of them. */
static void check_only(struct evil *e, const struct evil_request *q,
                       const struct blk_request *r)
{
        for (unsigned k = 0; k < e->nknown; k++) {
                uint32_t gref = e->known[k];
                unsigned from = 0, to = 0, nonzero = 0;

                for (unsigned i = 0; q && i < r->nsegs; i++) {
                        if (q->segs[i].gref != gref || r->op != BLK_WRITE)
                                continue;
                        from = blk_seg_offset(&q->segs[i]);
                        to = from + blk_seg_bytes(&q->segs[i]);
                }
                if (q && r->nindirect && r->indirect_grefs[0] == gref)
                        to = r->nsegs * BLK_SEG_WIRE_BYTES;
                for (unsigned at = 0; at < PAGE; at++)
                        nonzero += (at < from || at >= to) && e->page[gref][at];
                assert_int_equal(nonzero, 0);
        }
}

static void leak_once(struct evil *e, enum eg_op op, size_t bytes)
{
        static struct evil_request q;

        memset(mem, 0xc3, sizeof(mem)); /* the heap around it, too */
        assert_int_equal(evil_submit(e, &io[0], op, mem + 4096 + 77, bytes, 0),
                         0);
        eg_kick(e->disk);
        while (!io[0].calls) {
                for (unsigned i = 0; i < e->queues; i++) {
                        if (!evil_take(e, i, &q))
                                continue;
                        check_only(e, &q, &q.r);
                        for (unsigned s = 0; s < q.r.nsegs; s++)
                                if (op == EG_READ)
                                        memset(e->page[q.segs[s].gref], 0x5a,
                                               PAGE);
                        evil_answer(e, i, q.r.id, q.r.wire_op, BLK_OKAY);
                        evil_push(e, i);
                }
                process(e, 100);
        }
        assert_int_equal(io[0].error, 0);
        check_only(e, NULL, NULL);
}

static void t_leak_f_only_the_requests_bytes_are_seen(void **state)
{
        struct eg_options o = evil_options();
        struct evil *e = evil_create();

        (void)state;
        o.untrusted_backend = true;
        o.pool_pages = 22; /* I/O in pieces, one at a time */
        evil_open(e, &o);
        for (int i = 0; i < 150; i++)
                leak_once(e, i % 3 == 2 ? EG_READ : EG_WRITE,
                          512 * (1 + evil_random() % (8 * 20)));
        evil_destroy(e);
}

/* A trusted backend may see earlier payloads, but never what was no payload:
 * pages are fresh when they are granted. */
static void t_leak_f_granted_pages_start_empty(void **state)
{
        struct evil *e = evil_create();
        static struct evil_request q;

        (void)state;
        evil_open(e, NULL);
        for (int i = 0; i < 100; i++) {
                void *heap = malloc(40 * PAGE);

                memset(heap, 0xc3, 40 * PAGE);
                free(heap);
        }
        submit_some(e, 4, EG_READ, 20 * PAGE);
        while (evil_take(e, 0, &q)) {
                struct blk_request as_write = q.r;

                check_only(e, &q, &as_write);
                evil_answer(e, 0, q.r.id, q.r.wire_op, BLK_OKAY);
                /* The others' descriptions are to be seen: look at one. */
                for (unsigned k = 0; q.r.nindirect && k < 1; k++)
                        memset(e->page[q.r.indirect_grefs[0]], 0, PAGE);
        }
        evil_push(e, 0);
        while (!io[3].calls)
                process(e, 100);
        evil_destroy(e);
}

/* ---- T-SCRIB ------------------------------------------------------------- */

static void *scribble(void *arg)
{
        struct scribbler *s = arg;
        uint64_t r = 1;

        while (!s->stop) {
                for (unsigned i = 0; i < s->n; i++) {
                        r = r * 6364136223846793005u + 1442695040888963407u;
                        memset(s->at[i] + (r >> 32) % 64 * 64, (int)(r >> 56),
                               64);
                }
        }
        return NULL;
}

/* Data pages, descriptions and request slots are rewritten all the time: the
 * library decides by its own copies, and writes only where it was asked to. */
static void t_scrib_shared_memory_never_rests(void **state)
{
        struct evil *e = evil_create();
        struct scribbler s = {.e = e};
        static struct evil_request q[64];
        pthread_t t;

        (void)state;
        evil_open(e, NULL);
        /* What is known after a first round is scribbled on from then on. */
        for (int round = 0; round < 60; round++) {
                unsigned n = 0;

                memset(mem, 0x31, sizeof(mem));
                for (unsigned i = 0; i < 8; i++)
                        assert_int_equal(evil_submit(e, &io[i],
                                                     i & 1 ? EG_WRITE : EG_READ,
                                                     mem + i * 32 * PAGE + PAGE,
                                                     (1 + i * 4) * PAGE - 512,
                                                     i * 32 * PAGE),
                                         0);
                eg_kick(e->disk);
                while (evil_take(e, 0, &q[n]))
                        n++;
                assert_int_equal(n, 8);
                s.n = 0;
                for (unsigned k = 0; k < e->nknown && s.n < 512; k++)
                        s.at[s.n++] = e->page[e->known[k]];
                s.stop = false;
                assert_int_equal(pthread_create(&t, NULL, scribble, &s), 0);
                memset((uint8_t *)e->rings[0].pages + 64, 0xff, PAGE - 64);
                for (unsigned i = 0; i < n; i++)
                        evil_answer(e, 0, q[i].r.id, q[i].r.wire_op, BLK_OKAY);
                evil_push(e, 0);
                while (!io[7].calls)
                        process(e, 100);
                memcpy(mirror, mem, sizeof(mem));
                poll(NULL, 0, 1);
                /* One value, whatever happens to the pages. */
                assert_memory_equal(mem, mirror, sizeof(mem));
                s.stop = true;
                pthread_join(t, NULL);
                for (unsigned i = 0; i < 8; i++) {
                        const uint8_t *at = mem + i * 32 * PAGE + PAGE;
                        size_t bytes = (1 + i * 4) * PAGE - 512;

                        assert_int_equal(io[i].calls, 1);
                        assert_int_equal(io[i].error, 0);
                        assert_int_equal(at[-1], 0x31);
                        assert_int_equal(at[bytes], 0x31);
                        for (size_t b = 0; i & 1 && b < bytes; b++)
                                assert_int_equal(at[b], 0x31);
                }
        }
        evil_destroy(e);
}

/* ---- T-GREFRACE ---------------------------------------------------------- */

struct mapper {
        uint32_t domid;
        struct xen_grants *grants;
        _Atomic uint32_t gref[64];
        _Atomic bool stop;
        _Atomic uint64_t maps;
};

static void *map_and_unmap(void *arg)
{
        struct mapper *m = arg;

        while (!m->stop) {
                for (unsigned i = 0; i < 64; i++) {
                        uint32_t gref = m->gref[i];
                        void *page;

                        if (!gref || xen_grants_map(m->grants, m->domid, &gref,
                                                    1, true, &page) < 0)
                                continue;
                        memset(page, 0xee, 64);
                        xen_grants_unmap(m->grants, page, 1);
                        m->maps++;
                }
        }
        return NULL;
}

/* The backend maps what it was once given, again and again, while the library
 * takes pages back: what it gets is an error or a page that nobody uses. */
static void t_grefrace_pages_are_taken_back_under_a_mapper(void **state)
{
        struct eg_options o = evil_options();
        struct evil *e = evil_create();
        struct mapper m = {.domid = e->domid, .grants = e->grants};
        static struct evil_request q;
        unsigned at = 0;
        pthread_t t;

        (void)state;
        o.persistent = false;
        o.share_per_request = true;
        o.close_timeout_ms = 100;
        /* A handle is one thread's: the mapper gets the rig's, the rig has
         * mapped what it needs before. */
        for (int round = 0; round < 6; round++) {
                evil_open(e, &o);
                for (int i = 0; i < 12; i++) {
                        assert_int_equal(evil_submit(e, &io[0], EG_WRITE, mem,
                                                     16 * PAGE, 0),
                                         0);
                        memset(mem, 0x77, 16 * PAGE);
                        eg_kick(e->disk);
                        assert_true(evil_take(e, 0, &q));
                        for (unsigned k = 0; k < e->nknown; k++)
                                m.gref[at++ % 64] = e->known[k];
                        while (e->nknown) {
                                uint32_t gref = e->known[--e->nknown];

                                xen_grants_unmap(e->grants, e->page[gref], 1);
                                e->page[gref] = NULL;
                        }
                        m.stop = false;
                        assert_int_equal(
                                pthread_create(&t, NULL, map_and_unmap, &m), 0);
                        evil_answer(e, 0, q.r.id, q.r.wire_op, BLK_OKAY);
                        evil_push(e, 0);
                        while (!io[0].calls)
                                process(e, 100);
                        /* Pages of the guest's own, where the old ones were. */
                        memset(mirror, 0x55, sizeof(mirror));
                        poll(NULL, 0, 2);
                        m.stop = true;
                        pthread_join(t, NULL);
                        assert_int_equal(io[0].error, 0);
                        for (size_t b = 0; b < 16 * PAGE; b++)
                                assert_int_equal(mem[b], 0x77);
                        for (size_t b = 0; b < sizeof(mirror); b++)
                                assert_int_equal(mirror[b], 0x55);
                }
                evil_close(e);
        }
        assert_true(m.maps > 0);
        evil_destroy(e); /* nothing is granted any more */
}

/* It never unmaps: the disk closes in its time, and the pages come back only
 * when it does. */
static void t_grefrace_held_pages_do_not_hold_the_guest(void **state)
{
        struct evil *e = evil_create();
        static struct evil_request q;
        struct eg_stats s;

        (void)state;
        evil_open(e, NULL);
        submit_some(e, 8, EG_WRITE, 20 * PAGE);
        for (unsigned i = 0; i < 8; i++)
                assert_true(evil_take(e, 0, &q));
        eg_stats(e->disk, &s);
        assert_int_equal(s.inflight, 8);
        evil_key(e, "state", "6"); /* and keeps all mapped */
        eg_close(e->disk);
        e->disk = NULL;
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(io[i].calls, 1);
                assert_int_equal(io[i].error, -ESHUTDOWN);
        }
        assert_true(evil_granted(e) >= e->nknown);
        for (unsigned k = 0; k < e->nknown; k++)
                memset(e->page[e->known[k]], 0xee, PAGE);
        evil_destroy(e);
}

/* ---- T-BEINFO ------------------------------------------------------------ */

static void t_beinfo_lies_are_refused_or_clamped(void **state)
{
        static const struct {
                const char *key, *value;
                int ret;
        } rows[] = {
                {"sectors", "0", -EPROTO},
                {"sectors", "18446744073709551615", -EPROTO},
                {"sectors", "36028797018963968", -EPROTO},
                {"sectors", "-1", -EPROTO},
                {"sectors", "16384k", -EPROTO},
                {"sectors", NULL, -EPROTO},
                {"sector-size", "0", -EPROTO},
                {"sector-size", "3", -EPROTO},
                {"sector-size", "511", -EPROTO},
                {"sector-size", "2147483648", -EPROTO},
                {"sector-size", "8192", -EPROTO},
                {"physical-sector-size", "3", 0},
                {"feature-max-indirect-segments", "0", 0},
                {"feature-max-indirect-segments", "4294967295", 0},
                {"feature-max-indirect-segments", "4294967296", 0},
                {"multi-queue-max-queues", "0", 0},
                {"multi-queue-max-queues", "4294967295", 0},
                {"max-ring-page-order", "31", 0},
                {"max-ring-page-order", "4294967295", 0},
                {"discard-granularity", "0", 0},
                {"info", "4294967295", 0},
                {"mode", "", 0},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct eg_options o = evil_options();
                struct evil *e = evil_create();

                o.queues = 4;
                o.ring_order = 1;
                if (rows[i].value)
                        evil_key(e, rows[i].key, rows[i].value);
                else
                        evil_drop_key(e, rows[i].key);
                assert_int_equal(evil_try_open(e, &o), rows[i].ret);
                if (e->disk) {
                        struct eg_info info;

                        eg_info(e->disk, &info);
                        assert_in_range(info.max_transfer_bytes, 11 * PAGE,
                                        32 * PAGE);
                        assert_in_range(info.queues, 1, 4);
                        assert_int_equal(info.ring_order, 1);
                        assert_true(info.discard_granularity_bytes >= 512);
                        submit_some(e, 1, EG_READ, 32 * PAGE);
                        while (!io[0].calls) {
                                evil_serve(e);
                                process(e, 10);
                        }
                        assert_int_equal(io[0].error, 0);
                }
                evil_destroy(e);
        }
}

/* Sizes that shrink below what is in flight, nodes that vanish. */
static void t_beinfo_keys_change_under_load(void **state)
{
        static const char *const size[] = {"8", "0", "16384", "x",
                                           "18446744073709551615"};
        struct evil *e = evil_create();
        struct eg_info info;

        (void)state;
        evil_open(e, NULL);
        submit_some(e, IOS, EG_WRITE, PAGE);
        for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
                evil_key(e, "sectors", size[i]);
                evil_key(e, "state", "4");
                for (int j = 0; j < 3; j++)
                        process(e, 20);
                eg_info(e->disk, &info);
                assert_true(info.size_bytes == 4096 ||
                            info.size_bytes == EVIL_DISK_BYTES);
        }
        evil_drop_key(e, "sectors");
        evil_drop_key(e, "sector-size");
        evil_drop_key(e, "feature-max-indirect-segments");
        evil_key(e, "state", "4");
        process(e, 20);
        assert_int_equal(disk_state(e), EG_STATE_CONNECTED);
        assert_true(evil_serve(e) == IOS);
        while (!io[IOS - 1].calls)
                process(e, 100);
        for (unsigned i = 0; i < IOS; i++)
                assert_int_equal(io[i].error, 0);
        evil_destroy(e);
}

/* ---- T-NORESP ------------------------------------------------------------ */

/* It takes everything and answers nothing: what waits is bounded, and so is
 * the goodbye. */
static void t_noresp_what_waits_is_bounded(void **state)
{
        struct eg_options o = evil_options();
        struct evil *e = evil_create();
        static struct evil_request q;
        struct eg_stats s;
        unsigned n = 0, taken = 0;
        int ret;

        (void)state;
        o.queues = 2;
        o.pool_pages = 100;
        o.queue_bytes = 1 << 20;
        evil_open(e, &o);
        while (n < 256) { /* many more than may wait */
                ret = evil_submit(e, &io[n], EG_WRITE, mem, 32 * PAGE, 0);
                if (ret == -EAGAIN)
                        break;
                assert_int_equal(ret, 0);
                n++;
                eg_kick(e->disk);
                for (unsigned i = 0; i < e->queues; i++)
                        while (evil_take(e, i, &q))
                                taken++;
        }
        assert_int_equal(ret, -EAGAIN);
        eg_stats(e->disk, &s);
        assert_int_equal(s.inflight, taken);
        assert_true(s.pool_pages <= 2 * 100);
        assert_true(s.bounced_bytes <= (1 << 20) + 32 * PAGE);
        assert_true(n <= 2 * 3 + 8 + 2);
        assert_true(evil_granted(e) <= 2 * (100 + 1));
        evil_close(e);
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(io[i].calls, 1);
                assert_int_equal(io[i].error, -ESHUTDOWN);
        }
        evil_destroy(e);
}

/* ---- T-STORM, from the other side ---------------------------------------- */

static void *storm(void *arg)
{
        struct scribbler *s = arg;

        while (!s->stop)
                for (unsigned i = 0; i < s->e->queues; i++)
                        xen_evtchn_notify(s->e->ev, s->e->rings[i].port);
        return NULL;
}

/* XSA-391: each event costs one look and no more, and I/O goes on. */
static void t_storm_of_events_costs_one_look_each(void **state)
{
        struct eg_options o = evil_options();
        struct evil *e = evil_create();
        struct scribbler s = {.e = e};
        struct eg_stats st;
        uint64_t calls = 0;
        pthread_t t;

        (void)state;
        o.queues = 4;
        evil_open(e, &o);
        assert_int_equal(pthread_create(&t, NULL, storm, &s), 0);
        for (int round = 0; round < 50; round++) {
                submit_some(e, 8, EG_READ, PAGE);
                for (unsigned left = 8; left;) {
                        struct pollfd f = {.fd = eg_fd(e->disk),
                                           .events = POLLIN};
                        static struct evil_request q;
                        unsigned i = round % e->queues;

                        /* Without an event: the storm has enough. */
                        for (i = 0; i < e->queues; i++) {
                                bool any = false;

                                while (evil_take(e, i, &q)) {
                                        evil_answer(e, i, q.r.id, q.r.wire_op,
                                                    BLK_OKAY);
                                        any = true;
                                }
                                if (any)
                                        (void)back_ring_push(&e->rings[i].ring);
                        }
                        poll(&f, 1, 100);
                        calls++;
                        (void)eg_process(e->disk);
                        left = 0;
                        for (i = 0; i < 8; i++)
                                left += !io[i].calls;
                }
        }
        for (int i = 0; i < 2000; i++) {
                process(e, 10);
                calls++;
        }
        s.stop = true;
        pthread_join(t, NULL);
        eg_stats(e->disk, &st);
        assert_true(st.events > 100);
        assert_true(st.events <= calls * e->queues);
        assert_int_equal(st.state, EG_STATE_CONNECTED);
        evil_destroy(e);
}

/* Its state goes round and round: each turn is one of its own, none of ours. */
static void t_toggle_states_without_end(void **state)
{
        static const char *const states[] = {"4", "5", "6", "2", "1",
                                             "3", "8", "0", "7", "x"};
        struct eg_options o = evil_options();
        struct evil *e = evil_create();

        (void)state;
        o.close_timeout_ms = 50;
        for (int round = 0; round < 10; round++) {
                evil_open(e, &o);
                submit_some(e, 4, EG_READ, PAGE);
                for (int i = 0; i < 40; i++) {
                        evil_key(e, "state",
                                 states[evil_random() % ARRAY_SIZE(states)]);
                        process(e, 2);
                }
                eg_close(e->disk);
                e->disk = NULL;
                for (unsigned i = 0; i < 4; i++)
                        assert_int_equal(io[i].calls, 1);
                evil_let_go(e);
                evil_key(e, "state", "2");
        }
        evil_destroy(e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(t_badrsp_random_answers),
                cmocka_unit_test(t_badrsp_answer_changes_under_the_reader),
                cmocka_unit_test(t_leak_f_only_the_requests_bytes_are_seen),
                cmocka_unit_test(t_leak_f_granted_pages_start_empty),
                cmocka_unit_test(t_scrib_shared_memory_never_rests),
                cmocka_unit_test(
                        t_grefrace_pages_are_taken_back_under_a_mapper),
                cmocka_unit_test(t_grefrace_held_pages_do_not_hold_the_guest),
                cmocka_unit_test(t_beinfo_lies_are_refused_or_clamped),
                cmocka_unit_test(t_beinfo_keys_change_under_load),
                cmocka_unit_test(t_noresp_what_waits_is_bounded),
                cmocka_unit_test(t_storm_of_events_costs_one_look_each),
                cmocka_unit_test(t_toggle_states_without_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
