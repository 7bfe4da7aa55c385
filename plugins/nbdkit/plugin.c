/* SPDX-License-Identifier: MIT */
/* nbdkit plugin: a Xen disk of this domain as an NBD export.
 *
 *      nbdkit evergrant vdev=xvda
 *
 * All connections share one disk, whose ring takes their requests together. */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evergrant.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static const char *vdev;
static struct eg_options opts;
static bool said_persistent;
static struct eg_disk *disk;

/* A write that is not on whole blocks reads, changes and writes its first and
 * last block; no other write may come in between. So those hold the lock
 * alone, and whole ones together. */
static pthread_rwlock_t partial_lock = PTHREAD_RWLOCK_INITIALIZER;

static void plugin_load(void)
{
        eg_options_init(&opts);
}

/* ---- configuration ------------------------------------------------------- */

static int config_mode(const char *value)
{
        if (strcmp(value, "pool") == 0) {
                opts.share_per_request = false;
        } else if (strcmp(value, "share") == 0) {
                opts.share_per_request = true;
        } else {
                nbdkit_error("mode=%s: give pool or share", value);
                return -1;
        }
        return 0;
}

static int config_bool(const char *value, bool *flag)
{
        int b = nbdkit_parse_bool(value);

        if (b < 0)
                return -1;
        *flag = b;
        return 0;
}

static int plugin_config(const char *key, const char *value)
{
        if (strcmp(key, "vdev") == 0) {
                vdev = value;
                return 0;
        }
        if (strcmp(key, "ring-order") == 0)
                return nbdkit_parse_unsigned("ring-order", value,
                                             &opts.ring_order);
        if (strcmp(key, "pool-pages") == 0)
                return nbdkit_parse_unsigned("pool-pages", value,
                                             &opts.pool_pages);
        if (strcmp(key, "indirect-segments") == 0)
                return nbdkit_parse_unsigned("indirect-segments", value,
                                             &opts.max_indirect_segs);
        if (strcmp(key, "queues") == 0)
                return nbdkit_parse_unsigned("queues", value, &opts.queues);
        if (strcmp(key, "persistent") == 0) {
                said_persistent = true;
                return config_bool(value, &opts.persistent);
        }
        if (strcmp(key, "untrusted") == 0)
                return config_bool(value, &opts.untrusted_backend);
        if (strcmp(key, "mode") == 0)
                return config_mode(value);
        nbdkit_error("unknown parameter '%s'; there are vdev, ring-order, "
                     "queues, indirect-segments, persistent, mode, "
                     "pool-pages and untrusted",
                     key);
        return -1;
}

static int plugin_config_complete(void)
{
        if (!vdev) {
                nbdkit_error("which disk? Give vdev=xvda, or another device "
                             "name or number");
                return -1;
        }
        if (opts.share_per_request && !said_persistent)
                opts.persistent = false;
        return 0;
}

#define CONFIG_HELP                                                           \
        "vdev=VDEV          (required) The disk: xvda, or a device number.\n" \
        "ring-order=N       1 << N pages for a ring, 0 to 4 (default 0).\n"   \
        "queues=N           Rings to use, 1 to 16 (default 1).\n"             \
        "indirect-segments=N  Pages in one request, 0 to 256 (default 32);\n" \
        "                   up to 11 turns indirect requests off.\n"          \
        "persistent=BOOL    Offer persistent grants (default true).\n"        \
        "mode=pool|share    Pages shared once, or for each request (default " \
        "pool).\n"                                                            \
        "pool-pages=N       Most pages a ring ever shared (default 1056).\n"  \
        "untrusted=BOOL     Zero pages before they are used again (default "  \
        "false)."

static void plugin_log(void *arg, enum eg_log_level level, const char *line)
{
        if (level <= EG_LOG_WARNING)
                nbdkit_error("%s: %s", vdev, line);
        else
                nbdkit_debug("%s: %s", vdev, line);
}

/* ---- life -------------------------------------------------------------------
 */

/* Not before the fork: a connected disk does not survive one. */
static int plugin_after_fork(void)
{
        opts.log = plugin_log;
        if (eg_open(&disk, vdev, &opts) < 0) {
                nbdkit_error("%s", eg_error());
                return -1;
        }
        return 0;
}

static void plugin_cleanup(void)
{
        eg_close(disk);
        disk = NULL;
}

static void *plugin_open(int readonly)
{
        return NBDKIT_HANDLE_NOT_NEEDED;
}

static void plugin_dump(void)
{
        printf("evergrant_modes=pool,share\n");
}

/* ---- what the export is
 * -------------------------------------------------------- */

static struct eg_info info_now(void)
{
        struct eg_info i;

        eg_info(disk, &i);
        return i;
}

static int64_t plugin_get_size(void *handle)
{
        return (int64_t)info_now().size_bytes;
}

static int plugin_can_write(void *handle)
{
        return !info_now().readonly;
}

static int plugin_can_flush(void *handle)
{
        return 1; /* without a cache it is done at once */
}

static int plugin_can_trim(void *handle)
{
        struct eg_info i = info_now();

        return i.can_discard && !i.readonly;
}

/* nbdkit writes the zeroes for us, which is nothing fast. */
static int plugin_can_fast_zero(void *handle)
{
        return 0;
}

