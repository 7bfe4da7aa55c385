/* SPDX-License-Identifier: MIT */
/* Writing xenstore for one disk, each time in one transaction that first looks
 * whether the nodes are still there and the state is still what the step
 * began with: the toolstack may remove or close the disk at any moment. */
#include "disk.h"

#include "ring/features.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BIT(state) (1u << (state))
#define ANY_STATE (~0u)

struct change {
        struct disk *disk;
        unsigned from; /* bits of states that it may begin in */
        int (*write)(struct xen_store *s, struct disk *k);
        enum xenbus_state state; /* to write at the end; UNKNOWN: none */
};

/* What the look saw is what a step follows from. A look reads what an event
 * has named: the frontend's state may be that of a disk that was made anew,
 * ours still the former one's. */
static unsigned as_seen(const struct disk *k)
{
        return BIT(k->view.own);
}

static int put(struct xen_store *s, struct disk *k, const char *key,
               const char *value)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", k->base, key);
        return xen_store_write(s, path, value);
}

static int put_number(struct xen_store *s, struct disk *k, const char *key,
                      uint64_t value)
{
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        return put(s, k, key, text);
}

static int drop(struct xen_store *s, struct disk *k, const char *key)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", k->base, key);
        return xen_store_rm(s, path);
}

/* Where there is a state, there is the rest. */
static int look_for_nodes(struct xen_store *s, const struct disk *k)
{
        CLEANUP_FREE char *value = NULL;
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/frontend-id", k->base);
        return xen_store_read(s, path, &value);
}

static int change_body(struct xen_store *s, void *arg)
{
        const struct change *c = arg;
        struct disk *k = c->disk;
        char path[XEN_STORE_PATH_BYTES];
        enum xenbus_state state;
        int ret;

        snprintf(path, sizeof(path), "%s/state", k->base);
        state = xen_store_read_state(s, path);
        ret = state == XENBUS_UNKNOWN ? look_for_nodes(s, k) : 0;
        if (ret == 0 && k->kind == DISK_XL)
                ret = disk_check_script(s, k->base);
        if (ret < 0)
                return ret;
        if (!(BIT(state) & c->from))
                return -ECANCELED;
        ret = c->write ? c->write(s, k) : 0;
        if (ret == 0 && c->state != XENBUS_UNKNOWN)
                ret = put_number(s, k, "state", c->state);
        return ret;
}

static int change(const struct change *c)
{
        struct daemon *d = c->disk->daemon;
        struct xen_store *s = disk_conn(c->disk);
        int ret;

        if (!s)
                return -ENOTCONN;
        /* The end of a daemon is worth its tries: nothing comes after it. */
        if (disk_is_paused(c->disk) && !d->stopping)
                return -EAGAIN;
        ret = xen_store_transaction(s, change_body, (void *)c);
        if (ret == 0 && c->state != XENBUS_UNKNOWN)
                c->disk->view.own = c->state;
        if (ret == 0 || ret == -ENOENT || ret == -ECANCELED)
                return ret;
        if (!disk_conn_answers(s)) {
                scan_store_trouble(d);
                return -ENOTCONN;
        }
        if (ret == -EAGAIN)
                disk_pause(c->disk);
        disk_log(c->disk, LOG_LVL_ERR, "cannot write to xenstore: %s",
                 strerror(-ret));
        return ret;
}

int disk_write_closed(struct disk *k)
{
        /* 6 only ends what 5 began: the toolstack may have made the disk anew
         * while its ring was let go. */
        return change(&(struct change){.disk = k,
                                       .from = BIT(XENBUS_CLOSING),
                                       .state = XENBUS_CLOSED});
}

/* ---- features --------------------------------------------------------------
 */

struct key_writer {
        struct xen_store *store;
        struct disk *disk;
};

static int write_key(void *arg, const char *name, uint64_t value)
{
        const struct key_writer *w = arg;

        return put_number(w->store, w->disk, name, value);
}

static uint64_t info_bits(const struct disk *k)
{
        return (k->config.cdrom ? BLK_INFO_CDROM : 0) |
               (k->config.removable ? BLK_INFO_REMOVABLE : 0) |
               (k->config.readonly ? BLK_INFO_READONLY : 0);
}

