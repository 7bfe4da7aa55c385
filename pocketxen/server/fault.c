/* SPDX-License-Identifier: MIT */
/* Faults on the control socket: setting and listing them; and the events that
 * one of them delays. */
#include "../core/fault.h"
#include "server.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_MS 60000
#define RAISE_GAP_US 1000u
#define RAISE_MOST 1000000u

/* ---- words -----------------------------------------------------------------
 */
static const struct {
        const char *name;
        uint32_t op;
} ops[] = {{"map", PXW_FAULT_MAP},
           {"unmap", PXW_FAULT_UNMAP},
           {"copy", PXW_FAULT_COPY},
           {"revoke", PXW_FAULT_REVOKE},
           {"event", PXW_FAULT_EVENT}};

#define GRANTS (PXW_FAULT_MAP | PXW_FAULT_UNMAP | PXW_FAULT_COPY)

static const struct result {
        const char *name;
        uint32_t ops;
        enum px_fault_kind kind;
        int value, most; /* most: of the number after '=', 0: takes none */
} results[] = {
        {"okay", GRANTS, PX_FAULT_STATUS, GNTST_okay, 0},
        {"+1", GRANTS, PX_FAULT_STATUS, 1, 0},
        {"general_error", GRANTS, PX_FAULT_STATUS, GNTST_general_error, 0},
        {"bad_domain", GRANTS, PX_FAULT_STATUS, GNTST_bad_domain, 0},
        {"bad_gntref", GRANTS, PX_FAULT_STATUS, GNTST_bad_gntref, 0},
        {"bad_handle", GRANTS, PX_FAULT_STATUS, GNTST_bad_handle, 0},
        {"bad_virt_addr", GRANTS, PX_FAULT_STATUS, GNTST_bad_virt_addr, 0},
        {"bad_dev_addr", GRANTS, PX_FAULT_STATUS, GNTST_bad_dev_addr, 0},
        {"no_device_space", GRANTS, PX_FAULT_STATUS, GNTST_no_device_space, 0},
        {"permission_denied", GRANTS, PX_FAULT_STATUS, GNTST_permission_denied,
         0},
        {"bad_page", GRANTS, PX_FAULT_STATUS, GNTST_bad_page, 0},
        {"bad_copy_arg", GRANTS, PX_FAULT_STATUS, GNTST_bad_copy_arg, 0},
        {"address_too_big", GRANTS, PX_FAULT_STATUS, GNTST_address_too_big, 0},
        {"eagain", GRANTS, PX_FAULT_STATUS, GNTST_eagain, 0},
        {"no_space", GRANTS, PX_FAULT_STATUS, GNTST_no_space, 0},
        {"untouched", GRANTS, PX_FAULT_UNTOUCHED, 0, 0},
        {"EINVAL", GRANTS, PX_FAULT_ERRNO, EINVAL, 0},
        {"ENOMEM", GRANTS, PX_FAULT_ERRNO, ENOMEM, 0},
        {"EFAULT", GRANTS, PX_FAULT_ERRNO, EFAULT, 0},
        {"slow", GRANTS, PX_FAULT_SLOW, 0, MAX_MS},
        {"allowed", PXW_FAULT_REVOKE, PX_FAULT_STATUS, 0, 0},
        {"drop", PXW_FAULT_EVENT, PX_FAULT_DROP, 0, 100},
        {"dup", PXW_FAULT_EVENT, PX_FAULT_DUP, 0, 100},
        {"delay", PXW_FAULT_EVENT, PX_FAULT_DELAY, 0, MAX_MS},
        {"close", PXW_FAULT_EVENT, PX_FAULT_CLOSE, 0, 0},
};
#define RESULTS (sizeof(results) / sizeof(*results))

static const char *op_name(uint32_t op)
{
        for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
                if (ops[i].op == op)
                        return ops[i].name;
        return "?";
}

static const char *result_name(const struct px_fault *f)
{
        for (size_t i = 0; i < RESULTS; i++)
                if ((results[i].ops & f->op) && results[i].kind == f->kind &&
                    (results[i].most || results[i].value == f->value))
                        return results[i].name;
        return "?";
}

