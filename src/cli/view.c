/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

struct json_object *view_field(struct json_object *o, const char *path)
{
        char name[64];

        while (o && *path) {
                size_t n = strcspn(path, ".");
                struct json_object *child = NULL;

                if (n >= sizeof(name) ||
                    !json_object_is_type(o, json_type_object))
                        return NULL;
                memcpy(name, path, n);
                name[n] = '\0';
                json_object_object_get_ex(o, name, &child);
                o = child;
                path += n + (path[n] == '.');
        }
        return o;
}

bool view_number(struct json_object *o, const char *path, double *value)
{
        struct json_object *f = view_field(o, path);

        if (!json_object_is_type(f, json_type_int) &&
            !json_object_is_type(f, json_type_double))
                return false;
        *value = json_object_get_double(f);
        return *value >= 0 && *value < 1e20;
}

bool view_count(struct json_object *o, const char *path, uint64_t *value)
{
        struct json_object *f = view_field(o, path);

        /* Negative: the unsigned reading is 0, the signed one tells. */
        if (!json_object_is_type(f, json_type_int) ||
            json_object_get_int64(f) < 0)
                return false;
        *value = json_object_get_uint64(f);
        return true;
}

const char *view_string(struct json_object *o, const char *path,
                        const char *instead)
{
        struct json_object *f = view_field(o, path);

        return json_object_is_type(f, json_type_string)
                       ? json_object_get_string(f)
                       : instead;
}

bool view_is_true(struct json_object *o, const char *path)
{
        struct json_object *f = view_field(o, path);

        return json_object_is_type(f, json_type_boolean) &&
               json_object_get_boolean(f);
}

char *view_domain(char *dst, size_t dst_bytes, struct json_object *disk)
{
        const char *name = view_string(disk, "domain", "");
        char plain[128], id[24] = "?";
        uint64_t domid;

        text_plain(plain, sizeof(plain), name);
        if (view_count(disk, "domid", &domid))
                snprintf(id, sizeof(id), "%llu", (unsigned long long)domid);
        if (*plain && strcmp(plain, id) != 0)
                snprintf(dst, dst_bytes, "%s (%s)", plain, id);
        else
                snprintf(dst, dst_bytes, "%s", id);
        return dst;
}

char *view_grants(char *dst, size_t dst_bytes, struct json_object *disk)
{
        const char *asked = view_string(disk, "grants_asked", "");
        const char *served = view_string(disk, "grants_served", "");
        char plain[64], more[64];

        text_plain(plain, sizeof(plain), served);
        text_plain(more, sizeof(more), asked);
        if (!*served) /* not connected yet */
                snprintf(dst, dst_bytes, *asked ? "asked %s" : "-", more);
        else if (*asked && strcmp(asked, served) != 0 &&
                 strcmp(asked, "auto") != 0) /* any answer is an auto */
                snprintf(dst, dst_bytes, "%s, asked %s", plain, more);
        else
                snprintf(dst, dst_bytes, "%s", plain);
        return dst;
}

size_t view_disks(struct json_object *reply)
{
        struct json_object *disks = view_field(reply, "disks");

        return json_object_is_type(disks, json_type_array)
                       ? json_object_array_length(disks)
                       : 0;
}

struct json_object *view_disk(struct json_object *reply, size_t i)
{
        return json_object_array_get_idx(view_field(reply, "disks"), i);
}

static int compare(const void *a, const void *b)
{
        static const char *const keys[] = {"domid", "vdev"};
        struct json_object *x = *(struct json_object *const *)a;
        struct json_object *y = *(struct json_object *const *)b;
        uint64_t m, n;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                if (!view_count(x, keys[i], &m))
                        m = UINT64_MAX;
                if (!view_count(y, keys[i], &n))
                        n = UINT64_MAX;
                if (m != n)
                        return m < n ? -1 : 1;
        }
        return 0;
}

void view_sort(struct json_object *reply)
{
        struct json_object *disks = view_field(reply, "disks");

        if (json_object_is_type(disks, json_type_array))
                json_object_array_sort(disks, compare);
}
