/* SPDX-License-Identifier: MIT */
/* Reading xenstore for one disk. What matters here is to tell "there is no
 * such node" from "xenstore does not answer": only the first says anything
 * about the disk. */
#include "disk.h"

#include "common/parse.h"
#include "common/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The script of the disk lines that are for us. */
#define HOOK_NAME "block-evergrant"

/* libxenstore says EINVAL for a lost connection, and the wrapper for a value
 * that it does not take. The root answers whenever anything does. */
bool disk_conn_answers(struct xen_store *s)
{
        CLEANUP_FREE char *value = NULL;
        int ret = s ? xen_store_read(s, "/", &value) : -ENOTCONN;

        return ret == 0 || ret == -EACCES || ret == -ENOENT;
}

bool disk_store_answers(const struct disk *k)
{
        return disk_conn_answers(disk_conn(k));
}

/* 0, -ENOENT, -EINVAL (a value that nobody should write), -EACCES, or
 * -ENOTCONN. */
static int read_node(struct disk *k, const char *path, char **value)
{
        struct xen_store *s = disk_conn(k);
        int ret;

        *value = NULL;
        if (!s)
                return -ENOTCONN;
        ret = xen_store_read(s, path, value);
        if (ret == 0 || ret == -ENOENT || ret == -EACCES)
                return ret;
        return disk_store_answers(k) ? -EINVAL : -ENOTCONN;
}

static int read_state(struct disk *k, const char *dir, enum xenbus_state *state)
{
        CLEANUP_FREE char *text = NULL;
        char path[XEN_STORE_PATH_BYTES];
        uint64_t v;
        int ret;

        *state = XENBUS_UNKNOWN;
        snprintf(path, sizeof(path), "%s/state", dir);
        ret = read_node(k, path, &text);
        if (ret == -ENOTCONN)
                return ret;
        if (ret == 0 && parse_u64(text, XENBUS_STATES - 1, &v) == 0)
                *state = (enum xenbus_state)v;
        return 0;
}

/* *there: whether the node exists, readable or not. */
static int look_for(struct disk *k, const char *path, bool *there)
{
        CLEANUP_FREE char *value = NULL;
        int ret = read_node(k, path, &value);

        *there = ret != -ENOENT;
        return ret == -ENOTCONN ? ret : 0;
}

static int look_for_domain(struct disk *k, uint32_t domid, bool *there)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "/local/domain/%u", domid);
        return look_for(k, path, there);
}

int disk_read(struct disk *k, const char *key, char **value)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", k->base, key);
        return read_node(k, path, value);
}

int disk_read_number(struct disk *k, const char *key, uint64_t max,
                     uint64_t absent, uint64_t *value)
{
        CLEANUP_FREE char *text = NULL;
        int ret = disk_read(k, key, &text);

        if (ret == -ENOENT) {
                *value = absent;
                return 0;
        }
        if (ret < 0)
                return ret;
        return parse_u64(text, max, value) < 0 ? -EINVAL : 0;
}

int disk_read_front(void *arg, const char *key, char **value)
{
        struct disk *k = arg;
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", k->front, key);
        return read_node(k, path, value);
}

int disk_check_script(struct xen_store *s, const char *base)
{
        CLEANUP_FREE char *script = NULL;
        char path[XEN_STORE_PATH_BYTES];
        const char *name;
        int ret;

        snprintf(path, sizeof(path), "%s/script", base);
        ret = xen_store_read(s, path, &script);
        if (ret < 0)
                return ret;
        name = strrchr(script, '/');
        return strcmp(name ? name + 1 : script, HOOK_NAME) == 0 ? 0 : -ENOENT;
}

static int look_at_hook(struct disk *k, struct disk_view *v)
{
        CLEANUP_FREE char *mark = NULL;
        int ret;

        v->hook = DISK_HOOK_DONE;
        if (k->kind == DISK_OWN)
                return 0;
        ret = disk_read(k, "eg-hook", &mark);
        if (ret == -ENOTCONN)
                return ret;
        if (ret < 0 || strcmp(mark, "done") != 0)
                v->hook = ret == 0 && strcmp(mark, "ready") == 0
                                  ? DISK_HOOK_READY
                                  : DISK_HOOK_MISSING;
        return 0;
}

