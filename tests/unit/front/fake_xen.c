/* SPDX-License-Identifier: MIT */
#include "fake_xen.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ring/ring_index.h"
#include "xen/evtchn.h"
#include "xen/shares.h"
#include "xen/store.h"

struct fake fake;

#define NODES 256
#define WATCHES 16
#define PAGES 16384
static struct {
        char *path, *value;
} nodes[NODES];
static struct {
        char *path, *token;
} watches[WATCHES];
static unsigned fired[WATCHES];
static struct {
        void *page;
        unsigned n; /* in the first one of a share: its pages */
} pages[PAGES];
static uint32_t next_gref;
static uint8_t seen[PAGES]; /* 1 + the ring that it came on */
static int xs_fd = -1, ev_fd = -1;
static bool in_backend;

/* ---- xenstore ------------------------------------------------------------ */

struct xen_store {
        int unused;
};

static int node_find(const char *path)
{
        for (int i = 0; i < NODES; i++) {
                if (nodes[i].path && strcmp(nodes[i].path, path) == 0)
                        return i;
        }
        return -1;
}

static bool below(const char *path, const char *dir)
{
        size_t n = strlen(dir);

        return strncmp(path, dir, n) == 0 && (!path[n] || path[n] == '/');
}

static void fire(const char *path)
{
        for (int i = 0; i < WATCHES; i++) {
                if (watches[i].path && below(path, watches[i].path)) {
                        fired[i]++;
                        eventfd_write(xs_fd, 1);
                }
        }
}

const char *fake_get(const char *path)
{
        int i = node_find(path);

        return i < 0 ? NULL : nodes[i].value;
}

static void node_set(const char *path, const char *value)
{
        int i = node_find(path);

        for (int j = 0; i < 0 && j < NODES; j++) {
                if (!nodes[j].path) {
                        i = j;
                        nodes[i].path = strdup(path);
                }
        }
        assert_true(i >= 0);
        free(nodes[i].value);
        nodes[i].value = strdup(value);
        fire(path);
}

void fake_set(const char *path, const char *value)
{
        node_set(path, value);
}

void fake_rm(const char *path)
{
        for (int i = 0; i < NODES; i++) {
                if (nodes[i].path && below(nodes[i].path, path)) {
                        fire(nodes[i].path);
                        free(nodes[i].path);
                        free(nodes[i].value);
                        nodes[i].path = nodes[i].value = NULL;
                }
        }
}

static bool store_lost;

int xen_store_open(struct xen_store **s, struct err *e)
{
        store_lost = false;
        *s = calloc(1, sizeof(**s));
        return 0;
}

void xen_store_close(struct xen_store *s)
{
        for (int i = 0; s && i < WATCHES; i++) {
                free(watches[i].path);
                free(watches[i].token);
                watches[i].path = watches[i].token = NULL;
                fired[i] = 0;
        }
        free(s);
}

int xen_store_fd(struct xen_store *s)
{
        return xs_fd;
}

int xen_store_transaction(struct xen_store *s,
                          int (*body)(struct xen_store *s, void *arg),
                          void *arg)
{
        return body(s, arg);
}

int xen_store_read(struct xen_store *s, const char *path, char **value)
{
        const char *v = fake_get(path);

        *value = v ? strdup(v) : NULL;
        return v ? 0 : -ENOENT;
}

static void backend_follows(const char *state);

int xen_store_write(struct xen_store *s, const char *path, const char *value)
{
        node_set(path, value);
        if (strcmp(path, FAKE_F "/state") == 0 && !in_backend && !fake.silent)
                backend_follows(value);
        return 0;
}

int xen_store_rm(struct xen_store *s, const char *path)
{
        fake_rm(path);
        return 0;
}

bool xen_store_exists(struct xen_store *s, const char *path)
{
        return fake_get(path) != NULL;
}

