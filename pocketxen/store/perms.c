/* SPDX-License-Identifier: MIT */
#include "store/internal.h"

#include <stdio.h>

struct perms *perms_new(unsigned n)
{
        struct perms *p = calloc(1, sizeof(*p) + n * sizeof(p->e[0]));

        if (p) {
                p->refs = 1;
                p->n = n;
        }
        return p;
}

struct perms *perms_ref(struct perms *p)
{
        if (p)
                p->refs++;
        return p;
}

void perms_unref(struct perms *p)
{
        if (p && --p->refs == 0)
                free(p);
}

static bool parse_letter(char c, uint32_t *bits)
{
        static const char letters[] = "nrwb"; /* bit 0 reads, bit 1 writes */
        const char *at = c ? strchr(letters, c) : NULL;

        if (at)
                *bits = (uint32_t)(at - letters);
        return at;
}

/* As strtol reads it: a sign is taken, and then no domain has this number. */
static bool parse_domid(const char *s, size_t len, uint32_t *domid)
{
        bool negative = len && *s == '-';
        uint64_t v = 0;
        size_t i = negative;

        if (i == len)
                return false;
        for (; i < len; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return false;
                v = v * 10 + (uint64_t)(s[i] - '0');
                if (v > UINT32_MAX)
                        return false;
        }
        *domid = negative ? -(uint32_t)v : (uint32_t)v;
        return true;
}

int perms_parse(const char *strings, size_t len, unsigned n, struct perms **p)
{
        struct perms *new = perms_new(n);

        if (!new)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
                size_t one = strnlen(strings, len);

                if (one < 2 || one == len ||
                    !parse_letter(strings[0], &new->e[i].bits) ||
                    !parse_domid(strings + 1, one - 1, &new->e[i].domid)) {
                        perms_unref(new);
                        return -EINVAL;
                }
                strings += one + 1;
                len -= one + 1;
        }
        *p = new;
        return 0;
}

int perms_format(const struct perms *p, char *out, size_t room)
{
        size_t at = 0;

        for (unsigned i = 0; i < p->n; i++) {
                int n = snprintf(out + at, room - at, "%c%u",
                                 "nrwb"[p->e[i].bits & 3], p -> e[i].domid);

                if ((size_t)n >= room - at)
                        return -E2BIG;
                at += (size_t)n + 1;
        }
        return (int)at;
}

static bool speaks_for(const struct domain *d, uint32_t domid)
{
        return d->domid == domid || (d->has_target && d->target == domid);
}

unsigned perms_of(const struct perms *p, const struct domain *d)
{
        if (domain_is_privileged(d) || speaks_for(d, p->e[0].domid))
                return PERM_ALL;
        for (unsigned i = 1; i < p->n; i++)
                if (speaks_for(d, p->e[i].domid))
                        return p->e[i].bits;
        return p->e[0].bits;
}
