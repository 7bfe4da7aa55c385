/* SPDX-License-Identifier: MIT */
/* The control socket: one JSON object in, one out, a line each, then the
 * connection ends. Mode 0600: who can open it is the toolstack. */
#include "../core/fault.h"
#include "server.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#define LINE_BYTES 4096

struct control {
        struct server *srv;
        sd_event_source *source;
        int fd;
        size_t have;
        char line[LINE_BYTES];
};

static struct json_object *failure(const char *text)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "ok", json_object_new_boolean(0));
        json_object_object_add(o, "error", json_object_new_string(text));
        return o;
}

static struct json_object *success(void)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "ok", json_object_new_boolean(1));
        return o;
}

static const char *str(struct json_object *o, const char *key)
{
        struct json_object *v;

        return json_object_object_get_ex(o, key, &v) &&
                               json_object_is_type(v, json_type_string)
                       ? json_object_get_string(v)
                       : NULL;
}

static const char *reserve(struct server *s, struct json_object *in)
{
        struct json_object *domid;
        int64_t n;

        if (!json_object_object_get_ex(in, "domid", &domid))
                return NULL;
        n = json_object_get_int64(domid);
        switch (px_domain_reserve(
                s->world, n < 0 || n > UINT16_MAX ? UINT32_MAX : (uint32_t)n)) {
        case 0:
                return NULL;
        case -EBUSY:
                return "a domain of that number exists, or is still dying: see "
                       "pocketxen list";
        default:
                return "a domain's number is 0 to 32751";
        }
}

static struct json_object *create(struct server *s, struct json_object *in)
{
        const char *refused;
        struct json_object *mem, *o;
        const char *name = str(in, "name");
        struct srv_domain *d;
        int ret;

        if (!name || !json_object_object_get_ex(in, "mem_bytes", &mem))
                return failure("create needs a name and mem_bytes");
        refused = reserve(s, in);
        if (refused)
                return failure(refused);
        ret = srv_domain_create(s, name, json_object_get_uint64(mem), &d);
        s->world->reserved = false;
        switch (ret) {
        case 0:
                o = success();
                json_object_object_add(o, "domid",
                                       json_object_new_uint64(d->domid));
                return o;
        case -EEXIST:
                return failure("a domain of that name exists already");
        case -EINVAL:
                return failure("a name has 1 to 63 letters, digits or _-.+: "
                               "and not only digits; memory is 1M to 1T in "
                               "steps of 4k");
        case -ENOSPC:
                return failure("no room for another domain (1,024 at once)");
        default:
                return failure(strerror(-ret));
        }
}

static struct json_object *no_domain(const char *dom)
{
        char text[128];

        snprintf(text, sizeof(text),
                 "no domain '%.64s' (pocketxen list shows those there are)",
                 dom ? dom : "");
        return failure(text);
}

static uint64_t number_or(struct json_object *o, const char *key,
                          uint64_t absent)
{
        struct json_object *v;

        return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v)
                                                     : absent;
}

/* Tests make a domain's xenstore fail: "state": "down" or "up"; faults (each
 * call sets all of them); "journal": what to note from now on. Answers with
 * what was noted and counted until now. */
static struct json_object *xenstore(struct server *s, struct json_object *in)
{
        const char *state = str(in, "state"), *journal = str(in, "journal");
        uint32_t domid = (uint32_t)number_or(in, "domid", 0);
        struct json_object *o = success();
        struct xstore_faults f;
        int ret = 0;

        xstore_get_faults(s->xs, &f);
        json_object_object_add(o, "eagains", json_object_new_uint64(f.eagains));
        json_object_object_add(o, "lose_in", json_object_new_uint64(f.lose_in));
        json_object_object_add(o, "requests",
                               json_object_new_uint64(f.requests));
        json_object_object_add(o, "waiting_high",
                               json_object_new_uint64(f.waiting_high));
        json_object_object_add(
                o, "journal",
                json_object_new_string(xstore_journal_text(s->xs)));
        f = (struct xstore_faults){.domid = domid,
                                   .lose_in = number_or(in, "lose_in", 0),
                                   .lose_reply = number_or(in, "lose_reply", 0),
                                   .eagain = number_or(in, "eagain", 0),
                                   .delay_us = number_or(in, "delay_us", 0)};
        xstore_set_faults(s->xs, &f);
        if (journal)
                ret = xstore_journal(s->xs, *journal ? journal : NULL);
        if (ret == 0 && state)
                ret = srv_domain_store(s, domid, strcmp(state, "up") == 0);
        if (ret == 0)
                return o;
        json_object_put(o);
        return failure(strerror(-ret));
}

