/* SPDX-License-Identifier: MIT */
/* The requests on nodes, watches and transactions. Each sends its reply and
 * returns 0, or returns -errno for the caller to send. */
#include "store/internal.h"

#include <inttypes.h>
#include <stdio.h>

/* The one path that the payload is. Its length or -EINVAL. */
static int one_path(struct request *r)
{
        const char *name;

        return get_strings(r, &name, 1) ? get_path(r, name) : -EINVAL;
}

static int get_readable(struct request *r, struct node **n)
{
        int len = one_path(r);

        if (len < 0)
                return len;
        return tree_get(&r->actor, r->path, (size_t)len, PERM_READ, n);
}

static int ok(struct request *r, int ret)
{
        if (ret == 0)
                reply_ok(r);
        return ret;
}

int do_read(struct request *r)
{
        struct node *n;
        int ret = get_readable(r, &n);

        if (ret == 0)
                reply(r, n->value.p, n->value.len);
        return ret;
}

int do_directory(struct request *r)
{
        struct node *n;
        int ret = get_readable(r, &n);

        if (ret == 0)
                reply(r, n->children.p, n->children.len);
        return ret;
}

/* As many whole names as fit from offset on. The generation before them tells
 * the client whether the list is still the one that it began with; an empty
 * name ends it. */
static size_t directory_part(const struct node *n, size_t offset, char *out)
{
        size_t at = (size_t)snprintf(out, 24, "%" PRIu64, n->gen) + 1;
        size_t end = offset;

        if (offset >= n->children.len) {
                out[at++] = '\0';
                return at;
        }
        while (end < n->children.len) {
                size_t name = strlen(n->children.p + end) + 1;

                if (at + (end - offset) + name > XENSTORE_PAYLOAD_MAX - 1)
                        break;
                end += name;
        }
        memcpy(out + at, n->children.p + offset, end - offset);
        at += end - offset;
        if (end == n->children.len)
                out[at++] = '\0';
        return at;
}

int do_directory_part(struct request *r)
{
        char out[XENSTORE_PAYLOAD_MAX];
        const char *s[2];
        struct node *n;
        int ret;

        if (!get_strings(r, s, 2))
                return -EINVAL;
        ret = get_path(r, s[0]);
        if (ret >= 0)
                ret = tree_get(&r->actor, r->path, (size_t)ret, PERM_READ, &n);
        if (ret < 0)
                return ret;
        reply(r, out, directory_part(n, strtoul(s[1], NULL, 10), out));
        return 0;
}

int do_write(struct request *r)
{
        const char *nul = memchr(r->data, '\0', r->h.len);
        size_t value_at;
        int len;

        if (!nul)
                return -EINVAL;
        value_at = (size_t)(nul + 1 - r->data);
        len = get_path(r, r->data);
        if (len < 0)
                return len;
        return ok(r, tree_write(&r->actor, r->path, (size_t)len, nul + 1,
                                r->h.len - value_at));
}

int do_mkdir(struct request *r)
{
        int len = one_path(r);

        if (len < 0)
                return len;
        return ok(r, tree_mkdir(&r->actor, r->path, (size_t)len));
}

int do_rm(struct request *r)
{
        int len = one_path(r);

        if (len < 0)
                return len;
        return ok(r, tree_rm(&r->actor, r->path, (size_t)len));
}

int do_get_perms(struct request *r)
{
        char out[XENSTORE_PAYLOAD_MAX];
        struct node *n;
        int ret = get_readable(r, &n);

        if (ret < 0)
                return ret;
        ret = perms_format(n->perms, out, sizeof(out));
        if (ret < 0)
                return ret;
        reply(r, out, (size_t)ret);
        return 0;
}

static int set_special(struct request *r, struct perms *p)
{
        int which = special_find(r->data);
        struct perms **special = &r->c->xs->special[which < 0 ? 0 : which];
        const unsigned want = PERM_WRITE | PERM_OWNER;
        int ret = 0;

        if (which < 0)
                ret = -ENOENT;
        else if ((perms_of(*special, r->c->dom) & want) != want)
                ret = -EACCES;
        if (ret < 0) {
                perms_unref(p);
                return ret;
        }
        perms_unref(*special);
        *special = p;
        return 0;
}

