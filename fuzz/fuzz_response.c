/* SPDX-License-Identifier: MIT */
/* A backend that answers what it likes, against the whole frontend library
 * (its public interface, over the fakes of tests/unit/front). Input: options,
 * two bytes, then operations of both sides. Whatever happens, each I/O ends
 * exactly once, memory of I/O that failed is as it was, and nothing stays
 * shared. */
#include "fuzz.h"

#include <errno.h>

#include "evergrant.h"
#include "fake_xen.h"
#include "ring/ring_index.h"

#define MAX_IOS 24
#define MAX_TAKEN 64

struct one {
        struct eg_io io; /* first */
        struct iovec iov;
        uint8_t *mem;
        size_t len;
        int calls, error;
};

static struct one ios[MAX_IOS];
static unsigned nios;
static struct {
        struct blk_request req;
        unsigned queue;
} taken[MAX_TAKEN];
static unsigned ntaken;
static bool napped;
static unsigned selected; /* the ring that lies */
/* The backend wrote where an honest one would read: from then on nothing that
 * it finds there can be checked. */
static bool tainted;
static uint64_t reconnects;

static void done(struct eg_io *io, int error)
{
        struct one *o = (struct one *)io;

        o->calls++;
        o->error = error;
}

static void quiet(void *arg, enum eg_log_level level, const char *line)
{
}

static void submit(struct eg_disk *d, struct input *in)
{
        static const size_t lens[] = {512, 4096, 1536, 40960, 65536, 0, 100};
        struct one *o = &ios[nios];
        uint8_t op = in_u8(in);
        int ret;

        if (nios == MAX_IOS)
                return;
        memset(o, 0, sizeof(*o));
        o->len = lens[in_u8(in) % ARRAY_SIZE(lens)];
        o->mem = malloc(o->len + 1);
        memset(o->mem, 0x5a, o->len);
        o->iov = (struct iovec){o->mem, o->len};
        o->io.op = (enum eg_op)min_u64(op & 7, EG_DISCARD + 1);
        o->io.flags =
                (op & 16 ? EG_IO_STABLE : 0) | (op & 32 ? EG_IO_SECURE : 0);
        o->io.offset_bytes = in_u16(in) * 512ull;
        o->io.length_bytes = o->len;
        o->io.iov = &o->iov;
        o->io.niov = op & 8 ? 0 : 1;
        o->io.done = done;
        ret = eg_submit(d, &o->io);
        must(ret <= 0, "%d", ret);
        if (ret == 0)
                nios++;
        else
                free(o->mem);
}

/* Small reads, one behind the other: what finds no room is merged. */
static void submit_next(struct eg_disk *d, struct input *in)
{
        struct one *o = &ios[nios];

        if (nios == MAX_IOS)
                return;
        memset(o, 0, sizeof(*o));
        o->len = 512;
        o->mem = malloc(o->len);
        memset(o->mem, 0x5a, o->len);
        o->iov = (struct iovec){o->mem, o->len};
        o->io.op = EG_READ;
        o->io.offset_bytes = nios * 512ull;
        o->io.iov = &o->iov;
        o->io.niov = 1;
        o->io.done = done;
        if (eg_submit(d, &o->io) == 0)
                nios++;
        else
                free(o->mem);
}

static void *ring(void)
{
        selected %= fake.queues;
        return fake.connected ? fake.rings[selected].shared : NULL;
}

static void take_all(void)
{
        for (unsigned q = 0; q < fake.queues && !tainted; q++)
                while (ntaken < MAX_TAKEN &&
                       fake_take_on(q, &taken[ntaken].req))
                        taken[ntaken++].queue = q;
}

static void untake(unsigned i)
{
        taken[i] = taken[--ntaken];
}