static void features_of(const struct disk *k, uint64_t *value)
{
        struct store_info info;
        struct blk_limits lim;

        store_info(k->store, &info);
        disk_limits(k, &lim);
        blk_keys_defaults(blk_back_keys, BLK_BACK_KEYS, value);
        value[BLK_BACK_MAX_INDIRECT_SEGS] = lim.max_indirect_segs;
        value[BLK_BACK_MAX_QUEUES] = k->config.queues;
        value[BLK_BACK_MAX_RING_ORDER] = k->config.ring_order;
        value[BLK_BACK_PERSISTENT] = disk_offers_persistent(k);
        value[BLK_BACK_FLUSH] = lim.flush;
        value[BLK_BACK_BARRIER] = lim.barrier;
        value[BLK_BACK_DISCARD] = lim.discard;
        value[BLK_BACK_SECTORS] = lim.sectors;
        value[BLK_BACK_SECTOR_BYTES] = lim.block_bytes;
        value[BLK_BACK_PHYSICAL_SECTOR_BYTES] =
                max_u64(info.block_bytes, lim.block_bytes);
        value[BLK_BACK_DISCARD_GRANULARITY] =
                lim.discard ? max_u64(info.discard_granularity_bytes,
                                      lim.block_bytes)
                            : lim.block_bytes;
        value[BLK_BACK_DISCARD_SECURE] = lim.discard_secure;
        value[BLK_BACK_INFO] = info_bits(k);
}

/* Every key explicitly: some frontends refuse what is absent (Q8). All but one
 * with the offer, which is made when nobody waits, so that little is left to
 * write while a guest does: "sectors" tells that the disk was connected once,
 * and so has contents (adopt.c). */
static int write_features(struct xen_store *s, struct disk *k, bool connected)
{
        struct key_writer w = {s, k};
        uint64_t value[BLK_BACK_KEYS];
        int ret = 0;

        features_of(k, value);
        for (unsigned i = 0; i < BLK_BACK_KEYS && ret == 0; i++) {
                bool told = (k->told & BIT(i)) && k->feature[i] == value[i];

                if (connected ? told : i == BLK_BACK_SECTORS)
                        continue;
                ret = blk_keys_write(&blk_back_keys[i], 1,
                                     connected ? BLK_KEY_CONNECT : BLK_KEY_ANY,
                                     &value[i], write_key, &w);
        }
        return ret;
}

/* A guest that has the disk attached while it runs negotiates on these as soon
 * as it sees state 2. */
static int write_announce(struct xen_store *s, struct disk *k)
{
        int ret = put_number(s, k, blk_back_keys[BLK_BACK_MAX_QUEUES].name,
                             k->daemon->nthreads);

        if (ret == 0)
                ret = put_number(s, k,
                                 blk_back_keys[BLK_BACK_MAX_RING_ORDER].name,
                                 BLK_MAX_RING_ORDER);
        return ret;
}

int disk_write_announce(struct disk *k)
{
        return change(&(struct change){.disk = k,
                                       .from = BIT(XENBUS_INITIALISING),
                                       .write = write_announce,
                                       .state = XENBUS_INIT_WAIT});
}

/* What the driver wrote that had the device before us. */
static int forget_features(struct xen_store *s, struct disk *k)
{
        int ret = 0;

        for (unsigned i = 0; i < BLK_BACK_KEYS && ret == 0; i++)
                ret = drop(s, k, blk_back_keys[i].name);
        return ret;
}

static int write_offer(struct xen_store *s, struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES];
        int ret = 0;

        if (k->kind == DISK_XL) {
                ret = forget_features(s, k);
                if (ret == 0)
                        ret = put(s, k, "eg-hook", "done");
        }
        if (ret == 0)
                ret = write_features(s, k, false);
        snprintf(path, sizeof(path), "error/%s", k->base);
        if (ret == 0)
                ret = xen_store_rm(s, path);
        if (ret == 0)
                ret = drop(s, k, "hotplug-error");
        if (ret == 0)
                ret = drop(s, k, "eg-stopped");
        if (ret == 0)
                ret = put(s, k, "hotplug-status", "connected");
        return ret;
}

int disk_write_offer(struct disk *k)
{
        int ret;

        k->told = 0;
        ret = change(&(struct change){.disk = k,
                                      .from = as_seen(k),
                                      .write = write_offer,
                                      .state = XENBUS_INIT_WAIT});
        if (ret == 0) {
                features_of(k, k->feature);
                k->told = BIT(BLK_BACK_KEYS) - 1u - BIT(BLK_BACK_SECTORS);
        }
        return ret;
}

/* ---- the frontend may have moved since the look ------------------------- */

static bool same_rings(const struct connect_keys *a,
                       const struct connect_keys *b)
{
        if (a->nrings != b->nrings || a->ring_order != b->ring_order)
                return false;
        for (unsigned i = 0; i < a->nrings; i++)
                if (a->rings[i].event_channel != b->rings[i].event_channel ||
                    memcmp(a->rings[i].refs, b->rings[i].refs,
                           sizeof(a->rings[i].refs[0]) << a->ring_order) != 0)
                        return false;
        return true;
}