/* ---- reading a request -----------------------------------------------------
 */
static const char *text(struct json_object *in, const char *key)
{
        struct json_object *v;

        return json_object_object_get_ex(in, key, &v) &&
                               json_object_is_type(v, json_type_string)
                       ? json_object_get_string(v)
                       : "";
}

static uint64_t number(struct json_object *in, const char *key, uint64_t absent)
{
        struct json_object *v;

        return json_object_object_get_ex(in, key, &v)
                       ? json_object_get_uint64(v)
                       : absent;
}

static bool read_op(struct px_fault *f, const char *name)
{
        for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
                if (strcmp(ops[i].name, name) == 0) {
                        f->op = ops[i].op;
                        return true;
                }
        }
        return false;
}

static bool read_result(struct px_fault *f, const char *name)
{
        size_t len = strcspn(name, "=");

        for (size_t i = 0; i < RESULTS; i++) {
                const struct result *r = &results[i];
                unsigned long value;
                char *end;

                if (!(r->ops & f->op) || strlen(r->name) != len ||
                    strncasecmp(r->name, name, len) != 0)
                        continue;
                f->kind = r->kind;
                f->value = r->value;
                if (!r->most)
                        return !name[len];
                if (!name[len])
                        return false;
                value = strtoul(name + len + 1, &end, 10);
                f->value = (int)value;
                return name[len + 1] && !*end && value >= 1 &&
                       value <= (unsigned long)r->most;
        }
        return false;
}

static bool read_domain(struct server *s, const char *name, uint32_t *domid)
{
        struct srv_domain *d = *name ? srv_domain_find(s, name) : NULL;

        *domid = d ? d->domid : PX_ANY;
        return d || !*name;
}

const char *srv_fault_add(struct server *s, struct json_object *in, int *id)
{
        struct px_fault f = {0};
        uint64_t last;

        if (!read_op(&f, text(in, "op")))
                return "op is one of map, unmap, copy, revoke, event";
        if (!read_result(&f, text(in, "result")))
                return f.op == PXW_FAULT_EVENT
                               ? "the result of an event is drop=PERCENT, "
                                 "dup=PERCENT, delay=MS or close"
                       : f.op == PXW_FAULT_REVOKE
                               ? "the only result of a revoke is allowed"
                               : "the result is a status as bad_gntref or "
                                 "eagain, +1, untouched, EINVAL, ENOMEM, "
                                 "EFAULT or slow=MS";
        if (!read_domain(s, text(in, "by"), &f.by) ||
            !read_domain(s, text(in, "of"), &f.of))
                return "no such domain (pocketxen list shows those there are)";
        f.first = (uint32_t)number(in, "first", 0);
        last = number(in, "last", UINT32_MAX);
        f.last = last < UINT32_MAX ? (uint32_t)last : UINT32_MAX;
        if (f.first > f.last)
                return "the first ref is after the last";
        f.nth = number(in, "nth", 1);
        f.times = number(in, "times", 0);
        f.random = number(in, "seed", 1);
        *id = px_fault_add(s->world, &f);
        return *id < 0 ? "no memory" : NULL;
}

static void put(struct json_object *o, const char *key, uint64_t v)
{
        json_object_object_add(o, key, json_object_new_uint64(v));
}

static struct json_object *fault_json(const struct px_fault *f)
{
        struct json_object *o = json_object_new_object();

        put(o, "id", f->id);
        json_object_object_add(o, "op", json_object_new_string(op_name(f->op)));
        json_object_object_add(o, "result",
                               json_object_new_string(result_name(f)));
        put(o, "value", f->value > 0 ? (uint64_t)f->value : 0);
        if (f->by != PX_ANY)
                put(o, "by", f->by);
        if (f->of != PX_ANY)
                put(o, "of", f->of);
        put(o, "first", f->first);
        put(o, "last", f->last);
        put(o, "nth", f->nth);
        put(o, "times", f->times);
        put(o, "seen", f->seen);
        put(o, "given", f->given);
        return o;
}