/* An honest answer to one request that waits, with any status that there is. */
static void answer_one(struct input *in)
{
        uint8_t b = in_u8(in);
        struct blk_request r;
        unsigned queue;

        if (!ring() || tainted)
                return;
        take_all();
        if (!ntaken)
                return;
        r = taken[b % ntaken].req;
        queue = taken[b % ntaken].queue;
        untake(b % ntaken);
        for (unsigned i = 0; r.op == BLK_READ && !r.nindirect && i < r.nsegs;
             i++)
                memset((uint8_t *)fake_page(r.segs[i].gref) +
                               blk_seg_offset(&r.segs[i]),
                       0x77, blk_seg_bytes(&r.segs[i]));
        fake_answer_on(queue, r.id, r.wire_op,
                       b & 0x80 ? BLK_OKAY : (int16_t) - ((b >> 5 & 3) % 3));
        fake_push_on(queue);
}

/* A response of any content. It must end the disk unless it happens to answer
 * a request that is there. */
static void lie(struct eg_disk *d, struct input *in)
{
        uint64_t id = in_u8(in);
        uint8_t op = in_u8(in);
        int16_t status = (int16_t)in_u16(in);
        struct eg_stats s;
        bool good = false;

        if (id & 0x80)
                id = in_u64(in);
        if (!ring())
                return;
        take_all();
        for (unsigned i = 0; i < ntaken && !good; i++) {
                if (taken[i].req.id != id || taken[i].queue != selected)
                        continue;
                good = taken[i].req.wire_op == op && status <= BLK_OKAY &&
                       status >= BLK_EOPNOTSUPP;
                if (good)
                        untake(i);
        }
        fake_answer_on(selected, id, op, status);
        fake_push_on(selected);
        eg_stats(d, &s);
        if (tainted || s.state != EG_STATE_CONNECTED) {
                tainted = true;
                return;
        }
        (void)eg_process(d);
        eg_stats(d, &s);
        must(!good || !s.bad_responses, "a good response was refused");
        must(good || s.state != EG_STATE_CONNECTED ||
                     s.reconnects != reconnects,
             "id %llu, operation %u, status %d was taken",
             (unsigned long long)id, op, status);
        tainted = !good;
}

static void scribble_index(struct input *in)
{
        unsigned which = in_u8(in) % 4;
        uint32_t v = in_u32(in);

        if (!ring())
                return;
        if (which == RING_RSP_PROD)
                v += fake.rings[selected]
                             .rsp_prod; /* small steps are the good ones */
        ring_store_release(ring_word(ring(), (enum ring_word)which), v);
        tainted |= which == RING_REQ_PROD || which == RING_RSP_PROD;
}

static void scribble_ring(struct input *in)
{
        uint32_t at = in_u16(in) % (GRANT_PAGE_BYTES / 4);
        uint32_t v = in_u32(in);

        if (!ring())
                return;
        ring_store_once((uint32_t *)ring() + at, v);
        tainted = true;
}

static void backend_moves(struct input *in)
{
        enum xenbus_state s = (enum xenbus_state)(in_u8(in) % XENBUS_STATES);

        if (in_u8(in) & 1)
                fake_back_away(s);
        else
                fake_back_state(s);
}

static void set_key(struct input *in)
{
        static const char *const keys[][2] = {
                {FAKE_B "/online", "0"},
                {FAKE_B "/online", "1"},
                {FAKE_B "/feature-flush-cache", "0"},
                {FAKE_B "/feature-discard", "0"},
                {FAKE_B "/sectors", "8"},
                {FAKE_B "/sectors", "16384"},
                {FAKE_B "/sectors", "no"},
                {FAKE_B "/mode", "r"},
                {FAKE_F "/trusted", "0"},
                {FAKE_F "/backend-id", "7"},
                {FAKE_B "/feature-max-indirect-segments", "0"},
                {FAKE_B "/feature-barrier", "1"},
        };
        unsigned i = in_u8(in) % ARRAY_SIZE(keys);

        fake_set(keys[i][0], keys[i][1]);
}

