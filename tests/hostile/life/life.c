/* SPDX-License-Identifier: MIT */
#include "life.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

uint64_t life_scale(const char *name, uint64_t absent)
{
        const char *v = getenv(name);

        return v && *v ? strtoull(v, NULL, 10) : absent;
}

static int connect_to(const char *path)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
                return fd;
        close(fd);
        return -1;
}

static struct json_object *read_answer(int fd)
{
        struct json_tokener *tok = json_tokener_new();
        struct json_object *o = NULL;
        char buf[65536];
        ssize_t n;

        while (!o && (n = read(fd, buf, sizeof(buf))) > 0) {
                o = json_tokener_parse_ex(tok, buf, (int)n);
                if (!o && json_tokener_get_error(tok) != json_tokener_continue)
                        break;
        }
        json_tokener_free(tok);
        return o;
}

struct json_object *life_ask(const char *socket_path, const char *line)
{
        struct json_object *o = NULL;
        int fd = connect_to(socket_path);

        if (fd < 0)
                return NULL;
        if (dprintf(fd, "%s\n", line) > 0)
                o = read_answer(fd);
        close(fd);
        return o;
}

static struct json_object *ask_pocketxen(const char *line)
{
        struct json_object *o, *ok;
        char path[256];

        snprintf(path, sizeof(path), "%s/pocketxen.sock",
                 getenv("POCKETXEN_DIR"));
        o = life_ask(path, line);
        assert_non_null(o);
        assert_true(json_object_object_get_ex(o, "ok", &ok));
        if (!json_object_get_boolean(ok))
                fail_msg("%s: %s", line, json_object_to_json_string(o));
        return o;
}

struct json_object *life_pocketxen(const char *fmt, ...)
{
        char line[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        return ask_pocketxen(line);
}

struct json_object *life_xenstore(const char *fmt, ...)
{
        char more[512];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(more, sizeof(more), fmt, ap);
        va_end(ap);
        return life_pocketxen("{\"command\":\"xenstore\"%s}", more);
}

uint64_t life_number(struct json_object *o, const char *key)
{
        struct json_object *v;

        if (!json_object_object_get_ex(o, key, &v))
                fail_msg("no field %s", key);
        return json_object_get_uint64(v);
}

const char *life_states(struct guest *g)
{
        static char states[1 << 20];
        struct json_object *v, *o;
        const char *at;
        char key[96];
        size_t n = 0;

        snprintf(key, sizeof(key),
                 "/local/domain/0/backend/evergrant/%u/%u/state", g->domid,
                 g->vdev);
        o = life_xenstore(",\"journal\":\"%s\"", key);
        assert_true(json_object_object_get_ex(o, "journal", &v));
        for (at = json_object_get_string(v); (at = strstr(at, key)); at++) {
                at += strlen(key);
                assert_true(n + 1 < sizeof(states));
                states[n++] = at[0] == '=' && at[2] == '\n' ? at[1] : '?';
        }
        states[n] = '\0';
        json_object_put(o);
        return states;
}

int life_daemon_pid(void)
{
        static int pid;
        struct json_object *o, *d;

        if (pid)
                return pid;
        o = life_ask(getenv("EVERGRANT_SOCKET"),
                     "{\"version\":1,\"command\":\"stat\"}");
        assert_non_null(o);
        assert_true(json_object_object_get_ex(o, "daemon", &d));
        pid = (int)life_number(d, "pid");
        json_object_put(o);
        return pid;
}

static uint64_t read_number(const char *path, const char *after)
{
        char text[8192], *at;
        FILE *f = fopen(path, "r");
        size_t n;

        if (!f)
                return 0; /* a thread that has just ended */
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[n] = '\0';
        at = after ? strstr(text, after) : text;
        return at ? strtoull(at + (after ? strlen(after) : 0), NULL, 10) : 0;
}

/* The first number of schedstat is the time on a CPU. */
static uint64_t cpu_ns(int pid)
{
        struct dirent *e;
        uint64_t sum = 0;
        char path[512];
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/task", pid);
        dir = opendir(path);
        assert_non_null(dir);
        while ((e = readdir(dir))) {
                snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid,
                         e->d_name);
                if (e->d_name[0] != '.')
                        sum += read_number(path, NULL);
        }
        closedir(dir);
        return sum;
}

struct daemon_use life_daemon_use(void)
{
        struct daemon_use u = {.cpu_ns = cpu_ns(life_daemon_pid())};
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/status", life_daemon_pid());
        u.rss_kb = read_number(path, "VmRSS:");
        return u;
}

uint64_t life_own_cpu_ns(void)
{
        return cpu_ns(getpid());
}

uint64_t life_pocketxen_cpu_ns(void)
{
        static int pid;

        if (!pid) {
                struct ucred peer = {0};
                socklen_t len = sizeof(peer);
                char path[256];
                int fd;

                snprintf(path, sizeof(path), "%s/pocketxen.sock",
                         getenv("POCKETXEN_DIR"));
                fd = connect_to(path);
                assert_int_equal(
                        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len),
                        0);
                close(fd);
                pid = peer.pid;
        }
        return cpu_ns(pid);
}

uint64_t life_now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void life_honest(struct guest *g)
{
        const struct connect_opts o = {.persistent = true};
        struct page p;

        guest_state(g, XENBUS_CLOSED);
        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
        guest_let_go(g);
        guest_state(g, XENBUS_INITIALISING);
        life_wait(guest_backend_state(g) == XENBUS_INIT_WAIT);
        guest_publish(g, o);
        guest_state(g, XENBUS_INITIALISED);
        life_wait(guest_backend_state(g) == XENBUS_CONNECTED);
        guest_state(g, XENBUS_CONNECTED);
        guest_page(g, &p, true);
        memset(p.bytes, 0x5a, 4096);
        assert_int_equal(guest_io(g, BLK_WRITE, 0, &p, 1), BLK_OKAY);
        memset(p.bytes, 0, 4096);
        assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        for (unsigned i = 0; i < 4096; i++)
                assert_int_equal(p.bytes[i], 0x5a);
        guest_state(g, XENBUS_CLOSING);
        life_wait(guest_backend_state(g) == XENBUS_CLOSED);
        guest_state(g, XENBUS_CLOSED);
        guest_let_go(g);
        guest_unshare(g, &p);
}
