/* SPDX-License-Identifier: MIT */
/* The hypervisor's core without sockets: what no run from outside can be made
 * to hit, a process that dies between two instructions of a pin. */
#include "core/world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct rig {
        struct px_world *w;
        struct px_domain *dom0, *guest;
        struct px_handle *a, *b, *shares;
        uint32_t ref;
};

static int set_up(void **state)
{
        static struct rig r;
        struct pxw_shared page;

        assert_int_equal(px_world_create(&r.w), 0);
        assert_int_equal(px_domain_create(r.w, "d0", 1 << 20, &r.dom0), 0);
        assert_int_equal(px_domain_create(r.w, "g", 1 << 20, &r.guest), 0);
        assert_int_equal(px_handle_open(r.w, r.dom0, PXW_GRANTS_HANDLE, &r.a),
                         0);
        assert_int_equal(px_handle_open(r.w, r.dom0, PXW_GRANTS_HANDLE, &r.b),
                         0);
        assert_int_equal(
                px_handle_open(r.w, r.guest, PXW_SHARES_HANDLE, &r.shares), 0);
        assert_int_equal(px_share(r.shares, 0, 1, true, &page), 0);
        r.ref = page.ref;
        *state = &r;
        return 0;
}

static int tear_down(void **state)
{
        px_world_destroy(((struct rig *)*state)->w);
        return 0;
}

/* As the drop-in does it, record i of the handle. */
static void pin(struct rig *r, struct px_handle *h, unsigned i, int writable)
{
        uint32_t frame;

        if (h->owner->high <= i)
                h->owner->high = i + 1;
        assert_int_equal(pxw_pin(&r->guest->g, h->id, &h->owner->records[i],
                                 r->guest->slot, 0, r->ref, writable, &frame),
                         GNTST_okay);
}

static uint16_t flags(struct rig *r)
{
        return r->guest->g.entries[r->ref].flags;
}

/* Every place inside of the lock where a process may be killed: before and
 * after each of the stores. */
static void killed_inside_of_a_pin(void **state)
{
        struct rig *r = *state;
        struct pxw_active *act = &r->guest->g.active[r->ref];

        for (int stage = 0; stage < 5; stage++) {
                pin(r, r->b, 0, 0); /* another handle reads it meanwhile */
                r->a->owner->high = 1;
                r->a->owner->records[0] = pxw_record(
                        stage == 4 ? PXW_REC_PINNED : PXW_REC_PENDING, 1,
                        r->guest->slot, r->ref);
                act->lock = r->a->id;
                if (stage >= 1)
                        r->guest->g.entries[r->ref].flags |=
                                GTF_reading | GTF_writing;
                if (stage >= 2)
                        act->readers++;
                if (stage >= 3)
                        act->writers++;
                px_handle_close(r->a);
                assert_int_equal(act->lock, 0);
                assert_int_equal(act->readers, 1);
                assert_int_equal(act->writers, 0);
                assert_int_equal(flags(r) & (GTF_reading | GTF_writing),
                                 GTF_reading);
                pxw_unpin(&r->guest->g, r->b->id, &r->b->owner->records[0]);
                assert_int_equal(flags(r) & (GTF_reading | GTF_writing), 0);
                assert_int_equal(
                        px_handle_open(r->w, r->dom0, PXW_GRANTS_HANDLE, &r->a),
                        0);
        }
}

static void killed_before_it_had_the_lock(void **state)
{
        struct rig *r = *state;
        struct pxw_active *act = &r->guest->g.active[r->ref];

        pin(r, r->b, 0, 1);
        r->a->owner->high = 1;
        r->a->owner->records[0] =
                pxw_record(PXW_REC_PENDING, 1, r->guest->slot, r->ref);
        px_handle_close(r->a);
        assert_int_equal(act->readers, 1);
        assert_int_equal(act->writers, 1);
}

/* Before and after the stores of an unpin; another mapping of the same page by
 * the same process counts once. */
static void killed_inside_of_an_unpin(void **state)
{
        struct rig *r = *state;
        struct pxw_active *act = &r->guest->g.active[r->ref];

        for (int stage = 0; stage < 3; stage++) {
                pin(r, r->b, 0, 1);
                pin(r, r->a, 0, 1);
                pin(r, r->a, 1, 1);
                act->lock = r->a->id;
                if (stage >= 1)
                        act->readers--;
                if (stage >= 2)
                        pxw_uncount(&r->guest->g, &r->a->owner->records[0]);
                px_handle_close(r->a);
                assert_int_equal(act->lock, 0);
                assert_int_equal(act->readers, 1);
                assert_int_equal(act->writers, 1);
                pxw_unpin(&r->guest->g, r->b->id, &r->b->owner->records[0]);
                assert_int_equal(flags(r) & (GTF_reading | GTF_writing), 0);
                assert_int_equal(
                        px_handle_open(r->w, r->dom0, PXW_GRANTS_HANDLE, &r->a),
                        0);
        }
}

static bool all_are_gone(void *arg, const struct px_handle *h)
{
        (void)arg;
        (void)h;
        return true;
}

/* The one that is undone first needs the lock that the other one died with. */
static void two_are_killed_at_once(void **state)
{
        struct rig *r = *state;
        struct pxw_active *act = &r->guest->g.active[r->ref];

        r->w->is_gone = all_are_gone;
        pin(r, r->b, 0, 1);
        r->a->owner->high = 1;
        r->a->owner->records[0] =
                pxw_record(PXW_REC_PENDING, 1, r->guest->slot, r->ref);
        act->lock = r->a->id;
        act->readers++;
        px_handle_close(r->b);
        px_handle_close(r->a);
        assert_int_equal(act->lock, 0);
        assert_int_equal(act->readers, 0);
        assert_int_equal(act->writers, 0);
        assert_int_equal(flags(r) & (GTF_reading | GTF_writing), 0);
}

static void a_refused_pin_changes_nothing(void **state)
{
        struct rig *r = *state;
        struct grant_entry_v1 *e = &r->guest->g.entries[r->ref];
        uint64_t record = 0;
        uint32_t frame;

        e->frame = r->guest->frames; /* a guest may write what it likes */
        assert_int_equal(pxw_pin(&r->guest->g, 1, &record, r->guest->slot, 0,
                                 r->ref, 1, &frame),
                         GNTST_bad_page);
        assert_int_equal(record, PXW_REC_FREE);
        assert_int_equal(flags(r) & (GTF_reading | GTF_writing), 0);
        assert_int_equal(pxw_pin(&r->guest->g, 1, &record, r->guest->slot, 0,
                                 ~0u, 1, &frame),
                         GNTST_bad_gntref);
        px_domain_kill(r->guest);
        assert_int_equal(pxw_pin(&r->guest->g, 1, &record, r->guest->slot, 0,
                                 r->ref, 1, &frame),
                         GNTST_bad_domain);
        e->frame = 0;
}

static void ports_run_out_with_an_error(void **state)
{
        struct rig *r = *state;
        struct px_handle *h;
        int port = 0;

        assert_int_equal(px_handle_open(r->w, r->dom0, PXW_EVTCHN_HANDLE, &h),
                         0);
        for (unsigned i = 1; i < PXW_PORTS; i++)
                assert_true(px_ev_unbound(h, 1) > 0);
        port = px_ev_unbound(h, 1);
        assert_int_equal(port, -ENOSPC);
        px_handle_close(h);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(killed_inside_of_a_pin),
                T(killed_before_it_had_the_lock),
                T(killed_inside_of_an_unpin),
                T(two_are_killed_at_once),
                T(a_refused_pin_changes_nothing),
                T(ports_run_out_with_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
