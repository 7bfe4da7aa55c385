/* SPDX-License-Identifier: MIT */
/* What each command does, and the fields that it takes. */
#include "control_commands.h"

#include "common/parse.h"
#include "common/vdev.h"
#include "control_json.h"
#include "crew.h"
#include "resize.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- fields ----------------------------------------------------------------
 */

static int find_domain(struct daemon *d, const char *name, uint32_t *domid,
                       struct err *e)
{
        if (d->store)
                return xen_store_domain(d->store, name, domid, e);
        for (const struct disk *k = d->disks; k; k = k->next) {
                if (strcmp(k->domain, name) == 0) {
                        *domid = k->domid;
                        return 0;
                }
        }
        return err_set(e, -ENOTCONN,
                       "the connection to xenstore is lost, and no disk's "
                       "domain was called so");
}

/* A domid, or a domain's name. False and no error: the field is absent. */
static int get_domain(struct daemon *d, struct json_object *request,
                      bool *given, uint32_t *domid, struct err *e)
{
        struct json_object *f;

        *given = json_object_object_get_ex(request, "domain", &f);
        if (!*given)
                return 0;
        if (json_object_is_type(f, json_type_int)) {
                int64_t v = json_object_get_int64(f);

                if (v < 0 || v > UINT16_MAX)
                        return err_set(e, -EINVAL, "domain is out of range");
                *domid = (uint32_t)v;
                return 0;
        }
        if (!json_object_is_type(f, json_type_string))
                return err_set(e, -EINVAL, "domain is no number and no name");
        return find_domain(d, json_object_get_string(f), domid, e);
}

static int get_vdev(struct json_object *request, bool *given, uint32_t *vdev,
                    struct err *e)
{
        struct json_object *f;

        *given = json_object_object_get_ex(request, "vdev", &f);
        if (!*given)
                return 0;
        if (json_object_is_type(f, json_type_string) &&
            vdev_parse(json_object_get_string(f), vdev) == 0)
                return 0;
        if (json_object_is_type(f, json_type_int) &&
            json_object_get_int64(f) >= 0 &&
            json_object_get_int64(f) <= UINT32_MAX) {
                *vdev = (uint32_t)json_object_get_int64(f);
                return 0;
        }
        return err_set(e, -EINVAL, "vdev is no disk's number or name");
}

static int get_size(struct json_object *request, uint64_t *bytes, struct err *e)
{
        struct json_object *f;

        if (!json_object_object_get_ex(request, "size_bytes", &f) ||
            !json_object_is_type(f, json_type_int) ||
            json_object_get_int64(f) <= 0)
                return err_set(e, -EINVAL, "size_bytes is no positive number");
        *bytes = (uint64_t)json_object_get_int64(f);
        return 0;
}

/* ---- commands
 * ----------------------------------------------------------------- */

static int run_ping(struct daemon *d, struct json_object *request,
                    struct json_object *reply, struct err *e)
{
        return 0;
}

/* As xenstore says it: what the crew has just written there, others may have
 * read before the crew has its answer. */
static struct json_object *disk_now(struct disk *k, bool with_counters)
{
        crew_wait(k->daemon->crew, k);
        return control_json_disk(k, with_counters);
}

static int run_list(struct daemon *d, struct json_object *request,
                    struct json_object *reply, struct err *e)
{
        struct json_object *disks = json_object_new_array();

        for (struct disk *k = d->disks; k; k = k->next)
                json_object_array_add(disks, disk_now(k, false));
        json_object_object_add(reply, "disks", disks);
        return 0;
}

static int run_stat(struct daemon *d, struct json_object *request,
                    struct json_object *reply, struct err *e)
{
        struct json_object *disks;
        bool one_domain = false, one_vdev = false;
        uint32_t domid = 0, vdev = 0;
        unsigned n = 0;
        int ret = get_domain(d, request, &one_domain, &domid, e);

        if (ret == 0)
                ret = get_vdev(request, &one_vdev, &vdev, e);
        if (ret < 0)
                return ret;
        disks = json_object_new_array();
        for (struct disk *k = d->disks; k; k = k->next) {
                if ((one_domain && k->domid != domid) ||
                    (one_vdev && k->vdev != vdev))
                        continue;
                json_object_array_add(disks, disk_now(k, true));
                n++;
        }
        json_object_object_add(reply, "disks", disks);
        json_object_object_add(reply, "daemon", control_json_daemon(d));
        if (n == 0 && (one_domain || one_vdev))
                return err_set(e, -ENOENT,
                               "there is no such disk; see "
                               "`evergrant list`");
        return 0;
}

static int run_resize(struct daemon *d, struct json_object *request,
                      struct json_object *reply, struct err *e)
{
        bool has_domain = false, has_vdev = false;
        uint32_t domid = 0, vdev = 0;
        uint64_t bytes = 0;
        struct disk *k;
        int ret = get_domain(d, request, &has_domain, &domid, e);

        if (ret == 0)
                ret = get_vdev(request, &has_vdev, &vdev, e);
        if (ret == 0)
                ret = get_size(request, &bytes, e);
        if (ret < 0)
                return ret;
        if (!has_domain || !has_vdev)
                return err_set(e, -EINVAL, "resize needs domain and vdev");
        k = disk_find(d, DISK_OWN, domid, vdev);
        if (!k)
                k = disk_find(d, DISK_XL, domid, vdev);
        if (!k)
                return err_set(e, -ENOENT,
                               "domain %u has no such disk; see `evergrant "
                               "list`",
                               domid);
        return disk_resize(k, bytes, e);
}

const struct control_command control_commands[CONTROL_COMMANDS] = {
        {"ping", {NULL}, run_ping},
        {"list", {NULL}, run_list},
        {"stat", {"domain", "vdev", NULL}, run_stat},
        {"resize", {"domain", "vdev", "size_bytes", NULL}, run_resize},
};