static struct json_object *about_domain(struct server *s, const char *command,
                                        const char *dom)
{
        struct srv_domain *d = dom ? srv_domain_find(s, dom) : NULL;
        struct json_object *o;

        if (!d)
                return no_domain(dom);
        if (strcmp(command, "grants") == 0)
                return srv_grants_json(s, d);
        if (strcmp(command, "destroy") == 0) {
                if (d->domid == 0)
                        return failure("Domain-0 cannot be destroyed "
                                       "(pocketxen stop ends everything)");
                srv_domain_destroy(d);
                return success();
        }
        if (d->d->dying)
                return failure("the domain is dying");
        o = success();
        json_object_object_add(o, "domid", json_object_new_uint64(d->domid));
        json_object_object_add(o, "dir", json_object_new_string(d->dir));
        return o;
}

static struct json_object *done_or(const char *why_not)
{
        return why_not ? failure(why_not) : success();
}

static struct json_object *clear_faults(struct server *s,
                                        struct json_object *in)
{
        struct json_object *v;
        uint32_t id = json_object_object_get_ex(in, "id", &v)
                              ? (uint32_t)json_object_get_uint64(v)
                              : 0;

        return done_or(px_fault_remove(s->world, id) < 0
                               ? "no fault of that number (pocketxen fault "
                                 "list shows those there are)"
                               : NULL);
}

/* NULL: not about faults. */
static struct json_object *about_faults(struct server *s, const char *command,
                                        struct json_object *in)
{
        struct json_object *o;
        int id = 0;

        if (strcmp(command, "faults") == 0)
                return srv_faults_json(s);
        if (strcmp(command, "fault-clear") == 0)
                return clear_faults(s, in);
        if (strcmp(command, "fault-raise") == 0)
                return done_or(srv_fault_raise(s, in));
        if (strcmp(command, "fault-close") == 0)
                return done_or(srv_fault_close(s, in));
        if (strcmp(command, "fault") != 0)
                return NULL;
        o = done_or(srv_fault_add(s, in, &id));
        if (id > 0)
                json_object_object_add(o, "id", json_object_new_int(id));
        return o;
}

static struct json_object *dispatch(struct server *s, struct json_object *in)
{
        const char *command = str(in, "command");
        struct json_object *o;

        if (!command)
                return failure("no command");
        srv_settle(s);
        if (strcmp(command, "ping") == 0)
                return success();
        if (strcmp(command, "list") == 0)
                return srv_list_json(s);
        if (strcmp(command, "create") == 0)
                return create(s, in);
        if (strcmp(command, "xenstore") == 0)
                return xenstore(s, in);
        if (strcmp(command, "stop") == 0) {
                srv_stop(s);
                return success();
        }
        if (strcmp(command, "grants") == 0 || strcmp(command, "destroy") == 0 ||
            strcmp(command, "domain") == 0)
                return about_domain(s, command, str(in, "dom"));
        o = about_faults(s, command, in);
        return o ? o : failure("unknown command");
}

static void send_all(int fd, const char *text)
{
        size_t len = strlen(text), at = 0;

        while (at < len) {
                ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);

                if (n <= 0)
                        return; /* gone, or too slow: SO_SNDTIMEO */
                at += (size_t)n;
        }
}

static void answer(struct control *c)
{
        struct json_object *in = json_tokener_parse(c->line);
        struct json_object *out =
                in ? dispatch(c->srv, in) : failure("not a JSON object");

        send_all(c->fd,
                 json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
        send_all(c->fd, "\n");
        json_object_put(out);
        json_object_put(in);
}

static int on_readable(sd_event_source *src, int fd, uint32_t revents,
                       void *arg)
{
        struct control *c = arg;
        ssize_t n = recv(fd, c->line + c->have, LINE_BYTES - 1 - c->have,
                         MSG_DONTWAIT);
        char *end;

        (void)src;
        (void)revents;
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n > 0) {
                c->have += (size_t)n;
                c->line[c->have] = '\0';
                end = strchr(c->line, '\n');
                if (!end && c->have < LINE_BYTES - 1)
                        return 0;
                if (end) {
                        *end = '\0';
                        answer(c);
                }
        }
        sd_event_source_disable_unref(c->source);
        close(c->fd);
        free(c);
        return 0;
}

static int on_listen(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
        const struct timeval patience = {2, 0};
        struct control *c;
        int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        (void)src;
        (void)revents;
        if (conn < 0)
                return 0;
        c = calloc(1, sizeof(*c));
        setsockopt(conn, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (!c || sd_event_add_io(((struct server *)arg)->ev, &c->source, conn,
                                  EPOLLIN, on_readable, c) < 0) {
                free(c);
                close(conn);
                return 0;
        }
        c->srv = arg;
        c->fd = conn;
        return 0;
}

int srv_control_listen(struct server *s)
{
        char path[SRV_PATH_BYTES + 24];
        sd_event_source *source;
        int fd, ret;

        snprintf(path, sizeof(path), "%s/pocketxen.sock", s->dir);
        fd = srv_listen(path, SOCK_STREAM);
        if (fd < 0)
                return fd;
        ret = sd_event_add_io(s->ev, &source, fd, EPOLLIN, on_listen, s);
        if (ret < 0)
                return ret;
        return sd_event_source_set_floating(source, 1);
}