static void operation(struct eg_disk *d, struct input *in)
{
        switch (in_u8(in) % 18) {
        case 0:
        case 1:
                submit(d, in);
                break;
        case 2:
                eg_kick(d);
                break;
        case 3:
        case 4:
                (void)eg_process(d);
                break;
        case 5:
                if (ring() && !tainted)
                        fake_serve(1 + in_u8(in) % 8, in_u8(in) & 1);
                break;
        case 6:
        case 7:
                answer_one(in);
                break;
        case 8:
                lie(d, in);
                break;
        case 9:
                scribble_index(in);
                break;
        case 10:
                scribble_ring(in);
                break;
        case 11:
                backend_moves(in);
                break;
        case 12:
                set_key(in);
                break;
        case 13:
                if (ring())
                        fake_event_on(selected);
                break;
        case 14:
                selected = in_u8(in);
                break;
        case 16: /* enough for the deadline of a reconnect */
                if (!napped)
                        usleep(3000);
                napped = true;
                break;
        case 17:
                fake_lose_store();
                break;
        case 15:
                for (unsigned n = in_u8(in) % MAX_IOS; n; n--)
                        submit_next(d, in);
                break;
        }
}

/* A new connection is a new ring, and an honest backend again. */
static void look(struct eg_disk *d)
{
        struct eg_stats s;

        eg_stats(d, &s);
        must(s.inflight <= FAKE_DISK_BYTES, "in flight");
        must(s.bad_responses <= 1, "went on after a broken response");
        must(!s.bad_responses || s.state == EG_STATE_ERROR, "not broken");
        if (s.reconnects != reconnects || s.state != EG_STATE_CONNECTED) {
                ntaken = 0;
                tainted = s.reconnects == reconnects;
        }
        reconnects = s.reconnects;
}

static void check_ios(void)
{
        for (unsigned i = 0; i < nios; i++) {
                struct one *o = &ios[i];
                /* With few shares to be had, also less than 11 pages go in
                 * several requests. */
                bool one_part =
                        o->len <= (fake.max_shares ? 1 : 11) * GRANT_PAGE_BYTES;

                must(o->calls == 1, "I/O %u ended %d times", i, o->calls);
                for (size_t b = 0; b < o->len; b++)
                        must((o->io.op == EG_READ &&
                              (!o->error || !one_part)) ||
                                     o->mem[b] == 0x5a,
                             "I/O %u: byte %zu changed", i, b);
                free(o->mem);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct eg_options o;
        struct eg_disk *d = NULL;
        unsigned flags = in_u8(&in), more = in_u8(&in);

        fake_reset();
        fake.hold = true;
        fake_set(FAKE_B "/multi-queue-max-queues", "4");
        if (more & 4)
                fake_set(FAKE_B "/feature-max-indirect-segments", "32");
        if (more & 8)
                fake_set(FAKE_B "/discard-secure", "1");
        fake.lim.discard_secure = more & 8;
        fake.max_shares = more & 32 ? 30 : 0;
        fake.silent = more & 128;
        napped = false;
        eg_options_init(&o);
        o.log = quiet;
        o.connect_timeout_ms = fake.silent ? 1 : 20;
        o.close_timeout_ms = 0;
        o.ring_order = flags & 1;
        o.persistent = !(flags & 2);
        o.share_per_request = flags & 4;
        o.untrusted_backend = flags & 8;
        o.pool_pages = flags & 16 ? 22 : 1056;
        o.reconnect = flags & 32 ? EG_RECONNECT_NEVER : EG_RECONNECT_WAIT;
        o.queues = 1 + (more & 3);
        o.queue_bytes = more & 16 ? 4096 : 16 << 20;
        o.reconnect_timeout_ms = more & 64 ? 1 : 0;
        nios = ntaken = selected = 0;
        tainted = false;
        reconnects = 0;
        if (eg_open(&d, "xvda", &o) < 0) {
                must(fake.silent || fake.max_shares, "%s", eg_error());
                must(fake.live_pages == 0, "%u pages", fake.live_pages);
                return 0;
        }
        while (in.left) {
                operation(d, &in);
                look(d);
        }
        eg_close(d);
        check_ios();
        must(fake.live_pages == 0, "%u pages shared", fake.live_pages);
        return 0;
}
