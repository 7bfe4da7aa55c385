/* SPDX-License-Identifier: MIT */
#include "connect_keys.h"

#include "common/log.h"
#include "common/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct source {
        connect_read read;
        void *arg;
        struct err *e;
};

/* 0, -ENOENT without a sentence, or an error with one. */
static int read_number(const struct source *s, const char *key, uint64_t max,
                       uint64_t *value)
{
        CLEANUP_FREE char *text = NULL;
        char shown[64];
        int ret = s->read(s->arg, key, &text);

        if (ret == -ENOENT)
                return ret;
        if (ret < 0)
                return err_set(s->e, ret,
                               "the frontend's %s cannot be read: %s", key,
                               strerror(-ret));
        ret = parse_u64(text, max, value);
        if (ret < 0) {
                log_escape(shown, sizeof(shown), text, strlen(text));
                return err_set(s->e, -EINVAL,
                               "the frontend's %s is \"%s\", not a number from "
                               "0 to %" PRIu64,
                               key, shown, max);
        }
        return 0;
}

static int need_number(const struct source *s, const char *key, uint64_t max,
                       uint64_t *value)
{
        int ret = read_number(s, key, max, value);

        if (ret == -ENOENT)
                return err_set(s->e, -EINVAL,
                               "the frontend is ready but has no %s", key);
        return ret;
}

static int number_or(const struct source *s, const char *key, uint64_t max,
                     uint64_t absent, uint64_t *value)
{
        int ret = read_number(s, key, max, value);

        if (ret == -ENOENT) {
                *value = absent;
                return 0;
        }
        return ret;
}

char *connect_ring_key(char *dst, unsigned nrings, unsigned ring,
                       const char *name)
{
        if (nrings > 1)
                snprintf(dst, CONNECT_KEY_BYTES, "queue-%u/%s", ring, name);
        else
                snprintf(dst, CONNECT_KEY_BYTES, "%s", name);
        return dst;
}

/* Of k's ring number `ring`. */
static int read_one_ref(const struct source *s, bool order_written,
                        struct connect_keys *k, unsigned ring)
{
        char key[CONNECT_KEY_BYTES];
        uint64_t ref = 0;
        int ret;

        connect_ring_key(key, k->nrings, ring, "ring-ref");
        ret = read_number(s, key, UINT32_MAX, &ref);
        /* Who writes ring-page-order=0 may mean either name (Q2); without the
         * order, ring-ref0 is a leftover of somebody else (Q3). */
        if (ret == -ENOENT && order_written) {
                connect_ring_key(key, k->nrings, ring, "ring-ref0");
                ret = read_number(s, key, UINT32_MAX, &ref);
        }
        if (ret == -ENOENT)
                return err_set(
                        s->e, -EINVAL, "the frontend is ready but has no %s",
                        connect_ring_key(key, k->nrings, ring, "ring-ref"));
        if (ret == 0)
                k->rings[ring].refs[0] = (uint32_t)ref;
        return ret;
}

static int read_refs(const struct source *s, struct connect_keys *k,
                     unsigned ring)
{
        char name[24], key[CONNECT_KEY_BYTES];
        uint64_t ref = 0;
        int ret;

        for (unsigned i = 0; i < 1u << k->ring_order; i++) {
                snprintf(name, sizeof(name), "ring-ref%u", i);
                connect_ring_key(key, k->nrings, ring, name);
                ret = need_number(s, key, UINT32_MAX, &ref);
                if (ret < 0)
                        return ret;
                k->rings[ring].refs[i] = (uint32_t)ref;
        }
        return 0;
}

static int read_order(const struct source *s, unsigned max_order, bool *written,
                      struct connect_keys *k)
{
        uint64_t order = 0;
        int ret = read_number(s, "ring-page-order", UINT32_MAX, &order);

        *written = ret == 0;
        if (ret == -ENOENT)
                order = 0;
        else if (ret < 0)
                return ret;
        if (order > max_order)
                return err_set(s->e, -EINVAL,
                               "the frontend wants ring order %" PRIu64
                               ", at most %u is offered",
                               order, max_order);
        k->ring_order = (unsigned)order;
        return 0;
}

static int read_rings(const struct source *s, unsigned max_order,
                      struct connect_keys *k)
{
        char key[CONNECT_KEY_BYTES];
        bool order_written;
        uint64_t port = 0;
        int ret = read_order(s, max_order, &order_written, k);

