/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include "../place.h"

#include <dirent.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE 3000 /* looks, 10 ms apart */

/* ---- sockets ---------------------------------------------------------------
 */
static void send_text(int fd, const char *text)
{
        size_t len = strlen(text);

        while (len) {
                ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

                assert_true(n > 0);
                text += n;
                len -= (size_t)n;
        }
}

/* Up to the newline. */
static char *receive_line(int fd)
{
        size_t room = 65536, have = 0;
        char *text = malloc(room);

        for (;;) {
                ssize_t n;

                assert_non_null(text);
                n = recv(fd, text + have, room - 1 - have, 0);
                if (n <= 0)
                        break;
                have += (size_t)n;
                if (text[have - 1] == '\n')
                        break;
                if (have == room - 1)
                        text = realloc(text, room *= 2);
        }
        text[have] = '\0';
        return text;
}

static struct json_object *ask(const char *path, const char *request)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct json_object *o, *ok;
        char *text;

        assert_true(fd >= 0);
        snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        send_text(fd, request);
        send_text(fd, "\n");
        text = receive_line(fd);
        close(fd);
        o = json_tokener_parse(text);
        if (!o || !json_object_object_get_ex(o, "ok", &ok) ||
            !json_object_get_boolean(ok))
                fail_msg("%s: %s", request, text);
        free(text);
        return o;
}

struct json_object *ask_pocketxen(const char *fmt, ...)
{
        char request[1024], path[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(request, sizeof(request), fmt, ap);
        va_end(ap);
        snprintf(path, sizeof(path), "%s/pocketxen.sock",
                 place_env("POCKETXEN_DIR"));
        return ask(path, request);
}

struct json_object *ask_daemon(const char *fmt, ...)
{
        char request[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(request, sizeof(request), fmt, ap);
        va_end(ap);
        return ask(place_env("EVERGRANT_SOCKET"), request);
}

uint64_t ask_number(struct json_object *o, const char *key)
{
        struct json_object *v;

        if (!json_object_object_get_ex(o, key, &v))
                fail_msg("no field %s", key);
        return json_object_get_uint64(v);
}

struct json_object *ask_row(struct json_object *o, const char *list,
                            const char *key, uint64_t value)
{
        struct json_object *rows;

        assert_true(json_object_object_get_ex(o, list, &rows));
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *r = json_object_array_get_idx(rows, i);

                if (ask_number(r, key) == value)
                        return r;
        }
        return NULL;
}

uint64_t ask_domain(uint32_t domid, const char *field)
{
        struct json_object *o = ask_pocketxen("{\"command\":\"list\"}");
        struct json_object *r = ask_row(o, "domains", "domid", domid);
        uint64_t v = r ? ask_number(r, field) : UINT64_MAX;

        json_object_put(o);
        return v;
}

uint64_t ask_counter(const struct guest *g, const char *name)
{
        struct json_object *o = ask_daemon(
                "{\"version\":1,\"command\":\"stat\",\"domain\":%u}", g->domid);
        struct json_object *d = ask_row(o, "disks", "vdev", g->vdev), *c;
        uint64_t v;

        assert_non_null(d);
        assert_true(json_object_object_get_ex(d, "counters", &c));
        v = ask_number(c, name);
        json_object_put(o);
        return v;
}

uint64_t ask_about_daemon(const char *name)
{
        struct json_object *o =
                ask_daemon("{\"version\":1,\"command\":\"stat\"}");
        struct json_object *d;
        uint64_t v;

        assert_true(json_object_object_get_ex(o, "daemon", &d));
        v = ask_number(d, name);
        json_object_put(o);
        return v;
}

void ask_same_account(const struct guest *g)
{
        uint64_t ring = (uint64_t)g->queues << g->order, mapped = 0, ours = 0,
                 kept = 0;

        for (int i = 0; i < PATIENCE; i++) {
                mapped = ask_domain(g->domid, "pages_mapped");
                ours = ask_counter(g, "map_pages") -
                       ask_counter(g, "unmap_pages");
                kept = ask_counter(g, "kept");
                if (mapped == ours && mapped == ring + kept)
                        return;
                usleep(10000);
        }
        fail_msg("pocketxen has %llu pages mapped, the daemon %llu, of them "
                 "%llu ring pages and %llu kept",
                 (unsigned long long)mapped, (unsigned long long)ours,
                 (unsigned long long)ring, (unsigned long long)kept);
}

/* ---- faults ----------------------------------------------------------------
 */
unsigned fault_set(const char *op, const char *result, const struct guest *g,
                   struct fault_opts o)
{
        struct json_object *reply;
        char by[16] = "";
        unsigned id;

