/* SPDX-License-Identifier: MIT */
/* What a frontend publishes, as the backend reads it. Input: what was offered
 * (order, queues), then lines KEY=VALUE; a value that begins with byte 1 is a
 * node that cannot be read. Which sets of keys are good is decided a second
 * time here. */
#include "fuzz.h"

#include <errno.h>

#include "back/connect_keys.h"

#define MAX_NODES 320

static struct {
        char *key, *value;
} nodes[MAX_NODES];
static unsigned nnodes;

static const char *value_of(const char *key)
{
        for (unsigned i = 0; i < nnodes; i++)
                if (!strcmp(nodes[i].key, key))
                        return nodes[i].value;
        return NULL;
}

static int fake_read(void *arg, const char *key, char **value)
{
        const char *v = value_of(key);

        *value = NULL;
        if (!v)
                return -ENOENT;
        if (*v == 1)
                return -EACCES;
        *value = strdup(v);
        return 0;
}

/* True if the key is a plain number up to max, or absent where that is
 * allowed. */
static bool number(const char *key, bool may_lack, uint64_t max,
                   uint64_t absent, uint64_t *out)
{
        const char *v = value_of(key);
        unsigned __int128 n = 0;

        *out = absent;
        if (!v)
                return may_lack;
        if (!*v || strspn(v, "0123456789") != strlen(v))
                return false;
        for (; *v; v++) {
                n = n * 10 + (unsigned)(*v - '0');
                if (n > max)
                        return false;
        }
        *out = (uint64_t)n;
        return true;
}

/* One queue's keys: at the top if it is the only one, else below queue-N. */
static const char *dir_of(unsigned queues, unsigned q)
{
        static char dir[24];

        dir[0] = '\0';
        if (queues > 1)
                snprintf(dir, sizeof(dir), "queue-%u/", q);
        return dir;
}

static bool ref_of(unsigned queues, unsigned q, uint64_t order, unsigned i,
                   uint64_t *ref)
{
        const char *dir = dir_of(queues, q);
        char key[64];

        if (order)
                snprintf(key, sizeof(key), "%sring-ref%u", dir, i);
        else
                snprintf(key, sizeof(key), "%sring-ref", dir);
        /* The other name counts only for one who wrote an order. */
        if (!order && !value_of(key) && value_of("ring-page-order"))
                snprintf(key, sizeof(key), "%sring-ref0", dir);
        return number(key, false, UINT32_MAX, 0, ref);
}

static bool ring_good(unsigned queues, unsigned q, uint64_t order,
                      const struct connect_keys *k)
{
        char key[64];
        uint64_t ref, port;

        for (unsigned i = 0; i < 1u << order; i++)
                if (!ref_of(queues, q, order, i, &ref) ||
                    (k && k->rings[q].refs[i] != ref))
                        return false;
        snprintf(key, sizeof(key), "%sevent-channel", dir_of(queues, q));
        return number(key, false, UINT32_MAX, 0, &port) &&
               (!k || k->rings[q].event_channel == port);
}

/* No page is two rings, or two pages of one. */
static bool refs_differ(unsigned queues, uint64_t order)
{
        uint64_t seen[16 * 16];
        unsigned n = 0;

        for (unsigned q = 0; q < queues; q++) {
                for (unsigned i = 0; i < 1u << order; i++) {
                        if (!ref_of(queues, q, order, i, &seen[n]))
                                return false;
                        for (unsigned k = 0; k < n; k++)
                                if (seen[k] == seen[n])
                                        return false;
                        n++;
                }
        }
        return true;
}

static bool protocol_good(const struct connect_keys *k)
{
        const char *v = value_of("protocol");

        if (!v)
                return true; /* what is assumed then: Q4, a unit test */
        if (strcmp(v, "x86_64-abi") && strcmp(v, "x86_32-abi") &&
            strcmp(v, "arm-abi"))
                return false;
        return !k || !strcmp(blk_layouts[k->abi].name, v);
}

/* k NULL: are the keys good at all; else: and are these the values. */
static bool good(const struct connect_offer *o, const struct connect_keys *k)
{
        uint64_t queues, order, persistent;

        if (!number("multi-queue-num-queues", true, min_u64(o->max_queues, 16),
                    1, &queues) ||
            queues == 0 || (k && k->nrings != queues) ||
            !number("ring-page-order", true, min_u64(o->max_order, 4), 0,
                    &order) ||
            (k && k->ring_order != order))
                return false;
        for (unsigned q = 0; q < queues; q++)
                if (!ring_good((unsigned)queues, q, order, k))
                        return false;
        if (!refs_differ((unsigned)queues, order))
                return false;
        return protocol_good(k) &&
               number("feature-persistent", true, 1, 0, &persistent) &&
               (!k || k->persistent == (persistent == 1));
}

static void parse_nodes(struct input *in)
{
        char *line;

        for (nnodes = 0; nnodes < MAX_NODES && (line = in_line(in));) {
                char *equals = strchr(line, '=');

                if (!equals) {
                        free(line);
                        continue;
                }
                *equals = '\0';
                nodes[nnodes].key = line;
                nodes[nnodes++].value = equals + 1;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        unsigned first = in_u8(&in);
        struct connect_offer offer = {first % 8, 1 + first / 8};
        struct err e = {0};
        struct connect_keys k;
        int ret;

        parse_nodes(&in);
        ret = connect_keys_read(fake_read, NULL, &offer, &k, &e);
        must(ret <= 0, "%d", ret);
        must((ret == 0) == good(&offer, NULL), "%d: %s", ret, e.text);
        if (ret == 0) {
                must(good(&offer, &k), "other values");
        } else {
                must(e.code == ret && e.text[0], "no sentence");
                must(strlen(e.text) < sizeof(e.text), "sentence too long");
                for (const char *c = e.text; *c; c++)
                        must(*c >= ' ' && *c <= '~', "byte %d in a sentence",
                             *c);
        }
        while (nnodes)
                free(nodes[--nnodes].key);
        return 0;
}
