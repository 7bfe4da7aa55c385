/* SPDX-License-Identifier: MIT */
/* What the toolstack and a backend write, as the frontend library reads it.
 * Input: flags and rings, ring order, then lines f/KEY=VALUE (our directory) or
 * b/KEY=VALUE (the backend's). What the library publishes afterwards must
 * satisfy our own backend, whatever was there before. */
#include "fuzz.h"

#include <errno.h>
#include <regex.h>

#include "back/connect_keys.h"
#include "fake_store.h"
#include "front/front.h"
#include "ring/features.h"

#define F "/local/domain/5/device/vbd/51712"
#define B "/local/domain/0/backend/vbd/5/51712"

static struct eg_disk disk;
static char back[XEN_STORE_PATH_BYTES];

static void parse_nodes(struct input *in)
{
        char *line, path[400];

        while ((line = in_line(in))) {
                char *equals = strchr(line, '=');

                if (equals && (line[0] == 'f' || line[0] == 'b') &&
                    line[1] == '/' && equals - line < 200) {
                        *equals = '\0';
                        snprintf(path, sizeof(path), "%s/%s",
                                 line[0] == 'f' ? F : B, line + 2);
                        fake_store_set(path, equals + 1);
                }
                free(line);
        }
}

static bool matches(const char *pattern, const char *text)
{
        regex_t re;
        bool ok;

        must(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) == 0, "regcomp");
        ok = regexec(&re, text, 0, NULL, 0) == 0;
        regfree(&re);
        return ok;
}

/* Is the backend's path one that its domain may have for this disk? */
static bool path_good(void)
{
        const char *path = fake_store_get(F "/backend");
        const char *id = fake_store_get(F "/backend-id");
        const char *named;
        char pattern[128], node[400];

        if (!path || !id || *path == 1 || strlen(path) > 2048 ||
            !matches("^[0-9]+$", id) || strtoull(id, NULL, 10) > 0x7fef)
                return false;
        snprintf(pattern, sizeof(pattern),
                 "^/local/domain/%llu/backend/[a-z0-9_-]{1,31}/5/51712$",
                 strtoull(id, NULL, 10));
        if (!matches(pattern, path))
                return false;
        snprintf(node, sizeof(node), "%s/frontend", path);
        named = fake_store_get(node);
        if (named && *named != 1 && strlen(named) <= 2048 &&
            strcmp(named, F) != 0)
                return false;
        snprintf(node, sizeof(node), "%s/frontend-id", path);
        named = fake_store_get(node);
        return !named || !matches("^[0-9]+$", named) ||
               strtoull(named, NULL, 10) > 0x7fef ||
               strtoull(named, NULL, 10) == 5;
}

static void find(void)
{
        struct err e = {0};
        int ret = front_keys_find(&disk, &e);

        must((ret == 0) == path_good(), "%d: %s", ret, e.text);
        must(ret == 0 || e.text[0], "no sentence");
        must(ret != 0 || !strcmp(disk.back_path, fake_store_get(F "/backend")),
             "path");
        snprintf(disk.back_path, sizeof(disk.back_path), "%s", back);
}

static bool power_of_two(uint64_t v, uint64_t min, uint64_t max)
{
        return v >= min && v <= max && (v & (v - 1)) == 0;
}

static void facts(void)
{
        struct front_facts f;
        struct err e = {0};
        int ret = front_keys_facts(&disk, &f, &e);
        uint64_t sectors = front_keys_sectors(&disk);

        must(sectors <= 1ull << 54, "sectors");
        if (ret < 0) {
                must(e.text[0], "no sentence");
                return;
        }
        must(power_of_two(f.block_bytes, 512, 4096), "block");
        must(power_of_two(f.physical_bytes, 512, 1u << 31), "physical");
        must(f.sectors && f.sectors <= sectors &&
                     f.sectors % (f.block_bytes / 512) == 0,
             "sectors");
        must(!f.discard ||
                     power_of_two(f.discard_granularity_bytes, 512, 1u << 31),
             "granularity");
        must(f.readonly || !fake_store_get(B "/mode") ||
                     strcmp(fake_store_get(B "/mode"), "r") != 0,
             "read-only");
}

static int read_key(void *arg, const char *name, uint64_t max, uint64_t absent,
                    uint64_t *value)
{
        char path[400];

        snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
        return xen_store_read_u64_or(disk.xs, path, max, absent, value);
}

static int write_key(void *arg, const char *name, uint64_t value)
{
        unsigned *n = arg;

        must(*name, "no name");
        (*n)++;
        return 0;
}

