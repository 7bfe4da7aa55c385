/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdio.h>

#include "client.h"
#include "common/parse.h"
#include "common/vdev.h"
#include "opts.h"
#include "text.h"

static int parse_new_size(const struct cli_command *self, const char *s,
                          uint64_t *bytes)
{
        if (parse_size(s, bytes) < 0 || *bytes == 0 || *bytes > INT64_MAX)
                return cli_usage(self,
                                 "\"%s\" is no size: it is a number of bytes, "
                                 "or with k, M, G or T, as in 64M",
                                 s);
        if (*bytes % SECTOR_BYTES)
                return cli_usage(self, "\"%s\" is no multiple of 512 bytes", s);
        return 0;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
        const char *socket = NULL;
        const struct opt table[] = {OPT_SOCKET(&socket), OPT_END};
        struct json_object *request, *reply = NULL;
        struct err e = {0};
        char **args, number[TEXT_NUMBER_BYTES], name[24];
        uint64_t bytes;
        uint32_t vdev;
        int n, ret;

        ret = opts_parse(self, table, argc, argv, 3, 3, &args, &n);
        if (ret >= 0)
                return ret;
        if (opts_vdev(self, args[1], &vdev) ||
            parse_new_size(self, args[2], &bytes))
                return CLI_USAGE;
        request = client_request("resize");
        client_add_domain(request, args[0]);
        json_object_object_add(request, "vdev", json_object_new_int64(vdev));
        json_object_object_add(request, "size_bytes",
                               json_object_new_int64((int64_t)bytes));
        ret = client_call(socket, request, &reply, &e);
        json_object_put(reply);
        if (ret < 0)
                return cli_fail("%s", e.text);
        printf("%s of %s is now %s (%llu sectors of 512 bytes)\n",
               vdev_name(name, sizeof(name), vdev), args[0],
               text_bytes(number, sizeof(number), (double)bytes),
               (unsigned long long)(bytes / SECTOR_BYTES));
        return cli_flush();
}

const struct cli_command cli_resize = {
        .name = "resize",
        .args = "DOM VDEV SIZE [OPTION…]",
        .summary = "changes the size of an attached disk",
        .text = "SIZE is the new size: bytes, or a number with k, M, G or T. A "
                "file or ram: disk\ngrows or is cut; a block device must have "
                "that size already. The guest is told.",
        .run = run,
};
