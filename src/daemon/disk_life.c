/* SPDX-License-Identifier: MIT */
/* A disk's life: the steps of the connect table. */
#include "disk.h"

#include "common/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Less than a toolstack waits: libxl's and `evergrant detach` have 10 s. */
#define CLOSE_PATIENCE_US (5 * UINT64_C(1000000))

/* The frontend has moved since the look: what followed from it is void. */
static void look_again(struct disk *k)
{
        k->failed = false;
        k->error[0] = '\0';
        disk_detach(k, DISK_AFTER_RESTART);
}

static void close_disk(struct disk *k)
{
        if (k->view.own != XENBUS_CLOSING &&
            disk_write_closing(k) == -ECANCELED)
                look_again(k);
        else
                disk_detach(k, DISK_AFTER_CLOSE);
}

void disk_fail(struct disk *k, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(k->error, sizeof(k->error), fmt, ap);
        va_end(ap);
        k->failed = true;
        k->failed_front = k->view.front;
        if (k->view.own == XENBUS_CLOSING || k->view.own == XENBUS_CLOSED) {
                (void)disk_write_error(k);
        } else if (disk_write_failed(k) == -ECANCELED) {
                log_debug("domain %u %s: %s; but the frontend has moved",
                          k->domid, k->name, k->error);
                look_again(k);
                return;
        }
        disk_log(k, LOG_LVL_ERR, "%s", k->error);
        if (k->nrings || k->view.own != XENBUS_CLOSED)
                disk_detach(k, DISK_AFTER_CLOSE);
}

static void unexpected_state(struct disk *k, enum connect_own own)
{
        disk_fail(k, "unexpected state: this end is %s (%d), the frontend %s",
                  connect_own_name(own), k->view.own,
                  xenbus_state_name(k->view.front));
}

/* ---- steps
 * -------------------------------------------------------------------*/

static bool same_store(const struct disk_config *a, const struct disk_config *b)
{
        return a->target && b->target && strcmp(a->target, b->target) == 0 &&
               a->readonly == b->readonly;
}

/* The nodes as they are now; the store stays open if it is still the one. */
static int load_config(struct disk *k, struct err *e)
{
        struct disk_config c;
        int ret = disk_config_read(k, &c, e);

        if (ret < 0)
                return ret;
        if (!same_store(&k->config, &c))
                disk_close_store(k);
        disk_config_release(&k->config);
        k->config = c;
        return 0;
}

/* A live guest waits for this disk, and state 5 would take it away for good:
 * it stays as it is, and is tried again at each patrol. */
static void hold(struct disk *k, const struct err *e)
{
        scan_hurry(k->daemon);
        if (strcmp(k->error, e->text) == 0)
                return;
        snprintf(k->error, sizeof(k->error), "%s", e->text);
        disk_log(k, LOG_LVL_ERR, "the guest waits: %s; trying again", k->error);
}

static int check_block(struct disk *k, struct err *e)
{
        struct store_info info;

        store_info(k->store, &info);
        if (info.size_bytes % k->config.block_bytes == 0)
                return 0;
        return err_set(e, -EINVAL,
                       "the size of %s is no multiple of %u, its eg-block-size",
                       k->config.target, k->config.block_bytes);
}

/* The frontend has one directory for both kinds: it cannot have both. */
static int check_alone(struct disk *k, struct err *e)
{
        const struct disk *other =
                disk_find(k->daemon, k->kind == DISK_XL ? DISK_OWN : DISK_XL,
                          k->domid, k->vdev);

        if (!other || other->view.gone || other->view.dead)
                return 0;
        return err_set(e, -EEXIST,
                       "%s of domain %u is taken by a disk that `%s` made "
                       "(%s); detach that one first",
                       k->name, k->domid,
                       k->kind == DISK_XL ? "evergrant attach" : "xl",
                       other->config.target ? other->config.target
                                            : "not served yet");
}

struct connect_offer disk_offer(const struct disk *k)
{
        /* xen-blkback's offer may have been taken before the script unbound it:
         * as many rings as it asked for are served, if not all in parallel. */
        return (struct connect_offer){k->config.ring_order,
                                      k->kind == DISK_XL ? CONNECT_MAX_QUEUES
                                                         : k->config.queues};
}

int disk_prepare(struct disk *k)
{
        struct err e = {0};
        int ret = load_config(k, &e);

        if (ret == 0)
                ret = check_alone(k, &e);
        if (ret == 0 && !k->store)
                ret = disk_open_store(k, &e);
        if (ret == 0)
                ret = check_block(k, &e);
        if (ret == 0)
                return 0;
        if (!disk_store_answers(k)) {
                scan_store_trouble(k->daemon);
                return -ENOTCONN;
        }
        if (k->view.own == XENBUS_CONNECTED && ret != -ESTALE)
                hold(k, &e);
        else
                disk_fail(k, "%s", e.text);
        return ret;
}

static void offer(struct disk *k, enum connect_own own)
{
        int ret;

        if (own == CONNECT_NEW) {
                disk_close_store(k);
                k->failed = false;
        }
        if (disk_prepare(k) < 0)
                return;
        ret = disk_write_offer(k);
        if (ret == -ENOENT || ret == -ECANCELED || ret == -ENOTCONN ||
            ret == -EAGAIN)
                return; /* the next look tells */
        if (ret < 0) {
                disk_fail(k, "cannot write the disk's nodes: %s",
                          strerror(-ret));
                return;
        }
        k->error[0] = '\0';
        disk_log(k, LOG_LVL_INFO, "offers %s%s", k->config.target,
                 k->config.readonly ? ", read-only" : "");
}

