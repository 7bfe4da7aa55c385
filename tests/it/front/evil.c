/* SPDX-License-Identifier: MIT */
#include "evil.h"

#include "../place.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[1 << 20];

uint64_t evil_random(void)
{
        static uint64_t s = 88172645463325252u;

        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        return s;
}

static int run(const char *what, const char *name, const char *more)
{
        char command[512];
        size_t n;
        FILE *f;

        snprintf(command, sizeof(command), "'%s' %s %s %s",
                 place_env("POCKETXEN"), what, name, more);
        place_leave();
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(said, 1, sizeof(said) - 1, f);
        said[n] = '\0';
        return WEXITSTATUS(pclose(f));
}

unsigned evil_granted(struct evil *e)
{
        struct json_object *o, *list;
        unsigned n;

        assert_int_equal(run("grants", e->name, "--json"), 0);
        o = json_tokener_parse(said);
        assert_non_null(o);
        assert_true(json_object_object_get_ex(o, "entries", &list));
        n = (unsigned)json_object_array_length(list);
        json_object_put(o);
        return n;
}

/* ---- xenstore ------------------------------------------------------------ */

static void put(struct evil *e, const char *dir, const char *key,
                const char *value)
{
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", dir, key);
        assert_int_equal(xen_store_write(e->xs, path, value), 0);
}

void evil_key(struct evil *e, const char *key, const char *value)
{
        put(e, e->back, key, value);
}

void evil_drop_key(struct evil *e, const char *key)
{
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", e->back, key);
        assert_int_equal(xen_store_rm(e->xs, path), 0);
}

static enum xenbus_state state_of(struct evil *e, const char *dir)
{
        char path[160];

        snprintf(path, sizeof(path), "%s/state", dir);
        return xen_store_read_state(e->xs, path);
}

static bool front_number(struct evil *e, const char *key, uint64_t *v)
{
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", e->front, key);
        return xen_store_read_u64(e->xs, path, UINT32_MAX, v) == 0;
}

static void make_nodes(struct evil *e)
{
        static const char *const keys[][2] = {
                {"online", "1"},
                {"mode", "w"},
                {"max-ring-page-order", "4"},
                {"feature-persistent", "1"},
                {"feature-flush-cache", "1"},
                {"feature-discard", "1"},
                {"feature-max-indirect-segments", "256"},
                {"multi-queue-max-queues", "4"},
                {"sectors", "16384"},
                {"sector-size", "512"},
                {"info", "0"},
        };
        char id[12];

        snprintf(e->front, sizeof(e->front),
                 "/local/domain/%u/device/vbd/51712", e->domid);
        snprintf(e->back, sizeof(e->back),
                 "/local/domain/0/backend/vbd/%u/51712", e->domid);
        snprintf(id, sizeof(id), "%u", e->domid);
        assert_int_equal(xen_store_write(e->xs, e->front, ""), 0);
        assert_int_equal(xen_store_set_owner(e->xs, e->front, e->domid, 0), 0);
        assert_int_equal(xen_store_write(e->xs, e->back, ""), 0);
        assert_int_equal(xen_store_set_owner(e->xs, e->back, 0, e->domid), 0);
        evil_key(e, "frontend", e->front);
        evil_key(e, "frontend-id", id);
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                evil_key(e, keys[i][0], keys[i][1]);
        evil_key(e, "state", "2");
        put(e, e->front, "backend-id", "0");
        put(e, e->front, "virtual-device", "51712");
        put(e, e->front, "state", "1");
        put(e, e->front, "backend", e->back);
}

struct evil *evil_create(void)
{
        static unsigned serial;
        struct evil *e = calloc(1, sizeof(*e));
        struct err err;

        assert_non_null(e);
        snprintf(e->name, sizeof(e->name), "e%u", ++serial);
        assert_int_equal(run("create", e->name, ""), 0);
        e->domid = (uint32_t)atoi(said);
        place_enter(0);
        assert_int_equal(xen_store_open(&e->xs, &err), 0);
        assert_int_equal(xen_evtchn_open(&e->ev), 0);
        assert_int_equal(xen_grants_open(&e->grants), 0);
        place_leave();
        e->memory = calloc(1, EVIL_DISK_BYTES);
        e->lim = (struct blk_limits){.sectors = EVIL_DISK_BYTES / SECTOR_BYTES,
                                     .block_bytes = SECTOR_BYTES,
                                     .flush = true,
                                     .discard = true,
                                     .max_indirect_segs = 256};
        make_nodes(e);
        return e;
}