        if (o.by)
                snprintf(by, sizeof(by), "%u", o.by->domid);
        reply = ask_pocketxen(
                "{\"command\":\"fault\",\"op\":\"%s\",\"result\":\"%s\","
                "\"of\":\"%u\",\"by\":\"%s\",\"first\":%u,\"last\":%u,"
                "\"nth\":%llu,\"times\":%llu,\"seed\":%llu}",
                op, result, g ? g->domid : 0, by, o.first,
                o.last ? o.last : UINT32_MAX,
                (unsigned long long)(o.nth ? o.nth : 1),
                (unsigned long long)o.times, (unsigned long long)o.seed);
        id = (unsigned)ask_number(reply, "id");
        json_object_put(reply);
        return id;
}

void fault_clear(void)
{
        json_object_put(ask_pocketxen("{\"command\":\"fault-clear\"}"));
}

static uint64_t fault_number(unsigned id, const char *name)
{
        struct json_object *o = ask_pocketxen("{\"command\":\"faults\"}");
        struct json_object *r = ask_row(o, "faults", "id", id);
        uint64_t v;

        assert_non_null(r);
        v = ask_number(r, name);
        json_object_put(o);
        return v;
}

uint64_t fault_seen(unsigned id)
{
        return fault_number(id, "seen");
}

uint64_t fault_given(unsigned id)
{
        return fault_number(id, "given");
}

/* ---- T-ZOMBIE --------------------------------------------------------------
 */
/* The kernel's workers for io_uring come and go as they like. */
static bool is_thread(const char *folder, const char *tid)
{
        char path[512], name[32] = "";
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s/comm", folder, tid);
        f = fopen(path, "re");
        if (!f)
                return false;
        if (!fgets(name, sizeof(name), f))
                name[0] = '\0';
        fclose(f);
        return name[0] && strncmp(name, "iou-", 4) != 0;
}

/* The drop-in lets go of a dead domain's memory at its next map. */
static bool is_ours(const char *folder, const char *fd)
{
        char path[512], to[128];
        ssize_t n;

        snprintf(path, sizeof(path), "%s/%s", folder, fd);
        n = readlink(path, to, sizeof(to) - 1);
        to[n > 0 ? n : 0] = '\0';
        return !strstr(to, "memfd:pocketxen-d");
}

static uint64_t count_entries(uint64_t pid, const char *what)
{
        char folder[64];
        struct dirent *e;
        uint64_t n = 0;
        DIR *d;

        snprintf(folder, sizeof(folder), "/proc/%llu/%s",
                 (unsigned long long)pid, what);
        d = opendir(folder);
        assert_non_null(d);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        n += strcmp(what, "task") == 0
                                     ? is_thread(folder, e->d_name)
                                     : is_ours(folder, e->d_name);
        closedir(d);
        return n;
}

/* Of Domain-0, where the daemon is the only program. */
static uint64_t optional(const char *field)
{
        struct json_object *o = ask_pocketxen("{\"command\":\"list\"}"), *v;
        struct json_object *r = ask_row(o, "domains", "domid", 0);
        uint64_t n = 0;

        assert_non_null(r);
        if (json_object_object_get_ex(r, field, &v))
                n = json_object_get_uint64(v);
        json_object_put(o);
        return n;
}

static struct zombie_base measure(void)
{
        uint64_t pid = ask_about_daemon("pid");

        return (struct zombie_base){
                .threads = count_entries(pid, "task"),
                .fds = count_entries(pid, "fd"),
                .ports = ask_domain(0, "ports"),
                .handles = ask_domain(0, "handles"),
                .watches = optional("store_watches"),
        };
}

struct zombie_base zombie_base(void)
{
        struct zombie_base now = measure(), last;

        /* The command that attached the last disk may still be ending. */
        do {
                last = now;
                usleep(50000);
                now = measure();
        } while (memcmp(&now, &last, sizeof(now)) != 0);
        return now;
}

void zombie_check(const struct zombie_base *base, uint32_t domid)
{
        struct zombie_base now = {0};
        uint64_t mapped = 0;

        for (int i = 0; i < PATIENCE; i++) {
                mapped = ask_domain(domid, "pages_mapped");
                now = measure();
                if (mapped == UINT64_MAX && now.threads == base->threads &&
                    now.fds <= base->fds && now.ports == base->ports &&
                    now.handles == base->handles &&
                    now.watches == base->watches)
                        return;
                usleep(10000);
        }
        if (mapped != UINT64_MAX)
                fail_msg("domain %u does not die, %llu pages of it are mapped",
                         domid, (unsigned long long)mapped);
        fail_msg("the daemon has (had) %llu (%llu) threads, %llu (%llu) "
                 "descriptors, %llu (%llu) ports, %llu (%llu) handles, %llu "
                 "(%llu) watches",
                 (unsigned long long)now.threads,
                 (unsigned long long)base->threads, (unsigned long long)now.fds,
                 (unsigned long long)base->fds, (unsigned long long)now.ports,
                 (unsigned long long)base->ports,
                 (unsigned long long)now.handles,
                 (unsigned long long)base->handles,
                 (unsigned long long)now.watches,
                 (unsigned long long)base->watches);
}

void zombie_end(const struct zombie_base *base, struct guest *g)
{
        uint32_t domid = g->domid;

        fault_clear();
        guest_destroy(g);
        zombie_check(base, domid);
}
