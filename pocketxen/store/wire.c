/* SPDX-License-Identifier: MIT */
/* Framing, dispatch by message type, replies. */
#include "store/internal.h"

struct message {
        struct xsd_sockmsg h;
        char payload[XENSTORE_PAYLOAD_MAX];
};

static void send_message(struct xstore_conn *c, struct message *m)
{
        if (!c->mute)
                c->send(c->arg, m, sizeof(m->h) + m->h.len);
}

static void reply_error(struct request *r, int err)
{
        const char *name = "EINVAL";
        struct message m = {.h = r->h};

        for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++)
                if (xsd_errors[i].errnum == -err)
                        name = xsd_errors[i].errstring;
        m.h.type = XS_ERROR;
        m.h.len = (uint32_t)strlen(name) + 1;
        memcpy(m.payload, name, m.h.len);
        send_message(r->c, &m);
}

void reply(struct request *r, const void *data, size_t len)
{
        struct message m;

        if (len > sizeof(m.payload)) {
                reply_error(r, -E2BIG);
                return;
        }
        m.h = r->h;
        m.h.len = (uint32_t)len;
        if (len)
                memcpy(m.payload, data, len);
        send_message(r->c, &m);
}

void reply_ok(struct request *r)
{
        reply(r, "OK", 3);
}

void send_event(struct xstore_conn *c, const char *path, size_t path_len,
                const char *token)
{
        size_t token_len = strlen(token);
        struct message m;

        /* xenstored too sends no event that would not fit. */
        if (path_len + token_len + 2 > sizeof(m.payload))
                return;
        m.h = (struct xsd_sockmsg){XS_WATCH_EVENT, 0, 0,
                                   (uint32_t)(path_len + token_len + 2)};
        memcpy(m.payload, path, path_len);
        m.payload[path_len] = '\0';
        memcpy(m.payload + path_len + 1, token, token_len + 1);
        send_message(c, &m);
}

bool get_strings(const struct request *r, const char **s, unsigned n)
{
        const char *at = r->data;
        size_t left = r->h.len;

        for (unsigned i = 0; i < n; i++) {
                const char *nul = left ? memchr(at, '\0', left) : NULL;

                if (!nul)
                        return false;
                s[i] = at;
                left -= (size_t)(nul + 1 - at);
                at = nul + 1;
        }
        return left == 0;
}

int get_path(struct request *r, const char *name)
{
        return path_canonical(r->path, name, r->c->dom->domid,
                              r->c->xs->quota.path_bytes);
}

enum {
        PRIVILEGED = 1,
        NO_TRANSACTION = 2, /* tx_id is not even looked at */
};
static const struct {
        request_handler handler;
        unsigned flags;
} handlers[XS_TYPE_COUNT] = {
        [XS_CONTROL] = {do_control, PRIVILEGED},
        [XS_DIRECTORY] = {do_directory, 0},
        [XS_READ] = {do_read, 0},
        [XS_GET_PERMS] = {do_get_perms, 0},
        [XS_WATCH] = {do_watch, NO_TRANSACTION},
        [XS_UNWATCH] = {do_unwatch, NO_TRANSACTION},
        [XS_TRANSACTION_START] = {do_transaction_start, 0},
        [XS_TRANSACTION_END] = {do_transaction_end, 0},
        [XS_INTRODUCE] = {do_introduce, PRIVILEGED},
        [XS_RELEASE] = {do_release, PRIVILEGED},
        [XS_GET_DOMAIN_PATH] = {do_get_domain_path, 0},
        [XS_WRITE] = {do_write, 0},
        [XS_MKDIR] = {do_mkdir, 0},
        [XS_RM] = {do_rm, 0},
        [XS_SET_PERMS] = {do_set_perms, 0},
        [XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, PRIVILEGED},
        [XS_RESUME] = {do_resume, PRIVILEGED},
        [XS_SET_TARGET] = {do_set_target, PRIVILEGED},
        [XS_RESET_WATCHES] = {do_reset_watches, 0},
        [XS_DIRECTORY_PART] = {do_directory_part, 0},
};

static int handle(struct request *r)
{
        uint32_t type = r->h.type;

        if (type >= XS_TYPE_COUNT || !handlers[type].handler)
                return -ENOSYS;
        if (handlers[type].flags & PRIVILEGED &&
            !domain_is_privileged(r->c->dom))
                return -EACCES;
        if (r->h.tx_id && !(handlers[type].flags & NO_TRANSACTION)) {
                r->actor.tx = transaction_find(r->c, r->h.tx_id);
                if (!r->actor.tx)
                        return -ENOENT;
        }
        return handlers[type].handler(r);
}

static int process(struct xstore_conn *c, const struct xsd_sockmsg *h,
                   const char *data)
{
        enum fault fault = fault_of_request(c);
        struct request r;
        int ret;

        if (fault == FAULT_LOSE_REQUEST)
                return -ECONNABORTED;
        if (fault == FAULT_LOSE_REPLY)
                c->mute = true;

        r.c = c;
        r.actor = (struct actor){c->xs, c->dom, NULL};
        r.h = *h;
        r.data = data;
        ret = handle(&r);
        if (ret < 0)
                reply_error(&r, ret);
        return fault == FAULT_LOSE_REPLY ? -ECONNABORTED : 0;
}

/* Takes one whole message from the bytes, if it is there: its size, 0,
 * -EPROTO or -ECONNABORTED. */
static int take(struct xstore_conn *c, const char *bytes, size_t len)
{
        struct xsd_sockmsg h;
        int ret;

        if (len < sizeof(h))
                return 0;
        memcpy(&h, bytes, sizeof(h));
        if (h.len > XENSTORE_PAYLOAD_MAX)
                return -EPROTO;
        if (len < sizeof(h) + h.len)
                return 0;
        ret = process(c, &h, bytes + sizeof(h));
        return ret < 0 ? ret : (int)(sizeof(h) + h.len);
}

/* Completes the message of which a part came earlier. */
static int take_split(struct xstore_conn *c, const char **bytes, size_t *len)
{
        int taken = 0;

        while (c->have && *len) {
                size_t want = sizeof(struct xsd_sockmsg);
                struct xsd_sockmsg h;

                if (c->have >= want) {
                        memcpy(&h, c->in, sizeof(h));
                        want += h.len;
                }
                want = min_u64(want - c->have, *len);
                memcpy(c->in + c->have, *bytes, want);
                c->have += want;
                *bytes += want;
                *len -= want;
                taken = take(c, c->in, c->have);
                if (taken < 0)
                        return taken;
                if (taken)
                        c->have = 0;
        }
        return 0;
}

int xstore_conn_input(struct xstore_conn *c, const void *data, size_t len)
{
        const char *bytes = data;
        int ret = c->broken ? -EPROTO : take_split(c, &bytes, &len);

        while (ret == 0 && len) {
                int taken = take(c, bytes, len);

                if (taken <= 0) {
                        ret = taken;
                        break;
                }
                bytes += taken;
                len -= (size_t)taken;
        }
        if (ret == 0 && len) {
                if (!c->in)
                        /* Raw bytes, room for the largest message. */
                        // NOLINTNEXTLINE(clang-analyzer-unix.MallocSizeof)
                        c->in = malloc(sizeof(struct message));
                if (!c->in)
                        return -ENOMEM;
                memcpy(c->in, bytes, len);
                c->have = len;
        }
        if (ret < 0)
                c->broken = true;
        return ret;
}
