/* SPDX-License-Identifier: MIT */
/* Bytes on several connections of pocketxen's xenstore. Input: mode, then
 * steps: whole messages made of a few fields, raw bytes in any split, and
 * connections that come and go. In mode 1 only guests speak: then nothing of
 * what is not theirs may change or leave the store. */
#include "fuzz.h"

#include <errno.h>
#include <xen/io/xs_wire.h>

#include "store/xstore.h"

#define CONNS 4
#define SECRET "5ecret-of-domain-0"

struct peer {
        struct xstore_conn *c;
        uint32_t domid;
        bool raw; /* got bytes that may be half a message */
        unsigned replies;
        uint32_t last_type, last_id;
};

static struct peer peers[CONNS];
static struct xstore *xs;
static bool guests_only;

static void reply_seen(void *arg, const void *bytes, size_t len)
{
        struct peer *p = arg;
        struct xsd_sockmsg h;

        must(len >= sizeof(h), "%zu bytes", len);
        memcpy(&h, bytes, sizeof(h));
        must(h.len <= XENSTORE_PAYLOAD_MAX && len == sizeof(h) + h.len,
             "%zu bytes for %u", len, h.len);
        must(!guests_only || !memmem(bytes, len, SECRET, strlen(SECRET)),
             "the secret went to domain %u", p->domid);
        if (h.type == XS_WATCH_EVENT)
                return;
        p->replies++;
        p->last_type = h.type;
        p->last_id = h.req_id;
}

static void open_conn(unsigned i)
{
        static const uint32_t domids[CONNS] = {0, 1, 2, 1};
        struct peer *p = &peers[i];

        p->domid = domids[i];
        p->raw = false;
        must(xstore_conn_open(xs, p->domid, reply_seen, p, &p->c) == 0, "open");
}

static void close_conn(unsigned i)
{
        xstore_conn_close(peers[i].c);
        peers[i].c = NULL;
}

static void make_nodes(void)
{
        static const char *const guest1[] = {"n1"}, *const guest2[] = {"n2"};

        must(xstore_write(xs, "/secret", SECRET, NULL, 0) == 0, "secret");
        must(xstore_write(xs, "/local/domain/1/data", "", guest1, 1) == 0, "1");
        must(xstore_write(xs, "/local/domain/2/data", "", guest2, 1) == 0, "2");
        xstore_domain_introduce(xs, 1);
        xstore_domain_introduce(xs, 2);
}

static void check_secret(void)
{
        char value[64];

        if (!guests_only)
                return;
        must(xstore_read(xs, "/secret", value, sizeof(value)) ==
                             (int)strlen(SECRET) &&
                     !strcmp(value, SECRET),
             "a guest changed what is not its own");
}

/* The bounds that the quota promises of guests. */
static void check_quota(void)
{
        const struct xstore_quota *q = xstore_get_quota(xs);
        struct xstore_count n;

        for (uint32_t domid = 1; domid <= 2; domid++) {
                xstore_count(xs, domid, &n);
                must(!guests_only || n.nodes <= q->nodes + 1, "%zu nodes",
                     n.nodes);
                must(n.watches <= q->watches + 1, "%zu watches", n.watches);
                must(n.transactions <=
                             (q->transactions + 1) * (n.connections + 1),
                     "%zu transactions", n.transactions);
        }
}

static void feed(unsigned i, const void *bytes, size_t len)
{
        int ret;

        if (!peers[i].c)
                open_conn(i);
        ret = xstore_conn_input(peers[i].c, bytes, len);
        must(ret == 0 || ret == -EPROTO, "%d", ret);
        check_secret();
        if (ret < 0) {
                must(xstore_conn_input(peers[i].c, bytes, len) == ret, "back");
                close_conn(i);
        }
}

static const char *const words[] = {
        "/",
        "/local/domain/1/data",
        "/local/domain/1/data/a",
        "/local/domain/2/data",
        "/secret",
        "data/b",
        "/local/domain/1",
        "@introduceDomain",
        "@releaseDomain",
        "/tool",
        "a//b",
        "token",
        "T",
        "F",
        "1",
        "2",
        "n1",
        "b2",
        "r0",
        "/local/domain/1/data/a/b/c/d",
        "quota",
        "0",
        "help",
        "print",
        "check",
        "data/very-long-name-very-long-name-very-long-name-very-long-name",
};

