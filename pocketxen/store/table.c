/* SPDX-License-Identifier: MIT */
#include "store/internal.h"

uint32_t path_hash(const char *path, size_t len)
{
        uint32_t h = 2166136261u; /* FNV-1a: watch.c extends it prefix by
                                   * prefix */

        for (size_t i = 0; i < len; i++)
                h = (h ^ (unsigned char)path[i]) * 16777619u;
        return h;
}

int table_init(struct table *t)
{
        t->size = 16;
        t->count = 0;
        t->slots = calloc(t->size, sizeof(t->slots[0]));
        return t->slots ? 0 : -ENOMEM;
}

static void node_free(struct node *n)
{
        perms_unref(n->perms);
        perms_unref(n->before);
        free(n->value.p);
        free(n->children.p);
        free(n);
}

void table_release(struct table *t)
{
        for (size_t i = 0; t->slots && i < t->size; i++) {
                struct node *next;

                for (struct node *n = t->slots[i]; n; n = next) {
                        next = n->chain;
                        node_free(n);
                }
        }
        free(t->slots);
        t->slots = NULL;
        t->count = 0;
}

struct node *table_find(const struct table *t, const char *path, size_t len)
{
        uint32_t h = path_hash(path, len);
        struct node *n = t->slots[h & (t->size - 1)];

        while (n && (n->hash != h || n->path_len != len ||
                     memcmp(n->path, path, len) != 0))
                n = n->chain;
        return n;
}

/* Without memory the table stays as it is, only slower. */
static void grow(struct table *t)
{
        size_t size = t->size * 2;
        struct node **slots = calloc(size, sizeof(slots[0]));

        if (!slots)
                return;
        for (size_t i = 0; i < t->size; i++) {
                struct node *next;

                for (struct node *n = t->slots[i]; n; n = next) {
                        struct node **slot = &slots[n->hash & (size - 1)];

                        next = n->chain;
                        n->chain = *slot;
                        *slot = n;
                }
        }
        free(t->slots);
        t->slots = slots;
        t->size = size;
}

struct node *table_add(struct table *t, const char *path, size_t len)
{
        struct node *n = calloc(1, sizeof(*n) + len + 1);
        struct node **slot;

        if (!n)
                return NULL;
        if (t->count >= t->size)
                grow(t);
        memcpy(n->path, path, len);
        n->path_len = (uint32_t)len;
        n->hash = path_hash(path, len);
        slot = &t->slots[n->hash & (t->size - 1)];
        n->chain = *slot;
        *slot = n;
        t->count++;
        return n;
}

void table_remove(struct table *t, struct node *n)
{
        struct node **at = &t->slots[n->hash & (t->size - 1)];

        while (*at != n)
                at = &(*at)->chain;
        *at = n->chain;
        t->count--;
        node_free(n);
}

static int bytes_reserve(struct bytes *b, size_t room)
{
        char *p;

        if (room <= b->room)
                return 0;
        p = realloc(b->p, room);
        if (!p)
                return -ENOMEM;
        b->p = p;
        b->room = (uint32_t)room;
        return 0;
}

int bytes_set(struct bytes *b, const void *p, size_t len)
{
        if (bytes_reserve(b, len) < 0)
                return -ENOMEM;
        if (len)
                memcpy(b->p, p, len);
        b->len = (uint32_t)len;
        return 0;
}

int children_add(struct bytes *b, const char *name)
{
        size_t len = strlen(name) + 1;

        if (b->len + len > b->room &&
            bytes_reserve(b, (size_t)b->room * 2 + len) < 0)
                return -ENOMEM;
        memcpy(b->p + b->len, name, len);
        b->len += (uint32_t)len;
        return 0;
}

void children_remove(struct bytes *b, const char *name)
{
        size_t len = strlen(name) + 1;
        char *at = b->p, *end;

        if (!b->len) /* a transaction may see a child without its parent's */
                return;
        end = b->p + b->len;
        while (at && (at = memmem(at, (size_t)(end - at), name, len))) {
                if (at == b->p || at[-1] == '\0') {
                        memmove(at, at + len, (size_t)(end - at) - len);
                        b->len -= (uint32_t)len;
                        return;
                }
                at++;
        }
}
