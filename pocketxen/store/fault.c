/* SPDX-License-Identifier: MIT */
/* What tests ask for: connections that end at a chosen request, commits that
 * conflict without end, and a journal of what was written. Off unless asked
 * for; nothing else in the store knows more of it than the calls here. */
#include "store/internal.h"

/* More than any test writes; then the journal says that it overflowed. */
#define JOURNAL_BYTES (4u << 20)

void xstore_set_faults(struct xstore *xs, const struct xstore_faults *f)
{
        uint64_t waiting = xs->faults.waiting;

        xs->faults = *f;
        xs->faults.waiting = waiting;
}

void xstore_get_faults(const struct xstore *xs, struct xstore_faults *f)
{
        *f = xs->faults;
}

uint64_t xstore_delay(struct xstore *xs, uint32_t domid)
{
        struct xstore_faults *f = &xs->faults;

        if (!f->delay_us || domid != f->domid)
                return 0;
        if (++f->waiting > f->waiting_high)
                f->waiting_high = f->waiting;
        return f->delay_us;
}

void xstore_delayed(struct xstore *xs)
{
        xs->faults.waiting--;
}

static bool is_meant(const struct xstore_conn *c)
{
        return c->dom->domid == c->xs->faults.domid;
}

enum fault fault_of_request(struct xstore_conn *c)
{
        struct xstore_faults *f = &c->xs->faults;

        if (is_meant(c))
                f->requests++;
        if (!f->lose_in || !is_meant(c) || --f->lose_in)
                return FAULT_NONE;
        return f->lose_reply ? FAULT_LOSE_REPLY : FAULT_LOSE_REQUEST;
}

bool fault_of_commit(struct xstore_conn *c)
{
        struct xstore_faults *f = &c->xs->faults;

        if (!f->eagain || !is_meant(c))
                return false;
        if (f->eagain != UINT64_MAX)
                f->eagain--;
        f->eagains++;
        return true;
}

int xstore_journal(struct xstore *xs, const char *prefix)
{
        struct journal *j = &xs->journal;
        char *copy = prefix ? strdup(prefix) : NULL;

        if (prefix && !copy)
                return -ENOMEM;
        free(j->prefix);
        free(j->text.p);
        *j = (struct journal){.prefix = copy};
        return 0;
}

const char *xstore_journal_text(const struct xstore *xs)
{
        return xs->journal.text.p ? xs->journal.text.p : "";
}

static void append(struct journal *j, const char *p, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)p[i];

                /* One line an entry, whatever the value. */
                j->text.p[j->text.len++] =
                        (char)(c < 0x20 || c > 0x7e ? '?' : c);
        }
}

void journal_note(struct xstore *xs, const char *path, size_t len,
                  const void *value, size_t value_len)
{
        struct journal *j = &xs->journal;
        size_t need = j->text.len + len + value_len + 3;

        if (!j->prefix || strncmp(path, j->prefix, strlen(j->prefix)) != 0 ||
            need > JOURNAL_BYTES)
                return;
        if (need > j->text.room) {
                size_t room = need * 2;
                char *more = realloc(j->text.p, room);

                if (!more)
                        return;
                j->text.p = more;
                j->text.room = (uint32_t)room;
        }
        append(j, path, len);
        j->text.p[j->text.len++] = '=';
        append(j, value, value_len);
        j->text.p[j->text.len++] = '\n';
        j->text.p[j->text.len] = '\0';
}
