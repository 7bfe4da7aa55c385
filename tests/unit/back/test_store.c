/* SPDX-License-Identifier: MIT */
#include "test_store.h"

#include <pthread.h>
#include <string.h>

#define RECORDS 65536u
#define HELD 1024u

struct test_store {
        struct store head;
        pthread_mutex_t lock;
        uint8_t *data;
        struct test_store_record *records;
        unsigned nrecords, queues;
        uint64_t *expected_bytes;
        unsigned nexpected;
        bool hold;
        struct store_req *held[HELD];
        struct loop *loop;
        unsigned nheld, let;
        bool posted;
        struct loop_work work;
        pthread_cond_t go;
        unsigned
                stop_at; /* 0: never; else one more than the request's number */
        bool stopped;
        int fail[4], fail_open;
};

static struct test_store *of(struct store *s)
{
        return container_of(s, struct test_store, head);
}

static int perform(struct test_store *t, struct store_req *r)
{
        uint8_t *at = t->data + r->offset_bytes;
        int ret;

        pthread_mutex_lock(&t->lock);
        ret = t->fail[r->op];
        if (ret) {
                pthread_mutex_unlock(&t->lock);
                return ret;
        }
        if (r->op == STORE_DISCARD)
                memset(at, 0, r->len_bytes);
        for (unsigned i = 0; i < r->niov; i++) {
                if (r->op == STORE_READ)
                        memcpy(r->iov[i].iov_base, at, r->iov[i].iov_len);
                else
                        memcpy(at, r->iov[i].iov_base, r->iov[i].iov_len);
                at += r->iov[i].iov_len;
        }
        pthread_mutex_unlock(&t->lock);
        return 0;
}

static void complete(struct test_store *t, struct store_req *r)
{
        r->done(r, perform(t, r));
}

static void submit(struct store_queue *q, struct store_req *r)
{
        struct test_store *t = of(q->store);
        bool hold;

        pthread_mutex_lock(&t->lock);
        t->records[t->nrecords % RECORDS] = (struct test_store_record){
                r->op,     r->offset_bytes,   r->len_bytes, r->niov,
                r->secure, r->read_elsewhere, t->nexpected};
        while (++t->nrecords == t->stop_at) {
                t->nrecords--;
                t->stopped = true;
                pthread_cond_wait(&t->go, &t->lock);
        }
        t->stopped = false;
        hold = t->hold;
        if (hold)
                t->held[t->nheld++] = r;
        pthread_mutex_unlock(&t->lock);
        if (!hold)
                complete(t, r);
}

static void expect(struct store_queue *q, const uint64_t *offset_bytes,
                   unsigned n)
{
        struct test_store *t = of(q->store);

        pthread_mutex_lock(&t->lock);
        for (unsigned i = 0; i < n; i++)
                t->expected_bytes[t->nexpected++ % RECORDS] = offset_bytes[i];
        pthread_mutex_unlock(&t->lock);
}

static void let_some(void *arg)
{
        struct test_store *t = arg;

        for (;;) {
                struct store_req *r = NULL;

                pthread_mutex_lock(&t->lock);
                if (t->let && t->nheld) {
                        t->let--;
                        r = t->held[0];
                        memmove(t->held, t->held + 1,
                                --t->nheld * sizeof(t->held[0]));
                } else {
                        t->let = 0;
                        t->posted = false;
                }
                pthread_mutex_unlock(&t->lock);
                if (!r)
                        return;
                complete(t, r);
        }
}

static int queue_open(struct store *s, struct loop *l, struct store_queue **q)
{
        struct test_store *t = of(s);

        if (t->fail_open)
                return t->fail_open;
        *q = calloc(1, sizeof(**q));
        **q = (struct store_queue){.store = s, .loop = l};
        pthread_mutex_lock(&t->lock);
        t->loop = l;
        t->queues++;
        pthread_mutex_unlock(&t->lock);
        return 0;
}

