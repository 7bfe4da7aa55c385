/* SPDX-License-Identifier: MIT */
/* The rig's guest: handshake, requests and responses by hand. */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

void guest_key(struct guest *g, const char *key, uint64_t value)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", g->dir, key);
        assert_int_equal(xen_store_printf(g->xs, path, "%llu",
                                          (unsigned long long)value),
                         0);
}

void guest_drop(struct guest *g, const char *key)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", g->dir, key);
        xen_store_rm(g->xs, path);
}

bool guest_has_key(struct guest *g, const char *key)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", g->dir, key);
        return xen_store_exists(g->xs, path);
}

void guest_state(struct guest *g, enum xenbus_state state)
{
        guest_key(g, "state", state);
}

static char *backend_path(const struct guest *g, char *path, const char *key)
{
        snprintf(path, 160, "/local/domain/0/backend/evergrant/%u/%u/%s",
                 g->domid, g->vdev, key);
        return path;
}

const char *guest_backend_text(struct guest *g, const char *key)
{
        static char text[256];
        char path[160], *value = NULL;

        if (xen_store_read(g->xs, backend_path(g, path, key), &value) < 0)
                return NULL;
        snprintf(text, sizeof(text), "%s", value);
        free(value);
        return text;
}

uint64_t guest_backend_key(struct guest *g, const char *key)
{
        const char *text = guest_backend_text(g, key);

        return text ? strtoull(text, NULL, 10) : UINT64_MAX;
}

enum xenbus_state guest_backend_state(struct guest *g)
{
        char path[160];

        return xen_store_read_state(g->xs, backend_path(g, path, "state"));
}

void guest_wait_backend(struct guest *g, enum xenbus_state want)
{
        enum xenbus_state is = guest_backend_state(g);

        for (int i = 0; i < 1000 && is != want; i++) {
                usleep(10000);
                is = guest_backend_state(g);
        }
        assert_string_equal(xenbus_state_name(is), xenbus_state_name(want));
}

/* ---- handshake -----------------------------------------------------------*/

void guest_select(struct guest *g, unsigned ring)
{
        struct guest_ring *r = &g->rings[g->selected];

        r->ring = g->ring;
        r = &g->rings[ring];
        g->selected = ring;
        g->ring = r->ring;
        g->port = r->port;
        g->ring_pages = r->pages;
}

static void make_rings(struct guest *g, const struct connect_opts *o)
{
        g->order = o->order;
        g->queues = o->queues ? o->queues : 1;
        for (unsigned i = 0; i < g->queues; i++) {
                struct guest_ring *r = &g->rings[i];
                void *pages;

                assert_int_equal(xen_shares_share(g->shares, 0, 1u << o->order,
                                                  true, r->refs, &pages),
                                 0);
                r->pages = pages;
                front_ring_init(&r->ring, pages, o->order, o->abi);
                r->port = xen_evtchn_bind_unbound(g->ev, 0);
                assert_true(r->port > 0);
        }
        g->selected = 0;
        g->ring = g->rings[0].ring;
        g->port = g->rings[0].port;
        g->ring_pages = g->rings[0].pages;
}

static void write_ring_keys(struct guest *g, const struct connect_opts *o,
                            unsigned i)
{
        char prefix[24] = "", key[64];

        if (g->queues > 1)
                snprintf(prefix, sizeof(prefix), "queue-%u/", i);
        for (unsigned n = 0; n < 1u << g->order; n++) {
                if (g->order || o->ref0)
                        snprintf(key, sizeof(key), "%sring-ref%u", prefix, n);
                else
                        snprintf(key, sizeof(key), "%sring-ref", prefix);
                guest_key(g, key, g->rings[i].refs[n]);
        }
        snprintf(key, sizeof(key), "%sevent-channel", prefix);
        guest_key(g, key, (uint64_t)g->rings[i].port);
}

static void write_protocol(struct guest *g, const struct connect_opts *o)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/protocol", g->dir);
        if (o->no_protocol)
                xen_store_rm(g->xs, path);
        else
                assert_int_equal(
                        xen_store_write(g->xs, path, blk_layouts[o->abi].name),
                        0);
}

static void drop_old_keys(struct guest *g)
{
        guest_drop(g, "ring-ref");
        guest_drop(g, "ring-ref0");
        guest_drop(g, "event-channel");
        guest_drop(g, "ring-page-order");
        guest_drop(g, "multi-queue-num-queues");
}

void guest_begin(struct guest *g)
{
        guest_state(g, XENBUS_INITIALISING);
        guest_wait_backend(g, XENBUS_INIT_WAIT);
}

void guest_publish(struct guest *g, struct connect_opts o)
{
        make_rings(g, &o);
        if (!o.keep_old_keys)
                drop_old_keys(g);
        if (g->order || o.write_order)
                guest_key(g, "ring-page-order", g->order);
        if (g->queues > 1 || o.write_queues)
                guest_key(g, "multi-queue-num-queues", g->queues);
        for (unsigned i = 0; i < g->queues; i++)
                write_ring_keys(g, &o, i);
        write_protocol(g, &o);
        guest_key(g, "feature-persistent", o.persistent);
}

