/* SPDX-License-Identifier: MIT */
/* T-STATS (XSA-528): reads the statistics as fast as it can while somebody else
 * tears disks down: life-readers SOCKET STOPFILE. Counters never go back while
 * a connection lasts. Prints how often it read; 1 if a counter went back. */
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READERS 3
#define DISKS 64

static const char *const commands[READERS] = {
        "{\"version\":1,\"command\":\"stat\"}\n",
        "{\"version\":1,\"command\":\"list\"}\n",
        "{\"version\":1,\"command\":\"stat\"}\n",
};
/* Not those that say what is now. */
static const char *const counters[] = {
        "reads",          "writes",        "read_bytes",  "write_bytes",
        "errors",         "kicks",         "notifies",    "hits",
        "misses",         "map_calls",     "map_pages",   "via_map",
        "kept_high",      "unmap_pages",   "bad_grants",  "empty_kicks",
        "via_persistent", "inflight_high", "held_events",
};
#define COUNTERS (sizeof(counters) / sizeof(*counters))

struct seen {
        uint64_t key, connection, value[COUNTERS];
};

static const char *path, *stopfile;
static int bad;
static unsigned long reads;

static int open_socket(void)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                perror("connect");
                exit(1);
        }
        return fd;
}

static struct json_object *ask(int fd, const char *line)
{
        struct json_tokener *tok = json_tokener_new();
        struct json_object *o = NULL;
        char buf[65536];
        ssize_t n;

        if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
                exit(1);
        while (!o && (n = read(fd, buf, sizeof(buf))) > 0) {
                o = json_tokener_parse_ex(tok, buf, (int)n);
                if (!o && json_tokener_get_error(tok) != json_tokener_continue)
                        break;
        }
        json_tokener_free(tok);
        if (!o) {
                fprintf(stderr, "no answer, or one that is no JSON\n");
                exit(1);
        }
        return o;
}

static uint64_t number(struct json_object *o, const char *key)
{
        struct json_object *v;

        if (!json_object_object_get_ex(o, key, &v)) {
                fprintf(stderr, "no field %s\n", key);
                exit(1);
        }
        return json_object_get_uint64(v);
}

static struct seen *find(struct seen *seen, uint64_t key)
{
        for (int i = 0; i < DISKS; i++) {
                if (seen[i].key == key || seen[i].key == 0) {
                        seen[i].key = key;
                        return &seen[i];
                }
        }
        return &seen[0];
}

static void check_ring(struct seen *s, struct json_object *c,
                       uint64_t connection)
{
        for (size_t i = 0; i < COUNTERS; i++) {
                uint64_t v = number(c, counters[i]);

                if (s->connection == connection && v < s->value[i]) {
                        printf("%s went from %llu to %llu\n", counters[i],
                               (unsigned long long)s->value[i],
                               (unsigned long long)v);
                        __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
                }
                s->value[i] = v;
        }
        s->connection = connection;
}

static void check(struct seen *seen, struct json_object *answer)
{
        struct json_object *disks, *rings, *c;

        json_object_object_get_ex(answer, "disks", &disks);
        for (size_t i = 0; i < json_object_array_length(disks); i++) {
                struct json_object *d = json_object_array_get_idx(disks, i);

                if (!json_object_object_get_ex(d, "rings", &rings))
                        continue; /* list */
                for (size_t r = 0; r < json_object_array_length(rings); r++) {
                        struct json_object *o =
                                json_object_array_get_idx(rings, r);

                        json_object_object_get_ex(o, "counters", &c);
                        check_ring(find(seen, 1 + number(d, "domid") * 4096 +
                                                      number(o, "queue")),
                                   c, number(d, "connections"));
                }
        }
}

static void *reader(void *arg)
{
        const char *line = arg;
        struct seen *seen = calloc(DISKS, sizeof(*seen));
        int fd = open_socket();

        while (access(stopfile, F_OK) != 0) {
                struct json_object *o = ask(fd, line);

                check(seen, o);
                json_object_put(o);
                __atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
        }
        close(fd);
        free(seen);
        return NULL;
}

int main(int argc, char **argv)
{
        pthread_t t[READERS];

        if (argc != 3)
                return 2;
        path = argv[1];
        stopfile = argv[2];
        for (int i = 0; i < READERS; i++)
                pthread_create(&t[i], NULL, reader, (void *)commands[i]);
        for (int i = 0; i < READERS; i++)
                pthread_join(t[i], NULL);
        printf("%lu reads\n", reads);
        return bad;
}