static void queue_close(struct store_queue *q)
{
        struct test_store *t = of(q->store);

        pthread_mutex_lock(&t->lock);
        t->queues--;
        pthread_mutex_unlock(&t->lock);
        free(q);
}

static const struct store_ops ops = {
        .name = "test",
        .queue_open = queue_open,
        .queue_close = queue_close,
        .submit = submit,
        .expect = expect,
};

struct store *test_store_create(void)
{
        struct test_store *t = calloc(1, sizeof(*t));

        t->head.ops = &ops;
        t->head.info.size_bytes = TEST_STORE_BYTES;
        t->head.keep_fd = -1;
        t->data = calloc(1, TEST_STORE_BYTES);
        t->records = calloc(RECORDS, sizeof(*t->records));
        t->expected_bytes = calloc(RECORDS, sizeof(*t->expected_bytes));
        t->work = (struct loop_work){.fn = let_some, .arg = t};
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->go, NULL);
        return &t->head;
}

void test_store_destroy(struct store *s)
{
        struct test_store *t = of(s);

        pthread_cond_destroy(&t->go);
        pthread_mutex_destroy(&t->lock);
        free(t->expected_bytes);
        free(t->records);
        free(t->data);
        free(t);
}

uint8_t *test_store_data(struct store *s)
{
        return of(s)->data;
}

#define LOCKED_READ(type, expr)         \
        struct test_store *t = of(s);   \
        type out;                       \
        pthread_mutex_lock(&t->lock);   \
        out = (expr);                   \
        pthread_mutex_unlock(&t->lock); \
        return out

unsigned test_store_count(struct store *s)
{
        LOCKED_READ(unsigned, t->nrecords);
}

struct test_store_record test_store_record(struct store *s, unsigned i)
{
        LOCKED_READ(struct test_store_record, t->records[i % RECORDS]);
}

uint64_t test_store_expected(struct store *s, unsigned i)
{
        LOCKED_READ(uint64_t, t->expected_bytes[i % RECORDS]);
}

unsigned test_store_open_queues(struct store *s)
{
        LOCKED_READ(unsigned, t->queues);
}

unsigned test_store_held(struct store *s)
{
        LOCKED_READ(unsigned, t->nheld);
}

void test_store_hold(struct store *s, bool hold)
{
        struct test_store *t = of(s);

        pthread_mutex_lock(&t->lock);
        t->hold = hold;
        pthread_mutex_unlock(&t->lock);
}

void test_store_let(struct store *s, unsigned n)
{
        struct test_store *t = of(s);
        bool post;

        pthread_mutex_lock(&t->lock);
        t->let += n;
        post = !t->posted;
        t->posted = true;
        pthread_mutex_unlock(&t->lock);
        if (post)
                loop_post(t->loop, &t->work);
}

void test_store_fail(struct store *s, enum store_op op, int error)
{
        struct test_store *t = of(s);

        pthread_mutex_lock(&t->lock);
        t->fail[op] = error;
        pthread_mutex_unlock(&t->lock);
}

void test_store_fail_open(struct store *s, int error)
{
        of(s)->fail_open = error;
}

void test_store_stop_at(struct store *s, unsigned i)
{
        struct test_store *t = of(s);

        pthread_mutex_lock(&t->lock);
        t->stop_at = i + 1;
        pthread_mutex_unlock(&t->lock);
}

void test_store_step(struct store *s)
{
        struct test_store *t = of(s);

        pthread_mutex_lock(&t->lock);
        t->stop_at++;
        t->stopped = false;
        pthread_cond_signal(&t->go);
        pthread_mutex_unlock(&t->lock);
}

bool test_store_stopped(struct store *s)
{
        LOCKED_READ(bool, t->stopped);
}

void test_store_go(struct store *s)
{
        struct test_store *t = of(s);

        pthread_mutex_lock(&t->lock);
        t->stop_at = 0;
        pthread_cond_signal(&t->go);
        pthread_mutex_unlock(&t->lock);
}
