/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static void keep(void *arg, const void *bytes, size_t len)
{
        struct peer *p = arg;
        struct xsd_sockmsg h;
        const char *data = (const char *)bytes + sizeof(h);

        memcpy(&h, bytes, sizeof(h));
        assert_int_equal(len, sizeof(h) + h.len);
        assert_true(h.len <= XENSTORE_PAYLOAD_MAX);
        if (h.type == XS_WATCH_EVENT) {
                size_t at = strlen(p->seen);

                assert_int_equal(h.req_id, 0);
                snprintf(p->seen + at, sizeof(p->seen) - at, "%s|%s ", data,
                         data + strlen(data) + 1);
                return;
        }
        p->head = h;
        memcpy(p->answer, data, h.len);
        p->answer[h.len] = '\0';
        p->answers++;
}

void peer_open(struct peer *p, struct xstore *xs, uint32_t domid)
{
        memset(p, 0, sizeof(*p));
        assert_int_equal(xstore_conn_open(xs, domid, keep, p, &p->c), 0);
}

int world_setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));

        assert_int_equal(xstore_create(&w->xs, NULL), 0);
        peer_open(&w->d0, w->xs, 0);
        peer_open(&w->other, w->xs, 0);
        peer_open(&w->d1, w->xs, 1);
        peer_open(&w->d2, w->xs, 2);
        xstore_domain_introduce(w->xs, 1);
        xstore_domain_introduce(w->xs, 2);
        *state = w;
        return 0;
}

int world_teardown(void **state)
{
        struct world *w = *state;
        struct xstore_count n;

        xstore_conn_close(w->d0.c);
        xstore_conn_close(w->other.c);
        xstore_conn_close(w->d1.c);
        xstore_conn_close(w->d2.c);
        xstore_count(w->xs, UINT32_MAX, &n);
        assert_int_equal(n.watches, 0);
        assert_int_equal(n.transactions, 0);
        assert_int_equal(n.connections, 0);
        xstore_destroy(w->xs);
        free(w);
        return 0;
}

const char *ask(struct peer *p, uint32_t type, uint32_t tx, const void *data,
                size_t len)
{
        static uint32_t id = 100;
        char m[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
        struct xsd_sockmsg h = {type, ++id, tx, (uint32_t)len};
        unsigned before = p->answers;

        assert_true(len <= XENSTORE_PAYLOAD_MAX);
        memcpy(m, &h, sizeof(h));
        if (len)
                memcpy(m + sizeof(h), data, len);
        assert_int_equal(xstore_conn_input(p->c, m, sizeof(h) + len), 0);
        assert_int_equal(p->answers, before + 1);
        assert_int_equal(p->head.req_id, id);
        assert_int_equal(p->head.tx_id, tx);
        if (p->head.type != XS_ERROR)
                assert_int_equal(p->head.type, type);
        return p->answer;
}

const char *ask1(struct peer *p, uint32_t type, uint32_t tx, const char *s)
{
        return ask(p, type, tx, s, strlen(s) + 1);
}

const char *ask2(struct peer *p, uint32_t type, uint32_t tx, const char *s,
                 const char *t)
{
        char m[XENSTORE_PAYLOAD_MAX];
        int n = snprintf(m, sizeof(m), "%s%c%s", s, '\0', t);

        return ask(p, type, tx, m, (size_t)n + 1);
}

const char *put(struct peer *p, uint32_t tx, const char *path,
                const char *value)
{
        char m[XENSTORE_PAYLOAD_MAX];
        int n = snprintf(m, sizeof(m), "%s%c%s", path, '\0', value);

        return ask(p, XS_WRITE, tx, m, (size_t)n);
}

const char *get(struct peer *p, uint32_t tx, const char *path)
{
        return ask1(p, XS_READ, tx, path);
}

const char *chmod_node(struct peer *p, uint32_t tx, const char *path,
                       const char *perms)
{
        char m[XENSTORE_PAYLOAD_MAX];
        int n = snprintf(m, sizeof(m), "%s%c%s", path, '\0', perms);

        for (int i = (int)strlen(path); i < n; i++)
                if (m[i] == ' ')
                        m[i] = '\0';
        return ask(p, XS_SET_PERMS, tx, m, (size_t)n + 1);
}

const char *listed(struct peer *p)
{
        size_t n = 0;

        assert_int_not_equal(p->head.type, XS_ERROR);
        for (; n < p->head.len; n++)
                p->taken[n] = p->answer[n] ? p->answer[n] : ' ';
        p->taken[n] = '\0';
        return p->taken;
}

const char *events(struct peer *p)
{
        memcpy(p->taken, p->seen, sizeof(p->taken));
        p->seen[0] = '\0';
        return p->taken;
}

uint32_t begin(struct peer *p)
{
        const char *id = ask(p, XS_TRANSACTION_START, 0, "", 1);

        assert_int_equal(p->head.type, XS_TRANSACTION_START);
        return (uint32_t)strtoul(id, NULL, 10);
}

const char *finish(struct peer *p, uint32_t tx)
{
        return ask1(p, XS_TRANSACTION_END, tx, "T");
}