static void attach(struct disk *k)
{
        struct connect_offer offer;
        struct err e = {0};
        int ret;

        if (!k->store && disk_prepare(k) < 0)
                return;
        /* Made anew meanwhile, it has other contents. */
        ret = disk_check_own(k);
        if (ret == -ENOTCONN)
                scan_store_trouble(k->daemon);
        if (ret < 0)
                return;
        offer = disk_offer(k);
        k->tried = DISK_TRIED_KEYS;
        if (disk_front_keys(k, &offer, &k->keys, &e) == 0) {
                if (!disk_offers_persistent(k))
                        k->keys.persistent = false; /* both have to want it */
                disk_attach(k, false, false);
        } else if (disk_store_answers(k)) {
                k->tried = DISK_TRIED_BAD_KEYS;
                disk_fail(k, "%s", e.text);
        } else {
                scan_store_trouble(k->daemon);
        }
}

static void remove_disk(struct disk *k)
{
        if (k->adopted)
                disk_log(k, LOG_LVL_INFO, "%s, lets go",
                         k->view.gone ? "its nodes are gone"
                                      : "the domain has ended");
        disk_detach(k, DISK_AFTER_REMOVE);
}

static void step(struct disk *k, enum connect_own own,
                 enum connect_action action)
{
        switch (action) {
        case CONNECT_NONE:
                return;
        case CONNECT_ANNOUNCE:
                (void)disk_write_announce(k); /* the next look tells */
                return;
        case CONNECT_OFFER:
                offer(k, own);
                return;
        case CONNECT_ATTACH:
                attach(k);
                return;
        case CONNECT_REATTACH:
                disk_reattach(k);
                return;
        case CONNECT_CLOSE:
        case CONNECT_FINISH:
                disk_log(k, LOG_LVL_INFO, "closes (the frontend is %s%s)",
                         xenbus_state_name(k->view.front),
                         k->view.online ? "" : ", to be detached");
                close_disk(k);
                return;
        case CONNECT_RELEASE:
                disk_close_store(k);
                return;
        case CONNECT_RESTART:
                disk_detach(k, DISK_AFTER_RESTART);
                return;
        case CONNECT_REMOVE:
                remove_disk(k);
                return;
        case CONNECT_UNDEFINED:
        case CONNECT_UNEXPECTED:
                break;
        }
        unexpected_state(k, own);
}

/* The error is over when the frontend has moved, or the disk is made anew. */
static void unlatch(struct disk *k)
{
        if (k->failed && (k->view.front != k->failed_front ||
                          k->view.own == XENBUS_INITIALISING))
                k->failed = false;
}

/* A disk that is taken away cannot be kept by a guest that does not answer:
 * its frontend hangs, was killed, or is hostile. */
static bool out_of_patience(struct disk *k, enum connect_own own)
{
        uint64_t now_us = clock_ns() / 1000;

        if (own != CONNECT_ENDING || k->view.online) {
                k->asked_us = 0;
                return false;
        }
        if (!k->asked_us)
                k->asked_us = now_us;
        scan_hurry(k->daemon);
        return now_us - k->asked_us >= CLOSE_PATIENCE_US;
}

static enum connect_own own_of(const struct disk *k)
{
        if (k->nrings || k->view.hook == DISK_HOOK_DONE)
                return connect_own(k->view.own, k->nrings > 0, k->failed);
        return connect_own_scripted(k->view.own,
                                    k->view.hook == DISK_HOOK_READY, k->failed);
}

void disk_reconcile(struct disk *k)
{
        struct connect_input in;
        enum connect_action action;
        int ret;

        if (k->removed)
                return;
        if (!disk_is_settled(k)) {
                if (!k->pending) /* else the callback looks again */
                        disk_settle(k);
                return;
        }
        if (k->daemon->stopping)
                return;
        if (disk_is_paused(k)) {
                scan_hurry(k->daemon);
                return;
        }
        ret = disk_look(k);
        if (ret == -ENOTCONN)
                scan_store_trouble(k->daemon);
        if (ret < 0)
                return;
        k->tried = DISK_TRIED_NOTHING;
        (void)scan_watch_front(k->daemon, k);
        unlatch(k);
        if (!k->adopted && !k->view.gone && !k->view.dead) {
                k->adopted = true;
                if (disk_adopt(k) < 0)
                        return;
        }
        if (!k->view.gone && !k->view.dead)
                disk_announce_due(k);
        if (k->job != DISK_IDLE)
                return;
        in = (struct connect_input){
                .own = own_of(k),
                .front = k->view.front,
                .online = k->view.online,
                .dead = k->view.gone || k->view.dead,
        };
        action = connect_action(&in);
        if (out_of_patience(k, in.own) && action == CONNECT_NONE)
                action = CONNECT_FINISH;
        if (action != CONNECT_NONE)
                log_debug("domain %u %s: own %s, frontend %s, %s%s: %s",
                          k->domid, k->name, connect_own_name(in.own),
                          xenbus_state_name(in.front),
                          in.online ? "online" : "offline",
                          in.dead ? ", dead" : "", connect_action_name(action));
        step(k, in.own, action);
}

void disk_stop(struct disk *k)
{
        /* Attaching or detaching: its callback comes here, or ends it. */
        if (k->job == DISK_IDLE && k->nrings)
                disk_detach(k, DISK_AFTER_STOP);
}