void evil_destroy(struct evil *e)
{
        if (e->disk)
                evil_close(e);
        evil_let_go(e);
        for (int i = 0; evil_granted(e) && i < 500; i++)
                poll(NULL, 0, 10);
        assert_int_equal(evil_granted(e), 0);
        xen_store_rm(e->xs, e->back);
        xen_grants_close(e->grants);
        xen_evtchn_close(e->ev);
        xen_store_close(e->xs);
        assert_int_equal(run("destroy", e->name, ""), 0);
        free(e->memory);
        free(e);
}

/* ---- connecting ---------------------------------------------------------- */

static uint64_t ring_number(struct evil *e, unsigned ring, const char *key)
{
        char path[64];
        uint64_t v;

        if (e->queues == 1)
                snprintf(path, sizeof(path), "%s", key);
        else
                snprintf(path, sizeof(path), "queue-%u/%s", ring, key);
        if (!front_number(e, path, &v))
                fail_msg("the frontend has no %s", path);
        return v;
}

static void connect_ring(struct evil *e, unsigned ring)
{
        struct evil_ring *g = &e->rings[ring];
        uint32_t refs[BLK_MAX_RING_PAGES];
        char name[32];

        for (unsigned i = 0; i < 1u << e->order; i++) {
                blk_ring_ref_name(name, sizeof(name), e->order, i);
                refs[i] = (uint32_t)ring_number(e, ring, name);
        }
        assert_int_equal(xen_grants_map(e->grants, e->domid, refs,
                                        1u << e->order, true, &g->pages),
                         0);
        back_ring_init(&g->ring, g->pages, e->order, BLK_ABI_NATIVE);
        g->port = xen_evtchn_bind_interdomain(
                e->ev, e->domid,
                (uint32_t)ring_number(e, ring, "event-channel"));
        assert_true(g->port >= 0);
}

static void connect_rings(struct evil *e)
{
        uint64_t v;

        e->order = front_number(e, "ring-page-order", &v) ? (unsigned)v : 0;
        e->queues =
                front_number(e, "multi-queue-num-queues", &v) ? (unsigned)v : 1;
        assert_in_range(e->queues, 1, 16);
        for (unsigned i = 0; i < e->queues; i++)
                connect_ring(e, i);
        evil_key(e, "state", "4");
}

void evil_let_go(struct evil *e)
{
        for (unsigned i = 0; i < e->queues; i++) {
                xen_evtchn_unbind(e->ev, e->rings[i].port);
                xen_grants_unmap(e->grants, e->rings[i].pages, 1u << e->order);
        }
        e->queues = 0;
        while (e->nknown) {
                uint32_t gref = e->known[--e->nknown];

                xen_grants_unmap(e->grants, e->page[gref], 1);
                e->page[gref] = NULL;
        }
}

/* The next state of this end, if it is time for one. */
static enum xenbus_state next_state(enum xenbus_state front,
                                    enum xenbus_state own)
{
        if (front == XENBUS_INITIALISING && own == XENBUS_CLOSED)
                return XENBUS_INIT_WAIT;
        if (front == XENBUS_CLOSING && own == XENBUS_CONNECTED)
                return XENBUS_CLOSING;
        if (front == XENBUS_CLOSED && own != XENBUS_CLOSED)
                return XENBUS_CLOSED;
        return XENBUS_UNKNOWN;
}

/* In a transaction: Closed, written to a frontend that has come back since the
 * look, would be a refusal. */
static int follow_states(struct xen_store *s, void *arg)
{
        struct evil *e = arg;
        enum xenbus_state next =
                next_state(state_of(e, e->front), state_of(e, e->back));
        char path[160], text[4];

        if (next == XENBUS_UNKNOWN)
                return -ECANCELED;
        if (next == XENBUS_CLOSED)
                evil_let_go(e);
        snprintf(path, sizeof(path), "%s/state", e->back);
        snprintf(text, sizeof(text), "%d", next);
        return xen_store_write(s, path, text);
}

static void follow(struct evil *e)
{
        if (state_of(e, e->front) == XENBUS_INITIALISED && !e->queues)
                connect_rings(e);
        else
                (void)xen_store_transaction(e->xs, follow_states, e);
}

struct call {
        struct evil *e;
        const struct eg_options *opts;
        int ret;
        _Atomic bool done;
};

static char why[400]; /* of an eg_open: errors are a thread's own */

static void *open_thread(void *arg)
{
        struct call *c = arg;

        c->ret = eg_open(&c->e->disk, "xvda", c->opts);
        if (c->ret < 0)
                snprintf(why, sizeof(why), "%s", eg_error());
        c->done = true;
        return NULL;
}

static void *close_thread(void *arg)
{
        struct call *c = arg;

        eg_close(c->e->disk);
        c->done = true;
        return NULL;
}

