/* SPDX-License-Identifier: MIT */
/* The rig's commands and accounts: what is seen from outside of the guest. */
#include "rig.h"

#include "../place.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <sys/wait.h>

char rig_said[1 << 20];
uint32_t rig_domid;

int rig_run(const char *fmt, ...)
{
        char command[2048];
        va_list ap;
        size_t n;
        FILE *f;

        va_start(ap, fmt);
        vsnprintf(command, sizeof(command), fmt, ap);
        va_end(ap);
        place_leave();
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(rig_said, 1, sizeof(rig_said) - 1, f);
        rig_said[n] = '\0';
        return WEXITSTATUS(pclose(f));
}

static struct json_object *json_of(const char *command)
{
        struct json_object *o;

        assert_int_equal(rig_run("%s", command), 0);
        o = json_tokener_parse(rig_said);
        assert_non_null(o);
        return o;
}

static uint64_t number(struct json_object *o, const char *key)
{
        struct json_object *v;

        if (!json_object_object_get_ex(o, key, &v))
                fail_msg("no field %s", key);
        return json_object_get_uint64(v);
}

static struct json_object *row(struct json_object *o, const char *list,
                               const char *key, uint64_t value)
{
        struct json_object *rows;

        assert_true(json_object_object_get_ex(o, list, &rows));
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *r = json_object_array_get_idx(rows, i);

                if (number(r, key) == value)
                        return r;
        }
        return NULL;
}

struct account guest_account(const struct guest *g)
{
        char command[512];
        struct account a = {0};
        struct json_object *o, *r;

        snprintf(command, sizeof(command), "%s list --json",
                 place_env("POCKETXEN"));
        o = json_of(command);
        r = row(o, "pairs", "granter", g->domid);
        if (r)
                a = (struct account){number(r, "maps_calls"),
                                     number(r, "maps_pages"),
                                     number(r, "unmaps_calls"),
                                     number(r, "unmaps_pages"),
                                     number(r, "copies_calls"),
                                     number(r, "copies_segments"),
                                     0,
                                     0,
                                     number(r, "mapped_high")};
        r = row(o, "domains", "domid", g->domid);
        assert_non_null(r);
        a.mapped = number(r, "pages_mapped");
        a.deferred = number(r, "grants_deferred");
        json_object_put(o);
        return a;
}

uint64_t gref_pins(const struct guest *g, uint32_t gref, bool writing)
{
        char command[512];
        struct json_object *o, *r;
        uint64_t pins;

        snprintf(command, sizeof(command), "%s grants %u --json",
                 place_env("POCKETXEN"), g->domid);
        o = json_of(command);
        r = row(o, "entries", "ref", gref);
        assert_non_null(r);
        pins = number(r, writing ? "pins_writing" : "pins");
        json_object_put(o);
        return pins;
}

/* The guest's disk out of "disks"; a domain may have several. */
static struct json_object *disk_row(struct json_object *top,
                                    const struct guest *g)
{
        struct json_object *rows;

        assert_true(json_object_object_get_ex(top, "disks", &rows));
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *r = json_object_array_get_idx(rows, i);

                if (number(r, "domid") == g->domid &&
                    number(r, "vdev") == g->vdev)
                        return r;
        }
        return NULL;
}

static struct json_object *disk_of(const struct guest *g, const char *what,
                                   struct json_object **top)
{
        char command[512];
        struct json_object *d;

        snprintf(command, sizeof(command), "%s %s --json",
                 place_env("EVERGRANT"), what);
        *top = json_of(command);
        d = disk_row(*top, g);
        assert_non_null(d);
        return d;
}

uint64_t guest_ring_counter(const struct guest *g, unsigned ring,
                            const char *name)
{
        struct json_object *top, *c, *r, *d = disk_of(g, "stat", &top);
        uint64_t v;

        r = row(d, "rings", "queue", ring);
        assert_non_null(r);
        if (json_object_object_get_ex(r, name, &c)) {
                v = json_object_get_uint64(c);
        } else {
                assert_true(json_object_object_get_ex(r, "counters", &c));
                v = number(c, name);
        }
        json_object_put(top);
        return v;
}

uint64_t guest_counter(const struct guest *g, const char *name)
{
        struct json_object *top, *c, *d = disk_of(g, "stat", &top);
        uint64_t v;

        if (json_object_object_get_ex(d, name, &c)) {
                v = json_object_get_uint64(c);
        } else {
                assert_true(json_object_object_get_ex(d, "counters", &c));
                v = number(c, name);
        }
        json_object_put(top);
        return v;
}

uint64_t rig_daemon_number(const char *name)
{
        char command[512];
        struct json_object *top, *d;
        uint64_t v;

        snprintf(command, sizeof(command), "%s stat --json",
                 place_env("EVERGRANT"));
        top = json_of(command);
        assert_true(json_object_object_get_ex(top, "daemon", &d));
        v = number(d, name);
        json_object_put(top);
        return v;
}