/* Strings of the table, or of the input; with or without their end. */
static size_t payload(struct input *in, char *out, size_t room)
{
        unsigned n = in_u8(in) % 5;
        size_t at = 0;

        while (n--) {
                uint8_t b = in_u8(in);
                const char *w = words[b % ARRAY_SIZE(words)];
                size_t len = strlen(w);

                if (b >= 0xc0) {
                        len = (b & 0x3f) + (b >= 0xf0 ? in_u16(in) % 4200 : 0);
                        if (at + len + 1 > room)
                                break;
                        in_bytes(in, out + at, len);
                } else {
                        if (at + len + 1 > room)
                                break;
                        memcpy(out + at, w, len);
                }
                at += len;
                if (!(b & 0x20) || b >= 0xc0)
                        out[at++] = '\0';
        }
        return at;
}

/* Only Domain-0 may ask for that. */
static bool is_privileged(const struct xsd_sockmsg *h, unsigned i)
{
        switch (h->type) {
        case XS_CONTROL:
        case XS_INTRODUCE:
        case XS_RELEASE:
        case XS_IS_DOMAIN_INTRODUCED:
        case XS_RESUME:
        case XS_SET_TARGET:
                return peers[i].domid != 0;
        default:
                return false;
        }
}

static void message(struct input *in)
{
        static char buf[sizeof(struct xsd_sockmsg) + 8192];
        static uint32_t id;
        unsigned i = in_u8(in) % CONNS, before;
        struct xsd_sockmsg h = {.type = in_u8(in) % (XS_TYPE_COUNT + 2)};

        i = guests_only && i == 0 ? 1 : i;
        if (!peers[i].c)
                open_conn(i);
        h.tx_id = in_u8(in) % 4;
        h.req_id = ++id;
        h.len = (uint32_t)payload(in, buf + sizeof(h), 8192);
        memcpy(buf, &h, sizeof(h));
        before = peers[i].replies;
        feed(i, buf, sizeof(h) + h.len);
        if (peers[i].raw)
                return; /* maybe part of what came before */
        if (h.len > XENSTORE_PAYLOAD_MAX) {
                must(!peers[i].c, "a payload of %u bytes was taken", h.len);
                return;
        }
        must(peers[i].c && peers[i].replies == before + 1 &&
                     peers[i].last_id == id,
             "%u answers", peers[i].replies - before);
        must(peers[i].last_type == XS_ERROR ||
                     (peers[i].last_type == h.type && !is_privileged(&h, i)),
             "answer of type %u to %u of domain %u", peers[i].last_type, h.type,
             peers[i].domid);
}

static void raw(struct input *in)
{
        unsigned i = in_u8(in) % CONNS;
        size_t len = in_u8(in);
        uint8_t buf[256];

        i = guests_only && i == 0 ? 1 : i;
        len = min_u64(len, in->left);
        in_bytes(in, buf, len);
        if (!peers[i].c)
                open_conn(i);
        peers[i].raw = true;
        feed(i, buf, len);
}

static bool two_exists(void *arg, uint32_t domid)
{
        return domid <= 2;
}

static void step(struct input *in)
{
        switch (in_u8(in) % 8) {
        default:
                message(in);
                break;
        case 4:
                raw(in);
                break;
        case 5:
                close_conn(in_u8(in) % CONNS);
                break;
        case 6:
                if (!guests_only)
                        xstore_set_exists(xs, in_u8(in) & 1 ? two_exists : NULL,
                                          NULL);
                xstore_domain_dying(xs);
                break;
        case 7:
                if (guests_only)
                        break;
                close_conn(2);
                xstore_domain_release(xs, 2);
                xstore_domain_introduce(xs, 2);
                (void)xstore_rm(xs, words[in_u8(in) % 7]);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct xstore_count n;

        guests_only = in_u8(&in) & 1;
        must(xstore_create(&xs, NULL) == 0, "create");
        make_nodes();
        memset(peers, 0, sizeof(peers));
        while (in.left) {
                step(&in);
                check_quota();
        }
        for (unsigned i = 0; i < CONNS; i++)
                close_conn(i);
        xstore_count(xs, UINT32_MAX, &n);
        must(!n.watches && !n.transactions && !n.connections,
             "%zu watches, %zu transactions, %zu connections left", n.watches,
             n.transactions, n.connections);
        xstore_destroy(xs);
        return 0;
}
