/* SPDX-License-Identifier: MIT */
/* Watches are found by the path that they are set on: a change looks at one
 * bucket for each component of its path, however many watches there are. */
#include "store/internal.h"

static const char *const special_names[NSPECIALS] = {
        [SPECIAL_INTRODUCE] = "@introduceDomain",
        [SPECIAL_RELEASE] = "@releaseDomain",
};

static int grow(struct watch_table *t)
{
        size_t size = t->size ? t->size * 2 : 64;
        struct watch **slots = calloc(size, sizeof(slots[0]));

        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < t->size; i++) {
                struct watch *next;

                for (struct watch *w = t->slots[i]; w; w = next) {
                        struct watch **slot = &slots[w->hash & (size - 1)];

                        next = w->chain;
                        w->chain = *slot;
                        *slot = w;
                }
        }
        free(t->slots);
        t->slots = slots;
        t->size = size;
        return 0;
}

static struct watch **find_own(struct xstore_conn *c, const char *path,
                               size_t len, const char *token)
{
        struct watch **at = &c->watches;

        for (; *at; at = &(*at)->next)
                if ((*at)->path_len == len &&
                    memcmp((*at)->path, path, len) == 0 &&
                    strcmp((*at)->token, token) == 0)
                        break;
        return at;
}

int watch_add(struct xstore_conn *c, const char *path, size_t len,
              uint32_t strip, const char *token)
{
        struct watch_table *t = &c->xs->watches;
        struct watch *w, **slot;

        if (*find_own(c, path, len, token))
                return -EEXIST;
        if (!domain_is_privileged(c->dom) &&
            c->dom->watches > c->xs->quota.watches)
                return -E2BIG;
        if (t->count >= t->size && grow(t) < 0)
                return -ENOMEM;
        w = calloc(1, sizeof(*w) + len + 1 + strlen(token) + 1);
        if (!w)
                return -ENOMEM;
        memcpy(w->path, path, len);
        w->token = memcpy(w->path + len + 1, token, strlen(token) + 1);
        w->path_len = (uint32_t)len;
        w->hash = path_hash(path, len);
        w->strip = strip;
        w->serial = ++t->serial;
        w->conn = c;
        *c->last_watch = w;
        c->last_watch = &w->next;
        slot = &t->slots[w->hash & (t->size - 1)];
        w->chain = *slot;
        *slot = w;
        t->count++;
        c->dom->watches++;
        return 0;
}

static void unlink_watch(struct xstore_conn *c, struct watch **at)
{
        struct watch_table *t = &c->xs->watches;
        struct watch *w = *at;
        struct watch **slot = &t->slots[w->hash & (t->size - 1)];

        *at = w->next;
        if (!w->next)
                c->last_watch = at;
        while (*slot != w)
                slot = &(*slot)->chain;
        *slot = w->chain;
        t->count--;
        c->dom->watches--;
        free(w);
}

int watch_remove(struct xstore_conn *c, const char *path, size_t len,
                 const char *token)
{
        struct watch **at = find_own(c, path, len, token);

        if (!*at)
                return -ENOENT;
        unlink_watch(c, at);
        return 0;
}

void watch_remove_all(struct xstore_conn *c)
{
        while (c->watches)
                unlink_watch(c, &c->watches);
}

static int by_serial(const void *a, const void *b)
{
        const struct watch *x = *(struct watch *const *)a;
        const struct watch *y = *(struct watch *const *)b;

        return x->serial < y->serial ? -1 : x->serial > y->serial;
}

struct event {
        const char *path;
        size_t len;
        const struct perms *before;
        const struct node *node, *parent;
};

static bool may_read(const struct perms *p, const struct domain *d)
{
        return p && perms_of(p, d) & PERM_READ;
}

/* Only those are told who can see the node, could see it before, or can see
 * it in its parent's list. */
static bool visible(const struct event *e, const struct domain *d)
{
        return domain_is_privileged(d) || may_read(e->before, d) ||
               may_read(e->node ? e->node->perms : NULL, d) ||
               may_read(e->parent ? e->parent->perms : NULL, d);
}

static void deliver(const struct event *e, struct watch *w)
{
        send_event(w->conn, e->path + w->strip, e->len - w->strip, w->token);
}

/* Appends the watches on this prefix that may see it. */
static size_t collect(struct watch_table *t, const struct event *e,
                      uint32_t hash, size_t prefix, size_t count)
{
        struct watch *w = t->slots[hash & (t->size - 1)];

        for (; w; w = w->chain) {
                if (w->hash != hash || w->path_len != prefix ||
                    memcmp(w->path, e->path, prefix) != 0 ||
                    !visible(e, w->conn->dom))
                        continue;
                if (count == t->matches_room) {
                        size_t room = count ? count * 2 : 16;
                        void *p = realloc(t->matches, room * sizeof(w));

                        if (!p) { /* better out of order than lost */
                                deliver(e, w);
                                continue;
                        }
                        t->matches = p;
                        t->matches_room = room;
                }
                t->matches[count++] = w;
        }
        return count;
}

/* Watches on a node and on one above it may have the same token; the client
 * could not tell the events apart, and gets one. */
static bool is_repeated(struct watch *const *matches, size_t i)
{
        const struct watch *w = matches[i];

        for (size_t k = 0; k < i; k++)
                if (matches[k]->conn == w->conn &&
                    matches[k]->strip == w->strip &&
                    strcmp(matches[k]->token, w->token) == 0)
                        return true;
        return false;
}

static void deliver_all(struct watch_table *t, const struct event *e,
                        size_t count)
{
        if (count > 1)
                qsort(t->matches, count, sizeof(t->matches[0]), by_serial);
        for (size_t i = 0; i < count; i++)
                if (!is_repeated(t->matches, i))
                        deliver(e, t->matches[i]);
}

void watch_fire(struct xstore *xs, const char *path, size_t len, bool exact,
                const struct perms *before)
{
        struct watch_table *t = &xs->watches;
        struct event e = {path, len, before, NULL, NULL};
        uint32_t h = path_hash("", 0);
        size_t count = 0;

        if (!t->count)
                return;
        e.node = table_find(&xs->table, path, len);
        if (e.node)
                e.parent = table_find(&xs->table, path, path_parent(path, len));
        for (size_t i = 0; i < len; i++) {
                h = (h ^ (unsigned char)path[i]) * 16777619u;
                if (i + 1 == len || (!exact && (i == 0 || path[i + 1] == '/')))
                        count = collect(t, &e, h, i + 1, count);
        }
        deliver_all(t, &e, count);
}

int special_find(const char *name)
{
        for (int i = 0; i < NSPECIALS; i++)
                if (strcmp(name, special_names[i]) == 0)
                        return i;
        return -1;
}

void special_fire(struct xstore *xs, enum special which)
{
        const char *name = special_names[which];
        size_t len = strlen(name);
        struct event e = {name, len, xs->special[which], NULL, NULL};
        struct watch_table *t = &xs->watches;

        if (t->count)
                deliver_all(t, &e,
                            collect(t, &e, path_hash(name, len), len, 0));
}
