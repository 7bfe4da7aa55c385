/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"

#define DRIVERS                                                             \
        "it has ram:SIZE, null:SIZE, fault:RULES:TARGET and the path of a " \
        "file or block device"

/* Length of "name" in "name:…", 0 if target is a path. */
static size_t driver_length(const char *target)
{
        size_t n = strspn(target, "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789+.-_");

        return target[n] == ':' ? n : 0;
}

static bool driver_is(const char *target, size_t len, const char *name)
{
        return strlen(name) == len && strncmp(target, name, len) == 0;
}

static int append(char *dst, size_t *at, const char *s, size_t len,
                  struct err *e)
{
        if (*at + len >= TARGET_BYTES)
                return err_set(e, -EINVAL, "the target is longer than %d bytes",
                               TARGET_BYTES - 1);
        memcpy(dst + *at, s, len);
        *at += len;
        dst[*at] = '\0';
        return 0;
}

static int add_path(char *dst, size_t *at, const char *path, struct err *e)
{
        CLEANUP_FREE char *cwd = NULL;
        int ret;

        if (!*path)
                return err_set(e, -EINVAL,
                               "the target is empty: name a file, "
                               "a block device or ram:SIZE");
        if (*path == '/')
                return append(dst, at, path, strlen(path), e);
        cwd = getcwd(NULL, 0);
        if (!cwd)
                return err_set(e, -EINVAL,
                               "cannot make \"%s\" absolute: %s; give the "
                               "whole path",
                               path, strerror(errno));
        ret = append(dst, at, cwd, strlen(cwd), e);
        if (!ret && strcmp(cwd, "/") != 0)
                ret = append(dst, at, "/", 1, e);
        while (!ret && strncmp(path, "./", 2) == 0)
                path += 2;
        return ret ? ret : append(dst, at, path, strlen(path), e);
}

static int check_size(const char *target, const char *size, struct err *e)
{
        uint64_t bytes;

        if (parse_size(size, &bytes) < 0 || bytes == 0)
                return err_set(e, -EINVAL,
                               "\"%s\": \"%s\" is no size: it is a number, "
                               "with k, M, G or T if you like, as in ram:64M",
                               target, size);
        if (bytes % SECTOR_BYTES)
                return err_set(e, -EINVAL,
                               "\"%s\": the size is no multiple of 512 bytes",
                               target);
        return 0;
}

static int unknown_driver(const char *target, size_t len, struct err *e)
{
        static const char *const later[] = {"nbd", "nbd+unix", "rbd"};

        for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
                if (driver_is(target, len, later[i]))
                        return err_set(
                                e, -EINVAL,
                                "this version has no driver %s:, " DRIVERS,
                                later[i]);
        }
        return err_set(e, -EINVAL,
                       "this version has no driver %.*s:, " DRIVERS
                       " (write ./%s if it is a file's name)",
                       (int)min_u64(len, 40), target, target);
}

int target_normalize(const char *target, char dst[TARGET_BYTES], struct err *e)
{
        size_t len = driver_length(target), at = 0;
        const char *inner;
        int ret;

        /* Only fault: contains another target; it may be nested. */
        while (driver_is(target, len, "fault") && len) {
                inner = strchr(target + len + 1, ':');
                if (!inner)
                        return err_set(e, -EINVAL,
                                       "\"%s\": it is fault:RULES:TARGET",
                                       target);
                ret = append(dst, &at, target, (size_t)(inner + 1 - target), e);
                if (ret)
                        return ret;
                target = inner + 1;
                len = driver_length(target);
        }
        if (!len)
                return add_path(dst, &at, target, e);
        if (!driver_is(target, len, "ram") && !driver_is(target, len, "null"))
                return unknown_driver(target, len, e);
        ret = check_size(target, target + len + 1, e);
        return ret ? ret : append(dst, &at, target, strlen(target), e);
}