static enum xenbus_state front_state(struct xen_store *s, struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES];

        snprintf(path, sizeof(path), "%s/state", k->front);
        return xen_store_read_state(s, path);
}

static bool keys_are_still(struct disk *k)
{
        const struct connect_offer offer = disk_offer(k);
        struct connect_keys now;

        if (k->tried == DISK_TRIED_BAD_KEYS)
                return disk_front_keys(k, &offer, &now, NULL) < 0;
        return disk_check_front(k, NULL) == 0 &&
               connect_keys_rings(disk_read_front, k, &offer, &now, NULL) ==
                       0 &&
               same_rings(&now, &k->keys);
}

/* Attaching takes its time. A guest's program that ended and came back
 * meanwhile has another ring, and would take state 4 for that one (found by
 * tests/model/spin/connect.pml). */
static bool ring_is_still(struct xen_store *s, struct disk *k)
{
        enum xenbus_state front = front_state(s, k);

        return (front == XENBUS_INITIALISED || front == XENBUS_CONNECTED) &&
               keys_are_still(k);
}

/* Closing takes the disk away from whoever is there by now, and a program
 * that follows a killed one passes through 6 on its way to 1 (the same model).
 * So it has to be the one that the look saw, with the keys that failed. */
static bool front_is_still(struct xen_store *s, struct disk *k)
{
        return front_state(s, k) == k->view.front &&
               (k->tried == DISK_TRIED_NOTHING || keys_are_still(k));
}

static int write_connected(struct xen_store *s, struct disk *k)
{
        return ring_is_still(s, k) ? write_features(s, k, true) : -ECANCELED;
}

int disk_write_connected(struct disk *k)
{
        return change(&(struct change){.disk = k,
                                       .from = BIT(XENBUS_INIT_WAIT) |
                                               BIT(XENBUS_INITIALISED),
                                       .write = write_connected,
                                       .state = XENBUS_CONNECTED});
}

static int write_sectors(struct xen_store *s, struct disk *k)
{
        struct blk_limits lim;

        disk_limits(k, &lim);
        return put_number(s, k, "sectors", lim.sectors);
}

int disk_write_sectors(struct disk *k)
{
        /* State written as it was makes the frontend read the size again. */
        return change(&(struct change){.disk = k,
                                       .from = BIT(XENBUS_CONNECTED),
                                       .write = write_sectors,
                                       .state = XENBUS_CONNECTED});
}

static int write_closing(struct xen_store *s, struct disk *k)
{
        return front_is_still(s, k) ? 0 : -ECANCELED;
}

int disk_write_closing(struct disk *k)
{
        return change(&(struct change){.disk = k,
                                       .from = as_seen(k),
                                       .write = write_closing,
                                       .state = XENBUS_CLOSING});
}

/* ---- errors, marks
 * ----------------------------------------------------------- */

static int write_error(struct xen_store *s, struct disk *k)
{
        char path[XEN_STORE_PATH_BYTES];
        int ret;

        /* The sentence first: who waits for the status reads it then. */
        ret = put(s, k, "hotplug-error", k->error);
        if (ret == 0)
                ret = put(s, k, "hotplug-status", "error");
        snprintf(path, sizeof(path), "error/%s/error", k->base);
        if (ret == 0)
                ret = xen_store_write(s, path, k->error);
        return ret;
}

static int write_failed(struct xen_store *s, struct disk *k)
{
        return front_is_still(s, k) ? write_error(s, k) : -ECANCELED;
}

int disk_write_failed(struct disk *k)
{
        return change(&(struct change){.disk = k,
                                       .from = as_seen(k),
                                       .write = write_failed,
                                       .state = XENBUS_CLOSING});
}

int disk_write_error(struct disk *k)
{
        return change(&(struct change){
                .disk = k, .from = ANY_STATE, .write = write_error});
}

static int write_target(struct xen_store *s, struct disk *k)
{
        return put(s, k, "params", k->config.target);
}

int disk_write_target(struct disk *k)
{
        return change(&(struct change){
                .disk = k, .from = ANY_STATE, .write = write_target});
}

static int write_stopped(struct xen_store *s, struct disk *k)
{
        return put(s, k, "eg-stopped", "clean");
}

int disk_write_stopped(struct disk *k)
{
        return change(&(struct change){.disk = k,
                                       .from = BIT(XENBUS_CONNECTED),
                                       .write = write_stopped});
}

static int clear_stopped(struct xen_store *s, struct disk *k)
{
        return drop(s, k, "eg-stopped");
}

int disk_clear_stopped(struct disk *k)
{
        return change(&(struct change){
                .disk = k, .from = as_seen(k), .write = clear_stopped});
}