/* The permissions behind the path. */
static int get_perms(struct request *r, struct perms **p)
{
        const struct xstore *xs = r->c->xs;
        const char *list = memchr(r->data, '\0', r->h.len);
        size_t list_len;
        unsigned n = 0;
        int ret;

        if (!list)
                return -EINVAL;
        list++;
        list_len = r->h.len - (size_t)(list - r->data);
        for (size_t i = 0; i < list_len; i++)
                n += list[i] == '\0'; /* what is not terminated is ignored */
        if (n == 0)
                return -EINVAL;
        if (!domain_is_privileged(r->c->dom) && n > xs->quota.permissions)
                return -ENOSPC;
        ret = perms_parse(list, list_len, n, p);
        if (ret < 0)
                return ret;
        if (!domain_exists(xs, (*p)->e[0].domid)) {
                perms_unref(*p);
                return -ENOENT;
        }
        return 0;
}

int do_set_perms(struct request *r)
{
        struct perms *p;
        int ret = get_perms(r, &p);

        if (ret < 0)
                return ret;
        if (r->data[0] == '@')
                return ok(r, set_special(r, p));
        ret = get_path(r, r->data);
        if (ret < 0) {
                perms_unref(p);
                return ret;
        }
        return ok(r, tree_set_perms(&r->actor, r->path, (size_t)ret, p));
}

/* A watch may also be on any name with an @, one of the two that fire or not.
 * *strip: how much of the canonical path was not sent. */
static int watched_path(struct request *r, const char *name, uint32_t *strip)
{
        size_t len = strlen(name);
        int ret;

        *strip = 0;
        if (name[0] == '@') {
                if (len > XENSTORE_REL_PATH_MAX)
                        return -EINVAL;
                memcpy(r->path, name, len + 1);
                return (int)len;
        }
        ret = get_path(r, name);
        if (ret >= 0)
                *strip = (uint32_t)((size_t)ret - len);
        return ret;
}

int do_watch(struct request *r)
{
        const char *s[2];
        uint32_t strip;
        int len, ret;

        if (!get_strings(r, s, 2))
                return -EINVAL;
        len = watched_path(r, s[0], &strip);
        if (len < 0)
                return len;
        ret = watch_add(r->c, r->path, (size_t)len, strip, s[1]);
        if (ret < 0)
                return ret;
        reply_ok(r);
        /* Once at the start: so a client has only one way to look at it. */
        send_event(r->c, r->path + strip, (size_t)len - strip, s[1]);
        return 0;
}

int do_unwatch(struct request *r)
{
        const char *s[2];
        uint32_t strip;
        int len;

        if (!get_strings(r, s, 2))
                return -EINVAL;
        len = watched_path(r, s[0], &strip);
        if (len < 0)
                return len;
        return ok(r, watch_remove(r->c, r->path, (size_t)len, s[1]));
}

int do_reset_watches(struct request *r)
{
        watch_remove_all(r->c);
        transaction_end_all(r->c);
        reply_ok(r);
        return 0;
}

int do_transaction_start(struct request *r)
{
        char text[16];
        uint32_t id;
        int ret;

        if (r->actor.tx)
                return -EBUSY;
        ret = transaction_start(r->c, &id);
        if (ret == 0)
                reply(r, text, (size_t)sprintf(text, "%u", id) + 1);
        return ret;
}

int do_transaction_end(struct request *r)
{
        const char *s;

        if (!get_strings(r, &s, 1) ||
            (strcmp(s, "T") != 0 && strcmp(s, "F") != 0))
                return -EINVAL;
        if (!r->actor.tx)
                return -ENOENT;
        if (*s == 'T' && fault_of_commit(r->c)) {
                transaction_end(r->c, r->actor.tx, false);
                return -EAGAIN;
        }
        return ok(r, transaction_end(r->c, r->actor.tx, *s == 'T'));
}