const char *guest_field(const struct guest *g, const char *name)
{
        static char text[512];
        struct json_object *top, *v, *d = disk_of(g, "list", &top);

        assert_true(json_object_object_get_ex(d, name, &v));
        snprintf(text, sizeof(text), "%s",
                 v ? json_object_get_string(v) : "(null)");
        json_object_put(top);
        return text;
}

void rig_backend_write(struct guest *g, const char *key, const char *value)
{
        struct xen_store *xs;
        struct err e;
        char path[160];

        place_enter(0);
        assert_int_equal(xen_store_open(&xs, &e), 0);
        place_leave();
        snprintf(path, sizeof(path),
                 "/local/domain/0/backend/evergrant/%u/%u/%s", g->domid,
                 g->vdev, key);
        assert_int_equal(xen_store_write(xs, path, value), 0);
        xen_store_close(xs);
}

void rig_remove_disk(struct guest *g)
{
        struct xen_store *xs;
        struct err e;
        char path[160];

        place_enter(0);
        assert_int_equal(xen_store_open(&xs, &e), 0);
        place_leave();
        snprintf(path, sizeof(path), "/local/domain/%u/%s", g->domid, g->dir);
        assert_int_equal(xen_store_rm(xs, path), 0);
        snprintf(path, sizeof(path), "/local/domain/0/backend/evergrant/%u/%u",
                 g->domid, g->vdev);
        assert_int_equal(xen_store_rm(xs, path), 0);
        xen_store_close(xs);
}

static void open_handles(struct guest *g)
{
        struct err e;

        place_enter(g->domid);
        assert_int_equal(xen_store_open(&g->xs, &e), 0);
        assert_int_equal(xen_shares_open(&g->shares), 0);
        assert_int_equal(xen_evtchn_open(&g->ev), 0);
        place_leave();
}

struct guest *guest_create(const char *target, const char *options)
{
        return guest_create_disk("xvda", RIG_VDEV, target, options);
}

static void place_disk(struct guest *g, uint32_t vdev)
{
        g->port = -1;
        g->vdev = vdev;
        snprintf(g->dir, sizeof(g->dir), "device/vbd/%u", vdev);
}

static void add_disk(struct guest *g, const char *name, uint32_t vdev,
                     const char *target, const char *options)
{
        place_disk(g, vdev);
        if (rig_run("%s attach %s %s %s %s 2>&1", place_env("EVERGRANT"),
                    g->name, name, target, options) != 0)
                fail_msg("attach: %s", rig_said);
        open_handles(g);
}

static struct guest *create_domain(void)
{
        static unsigned serial;
        struct guest *g = calloc(1, sizeof(*g));
        char number[32] = "";

        assert_non_null(g);
        snprintf(g->name, sizeof(g->name), "g%u", ++serial);
        if (rig_domid)
                snprintf(number, sizeof(number), "--domid %u", rig_domid);
        rig_domid = 0;
        if (rig_run("%s create %s %s 2>&1", place_env("POCKETXEN"), number,
                    g->name) != 0)
                fail_msg("create: %s", rig_said);
        g->domid = (uint32_t)atoi(rig_said);
        return g;
}

struct guest *guest_create_disk(const char *name, uint32_t vdev,
                                const char *target, const char *options)
{
        struct guest *g = create_domain();

        add_disk(g, name, vdev, target, options);
        return g;
}

struct guest *guest_create_bare(void)
{
        struct guest *g = create_domain();

        place_disk(g, RIG_VDEV);
        open_handles(g);
        return g;
}

struct guest *guest_add_disk(const struct guest *first, const char *name,
                             uint32_t vdev, const char *target,
                             const char *options)
{
        struct guest *g = calloc(1, sizeof(*g));

        assert_non_null(g);
        snprintf(g->name, sizeof(g->name), "%s", first->name);
        g->domid = first->domid;
        g->added = true;
        add_disk(g, name, vdev, target, options);
        return g;
}

void guest_destroy(struct guest *g)
{
        char name[sizeof(g->name)];
        bool added;

        if (g->ring_pages)
                guest_disconnect(g);
        if (rig_run("%s detach %s %u 2>&1", place_env("EVERGRANT"), g->name,
                    g->vdev) != 0)
                fail_msg("detach: %s", rig_said);
        assert_int_equal(guest_account(g).mapped, 0);
        snprintf(name, sizeof(name), "%s", g->name);
        added = g->added;
        guest_leave(g);
        if (!added)
                assert_int_equal(
                        rig_run("%s destroy %s", place_env("POCKETXEN"), name),
                        0);
}

void guest_leave(struct guest *g)
{
        xen_evtchn_close(g->ev);
        xen_shares_close(g->shares);
        xen_store_close(g->xs);
        free(g);
}
