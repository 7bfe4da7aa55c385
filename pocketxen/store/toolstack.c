/* SPDX-License-Identifier: MIT */
/* The requests of the toolstack: domains and XS_CONTROL. */
#include "store/internal.h"

#include <stdarg.h>
#include <stdio.h>

static uint32_t to_domid(const char *s)
{
        return (uint32_t)strtol(s, NULL, 10);
}

/* The introduced domain whose number is the payload. */
static int one_domain(struct request *r, struct domain **d)
{
        const char *s;

        if (!get_strings(r, &s, 1) || to_domid(s) == 0)
                return -EINVAL;
        *d = domain_find(r->c->xs, to_domid(s));
        return *d && (*d)->introduced ? 0 : -ENOENT;
}

int do_introduce(struct request *r)
{
        const char *s[3]; /* domid, the ring's frame, event channel */

        if (!get_strings(r, s, 3) || strtol(s[2], NULL, 10) <= 0)
                return -EINVAL;
        if (!domain_exists(r->c->xs, to_domid(s[0])))
                return -ENOENT;
        xstore_domain_introduce(r->c->xs, to_domid(s[0]));
        reply_ok(r);
        return 0;
}

int do_release(struct request *r)
{
        struct domain *d;
        int ret = one_domain(r, &d);

        if (ret < 0)
                return ret;
        xstore_domain_release(r->c->xs, d->domid);
        reply_ok(r);
        return 0;
}

int do_resume(struct request *r)
{
        struct domain *d;
        int ret = one_domain(r, &d);

        if (ret == 0)
                reply_ok(r);
        return ret;
}

int do_set_target(struct request *r)
{
        const char *s[2];
        struct domain *d, *target;

        if (!get_strings(r, s, 2))
                return -EINVAL;
        d = domain_find(r->c->xs, to_domid(s[0]));
        target = domain_find(r->c->xs, to_domid(s[1]));
        if (!d || !d->introduced || !target || !target->introduced)
                return -ENOENT;
        d->has_target = true;
        d->target = target->domid;
        reply_ok(r);
        return 0;
}

int do_is_domain_introduced(struct request *r)
{
        const struct domain *d;
        const char *s;
        uint32_t domid;

        if (!get_strings(r, &s, 1))
                return -EINVAL;
        domid = to_domid(s);
        if (domid == DOMID_SELF)
                domid = r->c->dom->domid;
        d = domain_find(r->c->xs, domid);
        reply(r, d && d->introduced ? "T" : "F", 2);
        return 0;
}

int do_get_domain_path(struct request *r)
{
        char path[40];
        const char *s;

        if (!get_strings(r, &s, 1))
                return -EINVAL;
        reply(r, path,
              (size_t)snprintf(path, sizeof(path), "/local/domain/%u",
                               to_domid(s)) +
                      1);
        return 0;
}

static void reply_text(struct request *r, const char *fmt, ...)
        PRINTF_LIKE(2, 3);
static void reply_text(struct request *r, const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        reply(r, text, strlen(text) + 1);
}

static int control_quota(struct request *r, const char *domid)
{
        const struct xstore_quota *q = &r->c->xs->quota;
        struct xstore_count n;

        if (!domid) {
                reply_text(r,
                           "nodes %u\nwatches %u\ntransactions %u\n"
                           "outstanding %u\ntransaction-nodes %u\n"
                           "node-permissions %u\npath-max %u\nnode-size %u\n",
                           q->nodes, q->watches, q->transactions,
                           q->outstanding, q->transaction_nodes, q->permissions,
                           q->path_bytes, q->value_bytes);
                return 0;
        }
        if (!domain_find(r->c->xs, to_domid(domid)))
                return -ENOENT;
        xstore_count(r->c->xs, to_domid(domid), &n);
        reply_text(r, "Domain %u:\nnodes %zu\nwatches %zu\ntransactions %zu\n",
                   to_domid(domid), n.nodes, n.watches, n.transactions);
        return 0;
}

int do_control(struct request *r)
{
        const char *s[2] = {NULL, NULL};

        if (!get_strings(r, s, 1) && !get_strings(r, s, 2))
                return -EINVAL;
        if (strcmp(s[0], "help") == 0 && !s[1])
                reply_text(r, "check\nhelp\nprint\t<string>\n"
                              "quota\t[<domid>]\n");
        else if (strcmp(s[0], "quota") == 0)
                return control_quota(r, s[1]);
        else if ((strcmp(s[0], "check") == 0 && !s[1]) ||
                 (strcmp(s[0], "print") == 0 && s[1]))
                reply_ok(r); /* no database on disk, and no log to print to */
        else
                return -EINVAL;
        return 0;
}
