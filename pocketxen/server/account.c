/* SPDX-License-Identifier: MIT */
/* The hypervisor's side of the story, for `list --json` and `grants --json`. */
#include "server.h"

#include <json-c/json.h>
#include <stdlib.h>

static void put_u64(struct json_object *o, const char *key, uint64_t v)
{
        json_object_object_add(o, key, json_object_new_uint64(v));
}

static struct json_object *domain_json(const struct srv_domain *sd)
{
        const struct px_domain *d = sd->d;
        struct json_object *o = json_object_new_object();
        const struct srv_conn *c;
        uint64_t handles = 0, ports = 0;
        struct xstore_count store;

        LIST_FOREACH(c, &sd->conns, link)
        handles++;
        for (unsigned i = 0; i < PXW_PORTS; i++)
                ports += d->ports[i].state != PX_PORT_FREE;
        xstore_count(sd->srv->xs, d->domid, &store);
        put_u64(o, "domid", d->domid);
        json_object_object_add(o, "name", json_object_new_string(d->name));
        json_object_object_add(
                o, "state",
                json_object_new_string(d->dying ? "dying" : "running"));
        put_u64(o, "mem_bytes", (uint64_t)d->frames * PXW_PAGE);
        put_u64(o, "handles", handles);
        put_u64(o, "ports", ports);
        put_u64(o, "grant_entries", d->entries);
        put_u64(o, "grants_used", d->grants_used);
        put_u64(o, "grants_deferred", d->deferred);
        put_u64(o, "pages_mapped", px_domain_mapped(d));
        put_u64(o, "store_connections", store.connections);
        put_u64(o, "store_nodes", store.nodes);
        put_u64(o, "store_watches", store.watches);
        return o;
}

static void add_pair(struct json_object *pairs, struct server *s,
                     uint32_t mapper, uint32_t granter)
{
        struct pxw_counts c = px_counts(s->world, mapper, granter);
        struct json_object *o;

        if (!(c.map_calls | c.unmap_calls | c.copy_calls))
                return;
        o = json_object_new_object();
        put_u64(o, "mapper", mapper);
        put_u64(o, "granter", granter);
        put_u64(o, "maps_calls", c.map_calls);
        put_u64(o, "maps_pages", c.map_pages);
        put_u64(o, "unmaps_calls", c.unmap_calls);
        put_u64(o, "unmaps_pages", c.unmap_pages);
        put_u64(o, "mapped_high", c.mapped_high);
        put_u64(o, "copies_calls", c.copy_calls);
        put_u64(o, "copies_segments", c.copy_segments);
        put_u64(o, "copies_bytes", c.copy_bytes);
        json_object_array_add(pairs, o);
}

/* Every pair of the account has a row in the world: live counts get one. */
static struct json_object *pairs_json(struct server *s)
{
        struct json_object *pairs = json_object_new_array();
        struct px_handle *h;
        struct px_pair *p;

        LIST_FOREACH(h, &s->world->handles, link)
        for (unsigned i = 0; h->owner && i < PXW_SLOTS; i++)
                if (s->world->domains[i] && (h->owner->counts[i].map_calls |
                                             h->owner->counts[i].copy_calls))
                        px_pair_get(s->world, h->dom->domid,
                                    s->world->domains[i]->domid);
        LIST_FOREACH(p, &s->world->pairs, link)
        add_pair(pairs, s, p->mapper, p->granter);
        return pairs;
}

struct json_object *srv_list_json(struct server *s)
{
        struct json_object *o = json_object_new_object();
        struct json_object *domains = json_object_new_array();

        /* In the order of domids: few enough for a simple look-up. */
        for (uint32_t id = 0, left = PXW_SLOTS; left && id < PX_DOMID_SELF;
             id++) {
                struct srv_domain *d = srv_domain_by_id(s, id);

                if (id >= s->world->next_domid && !d)
                        break;
                if (d) {
                        json_object_array_add(domains, domain_json(d));
                        left--;
                }
        }
        json_object_object_add(o, "ok", json_object_new_boolean(1));
        json_object_object_add(o, "domains", domains);
        json_object_object_add(o, "pairs", pairs_json(s));
        return o;
}

/* Who maps each ref, one row a mapping. */
static void note_mapping(struct json_object **rows, const struct px_handle *h,
                         bool writable)
{
        struct json_object *row;

        if (!*rows)
                *rows = json_object_new_array();
        row = json_object_new_object();
        put_u64(row, "domid", h->dom->domid);
        put_u64(row, "pid", (uint64_t)h->pid);
        json_object_object_add(row, "writable",
                               json_object_new_boolean(writable));
        json_object_array_add(*rows, row);
}

static void collect(struct server *s, const struct px_domain *d,
                    struct json_object **by_ref)
{
        struct px_handle *h;

        LIST_FOREACH(h, &s->world->handles, link)
        {
                uint32_t high = h->owner ? __atomic_load_n(&h->owner->high,
                                                           __ATOMIC_ACQUIRE)
                                         : 0;

                for (uint32_t i = 0; i < high && i < PXW_RECORDS; i++) {
                        uint64_t r = __atomic_load_n(&h->owner->records[i],
                                                     __ATOMIC_SEQ_CST);

                        if (pxw_record_state(r) == PXW_REC_PINNED &&
                            pxw_record_slot(r) == d->slot &&
                            pxw_record_ref(r) < d->entries)
                                note_mapping(&by_ref[pxw_record_ref(r)], h,
                                             pxw_record_writable(r));
                }
        }
}

static struct json_object *entry_json(const struct px_domain *d,
                                      struct json_object *const *by_ref,
                                      uint32_t ref)
{
        uint32_t word = __atomic_load_n(pxw_entry_word(&d->g.entries[ref]),
                                        __ATOMIC_SEQ_CST);
        struct json_object *o = json_object_new_object();

        put_u64(o, "ref", ref);
        put_u64(o, "to", word >> 16);
        put_u64(o, "frame", d->g.entries[ref].frame);
        json_object_object_add(
                o, "readonly",
                json_object_new_boolean((word & GTF_readonly) != 0));
        json_object_object_add(
                o, "reading",
                json_object_new_boolean((word & GTF_reading) != 0));
        json_object_object_add(
                o, "writing",
                json_object_new_boolean((word & GTF_writing) != 0));
        json_object_object_add(o, "state",
                               json_object_new_string(d->grants[ref].sharer
                                                              ? "shared"
                                                              : "deferred"));
        put_u64(o, "pins",
                __atomic_load_n(&d->g.active[ref].readers, __ATOMIC_RELAXED));
        put_u64(o, "pins_writing",
                __atomic_load_n(&d->g.active[ref].writers, __ATOMIC_RELAXED));
        json_object_object_add(o, "mapped_by",
                               by_ref[ref] ? json_object_get(by_ref[ref])
                                           : json_object_new_array());
        return o;
}

struct json_object *srv_grants_json(struct server *s, struct srv_domain *sd)
{
        struct px_domain *d = sd->d;
        struct json_object **by_ref = calloc(d->entries, sizeof(*by_ref));
        struct json_object *o = domain_json(sd);
        struct json_object *entries = json_object_new_array();

        if (by_ref)
                collect(s, d, by_ref);
        for (uint32_t ref = 0; by_ref && ref < d->entries; ref++) {
                if (d->grants[ref].used)
                        json_object_array_add(entries,
                                              entry_json(d, by_ref, ref));
                json_object_put(by_ref[ref]);
        }
        free(by_ref);
        json_object_object_add(o, "ok", json_object_new_boolean(1));
        json_object_object_add(o, "entries", entries);
        return o;
}
