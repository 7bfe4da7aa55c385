/* SPDX-License-Identifier: MIT */
/* The rig's guest: handshake, requests and responses by hand. */
#include "rig.h"

#include <poll.h>
#include <stdlib.h>

#define DIR "device/vbd/51712"

static void put(struct guest *g, const char *key, uint64_t value)
{
        char path[128];

        snprintf(path, sizeof(path), DIR "/%s", key);
        assert_int_equal(xen_store_printf(g->xs, path, "%llu",
                                          (unsigned long long)value),
                         0);
}

static void drop(struct guest *g, const char *key)
{
        char path[128];

        snprintf(path, sizeof(path), DIR "/%s", key);
        xen_store_rm(g->xs, path);
}

enum xenbus_state guest_backend_state(struct guest *g)
{
        char path[128];

        snprintf(path, sizeof(path),
                 "/local/domain/0/backend/evergrant/%u/%u/state", g->domid,
                 RIG_VDEV);
        return xen_store_read_state(g->xs, path);
}

void guest_wait_backend(struct guest *g, enum xenbus_state want)
{
        for (int i = 0; i < 1000 && guest_backend_state(g) != want; i++)
                usleep(10000);
        assert_string_equal(xenbus_state_name(guest_backend_state(g)),
                            xenbus_state_name(want));
}

static void write_ring_keys(struct guest *g, const uint32_t *refs)
{
        char key[32];

        if (g->order == 0) {
                put(g, "ring-ref", refs[0]);
                drop(g, "ring-page-order");
        } else {
                drop(g, "ring-ref");
                put(g, "ring-page-order", g->order);
        }
        for (unsigned i = 0; g->order && i < 1u << g->order; i++) {
                snprintf(key, sizeof(key), "ring-ref%u", i);
                put(g, key, refs[i]);
        }
        put(g, "event-channel", (uint64_t)g->port);
        assert_int_equal(xen_store_write(g->xs, DIR "/protocol", "x86_64-abi"),
                         0);
}

void guest_connect(struct guest *g, struct connect_opts o)
{
        uint32_t refs[BLK_MAX_RING_PAGES];
        void *pages;

        put(g, "state", XENBUS_INITIALISING);
        guest_wait_backend(g, XENBUS_INIT_WAIT);
        g->order = o.order;
        assert_int_equal(xen_shares_share(g->shares, 0, 1u << o.order, true,
                                          refs, &pages),
                         0);
        g->ring_pages = pages;
        front_ring_init(&g->ring, pages, o.order, BLK_ABI_NATIVE);
        g->port = xen_evtchn_bind_unbound(g->ev, 0);
        assert_true(g->port > 0);
        write_ring_keys(g, refs);
        put(g, "feature-persistent", o.persistent);
        put(g, "state", XENBUS_INITIALISED);
        guest_wait_backend(g, XENBUS_CONNECTED);
        put(g, "state", XENBUS_CONNECTED);
}

void guest_disconnect(struct guest *g)
{
        put(g, "state", XENBUS_CLOSING);
        guest_wait_backend(g, XENBUS_CLOSED);
        put(g, "state", XENBUS_CLOSED);
        xen_evtchn_unbind(g->ev, g->port);
        xen_shares_unshare(g->shares, g->ring_pages, 1u << g->order);
        g->port = -1;
        g->ring_pages = NULL;
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
