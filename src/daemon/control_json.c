/* SPDX-License-Identifier: MIT */
#include "control_json.h"

static void add_number(struct json_object *o, const char *name, uint64_t value)
{
        json_object_object_add(o, name, json_object_new_uint64(value));
}

static void add_bool(struct json_object *o, const char *name, bool value)
{
        json_object_object_add(o, name, json_object_new_boolean(value));
}

/* NULL becomes null. */
static void add_text(struct json_object *o, const char *name, const char *text)
{
        json_object_object_add(o, name,
                               text ? json_object_new_string(text) : NULL);
}

static const char *grants_served(const struct disk *k)
{
        if (!k->nrings)
                return NULL;
        return k->params.persistent ? "persistent"
                                    : back_grants_name(k->params.grants);
}

/* Only where something is otherwise than asked. */
static const char *grants_why(const struct disk *k)
{
        if (!k->nrings)
                return NULL;
        if (disk_offers_persistent(k) && !k->params.persistent)
                return k->reattached && k->keys.persistent
                               ? "as negotiated before evergrantd was restarted"
                       : k->config.grants == BACK_PERSISTENT
                               ? "the frontend does not offer "
                                 "feature-persistent, so it is served as auto"
                               : "the frontend does not offer "
                                 "feature-persistent";
        if (!disk_offers_persistent(k) && k->params.persistent)
                return "as negotiated before evergrantd was restarted";
        return NULL;
}

static void add_store(struct json_object *o, struct disk *k)
{
        struct store_info info = {0};

        if (k->store)
                store_info(k->store, &info);
        add_text(o, "target", k->config.target ? k->config.target : "");
        add_text(o, "driver", k->store ? store_driver(k->store) : NULL);
        add_bool(o, "direct", k->store && store_is_direct(k->store));
        add_bool(o, "readonly", k->config.readonly);
        add_number(o, "size_bytes", info.size_bytes);
}

static void add_ring(struct json_object *o, struct disk *k)
{
        add_text(o, "grants_asked", back_grants_name(k->config.grants));
        add_text(o, "grants_served", grants_served(k));
        add_text(o, "grants_why", grants_why(k));
        add_number(o, "queues", k->nrings);
        if (!k->nrings) {
                add_text(o, "ring_order", NULL);
                add_text(o, "protocol", NULL);
                add_text(o, "io_thread", NULL);
                return;
        }
        add_number(o, "ring_order", k->params.ring_order);
        add_text(o, "protocol", blk_layouts[k->params.abi].name);
        add_number(o, "io_thread", k->rings[0].io_thread);
}

/* Of all rings together: the budget is one, and each ring has its share. */
static void add_caps(struct json_object *o, const struct disk *k)
{
        uint64_t cap = 0, asked = 0;

        for (unsigned i = 0; i < k->nrings; i++) {
                cap += k->rings[i].share.cap;
                asked += k->rings[i].share.asked;
        }
        add_number(o, "max_persistent", cap);
        add_number(o, "max_persistent_asked", asked);
}

struct json_object *control_json_disk(struct disk *k, bool with_counters)
{
        struct json_object *o = json_object_new_object();

        add_number(o, "domid", k->domid);
        disk_refresh_domain(k);
        add_text(o, "domain", k->domain);
        add_number(o, "vdev", k->vdev);
        add_text(o, "name", k->name);
        add_store(o, k);
        add_text(o, "state", xenbus_state_name(k->view.own));
        add_text(o, "frontend_state", xenbus_state_name(k->view.front));
        add_ring(o, k);
        add_text(o, "error", k->error[0] ? k->error : NULL);
        if (!with_counters)
                return o;
        add_number(o, "connections", k->connections);
        add_caps(o, k);
        control_json_counters(o, k);
        return o;
}

static struct json_object *rule(const struct back_rule *r)
{
        struct json_object *o = json_object_new_object();

        add_bool(o, "measured", r->measured);
        json_object_object_add(o, "map_base_ns",
                               json_object_new_double(r->map_base_ns));
        json_object_object_add(o, "map_seg_ns",
                               json_object_new_double(r->map_seg_ns));
        json_object_object_add(o, "copy_base_ns",
                               json_object_new_double(r->copy_base_ns));
        json_object_object_add(o, "copy_seg_ns",
                               json_object_new_double(r->copy_seg_ns));
        add_number(o, "copy_up_to_segs", r->copy_up_to_segs);
        return o;
}

static struct json_object *polling(const struct daemon *d)
{
        struct json_object *o = json_object_new_object();
        struct polling_counters sum = {0};

        for (unsigned i = 0; i < d->nthreads; i++) {
                struct polling_counters n = back_thread_polling(d->threads[i]);

                sum.looks += n.looks;
                sum.finds += n.finds;
                sum.preempted += n.preempted;
                sum.spent_ns += n.spent_ns;
        }
        add_text(o, "mode", polling_name(d->options.polling));
        add_number(o, "looks", sum.looks);
        add_number(o, "finds", sum.finds);
        add_number(o, "preempted", sum.preempted);
        add_number(o, "spent_ns", sum.spent_ns);
        return o;
}

struct json_object *control_json_daemon(struct daemon *d)
{
        struct json_object *o = json_object_new_object();
        const char *why = NULL;
        bool uring = back_thread_has_uring(d->threads[0], &why);

        add_number(o, "pid", (uint64_t)getpid());
        add_text(o, "version", EVERGRANT_VERSION);
        add_number(o, "io_threads", d->nthreads);
        add_bool(o, "uring", uring);
        add_text(o, "uring_why", uring ? NULL : why);
        json_object_object_add(o, "polling", polling(d));
        json_object_object_add(o, "rule", rule(&d->rule));
        add_number(o, "stalls", d->stalls);
        add_number(o, "map_budget", d->budget.total);
        add_number(o, "map_budget_used", d->budget.used);
        add_bool(o, "xenstore", d->store != NULL);
        return o;
}
