/* SPDX-License-Identifier: MIT */
/* What the toolstack asked for, from the backend's directory only. */
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int check_ends(struct disk *k, struct err *e)
{
        CLEANUP_FREE char *front = NULL;
        uint32_t owner;
        uint64_t domid;
        int ret = xen_store_owner(disk_conn(k), k->base, &owner);

        /* Libxl and `evergrant attach` give them to the backend's domain. */
        if (ret < 0 || (owner != k->daemon->self_domid && owner != 0))
                return err_set(e, -EINVAL, "they are not the toolstack's");
        ret = disk_read_number(k, "frontend-id", UINT32_MAX, 0, &domid);
        if (ret < 0 || domid != k->domid)
                return err_set(e, -EINVAL,
                               "frontend-id is not %u, as the path %s says",
                               k->domid, k->base);
        ret = disk_read(k, "frontend", &front);
        /* Another path would let one guest speak for another (XSA-57). */
        if (ret < 0 || strcmp(front, k->front) != 0)
                return err_set(e, -EINVAL, "frontend is not %s", k->front);
        return 0;
}

static int read_bool(struct disk *k, const char *key, bool absent, bool *value,
                     struct err *e)
{
        uint64_t v;

        if (disk_read_number(k, key, 1, absent, &v) < 0)
                return err_set(e, -EINVAL, "%s is not 0 or 1", key);
        *value = v == 1;
        return 0;
}

static int read_mode(struct disk *k, struct disk_config *c, struct err *e)
{
        CLEANUP_FREE char *mode = NULL;
        CLEANUP_FREE char *type = NULL;

        if (disk_read(k, "mode", &mode) < 0 ||
            (strcmp(mode, "r") != 0 && strcmp(mode, "w") != 0))
                return err_set(e, -EINVAL, "mode is not r or w");
        c->readonly = mode[0] == 'r';
        if (disk_read(k, "device-type", &type) == 0)
                c->cdrom = strcmp(type, "cdrom") == 0;
        return 0;
}

/* Rings, and the logical block. */
static int read_shape(struct disk *k, struct disk_config *c, struct err *e)
{
        uint64_t v;

        if (disk_read_number(k, "eg-queues", UINT32_MAX, k->daemon->nthreads,
                             &v) < 0 ||
            v == 0)
                return err_set(e, -EINVAL, "eg-queues is not a number over 0");
        c->queues = (unsigned)min_u64(v, CONNECT_MAX_QUEUES);
        if (disk_read_number(k, "eg-block-size", GRANT_PAGE_BYTES, SECTOR_BYTES,
                             &v) < 0 ||
            (v != SECTOR_BYTES && v != GRANT_PAGE_BYTES))
                return err_set(e, -EINVAL, "eg-block-size is not 512 or 4096");
        c->block_bytes = (uint32_t)v;
        return 0;
}

/* The keys of `evergrant attach`, all optional. */
static int read_own_keys(struct disk *k, struct disk_config *c, struct err *e)
{
        CLEANUP_FREE char *grants = NULL;
        uint64_t v;
        int ret = disk_read(k, "eg-grants", &grants);

        c->grants = BACK_AUTO;
        if (ret != -ENOENT &&
            (ret < 0 || back_grants_parse(grants, &c->grants) < 0))
                return err_set(e, -EINVAL,
                               "eg-grants is not auto, persistent, map or "
                               "copy");
        if (disk_read_number(k, "eg-ring-order", BLK_MAX_RING_ORDER,
                             BLK_MAX_RING_ORDER, &v) < 0)
                return err_set(e, -EINVAL,
                               "eg-ring-order is not a number from 0 to %u",
                               BLK_MAX_RING_ORDER);
        c->ring_order = (unsigned)v;
        if (disk_read_number(k, "eg-max-persistent", UINT32_MAX, UINT64_MAX,
                             &v) < 0)
                return err_set(e, -EINVAL, "eg-max-persistent is not a number");
        c->cap_given = v != UINT64_MAX;
        c->cap = c->cap_given ? (uint32_t)v : 0;
        return read_shape(k, c, e);
}

static int read_target(struct disk *k, struct disk_config *c, struct err *e)
{
        if (disk_read(k, "params", &c->target) < 0 || *c->target == '\0')
                return err_set(e, -EINVAL,
                               "params is empty: it has to name what the disk "
                               "holds");
        /* Relative to what? xl's directory is not ours. */
        if (k->kind == DISK_XL && *c->target != '/' && !strchr(c->target, ':'))
                return err_set(e, -EINVAL,
                               "target=%s is no absolute path and no driver's "
                               "(as in ram:64M)",
                               c->target);
        return 0;
}

void disk_config_release(struct disk_config *c)
{
        free(c->target);
        *c = (struct disk_config){0};
}

int disk_config_read(struct disk *k, struct disk_config *c, struct err *e)
{
        int ret;

        *c = (struct disk_config){0};
        ret = check_ends(k, e);
        if (ret == 0)
                ret = read_mode(k, c, e);
        if (ret == 0)
                ret = read_bool(k, "discard-enable", true, &c->discard, e);
        if (ret == 0)
                ret = read_bool(k, "removable", false, &c->removable, e);
        if (ret == 0)
                ret = read_own_keys(k, c, e);
        if (ret == 0)
                ret = read_target(k, c, e);
        if (ret < 0) {
                disk_config_release(c);
                err_prefix(e, "the disk's nodes in %s are wrong", k->base);
        }
        return ret;
}