/* The tables of keys, both sides; what was read can be written. */
static void tables(void)
{
        uint64_t value[BLK_BACK_KEYS], front[BLK_FRONT_KEYS];
        const char *failed = NULL;
        unsigned n = 0;
        int ret;

        blk_keys_defaults(blk_back_keys, BLK_BACK_KEYS, value);
        ret = blk_keys_read(blk_back_keys, BLK_BACK_KEYS, value, read_key,
                            (void *)(uintptr_t)B, &failed);
        must((ret < 0) == (failed != NULL), "%d without a name", ret);
        for (unsigned i = 0; ret == 0 && i < BLK_BACK_KEYS; i++)
                must(value[i] <= blk_back_keys[i].max, "%s is over its bound",
                     blk_back_keys[i].name);
        if (ret == 0) {
                must(blk_keys_write(blk_back_keys, BLK_BACK_KEYS, BLK_KEY_ANY,
                                    value, write_key, &n) == 0,
                     "write");
                must(n == BLK_BACK_KEYS, "%u keys", n);
        }
        (void)blk_keys_read(blk_front_keys, BLK_FRONT_KEYS, front, read_key,
                            (void *)(uintptr_t)F, NULL);
}

static int read_front(void *arg, const char *key, char **value)
{
        char path[400];

        snprintf(path, sizeof(path), F "/%s", key);
        return xen_store_read(disk.xs, path, value);
}

/* Keys of a former connection that a backend would take for this one's. */
static void stale_keys(void)
{
        bool several = disk.nqueues > 1;
        char path[100];

        must(!fake_store_get(F "/ring-ref16") &&
                     !fake_store_get(F "/num-ring-pages"),
             "stale keys");
        must(!several || (!fake_store_get(F "/ring-ref") &&
                          !fake_store_get(F "/ring-ref0") &&
                          !fake_store_get(F "/event-channel")),
             "stale keys at the top");
        for (unsigned q = several ? disk.nqueues : 0; q < 20; q++) {
                snprintf(path, sizeof(path), F "/queue-%u/ring-ref", q);
                must(!fake_store_get(path), "stale keys of queue %u", q);
        }
}

static void publish(void)
{
        struct connect_keys k;
        struct err e = {0};

        must(front_keys_publish(&disk) == 0, "publish");
        must(connect_keys_read(read_front, NULL,
                               &(struct connect_offer){BLK_MAX_RING_ORDER, 16},
                               &k, &e) == 0,
             "our own backend: %s", e.text);
        must(k.ring_order == disk.order && k.nrings == disk.nqueues &&
                     k.abi == FRONT_ABI && k.persistent == disk.opts.persistent,
             "not what was published");
        for (unsigned q = 0; q < k.nrings; q++) {
                must(k.rings[q].event_channel == (uint32_t)disk.queue[q].port,
                     "port %u", q);
                must(!memcmp(k.rings[q].refs, disk.queue[q].ring_refs,
                             sizeof(uint32_t) << disk.order),
                     "refs of %u", q);
        }
        stale_keys();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        unsigned flags = in_u8(&in);

        fake_store_reset();
        memset(&disk, 0, sizeof(disk));
        disk.order = in_u8(&in) % (BLK_MAX_RING_ORDER + 1);
        disk.opts.persistent = flags & 1;
        disk.opts.untrusted_backend = flags & 2;
        disk.xs = fake_store();
        disk.self = 5;
        disk.vdev = 51712;
        disk.nqueues = 1 + (flags >> 2) % FRONT_MAX_QUEUES;
        for (unsigned q = 0; q < disk.nqueues; q++) {
                disk.queue[q].port = 7 + (int)q;
                for (unsigned i = 0; i < BLK_MAX_RING_PAGES; i++)
                        disk.queue[q].ring_refs[i] = 100 + 16 * q + i;
        }
        strcpy(disk.front_path, F);
        strcpy(disk.name, "xvda");
        strcpy(back, B);
        parse_nodes(&in);
        find();
        facts();
        tables();
        must((unsigned)front_keys_backend_state(&disk) < XENBUS_STATES, "back");
        must((unsigned)front_keys_own_state(&disk) < XENBUS_STATES, "own");
        (void)front_keys_offline(&disk);
        (void)front_keys_max_order(&disk);
        must(front_keys_untrusted(&disk) || !(flags & 2), "trusts");
        publish();
        front_keys_set_state(&disk, XENBUS_INITIALISED);
        must(front_keys_own_state(&disk) == XENBUS_INITIALISED, "state");
        fake_store_reset();
        return 0;
}