int xen_store_list(struct xen_store *s, const char *path, char ***names,
                   unsigned *n)
{
        size_t dir = strlen(path), at = NODES * sizeof(char *);
        char **list = malloc(at + 65536);

        *n = 0;
        for (int i = 0; i < NODES; i++) {
                const char *p = nodes[i].path;
                char *name = (char *)list + at;
                bool twice = false;

                if (!p || !below(p, path) || !p[dir])
                        continue;
                /* Nodes above others are there as well. */
                sprintf(name, "%.*s", (int)strcspn(p + dir + 1, "/"),
                        p + dir + 1);
                for (unsigned j = 0; j < *n; j++)
                        twice |= strcmp(list[j], name) == 0;
                if (twice)
                        continue;
                list[(*n)++] = name;
                at += strlen(name) + 1;
        }
        *names = list;
        return 0;
}

int xen_store_watch(struct xen_store *s, const char *path, const char *token)
{
        for (int i = 0; i < WATCHES; i++) {
                if (!watches[i].path) {
                        watches[i].path = strdup(path);
                        watches[i].token = strdup(token);
                        fired[i] = 1;
                        eventfd_write(xs_fd, 1);
                        return 0;
                }
        }
        return -ENOSPC;
}

void xen_store_unwatch(struct xen_store *s, const char *path, const char *token)
{
        for (int i = 0; i < WATCHES; i++) {
                if (watches[i].path && strcmp(watches[i].path, path) == 0) {
                        free(watches[i].path);
                        free(watches[i].token);
                        watches[i].path = watches[i].token = NULL;
                        fired[i] = 0;
                }
        }
}

int xen_store_next_watch(struct xen_store *s, char **path, char **token)
{
        eventfd_t n;

        for (int i = 0; i < WATCHES; i++) {
                if (fired[i]) {
                        fired[i]--;
                        *path = strdup(watches[i].path);
                        *token = strdup(watches[i].token);
                        return 1;
                }
        }
        if (store_lost)
                return -ECONNRESET;
        eventfd_read(xs_fd, &n);
        return 0;
}

void fake_lose_store(void)
{
        store_lost = true;
        eventfd_write(xs_fd, 1);
}

int xen_store_self(struct xen_store *s, uint32_t *domid)
{
        *domid = 5;
        return 0;
}

const char *xenbus_state_name(enum xenbus_state s)
{
        return "some state";
}

/* ---- grants -------------------------------------------------------------- */

struct xen_shares {
        int unused;
};

int xen_shares_open(struct xen_shares **s)
{
        *s = calloc(1, sizeof(**s));
        return 0;
}

void xen_shares_close(struct xen_shares *s)
{
        free(s);
}

int xen_shares_share(struct xen_shares *s, uint32_t domid, unsigned n,
                     bool writable, uint32_t *refs, void **mem)
{
        uint8_t *p;

        if (fake.max_shares && fake.live_pages + n > fake.max_shares)
                return -ENOSPC;
        if (next_gref + n > PAGES)
                next_gref = 8; /* the fake's own table is small */
        p = aligned_alloc(GRANT_PAGE_BYTES, (size_t)n * GRANT_PAGE_BYTES);
        memset(p, 0, (size_t)n * GRANT_PAGE_BYTES);
        for (unsigned i = 0; i < n; i++) {
                assert_null(pages[next_gref].page);
                refs[i] = next_gref;
                pages[next_gref].n = i ? 0 : n;
                pages[next_gref++].page = p + i * GRANT_PAGE_BYTES;
        }
        fake.live_pages += n;
        if (fake.live_pages > fake.live_pages_high)
                fake.live_pages_high = fake.live_pages;
        *mem = p;
        return 0;
}

void xen_shares_unshare(struct xen_shares *s, void *mem, unsigned n)
{
        /* A real backend's own mapping would outlive this; here there is none.
         */
        for (unsigned i = 0; i < fake.queues; i++)
                fake.connected &= fake.rings[i].shared != mem;
        for (unsigned g = 0; g < PAGES; g++) {
                if (pages[g].page == mem) {
                        assert_int_equal(pages[g].n, n); /* whole */
                        for (unsigned i = 0; i < n; i++)
                                pages[g + i].page = NULL;
                        fake.live_pages -= n;
                        free(mem);
                        return;
                }
        }
        fail_msg("unshared what is not shared");
}

void *fake_page(uint32_t gref)
{
        return gref < PAGES ? pages[gref].page : NULL;
}

/* ---- the event channel --------------------------------------------------- */