/* One disk behind all connections: a flush on one covers the others. */
static int plugin_can_multi_conn(void *handle)
{
        return 1;
}

static int plugin_block_size(void *handle, uint32_t *minimum,
                             uint32_t *preferred, uint32_t *maximum)
{
        struct eg_info i = info_now();

        *minimum = i.block_bytes;
        *preferred = i.physical_block_bytes > 4096 &&
                                     i.physical_block_bytes <= 32u << 20
                             ? i.physical_block_bytes
                             : 4096;
        *maximum = UINT32_MAX;
        return 0;
}

/* ---- I/O
 * ------------------------------------------------------------------------- */

static int failed(int ret)
{
        nbdkit_error("%s", eg_error());
        nbdkit_set_error(-ret);
        return -1;
}

static bool whole_blocks(uint64_t offset, uint32_t count, uint32_t block)
{
        return ((offset | count) & (block - 1)) == 0;
}

/* The blocks around a range, in a buffer of their own. */
struct around {
        uint64_t offset;
        size_t bytes;
        char *mem, *at; /* at: the range itself */
};

static int around_init(struct around *a, uint64_t offset, uint32_t count,
                       uint32_t block)
{
        uint64_t end = (offset + count + block - 1) / block * block;

        a->offset = offset / block * block;
        a->bytes = (size_t)(end - a->offset);
        a->mem = malloc(a->bytes);
        a->at = a->mem ? a->mem + (offset - a->offset) : NULL;
        return a->mem ? 0 : -ENOMEM;
}

static int read_partial(void *buf, uint32_t count, uint64_t offset,
                        uint32_t block)
{
        struct around a;
        int ret = around_init(&a, offset, count, block);

        if (ret == 0)
                ret = eg_pread(disk, a.mem, a.bytes, a.offset);
        if (ret == 0)
                memcpy(buf, a.at, count);
        free(a.mem);
        return ret;
}

static int write_partial(const void *buf, uint32_t count, uint64_t offset,
                         uint32_t block)
{
        struct around a;
        int ret = around_init(&a, offset, count, block);

        if (ret == 0)
                ret = eg_pread(disk, a.mem, block, a.offset);
        if (ret == 0 && a.bytes > block)
                ret = eg_pread(disk, a.mem + a.bytes - block, block,
                               a.offset + a.bytes - block);
        if (ret == 0) {
                memcpy(a.at, buf, count);
                ret = eg_pwrite(disk, a.mem, a.bytes, a.offset);
        }
        free(a.mem);
        return ret;
}

static int plugin_pread(void *handle, void *buf, uint32_t count,
                        uint64_t offset, uint32_t flags)
{
        uint32_t block = info_now().block_bytes;
        int ret = whole_blocks(offset, count, block)
                          ? eg_pread(disk, buf, count, offset)
                          : read_partial(buf, count, offset, block);

        return ret < 0 ? failed(ret) : 0;
}

static int plugin_pwrite(void *handle, const void *buf, uint32_t count,
                         uint64_t offset, uint32_t flags)
{
        uint32_t block = info_now().block_bytes;
        bool whole = whole_blocks(offset, count, block);
        int ret;

        if (whole)
                pthread_rwlock_rdlock(&partial_lock);
        else
                pthread_rwlock_wrlock(&partial_lock);
        ret = whole ? eg_pwrite(disk, buf, count, offset)
                    : write_partial(buf, count, offset, block);
        pthread_rwlock_unlock(&partial_lock);
        return ret < 0 ? failed(ret) : 0;
}

static int plugin_flush(void *handle, uint32_t flags)
{
        int ret = eg_flush(disk);

        return ret < 0 ? failed(ret) : 0;
}

/* Only whole blocks: a trim is a hint, its ragged ends may stay. */
static int plugin_trim(void *handle, uint32_t count, uint64_t offset,
                       uint32_t flags)
{
        uint64_t block = info_now().block_bytes;
        uint64_t start = (offset + block - 1) / block * block;
        uint64_t end = (offset + count) / block * block;
        int ret = start < end ? eg_discard(disk, start, end - start) : 0;

        return ret < 0 ? failed(ret) : 0;
}

static struct nbdkit_plugin plugin = {
        .name = "evergrant",
        .version = EVERGRANT_VERSION,
        .longname = "Xen virtual disk over persistent grants",
        .description = "Exports a virtual disk (vbd) of this Xen domain.",
        .load = plugin_load,
        .config = plugin_config,
        .config_complete = plugin_config_complete,
        .config_help = CONFIG_HELP,
        .magic_config_key = "vdev",
        .dump_plugin = plugin_dump,
        .after_fork = plugin_after_fork,
        .cleanup = plugin_cleanup,
        .open = plugin_open,
        .get_size = plugin_get_size,
        .can_write = plugin_can_write,
        .can_flush = plugin_can_flush,
        .can_trim = plugin_can_trim,
        .can_fast_zero = plugin_can_fast_zero,
        .can_multi_conn = plugin_can_multi_conn,
        .block_size = plugin_block_size,
        .pread = plugin_pread,
        .pwrite = plugin_pwrite,
        .flush = plugin_flush,
        .trim = plugin_trim,
};

/* The macro defines it without a prototype. */
__attribute__((visibility("default"))) struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
