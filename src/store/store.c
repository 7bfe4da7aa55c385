/* SPDX-License-Identifier: MIT */
/* Chooses the driver by the target's prefix, and passes calls on. */
#include "drivers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "file:PATH" is the long form of "PATH", for a path with a colon in it. */
static const struct store_ops *const drivers[] = {
        &store_file_ops,
        &store_ram_ops,
        &store_null_ops,
        &store_fault_ops,
};

#define DRIVERS_TEXT                                                         \
        "a path (an image file or a block device), ram:SIZE, null:SIZE and " \
        "fault:RULES:TARGET"

/* The length of "word" in "word:…", 0 if the target is a plain path. */
static size_t driver_name_len(const char *target)
{
        size_t n = strspn(target, "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_");

        return target[n] == ':' ? n : 0;
}

static int unknown_driver(const char *target, size_t n, struct err *e)
{
        static const char *const planned[] = {"nbd", "nbd+unix", "rbd"};
        int len = n < 32 ? (int)n : 32;

        for (size_t i = 0; i < ARRAY_SIZE(planned); i++) {
                if (strlen(planned[i]) == n &&
                    memcmp(planned[i], target, n) == 0)
                        return err_set(e, -EPROTONOSUPPORT,
                                       "this version has no driver \"%s:\"; "
                                       "it has " DRIVERS_TEXT,
                                       planned[i]);
        }
        return err_set(
                e, -EPROTONOSUPPORT,
                "unknown driver \"%.*s:\"; this version has " DRIVERS_TEXT
                " (for a file of that name write "
                "file:%.80s)",
                len, target, target);
}

int store_open(const char *target, const struct store_open_opts *opts,
               struct store **s, struct err *e)
{
        size_t n = driver_name_len(target);

        if (!*target)
                return err_set(e, -EINVAL,
                               "the target is empty; give " DRIVERS_TEXT);
        if (!n)
                return store_file_ops.open(target, opts, s, e);
        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
                if (strlen(drivers[i]->name) == n &&
                    memcmp(drivers[i]->name, target, n) == 0)
                        return drivers[i]->open(target + n + 1, opts, s, e);
        }
        return unknown_driver(target, n, e);
}

int store_parse_size(const char *driver, const char *text, uint64_t *bytes,
                     struct err *e)
{
        int ret = parse_size(text, bytes);

        if (ret == -ERANGE || (ret == 0 && *bytes > INT64_MAX))
                return err_set(e, -ERANGE, "%s:%.40s: the size is too large",
                               driver, text);
        if (ret < 0)
                return err_set(e, -EINVAL,
                               "%s:%.40s: not a size; write a number of bytes "
                               "with k, M, G or T, as in %s:64M",
                               driver, text, driver);
        return store_check_size(driver, *bytes, e);
}

int store_check_size(const char *what, uint64_t bytes, struct err *e)
{
        if (bytes == 0)
                return err_set(e, -EINVAL,
                               "%s: the size is zero; a disk has "
                               "at least 512 bytes",
                               what);
        if (bytes % SECTOR_BYTES)
                return err_set(e, -EINVAL,
                               "%s: the size, %llu bytes, is no multiple of "
                               "512; the next one is %llu",
                               what, (unsigned long long)bytes,
                               (unsigned long long)bytes - bytes % 512 + 512);
        return 0;
}

void store_close(struct store *s)
{
        if (s)
                s->ops->close(s);
}

void store_info(const struct store *s, struct store_info *info)
{
        *info = s->info;
}

const char *store_driver(const struct store *s)
{
        return s->ops->name;
}

int store_keep_fd(const struct store *s)
{
        return s->keep_fd;
}

bool store_is_direct(const struct store *s)
{
        return s->direct;
}

int store_resize(struct store *s, uint64_t size_bytes, struct err *e)
{
        int ret;

        if (!s->ops->resize)
                return err_set(e, -EOPNOTSUPP, "a %s: disk cannot be resized",
                               s->ops->name);
        if (s->info.readonly)
                return err_set(e, -EROFS,
                               "the disk is attached read-only; "
                               "its size cannot be changed");
        ret = store_check_size("resize", size_bytes, e);
        if (ret < 0)
                return ret;
        return s->ops->resize(s, size_bytes, e);
}

int store_queue_open(struct store *s, struct loop *l, struct store_queue **q)
{
        return s->ops->queue_open(s, l, q);
}

void store_queue_close(struct store_queue *q)
{
        if (q)
                q->store->ops->queue_close(q);
}

void store_submit(struct store_queue *q, struct store_req *r)
{
        bool changes = r->op == STORE_WRITE || r->op == STORE_DISCARD;

        /* The caller has checked this; no bug there may change a disk that
         * several guests share. */
        if (changes && q->store->info.readonly) {
                r->done(r, -EROFS);
                return;
        }
        /* Nobody who wants bytes erased is told that they are while they may
         * still be read somewhere. */
        if (r->op == STORE_DISCARD && r->secure &&
            !q->store->info.can_discard_secure) {
                r->done(r, -EOPNOTSUPP);
                return;
        }
        q->store->ops->submit(q, r);
}

void store_expect(struct store_queue *q, const uint64_t *offset_bytes,
                  unsigned n)
{
        if (q->store->ops->expect)
                q->store->ops->expect(q, offset_bytes, n);
}
