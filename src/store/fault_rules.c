/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include "common/parse.h"

#include <errno.h>
#include <string.h>

#define ANY_OP 15u

static const struct {
        const char *name;
        int error;
} errors[] = {
        {"EIO", EIO},       {"ENOSPC", ENOSPC},
        {"ENOMEM", ENOMEM}, {"EROFS", EROFS},
        {"EINVAL", EINVAL}, {"EAGAIN", EAGAIN},
        {"EPERM", EPERM},   {"EOPNOTSUPP", EOPNOTSUPP},
        {"ENODEV", ENODEV}, {"ETIMEDOUT", ETIMEDOUT},
};

static const struct {
        const char *prefix;
        unsigned ops;
} kinds[] = {
        {"read-", 1u << STORE_READ},
        {"write-", 1u << STORE_WRITE},
        {"flush-", 1u << STORE_FLUSH},
        {"discard-", 1u << STORE_DISCARD},
};

/* "N", "N+" or "N-M". */
static int parse_which(char *text, struct fault_rule *r)
{
        size_t len = strlen(text);
        char *dash = strchr(text, '-');

        r->to = UINT64_MAX;
        if (dash) {
                *dash = '\0';
                if (parse_u64(dash + 1, UINT64_MAX, &r->to) < 0)
                        return -EINVAL;
        } else if (len && text[len - 1] == '+') {
                text[len - 1] = '\0';
        } else if (parse_u64(text, UINT64_MAX, &r->to) < 0) {
                return -EINVAL;
        }
        if (parse_u64(text, UINT64_MAX, &r->from) < 0 || r->from == 0 ||
            r->to < r->from)
                return -EINVAL;
        return 0;
}

static int parse_error(const char *text, struct fault_rule *r)
{
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                if (strcmp(text, errors[i].name) == 0) {
                        r->error = -errors[i].error;
                        return 0;
                }
        }
        return -EINVAL;
}

/* "read-error=EIO@3" */
static int parse_rule(char *text, struct fault_rule *r)
{
        char *value = strchr(text, '='), *which = strchr(text, '@');

        *r = (struct fault_rule){.ops = ANY_OP, .from = 1, .to = UINT64_MAX};
        if (!value)
                return -EINVAL;
        *value++ = '\0';
        if (which) {
                *which++ = '\0';
                if (parse_which(which, r) < 0)
                        return -EINVAL;
        }
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                size_t n = strlen(kinds[i].prefix);

                if (strncmp(text, kinds[i].prefix, n) == 0) {
                        r->ops = kinds[i].ops;
                        text += n;
                        break;
                }
        }
        if (strcmp(text, "error") == 0)
                return parse_error(value, r);
        if (strcmp(text, "delay-ms") == 0)
                return parse_u64(value, 3600000, &r->delay_ms);
        return -EINVAL;
}

int fault_rules_parse(const char *text, size_t len, struct fault_rules *rules,
                      struct err *e)
{
        rules->n = 0;
        for (size_t at = 0; at < len;) {
                char rule[64];
                size_t n = strcspn(text + at, ",:");

                n = min_u64(n, len - at);
                if (rules->n == FAULT_RULES_MAX)
                        return err_set(e, -E2BIG, "fault: more than %d rules",
                                       FAULT_RULES_MAX);
                memcpy(rule, text + at, min_u64(n, sizeof(rule) - 1));
                rule[min_u64(n, sizeof(rule) - 1)] = '\0';
                if (n >= sizeof(rule) ||
                    parse_rule(rule, &rules->rule[rules->n]) < 0)
                        return err_set(e, -EINVAL,
                                       "fault: \"%.*s\" is no rule; rules look "
                                       "like read-error=EIO@3, "
                                       "write-error=ENOSPC@5+, delay-ms=20 or "
                                       "flush-delay-ms=100@1-4",
                                       (int)n, text + at);
                rules->n++;
                at += n + 1;
        }
        return 0;
}

void fault_rules_judge(const struct fault_rules *rules, enum store_op op,
                       uint64_t nth, uint64_t nth_any, int *error,
                       uint64_t *delay_ms)
{
        *error = 0;
        *delay_ms = 0;
        for (unsigned i = 0; i < rules->n; i++) {
                const struct fault_rule *r = &rules->rule[i];
                uint64_t at = r->ops == ANY_OP ? nth_any : nth;

                if (!(r->ops & 1u << op) || at < r->from || at > r->to)
                        continue;
                if (r->error && !*error)
                        *error = r->error;
                *delay_ms = max_u64(*delay_ms, r->delay_ms);
        }
}
