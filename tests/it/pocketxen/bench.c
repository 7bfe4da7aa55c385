/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static const char *program(void)
{
        const char *p = getenv("POCKETXEN");

        assert(p && "run by meson, which sets POCKETXEN");
        return p;
}

static char *output_of(const char *args)
{
        static char buf[16 << 20];
        char command[512], *socket, *saved;
        size_t n;
        FILE *f;

        /* The shell would be one of the domain's processes otherwise. */
        snprintf(command, sizeof(command), "%s %s", program(), args);
        socket = getenv("POCKETXEN_SOCKET");
        saved = socket ? strdup(socket) : NULL;
        unsetenv("POCKETXEN_SOCKET");
        f = popen(command, "r");
        assert(f);
        if (saved)
                setenv("POCKETXEN_SOCKET", saved, 1);
        free(saved);
        n = fread(buf, 1, sizeof(buf) - 1, f);
        buf[n] = '\0';
        return pclose(f) == 0 ? buf : NULL;
}

int bench_start(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/pxt-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        setenv("POCKETXEN_DIR", dir, 1);
        return output_of("start") ? 0 : -1;
}

const char *bench_fault(const char *words)
{
        char args[256];

        snprintf(args, sizeof(args), "fault %s 2>/dev/null", words);
        return output_of(args);
}

int bench_stop(void **state)
{
        char command[128];

        (void)state;
        output_of("stop");
        snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command);
}

uint32_t bench_create(const char *name)
{
        char args[128], *out;

        snprintf(args, sizeof(args), "create %s", name);
        out = output_of(args);
        assert(out);
        return (uint32_t)atoi(out);
}

void bench_destroy(uint32_t domid)
{
        char args[64];

        snprintf(args, sizeof(args), "destroy %u", domid);
        assert(output_of(args));
}

void bench_enter(uint32_t domid)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/d%u/xen", dir, domid);
        setenv("POCKETXEN_SOCKET", path, 1);
}

static uint64_t number(struct json_object *o, const char *key)
{
        struct json_object *v;

        return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v)
                                                     : ~0ull;
}

/* In the array `list` of the output: the field of the first row in which both
 * keys have their values. */
static uint64_t find(const char *args, const char *list, const char *key1,
                     uint64_t value1, const char *key2, uint64_t value2,
                     const char *field)
{
        const char *text = output_of(args);
        struct json_object *o = text ? json_tokener_parse(text) : NULL, *rows;
        uint64_t found = ~0ull;

        if (o && json_object_object_get_ex(o, list, &rows)) {
                for (size_t i = 0; i < json_object_array_length(rows); i++) {
                        struct json_object *row =
                                json_object_array_get_idx(rows, i);

                        if (number(row, key1) == value1 &&
                            (!key2 || number(row, key2) == value2))
                                found = number(row, field);
                }
        }
        json_object_put(o);
        return found;
}

uint64_t bench_domain_u64(uint32_t domid, const char *field)
{
        return find("list --json", "domains", "domid", domid, NULL, 0, field);
}

uint64_t bench_pair_u64(uint32_t mapper, uint32_t granter, const char *field)
{
        return find("list --json", "pairs", "mapper", mapper, "granter",
                    granter, field);
}

uint64_t bench_grant_u64(uint32_t domid, uint32_t ref, const char *field)
{
        char args[64];

        snprintf(args, sizeof(args), "grants %u --json", domid);
        return find(args, "entries", "ref", ref, NULL, 0, field);
}