struct xen_evtchn {
        int unused;
};
#define PORTS 20
static struct port {
        int number; /* 0: free */
        bool masked, pending;
} ports[PORTS];
static int next_port;
/* The one thing that a test's backend thread and the library both touch. */
static pthread_mutex_t ev_lock = PTHREAD_MUTEX_INITIALIZER;

static struct port *port_find(int number)
{
        for (int i = 0; i < PORTS; i++) {
                if (ports[i].number == number)
                        return &ports[i];
        }
        return NULL;
}

int xen_evtchn_open(struct xen_evtchn **x)
{
        *x = calloc(1, sizeof(**x));
        return 0;
}

void xen_evtchn_close(struct xen_evtchn *x)
{
        free(x);
}

int xen_evtchn_fd(struct xen_evtchn *x)
{
        return ev_fd;
}

int xen_evtchn_bind_unbound(struct xen_evtchn *x, uint32_t domid)
{
        struct port *p = port_find(0);

        assert_non_null(p);
        *p = (struct port){.number = ++next_port};
        return p->number;
}

void xen_evtchn_unbind(struct xen_evtchn *x, int port)
{
        struct port *p = port_find(port);

        if (port >= 0) {
                assert_non_null(p);
                p->number = 0;
        }
}

int xen_evtchn_notify(struct xen_evtchn *x, int port)
{
        assert_non_null(port_find(port));
        if (!fake.hold && fake.connected)
                fake_serve(~0u, false);
        return 0;
}

static struct port *port_due(void)
{
        for (int i = 0; i < PORTS; i++) {
                if (ports[i].number && ports[i].pending && !ports[i].masked)
                        return &ports[i];
        }
        return NULL;
}

int xen_evtchn_pending(struct xen_evtchn *x)
{
        struct port *p;
        eventfd_t n;

        pthread_mutex_lock(&ev_lock);
        p = port_due();
        if (p) {
                p->masked = true;
                p->pending = false;
        }
        if (!port_due())
                eventfd_read(ev_fd, &n);
        pthread_mutex_unlock(&ev_lock);
        return p ? p->number : -EAGAIN;
}

/* Who has taken all responses has asked for the next one's event. */
static bool ring_looked_at(int port)
{
        for (unsigned i = 0; fake.connected && i < fake.queues; i++) {
                void *shared = fake.rings[i].shared;

                if (fake.ports[i] == port &&
                    ring_load_once(ring_word(shared, RING_RSP_EVENT)) !=
                            ring_load_once(ring_word(shared, RING_RSP_PROD)) +
                                    1)
                        return false;
        }
        return true;
}

int xen_evtchn_unmask(struct xen_evtchn *x, int port)
{
        struct port *p = port_find(port);

        assert_non_null(p);
        fake.early_unmasks += !ring_looked_at(port);
        pthread_mutex_lock(&ev_lock);
        p->masked = false;
        p->pending |= fake.storm;
        if (p->pending)
                eventfd_write(ev_fd, 1);
        pthread_mutex_unlock(&ev_lock);
        return 0;
}

void fake_event_on(unsigned queue)
{
        struct port *p = port_find(fake.ports[queue]);

        if (!p)
                return;
        pthread_mutex_lock(&ev_lock);
        p->pending = true;
        if (!p->masked)
                eventfd_write(ev_fd, 1);
        pthread_mutex_unlock(&ev_lock);
}

void fake_event(void)
{
        fake_event_on(0);
}

/* ---- the backend ----------------------------------------------------------
 */

void fake_back_state(enum xenbus_state s)
{
        char value[4];

        snprintf(value, sizeof(value), "%d", (int)s);
        fake_set(FAKE_B "/state", value);
}

static const char *queue_get(unsigned queue, const char *key)
{
        char path[200];

        if (fake.queues == 1)
                snprintf(path, sizeof(path), FAKE_F "/%s", key);
        else
                snprintf(path, sizeof(path), FAKE_F "/queue-%u/%s", queue, key);
        return fake_get(path);
}