void guest_connect(struct guest *g, struct connect_opts o)
{
        if (!o.connected_first)
                guest_begin(g);
        guest_publish(g, o);
        if (!o.connected_first)
                guest_state(g, XENBUS_INITIALISED);
        else
                guest_state(g, XENBUS_CONNECTED);
        guest_wait_backend(g, XENBUS_CONNECTED);
        guest_state(g, XENBUS_CONNECTED);
}

void guest_let_go(struct guest *g)
{
        for (unsigned i = 0; i < g->queues; i++) {
                xen_evtchn_unbind(g->ev, g->rings[i].port);
                xen_shares_unshare(g->shares, g->rings[i].pages,
                                   1u << g->order);
        }
        g->port = -1;
        g->ring_pages = NULL;
        g->queues = 0;
}

void guest_disconnect(struct guest *g)
{
        guest_state(g, XENBUS_CLOSING);
        guest_wait_backend(g, XENBUS_CLOSED);
        guest_state(g, XENBUS_CLOSED);
        guest_let_go(g);
}

void guest_refused(struct guest *g, const char *because)
{
        wait_until(guest_backend_state(g) == XENBUS_CLOSED);
        wait_until(strcmp(guest_field(g, "error"), "(null)") != 0);
        if (!strstr(guest_field(g, "error"), because))
                fail_msg("\"%s\" does not say \"%s\"", guest_field(g, "error"),
                         because);
        assert_int_equal(guest_account(g).mapped, 0);
        guest_state(g, XENBUS_CLOSED);
        guest_let_go(g);
}

void guest_page(struct guest *g, struct page *p, bool writable)
{
        void *bytes;

        assert_int_equal(
                xen_shares_share(g->shares, 0, 1, writable, &p->gref, &bytes),
                0);
        p->bytes = bytes;
}

void guest_unshare(struct guest *g, struct page *p)
{
        xen_shares_unshare(g->shares, p->bytes, 1);
}

uint64_t guest_put(struct guest *g, enum blk_op op, uint64_t sector,
                   const struct page *pages, unsigned n)
{
        struct blk_request req = {.id = g->next_id++,
                                  .wire_op = (uint8_t)op,
                                  .op = op,
                                  .sector = sector,
                                  .sectors = n * SECTORS_PER_PAGE,
                                  .nsegs = op == BLK_DISCARD ? 0 : n};

        for (unsigned i = 0; op != BLK_DISCARD && i < n; i++)
                req.segs[i] = (struct blk_seg){pages[i].gref, 0, 7};
        assert_true(front_ring_free(&g->ring) > 0);
        front_ring_put(&g->ring, &req);
        return req.id;
}

uint64_t guest_put_indirect(struct guest *g, enum blk_op op, uint64_t sector,
                            const struct page *pages, unsigned n,
                            struct page *table)
{
        struct blk_request req = {.id = g->next_id++,
                                  .wire_op = (uint8_t)op,
                                  .op = op,
                                  .sector = sector,
                                  .nsegs = n};

        for (unsigned i = 0; i < n; i++) {
                struct page *t = &table[i / BLK_SEGS_PER_INDIRECT_PAGE];
                uint8_t *at =
                        t->bytes + (size_t)(i % BLK_SEGS_PER_INDIRECT_PAGE) *
                                           BLK_SEG_WIRE_BYTES;

                memcpy(at, &pages[i].gref, 4);
                at[4] = 0;
                at[5] = 7;
        }
        req.nindirect = (n + BLK_SEGS_PER_INDIRECT_PAGE - 1) /
                        BLK_SEGS_PER_INDIRECT_PAGE;
        for (unsigned i = 0; i < req.nindirect; i++)
                req.indirect_grefs[i] = table[i].gref;
        assert_true(front_ring_free(&g->ring) > 0);
        front_ring_put(&g->ring, &req);
        return req.id;
}

void guest_kick(struct guest *g)
{
        if (front_ring_push(&g->ring))
                assert_int_equal(xen_evtchn_notify(g->ev, g->port), 0);
}

int guest_answer(struct guest *g, uint64_t *id)
{
        struct pollfd p = {.fd = xen_evtchn_fd(g->ev), .events = POLLIN};
        struct blk_response rsp;

        while (!front_ring_waiting(&g->ring) &&
               !front_ring_final_check(&g->ring)) {
                int port;

                if (poll(&p, 1, 20000) != 1)
                        fail_msg("no response in 20 s");
                while ((port = xen_evtchn_pending(g->ev)) >= 0)
                        xen_evtchn_unmask(g->ev, port);
        }
        front_ring_take(&g->ring, &rsp);
        if (id)
                *id = rsp.id;
        return rsp.status;
}

int guest_io(struct guest *g, enum blk_op op, uint64_t sector,
             const struct page *pages, unsigned n)
{
        uint64_t id, want = guest_put(g, op, sector, pages, n);
        int status;

        guest_kick(g);
        status = guest_answer(g, &id);
        assert_int_equal(id, want);
        return status;
}
