/* SPDX-License-Identifier: MIT */
/* Memory is taken away while other threads use it. */
#include "rig.h"

#include "store/ram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

struct racer {
        struct store *s;
        struct loop *l;
        struct store_queue *q;
        pthread_t thread;
        uint8_t fill;
        unsigned rounds;
        bool failed;
};

static void race_done(struct store_req *req, int error)
{
        *(int *)req->arg = error;
}

static void *race_writes(void *arg)
{
        struct racer *x = arg;
        static const size_t n = 65536;
        uint8_t *buf = malloc(n);
        int error = 1;

        for (unsigned i = 0; i < x->rounds; i++) {
                struct iovec iov = {buf, n};
                struct store_req req = {.op = i % 2 ? STORE_READ : STORE_WRITE,
                                        .offset_bytes = (i % 16) * 32768,
                                        .len_bytes = n,
                                        .iov = &iov,
                                        .niov = 1,
                                        /* a hint, and mostly a lie */
                                        .soon_offset_bytes =
                                                i * 0x9e3779b97f4a7c15,
                                        .soon_len_bytes = i * 4096,
                                        .done = race_done,
                                        .arg = &error};

                memset(buf, x->fill, n);
                store_expect(
                        x->q,
                        (uint64_t[]){req.offset_bytes, req.soon_offset_bytes},
                        2);
                store_submit(x->q, &req);
                x->failed |= error != 0;
                for (size_t j = 0; i % 2 && j < n; j += 512)
                        x->failed |= buf[j] != 0 && buf[j] != 1 && buf[j] != 2;
        }
        free(buf);
        return NULL;
}

/* Two write and read while this one discards and resizes under them. A fault
 * in a hole would not kill here, but would take memory behind our back. */
static void discard_under_writers(void **state)
{
        struct rig *r = *state;
        struct racer x[2];
        struct err e;
        uint64_t before;

        rig_open(r, "ram:2M");
        before = rig_memory(r);
        for (int i = 0; i < 2; i++) {
                x[i] = (struct racer){
                        .s = r->s, .fill = (uint8_t)(i + 1), .rounds = 20000};
                assert_int_equal(loop_create(&x[i].l, NULL), 0);
                assert_int_equal(store_queue_open(r->s, x[i].l, &x[i].q), 0);
                pthread_create(&x[i].thread, NULL, race_writes, &x[i]);
        }
        for (unsigned i = 0; i < 3000; i++) {
                assert_int_equal(rig_do(r, STORE_DISCARD, i % 8 * 65536, NULL,
                                        2 * 65536),
                                 0);
                if (i % 100 == 0)
                        assert_int_equal(
                                store_resize(r->s, (2 + i % 3) << 20, &e), 0);
        }
        for (int i = 0; i < 2; i++) {
                pthread_join(x[i].thread, NULL);
                assert_false(x[i].failed);
                store_queue_close(x[i].q);
                loop_destroy(x[i].l);
        }
        assert_int_equal(rig_do(r, STORE_DISCARD, 0, NULL, 2 << 20), 0);
        assert_int_equal(rig_memory(r), before);
}

static void discards_do_not_disturb_writers_of_other_threads(void **state)
{
        discard_under_writers(state);
}

/* A kernel without membarrier: each copy has a fence of its own. */
static void nor_do_they_where_the_kernel_fences_nobody(void **state)
{
        bool cheap;

        ram_copies_init();
        cheap = ram_copies_cheap;
        ram_copies_cheap = false;
        discard_under_writers(state);
        ram_copies_cheap = cheap;
}

enum { CHASED = 1000 };

struct chase {
        struct rig *r;
        struct loop *l;
        struct store_queue *q;
        pthread_t thread;
        atomic_uint at;
        bool failed;
};