static int play(struct evil *e, const struct eg_options *opts,
                void *(*what)(void *))
{
        struct call c = {.e = e, .opts = opts};
        pthread_t t;

        assert_int_equal(pthread_create(&t, NULL, what, &c), 0);
        while (!c.done) {
                follow(e);
                poll(NULL, 0, 1);
        }
        pthread_join(t, NULL);
        return c.ret;
}

static void say_nothing(void *arg, enum eg_log_level level, const char *line)
{
        (void)arg;
        (void)level;
        (void)line;
}

struct eg_options evil_options(void)
{
        struct eg_options o;

        eg_options_init(&o);
        o.log = say_nothing;
        o.connect_timeout_ms = 20000;
        o.close_timeout_ms = 300;
        return o;
}

int evil_try_open(struct evil *e, const struct eg_options *opts)
{
        struct eg_options o = evil_options();
        int ret;

        e->disk = NULL;
        place_enter(e->domid);
        ret = play(e, opts ? opts : &o, open_thread);
        place_leave();
        return ret;
}

void evil_open(struct evil *e, const struct eg_options *opts)
{
        if (evil_try_open(e, opts) < 0)
                fail_msg("eg_open: %s", why);
}

void evil_close(struct evil *e)
{
        play(e, NULL, close_thread);
        e->disk = NULL;
        follow(e);
}

/* ---- requests ------------------------------------------------------------ */

uint8_t *evil_page(struct evil *e, uint32_t gref)
{
        void *page;

        assert_true(gref < EVIL_MAX_GREF);
        if (!e->page[gref]) {
                assert_int_equal(xen_grants_map(e->grants, e->domid, &gref, 1,
                                                true, &page),
                                 0);
                e->page[gref] = page;
                e->known[e->nknown++] = gref;
        }
        return e->page[gref];
}

bool evil_take(struct evil *e, unsigned ring, struct evil_request *q)
{
        struct back_ring *b = &e->rings[ring].ring;
        uint8_t slot[BLK_SLOT_BYTES];

        if (!back_ring_waiting(b))
                return false;
        back_ring_take(b, slot);
        assert_int_equal(blk_parse(BLK_ABI_NATIVE, slot, &e->lim, &q->r),
                         BLK_VALID);
        if (q->r.nindirect)
                assert_int_equal(
                        blk_parse_indirect(evil_page(e, q->r.indirect_grefs[0]),
                                           &e->lim, &q->r, q->segs),
                        BLK_VALID);
        else
                memcpy(q->segs, q->r.segs, sizeof(q->r.segs));
        for (unsigned i = 0; i < q->r.nsegs; i++)
                evil_page(e, q->segs[i].gref);
        return true;
}

void evil_answer(struct evil *e, unsigned ring, uint64_t id, uint8_t op,
                 int status)
{
        back_ring_respond(&e->rings[ring].ring, id, op,
                          (enum blk_status)status);
}

void evil_push(struct evil *e, unsigned ring)
{
        struct evil_ring *g = &e->rings[ring];

        (void)back_ring_final_check(&g->ring); /* wants the next event */
        (void)back_ring_push(&g->ring);
        xen_evtchn_notify(e->ev, g->port);
}

static void copy(struct evil *e, const struct evil_request *q)
{
        uint8_t *at = e->memory + q->r.sector * SECTOR_BYTES;

        for (unsigned i = 0; i < q->r.nsegs; i++) {
                const struct blk_seg *s = &q->segs[i];
                uint8_t *page = e->page[s->gref] + blk_seg_offset(s);

                if (q->r.op == BLK_WRITE)
                        memcpy(at, page, blk_seg_bytes(s));
                else
                        memcpy(page, at, blk_seg_bytes(s));
                at += blk_seg_bytes(s);
        }
}

unsigned evil_serve(struct evil *e)
{
        static struct evil_request q;
        unsigned n = 0;

        for (unsigned i = 0; i < e->queues; i++) {
                unsigned before = n;

                for (; evil_take(e, i, &q); n++) {
                        copy(e, &q);
                        evil_answer(e, i, q.r.id, q.r.wire_op, BLK_OKAY);
                }
                if (n != before)
                        evil_push(e, i);
        }
        return n;
}

static void io_done(struct eg_io *io, int error)
{
        struct evil_io *i = (struct evil_io *)io;

        i->calls++;
        i->error = error;
}

int evil_submit(struct evil *e, struct evil_io *i, enum eg_op op, void *mem,
                size_t bytes, uint64_t offset_bytes)
{
        memset(i, 0, sizeof(*i));
        i->iov = (struct iovec){mem, bytes};
        i->io.op = op;
        i->io.offset_bytes = offset_bytes;
        i->io.iov = &i->iov;
        i->io.niov = 1;
        i->io.done = io_done;
        return eg_submit(e->disk, &i->io);
}