/* Whether the disk's nodes are there, and still for us. */
static int look_for_nodes(struct disk *k, bool *there)
{
        char path[XEN_STORE_PATH_BYTES];
        int ret;

        snprintf(path, sizeof(path), "%s/frontend-id", k->base);
        ret = look_for(k, path, there);
        if (ret < 0 || !*there || k->kind == DISK_OWN)
                return ret;
        *there = disk_check_script(disk_conn(k), k->base) == 0;
        return *there || disk_store_answers(k) ? 0 : -ENOTCONN;
}

/* A xenstored that lost its data knows nothing: the guests are still there,
 * and are served. libxl takes away the directories that it emptied, so that
 * for its disks only our own domain's can tell. */
static int check_memory(struct disk *k)
{
        bool there;
        int ret = k->kind == DISK_OWN
                          ? look_for(k, disk_root(DISK_OWN), &there)
                          : look_for_domain(k, k->daemon->self_domid, &there);

        return ret < 0 || there ? ret : -ENODATA;
}

void disk_refresh_domain(struct disk *k)
{
        CLEANUP_FREE char *name = NULL;
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "/local/domain/%u/name", k->domid);
        if (read_node(k, path, &name) == 0)
                log_escape(k->domain, sizeof(k->domain), name, strlen(name));
}

unsigned disk_look_parts(const char *key)
{
        /* What only we write, each time we do, is no news. */
        static const char *const ours[] = {"eg-stopped", "hotplug-error",
                                           "hotplug-status"};
        static const struct {
                const char *key;
                unsigned parts;
        } watched[] = {
                {"state", DISK_LOOK_OWN},
                {"online", DISK_LOOK_ONLINE},
                {"eg-hook", DISK_LOOK_HOOK},
        };

        for (unsigned i = 0; i < ARRAY_SIZE(watched); i++)
                if (strcmp(key, watched[i].key) == 0)
                        return watched[i].parts;
        for (unsigned i = 0; i < ARRAY_SIZE(ours); i++)
                if (strcmp(key, ours[i]) == 0)
                        return 0;
        for (unsigned i = 0; i < BLK_BACK_KEYS; i++)
                if (strcmp(key, blk_back_keys[i].name) == 0)
                        return 0;
        return DISK_LOOK_ALL;
}

static int look_for_ends(struct disk *k, unsigned parts, struct disk_view *v)
{
        bool there;
        int ret = 0;

        if (parts & DISK_LOOK_NODES) {
                ret = look_for_nodes(k, &there);
                v->gone = ret == 0 && !there;
        }
        if (ret == 0 && parts & DISK_LOOK_DOMAIN) {
                ret = look_for_domain(k, k->domid, &there);
                v->dead = ret == 0 && !there && k->domid != 0;
        }
        if (ret == 0 && (v->gone || v->dead))
                ret = check_memory(k);
        return ret;
}

static int look_at_online(struct disk *k, struct disk_view *v)
{
        uint64_t online;
        int ret = disk_read_number(k, "online", 1, 0, &online);

        v->online = ret == 0 && online == 1;
        return ret == -ENOTCONN ? ret : 0;
}

static int look_at(struct disk *k, unsigned parts, struct disk_view *v)
{
        int ret = look_for_ends(k, parts, v);

        if (ret == 0 && parts & DISK_LOOK_HOOK)
                ret = look_at_hook(k, v);
        if (ret == 0 && parts & DISK_LOOK_ONLINE)
                ret = look_at_online(k, v);
        if (ret == 0 && parts & DISK_LOOK_OWN)
                ret = read_state(k, k->base, &v->own);
        if (ret == 0 && parts & DISK_LOOK_FRONT)
                ret = read_state(k, k->front, &v->front);
        return ret;
}

int disk_check_own(struct disk *k)
{
        enum xenbus_state own;
        int ret = read_state(k, k->base, &own);

        if (ret < 0 || own == k->view.own)
                return ret;
        scan_mark(k->daemon, k);
        return -ECANCELED;
}

int disk_look(struct disk *k)
{
        struct disk_view v = k->view;
        unsigned parts = k->stale;
        int ret;

        /* What comes while this reads is for the next look. */
        k->stale = 0;
        ret = look_at(k, parts, &v);
        /* A state that is missing tells that more may be. */
        if (ret == 0 && parts != DISK_LOOK_ALL &&
            (v.own == XENBUS_UNKNOWN || v.front == XENBUS_UNKNOWN)) {
                ret = look_at(k, DISK_LOOK_ALL & ~parts, &v);
                parts = DISK_LOOK_ALL;
        }
        if (ret < 0) {
                k->stale |= parts;
                return ret;
        }
        k->view = v;
        if (!k->domain[0])
                disk_refresh_domain(k);
        return 0;
}