static void *write_each_extent_once(void *arg)
{
        struct chase *c = arg;
        uint8_t *buf = mmap(NULL, RAM_EXTENT_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int error = 1;

        for (unsigned i = 0; i < CHASED; i++) {
                struct iovec iov = {buf, RAM_EXTENT_BYTES};
                struct store_req req = {.op = STORE_WRITE,
                                        .offset_bytes =
                                                (uint64_t)i * RAM_EXTENT_BYTES,
                                        .len_bytes = RAM_EXTENT_BYTES,
                                        .iov = &iov,
                                        .niov = 1,
                                        .done = race_done,
                                        .arg = &error};

                /* A fault for each page makes the copy slow. */
                madvise(buf, RAM_EXTENT_BYTES, MADV_DONTNEED);
                atomic_store(&c->at, i + 1);
                store_submit(c->q, &req);
                c->failed |= error != 0;
        }
        munmap(buf, RAM_EXTENT_BYTES);
        return NULL;
}

static void chase_start(struct chase *c)
{
        uint8_t *buf = calloc(1, RAM_EXTENT_BYTES);

        for (unsigned i = 0; i < CHASED; i++)
                assert_int_equal(rig_do(c->r, STORE_WRITE,
                                        (uint64_t)i * RAM_EXTENT_BYTES, buf,
                                        RAM_EXTENT_BYTES),
                                 0);
        free(buf);
        atomic_store(&c->at, 0);
        assert_int_equal(loop_create(&c->l, NULL), 0);
        assert_int_equal(store_queue_open(c->r->s, c->l, &c->q), 0);
        pthread_create(&c->thread, NULL, write_each_extent_once, c);
}

static void chase_end(struct chase *c)
{
        pthread_join(c->thread, NULL);
        assert_false(c->failed);
        store_queue_close(c->q);
        loop_destroy(c->l);
}

/* Each extent is discarded while it is written. Had a copy gone on in the hole,
 * its memory would belong to no extent and stay. */
static void no_memory_is_left_behind_by_a_write_during_a_discard(void **state)
{
        struct chase c = {.r = *state};
        uint64_t before;

        rig_open(c.r, "ram:65536000");
        before = rig_memory(c.r);
        chase_start(&c);
        for (unsigned i = 0; i < CHASED; i++) {
                while (atomic_load(&c.at) <= i)
                        ;
                for (volatile unsigned pause = i % 32 * 50; pause; pause--)
                        ; /* into the middle of the copy */
                assert_int_equal(rig_do(c.r, STORE_DISCARD,
                                        (uint64_t)i * RAM_EXTENT_BYTES, NULL,
                                        RAM_EXTENT_BYTES),
                                 0);
        }
        chase_end(&c);
        /* One by one: only what is known to have memory is punched. */
        for (unsigned i = 0; i < CHASED; i++)
                assert_int_equal(rig_do(c.r, STORE_DISCARD,
                                        (uint64_t)i * RAM_EXTENT_BYTES, NULL,
                                        RAM_EXTENT_BYTES),
                                 0);
        assert_int_equal(rig_memory(c.r), before);
}

static void writes_go_on_during_a_resize(void **state)
{
        struct chase c = {.r = *state};
        struct err e;

        rig_open(c.r, "ram:65536000");
        for (int round = 0; round < 5; round++) {
                chase_start(&c);
                for (unsigned i = 0; atomic_load(&c.at) < CHASED; i++)
                        assert_int_equal(store_resize(c.r->s,
                                                      65536000 + i % 2 * 65536,
                                                      &e),
                                         0);
                chase_end(&c);
        }
}

const struct CMUnitTest ram_threads_tests[] = {
        ONE_WAY(discards_do_not_disturb_writers_of_other_threads),
        ONE_WAY(nor_do_they_where_the_kernel_fences_nobody),
        ONE_WAY(no_memory_is_left_behind_by_a_write_during_a_discard),
        ONE_WAY(writes_go_on_during_a_resize),
};
const size_t ram_threads_tests_n = ARRAY_SIZE(ram_threads_tests);