static void backend_connect(void)
{
        const char *order = fake_get(FAKE_F "/ring-page-order");
        const char *queues = fake_get(FAKE_F "/multi-queue-num-queues");

        fake.queues = queues ? (unsigned)atoi(queues) : 1;
        assert_in_range(fake.queues, 1, 16);
        for (unsigned i = 0; i < fake.queues; i++) {
                const char *ref =
                        queue_get(i, order ? "ring-ref0" : "ring-ref");
                const char *port = queue_get(i, "event-channel");

                assert_non_null(ref);
                assert_non_null(port);
                fake.ports[i] = atoi(port);
                back_ring_init(&fake.rings[i], fake_page((uint32_t)atoi(ref)),
                               order ? (unsigned)atoi(order) : 0,
                               BLK_ABI_NATIVE);
        }
        fake.connected = true;
        fake_back_state(XENBUS_CONNECTED);
}

static void backend_follows(const char *state)
{
        enum xenbus_state s = (enum xenbus_state)atoi(state);

        in_backend = true;
        if (s == XENBUS_INITIALISED && fake.refuses) {
                fake_back_state(XENBUS_CLOSING);
        } else if (s == XENBUS_INITIALISED) {
                backend_connect();
        } else if (s == XENBUS_INITIALISING) {
                fake_back_state(fake.early ? XENBUS_CONNECTED
                                           : XENBUS_INIT_WAIT);
        } else if (s == XENBUS_CLOSING) {
                fake_back_state(XENBUS_CLOSING);
        } else if (s == XENBUS_CLOSED) {
                fake.connected = false;
                fake_back_state(XENBUS_CLOSED);
        }
        in_backend = false;
}

void fake_back_away(enum xenbus_state s)
{
        fake.connected = false;
        fake_back_state(s);
}

/* The request's segments, wherever they stand. */
static const struct blk_seg *segs_of(struct blk_request *req,
                                     struct blk_seg *segs)
{
        if (!req->nindirect)
                return req->segs;
        assert_int_equal(req->nindirect, 1);
        assert_non_null(fake_page(req->indirect_grefs[0]));
        assert_int_equal(blk_parse_indirect(fake_page(req->indirect_grefs[0]),
                                            &fake.lim, req, segs),
                         BLK_VALID);
        return segs;
}

static void note(unsigned queue, struct blk_request *req)
{
        const struct blk_seg *segs = segs_of(req, fake.segs);

        if (segs != fake.segs)
                memcpy(fake.segs, segs, req->nsegs * sizeof(*segs));
        fake.indirect += req->nindirect > 0;
        fake.last = *req;
        for (unsigned i = 0; i < req->nsegs; i++) {
                uint32_t g = segs[i].gref;

                assert_non_null(fake_page(g));
                if (!seen[g])
                        fake.grefs_seen++;
                else if (seen[g] != queue + 1)
                        fake.wandered++;
                seen[g] = (uint8_t)(queue + 1);
        }
}

bool fake_take_on(unsigned queue, struct blk_request *req)
{
        uint8_t slot[BLK_SLOT_BYTES];

        if (!back_ring_waiting(&fake.rings[queue]))
                return false;
        back_ring_take(&fake.rings[queue], slot);
        assert_int_equal(blk_parse(BLK_ABI_NATIVE, slot, &fake.lim, req),
                         BLK_VALID);
        fake.taken_of[queue]++;
        note(queue, req);
        return true;
}

bool fake_take(struct blk_request *req)
{
        return fake_take_on(0, req);
}

static enum blk_status serve(struct blk_request *req)
{
        static struct blk_seg indirect[BLK_MAX_INDIRECT_SEGS];
        uint8_t *at = fake.disk + req->sector * SECTOR_BYTES;
        const struct blk_seg *segs;

        fake.served++;
        if (req->op == BLK_FLUSH || req->op == BLK_BARRIER) {
                fake.flushes++;
                return fake.no_flush ? BLK_EOPNOTSUPP : BLK_OKAY;
        }
        if (req->op == BLK_DISCARD) {
                fake.discards++;
                memset(at, 0, req->sectors * SECTOR_BYTES);
                return BLK_OKAY;
        }
        segs = segs_of(req, indirect);
        for (unsigned i = 0; i < req->nsegs; i++) {
                const struct blk_seg *s = &segs[i];
                uint8_t *page =
                        (uint8_t *)fake_page(s->gref) + blk_seg_offset(s);

                if (req->op == BLK_WRITE)
                        memcpy(at, page, blk_seg_bytes(s));
                else if (fake.fail_reads)
                        memset(page, 0xee, blk_seg_bytes(s));
                else
                        memcpy(page, at, blk_seg_bytes(s));
                at += blk_seg_bytes(s);
        }
        return req->op == BLK_READ && fake.fail_reads ? BLK_ERROR : BLK_OKAY;
}

