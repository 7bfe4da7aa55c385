/* SPDX-License-Identifier: MIT */
#include "fake_store.h"

#include <errno.h>
#include <string.h>

#define MAX_NODES 1000 /* 16 rings of 16 pages each */

static struct {
        char *path, *value;
} nodes[MAX_NODES];
static unsigned nnodes;

void fake_store_reset(void)
{
        while (nnodes) {
                free(nodes[--nnodes].path);
                free(nodes[nnodes].value);
        }
}

struct xen_store *fake_store(void)
{
        return (struct xen_store *)(void *)nodes;
}

static int find(const char *path)
{
        for (unsigned i = 0; i < nnodes; i++)
                if (!strcmp(nodes[i].path, path))
                        return (int)i;
        return -1;
}

const char *fake_store_get(const char *path)
{
        int i = find(path);

        return i < 0 ? NULL : nodes[i].value;
}

void fake_store_set(const char *path, const char *value)
{
        int i = find(path);

        if (i >= 0) {
                free(nodes[i].value);
                nodes[i].value = strdup(value);
        } else if (nnodes < MAX_NODES) {
                nodes[nnodes].path = strdup(path);
                nodes[nnodes++].value = strdup(value);
        }
}

int xen_store_read(struct xen_store *s, const char *path, char **value)
{
        const char *v = fake_store_get(path);

        *value = NULL;
        if (!v)
                return -ENOENT;
        if (*v == 1)
                return -EACCES;
        if (strlen(v) > 2048)
                return -EINVAL;
        *value = strdup(v);
        return 0;
}

int xen_store_write(struct xen_store *s, const char *path, const char *value)
{
        fake_store_set(path, value);
        return 0;
}

int xen_store_rm(struct xen_store *s, const char *path)
{
        size_t n = strlen(path);

        for (unsigned i = 0; i < nnodes;) {
                const char *p = nodes[i].path;

                if (strncmp(p, path, n) || (p[n] && p[n] != '/')) {
                        i++;
                        continue;
                }
                free(nodes[i].path);
                free(nodes[i].value);
                nodes[i] = nodes[--nnodes];
        }
        return 0;
}

int xen_store_list(struct xen_store *s, const char *path, char ***names,
                   unsigned *n)
{
        size_t dir = strlen(path), text = 0;
        char *at;

        for (unsigned i = 0; i < nnodes; i++)
                text += strlen(nodes[i].path) + 1;
        *n = 0;
        *names = malloc(nnodes * sizeof(char *) + text + 1);
        at = (char *)(*names + nnodes);
        /* A node that has children is there, written or not; twice does not
         * matter to who removes what is listed. */
        for (unsigned i = 0; i < nnodes; i++) {
                const char *p = nodes[i].path;
                size_t len;

                if (strncmp(p, path, dir) || p[dir] != '/')
                        continue;
                len = strcspn(p + dir + 1, "/");
                memcpy(at, p + dir + 1, len);
                at[len] = '\0';
                (*names)[(*n)++] = at;
                at += len + 1;
        }
        return 0;
}

int xen_store_transaction(struct xen_store *s,
                          int (*body)(struct xen_store *s, void *arg),
                          void *arg)
{
        return body(s, arg);
}