struct json_object *srv_faults_json(struct server *s)
{
        struct json_object *o = json_object_new_object();
        struct json_object *rows = json_object_new_array();
        const struct px_fault *f;

        TAILQ_FOREACH(f, &s->world->faults, link)
        json_object_array_add(rows, fault_json(f));
        json_object_object_add(o, "ok", json_object_new_boolean(1));
        json_object_object_add(o, "faults", rows);
        return o;
}

/* ---- events ----------------------------------------------------------------
 */
/* An event that comes later, or several: domain and port may be others' by
 * then, the port's generation tells. */
struct later {
        struct server *srv;
        uint32_t domid, port, generation, left;
};

static uint32_t generation(const struct px_domain *d, uint32_t port)
{
        return __atomic_load_n(&d->events->ports[port].word,
                               __ATOMIC_SEQ_CST) >>
               2;
}

static int on_later(sd_event_source *src, uint64_t usec, void *arg)
{
        struct later *l = arg;
        struct px_domain *d = px_domain_find(l->srv->world, l->domid);

        (void)usec;
        if (!d || generation(d, l->port) != l->generation)
                l->left = 1;
        else
                px_ev_raise(d, l->port);
        if (--l->left) {
                sd_event_source_set_time_relative(src, RAISE_GAP_US);
                return sd_event_source_set_enabled(src, SD_EVENT_ONESHOT);
        }
        sd_event_source_set_floating(src, 0);
        sd_event_source_disable_unref(src);
        return 0;
}

static int raise_later(struct server *s, struct px_domain *d, uint32_t port,
                       uint64_t usec, uint32_t times)
{
        struct later *l = malloc(sizeof(*l));
        sd_event_source *src;
        int ret;

        if (!l)
                return -ENOMEM;
        *l = (struct later){s, d->domid, port, generation(d, port), times};
        ret = sd_event_add_time_relative(s->ev, &src, CLOCK_MONOTONIC, usec, 1,
                                         on_later, l);
        if (ret < 0) {
                free(l);
                return ret;
        }
        sd_event_source_set_destroy_callback(src, free);
        return sd_event_source_set_floating(src, 1);
}

void srv_fault_notify(struct server *s, uint32_t by, struct px_domain *d,
                      uint32_t port)
{
        struct px_event_verdict v =
                px_fault_event(s->world, by, d->domid, port);

        if (v.close)
                px_ev_close(d->ports[port].handle, port);
        if (v.close || v.drop)
                return;
        if (v.delay_ms)
                raise_later(s, d, port, v.delay_ms * UINT64_C(1000), 1 + v.dup);
        else
                px_ev_raise(d, port);
        if (v.dup && !v.delay_ms)
                raise_later(s, d, port, RAISE_GAP_US, 1);
}

static struct px_domain *bound_port(struct server *s, struct json_object *in,
                                    uint32_t *port)
{
        struct srv_domain *d = srv_domain_find(s, text(in, "dom"));

        *port = (uint32_t)number(in, "port", 0);
        if (!d || *port == 0 || *port >= PXW_PORTS ||
            !d->d->ports[*port].handle)
                return NULL;
        return d->d;
}

const char *srv_fault_raise(struct server *s, struct json_object *in)
{
        uint64_t times = number(in, "times", 1);
        uint32_t port;
        struct px_domain *d = bound_port(s, in, &port);

        if (!d)
                return "no such port in that domain";
        if (times < 1 || times > RAISE_MOST)
                return "times is 1 to 1000000";
        return raise_later(s, d, port, 0, (uint32_t)times) < 0 ? "no memory"
                                                               : NULL;
}

const char *srv_fault_close(struct server *s, struct json_object *in)
{
        uint32_t port;
        struct px_domain *d = bound_port(s, in, &port);

        if (!d)
                return "no such port in that domain";
        px_ev_close(d->ports[port].handle, port);
        return NULL;
}
