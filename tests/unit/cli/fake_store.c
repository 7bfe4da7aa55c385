/* SPDX-License-Identifier: MIT */
#include "fake_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/parse.h"

#define NODES 200

struct node {
        char path[256], value[2049];
        uint32_t owner, reader;
};
struct world {
        struct node nodes[NODES];
        int n;
};

static struct world world, snapshot;
static int event_fd = -1;
static int fired;
static bool watching;

void (*fake_on_sleep)(void);
void (*fake_on_transaction)(void);
bool fake_no_xenstore;
int fake_commits, fake_conflicts_left;

/* As xenstore: relative to the caller's, Domain-0's, directory. */
static const char *whole(const char *path, char *text)
{
        if (*path == '/')
                return path;
        snprintf(text, 256, "/local/domain/0/%.200s", path);
        return text;
}

static struct node *find(const char *path)
{
        char text[256];

        path = whole(path, text);
        for (int i = 0; i < world.n; i++) {
                if (strcmp(world.nodes[i].path, path) == 0)
                        return &world.nodes[i];
        }
        return NULL;
}

static struct node *make(const char *path)
{
        struct node *n = find(path), *parent;
        char up[256], text[256];

        path = whole(path, text);
        if (n)
                return n;
        snprintf(up, sizeof(up), "%s", path);
        *strrchr(up, '/') = '\0';
        parent = *up ? make(up) : NULL;
        if (world.n == NODES)
                abort();
        n = &world.nodes[world.n++];
        snprintf(n->path, sizeof(n->path), "%s", path);
        n->value[0] = '\0';
        n->owner = parent ? parent->owner : 0;
        n->reader = parent ? parent->reader : ~0u;
        return n;
}

static void touch(void)
{
        uint64_t one = 1;

        if (watching && write(event_fd, &one, sizeof(one)) > 0)
                fired++;
}

void fake_put(const char *path, const char *value)
{
        snprintf(make(path)->value, sizeof(world.nodes[0].value), "%s", value);
        touch();
}

void fake_remove(const char *path)
{
        char text[256];
        size_t len;
        int kept = 0;

        path = whole(path, text);
        len = strlen(path);
        for (int i = 0; i < world.n; i++) {
                const char *p = world.nodes[i].path;
                bool below = strncmp(p, path, len) == 0 &&
                             (p[len] == '/' || p[len] == '\0');

                if (!below)
                        world.nodes[kept++] = world.nodes[i];
        }
        world.n = kept;
        touch();
}

const char *fake_get(const char *path)
{
        struct node *n = find(path);

        return n ? n->value : NULL;
}

uint32_t fake_owner(const char *path)
{
        return find(path) ? find(path)->owner : ~0u;
}

uint32_t fake_reader(const char *path)
{
        return find(path) ? find(path)->reader : ~0u;
}

int fake_nodes(void)
{
        return world.n;
}

void fake_reset(void)
{
        world.n = 0;
        fake_on_sleep = fake_on_transaction = NULL;
        fake_no_xenstore = watching = false;
        fake_commits = fake_conflicts_left = fired = 0;
        fake_put("/local/domain/0/name", "Domain-0");
        fake_put("/local/domain/0/domid", "0");
        fake_put("/local/domain/1/name", "g1");
}

int xen_store_open(struct xen_store **s, struct err *e)
{
        if (fake_no_xenstore)
                return err_set(e, -ENOENT, "cannot reach xenstore (fake)");
        event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        fired = 0;
        *s = (struct xen_store *)&world;
        return 0;
}

void xen_store_close(struct xen_store *s)
{
        if (s)
                close(event_fd);
        event_fd = -1;
        watching = false;
}

int xen_store_fd(struct xen_store *s)
{
        if (fake_on_sleep)
                fake_on_sleep();
        return event_fd;
}

int xen_store_transaction(struct xen_store *s,
                          int (*body)(struct xen_store *s, void *arg),
                          void *arg)
{
        for (int i = 0; i < 16; i++) {
                int ret;

                if (fake_on_transaction)
                        fake_on_transaction();
                snapshot = world;
                ret = body(s, arg);
                if (ret == 0 && fake_conflicts_left == 0) {
                        fake_commits++;
                        touch();
                        return 0;
                }
                world = snapshot;
                if (ret)
                        return ret;
                fake_conflicts_left--;
        }
        return -EAGAIN;
}

int xen_store_read(struct xen_store *s, const char *path, char **value)
{
        struct node *n = find(path);

        *value = n ? strdup(n->value) : NULL;
        return n ? 0 : -ENOENT;
}

int xen_store_write(struct xen_store *s, const char *path, const char *value)
{
        snprintf(make(path)->value, sizeof(world.nodes[0].value), "%s", value);
        return 0;
}

int xen_store_rm(struct xen_store *s, const char *path)
{
        fake_remove(path);
        return 0;
}

bool xen_store_exists(struct xen_store *s, const char *path)
{
        return find(path);
}

int xen_store_list(struct xen_store *s, const char *path, char ***names,
                   unsigned *n)
{
        size_t len = strlen(path), at = 0;
        char *text;

        *n = 0;
        if (!find(path))
                return -ENOENT;
        *names = malloc(NODES * (sizeof(char *) + 256));
        text = (char *)(*names + NODES);
        for (int i = 0; i < world.n; i++) {
                const char *p = world.nodes[i].path;

                if (strncmp(p, path, len) || p[len] != '/' ||
                    strchr(p + len + 1, '/'))
                        continue;
                (*names)[(*n)++] = strcpy(text + at, p + len + 1);
                at += strlen(p + len + 1) + 1;
        }
        return 0;
}

int xen_store_set_owner(struct xen_store *s, const char *path, uint32_t owner,
                        uint32_t reader)
{
        struct node *n = find(path);

        if (!n)
                return -ENOENT;
        n->owner = owner;
        n->reader = reader;
        return 0;
}

int xen_store_owner(struct xen_store *s, const char *path, uint32_t *domid)
{
        const struct node *n = find(path);

        if (!n)
                return -ENOENT;
        *domid = n->owner;
        return 0;
}

int xen_store_watch(struct xen_store *s, const char *path, const char *token)
{
        watching = true;
        touch(); /* as xenstore: a new watch fires at once */
        return 0;
}

void xen_store_unwatch(struct xen_store *s, const char *path, const char *token)
{
        watching = false;
}

int xen_store_next_watch(struct xen_store *s, char **path, char **token)
{
        uint64_t n;

        if (fired == 0) {
                (void)!read(event_fd, &n, sizeof(n));
                return 0;
        }
        fired--;
        *path = strdup("/some/path");
        *token = strdup("token");
        return 1;
}

int xen_store_self(struct xen_store *s, uint32_t *domid)
{
        *domid = 0;
        return 0;
}

int xen_store_domain(struct xen_store *s, const char *dom, uint32_t *domid,
                     struct err *e)
{
        char path[64];
        uint64_t v;

        if (parse_u64(dom, 0x7fef, &v) < 0)
                v = strcmp(dom, "g1") == 0 ? 1 : 999;
        snprintf(path, sizeof(path), "/local/domain/%u", (unsigned)v);
        *domid = (uint32_t)v;
        return find(path) ? 0
                          : err_set(e, -ENOENT, "there is no domain '%s'", dom);
}