void fake_answer_on(unsigned queue, uint64_t id, uint8_t op, int16_t status)
{
        back_ring_respond(&fake.rings[queue], id, op, (enum blk_status)status);
}

void fake_answer(uint64_t id, uint8_t op, int16_t status)
{
        fake_answer_on(0, id, op, status);
}

void fake_push_on(unsigned queue)
{
        struct back_ring *r = &fake.rings[queue];

        (void)back_ring_final_check(r); /* wants the next event */
        if (back_ring_push(r))
                fake_event_on(queue);
}

void fake_push(void)
{
        fake_push_on(0);
}

static unsigned serve_queue(unsigned queue, unsigned max, bool backwards)
{
        struct blk_request *reqs = calloc(512, sizeof(*reqs));
        unsigned n = 0;

        do {
                while (n < max && n < 512 && fake_take_on(queue, &reqs[n]))
                        n++;
        } while (back_ring_final_check(&fake.rings[queue]) && n < max);
        for (unsigned i = 0; i < n; i++) {
                struct blk_request *r = &reqs[backwards ? n - 1 - i : i];

                fake_answer_on(queue, r->id, r->wire_op, (int16_t)serve(r));
        }
        if (n)
                fake_push_on(queue);
        free(reqs);
        return n;
}

unsigned fake_serve(unsigned max, bool backwards)
{
        unsigned n = 0;

        for (unsigned i = 0; i < fake.queues; i++)
                n += serve_queue(i, max - n, backwards);
        return n;
}

void fake_reset(void)
{
        static const char *const initial[][2] = {
                {FAKE_F "/backend", FAKE_B},
                {FAKE_F "/backend-id", "0"},
                {FAKE_F "/state", "1"},
                {FAKE_F "/virtual-device", "51712"},
                {FAKE_B "/frontend", FAKE_F},
                {FAKE_B "/frontend-id", "5"},
                {FAKE_B "/online", "1"},
                {FAKE_B "/mode", "w"},
                {FAKE_B "/max-ring-page-order", "4"},
                {FAKE_B "/feature-persistent", "1"},
                {FAKE_B "/feature-flush-cache", "1"},
                {FAKE_B "/feature-discard", "1"},
                {FAKE_B "/sectors", "16384"},
                {FAKE_B "/sector-size", "512"},
                {FAKE_B "/info", "0"},
                {FAKE_B "/state", "2"},
        };

        static unsigned world;
        char own[64];

        /* Test programs run side by side, and a failed test leaves its disk
         * open; each has a world of its own. */
        snprintf(own, sizeof(own), "/fake/%d/%u", (int)getpid(), world++);
        setenv("XENSTORED_PATH", own, 1);
        memset(ports, 0, sizeof(ports));
        if (xs_fd < 0) {
                xs_fd = eventfd(0, EFD_NONBLOCK);
                ev_fd = eventfd(0, EFD_NONBLOCK);
        }
        fake_rm("/local");
        free(fake.disk);
        fake = (struct fake){.disk = calloc(1, FAKE_DISK_BYTES), .queues = 1};
        fake.lim =
                (struct blk_limits){.sectors = FAKE_DISK_BYTES / SECTOR_BYTES,
                                    .block_bytes = SECTOR_BYTES,
                                    .flush = true,
                                    .barrier = true,
                                    .discard = true,
                                    .max_indirect_segs = 256};
        memset(seen, 0, sizeof(seen));
        next_gref = 8;
        for (size_t i = 0; i < ARRAY_SIZE(initial); i++)
                fake_set(initial[i][0], initial[i][1]);
}

void fake_check_clean(void)
{
        assert_int_equal(fake.live_pages, 0);
        for (int i = 0; i < PORTS; i++)
                assert_int_equal(ports[i].number, 0);
}