        for (unsigned i = 0; ret == 0 && i < k->nrings; i++) {
                ret = k->ring_order == 0 ? read_one_ref(s, order_written, k, i)
                                         : read_refs(s, k, i);
                if (ret < 0)
                        return ret;
                connect_ring_key(key, k->nrings, i, "event-channel");
                ret = need_number(s, key, UINT32_MAX, &port);
                if (ret == 0)
                        k->rings[i].event_channel = (uint32_t)port;
        }
        return ret;
}

/* Without the key: what the x86 backends in the field assume, and so what a
 * frontend that omits it was tested with, is the 32-bit layout (Q4). */
static enum blk_abi default_abi(void)
{
#if defined(__x86_64__) || defined(__i386__)
        return BLK_ABI_X86_32;
#elif defined(__arm__) || defined(__aarch64__)
        return BLK_ABI_ARM;
#else
        return BLK_ABI_NATIVE;
#endif
}

static int read_protocol(const struct source *s, struct connect_keys *k)
{
        CLEANUP_FREE char *name = NULL;
        char shown[64];
        int ret = s->read(s->arg, "protocol", &name);

        if (ret == -ENOENT) {
                k->abi = default_abi();
                return 0;
        }
        if (ret < 0)
                return err_set(s->e, ret,
                               "the frontend's protocol cannot be read: %s",
                               strerror(-ret));
        if (blk_abi_by_name(name, &k->abi) < 0) {
                log_escape(shown, sizeof(shown), name, strlen(name));
                return err_set(s->e, -EINVAL,
                               "the frontend speaks the protocol \"%s\"; this "
                               "version knows x86_64-abi, x86_32-abi and "
                               "arm-abi",
                               shown);
        }
        return 0;
}

static int read_queues(const struct source *s, unsigned max_queues,
                       struct connect_keys *k)
{
        uint64_t queues = 0;
        int ret =
                number_or(s, "multi-queue-num-queues", UINT32_MAX, 1, &queues);

        if (ret < 0)
                return ret;
        if (queues == 0 || queues > max_queues)
                return err_set(s->e, -EINVAL,
                               "the frontend wants %" PRIu64
                               " queues, 1 to %u are offered",
                               queues, max_queues);
        k->nrings = (unsigned)queues;
        return 0;
}

/* A page is one ring's, once: two of them would overwrite each other's
 * responses, to nobody's good. */
static int check_refs(const struct source *s, const struct connect_keys *k)
{
        unsigned pages = 1u << k->ring_order, n = k->nrings * pages;

        for (unsigned i = 0; i < n; i++) {
                uint32_t ref = k->rings[i / pages].refs[i % pages];

                for (unsigned j = 0; j < i; j++)
                        if (k->rings[j / pages].refs[j % pages] == ref)
                                return err_set(s->e, -EINVAL,
                                               "the frontend uses the ring "
                                               "page %" PRIu32 " twice",
                                               ref);
        }
        return 0;
}

static int read_shape(const struct source *s, const struct connect_offer *offer,
                      struct connect_keys *k)
{
        int ret;

        memset(k, 0, sizeof(*k));
        ret = read_queues(
                s, (unsigned)min_u64(offer->max_queues, CONNECT_MAX_QUEUES), k);
        if (ret == 0)
                ret = read_rings(
                        s,
                        (unsigned)min_u64(offer->max_order, BLK_MAX_RING_ORDER),
                        k);
        return ret == 0 ? check_refs(s, k) : ret;
}

int connect_keys_rings(connect_read read, void *arg,
                       const struct connect_offer *offer,
                       struct connect_keys *k, struct err *e)
{
        const struct source s = {read, arg, e};

        return read_shape(&s, offer, k);
}

int connect_keys_read(connect_read read, void *arg,
                      const struct connect_offer *offer, struct connect_keys *k,
                      struct err *e)
{
        const struct source s = {read, arg, e};
        uint64_t persistent = 0;
        int ret = read_shape(&s, offer, k);

        if (ret == 0)
                ret = read_protocol(&s, k);
        if (ret == 0)
                ret = number_or(&s, "feature-persistent", 1, 0, &persistent);
        if (ret < 0)
                return ret;
        k->persistent = persistent == 1;
        return 0;
}
