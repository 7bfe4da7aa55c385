/* SPDX-License-Identifier: MIT */
/* Bytes on evergrantd's control socket: the real socket and the real commands,
 * over two disks that never had a guest. Input: size of the pieces in which it
 * is sent (0: all at once), then the bytes. Each whole line gets one line of
 * JSON back. */
#include "fuzz.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/control.h"
#include "daemon/crew.h"
#include "daemon/disk.h"

static struct daemon d;
static struct disk disks[2];
static char dir[] = "/tmp/evergrant-fuzz.XXXXXX", path[64], lock_path[80];

/* ---- the rest of the daemon --------------------------------------------- */

bool disk_offers_persistent(const struct disk *k)
{
        return k->config.grants == BACK_AUTO ||
               k->config.grants == BACK_PERSISTENT;
}

struct disk *disk_find(struct daemon *daemon, enum disk_kind kind,
                       uint32_t domid, uint32_t vdev)
{
        for (struct disk *k = daemon->disks; k; k = k->next) {
                if (k->kind == kind && k->domid == domid && k->vdev == vdev)
                        return k;
        }
        return NULL;
}

void disk_set_sectors(struct disk *k, uint64_t sectors)
{
}

void disk_refresh_domain(struct disk *k)
{
}

void crew_wait(struct crew *c, const struct disk *k)
{
}

void disk_log(struct disk *k, enum log_level level, const char *fmt, ...)
{
}

int disk_write_target(struct disk *k)
{
        return 0;
}

int disk_write_sectors(struct disk *k)
{
        return -ENOENT;
}

void back_queue_stats(const struct back_queue *q, struct back_stats *out)
{
        memset(out, 0, sizeof(*out));
        out->latency[17] = 3;
        out->inflight = ((const uint8_t *)q)[0];
}

void back_stats_sum(struct back_stats *sum, const struct back_stats *one)
{
        *sum = *one; /* there is one ring */
}

struct polling_counters back_thread_polling(const struct back_thread *t)
{
        return (struct polling_counters){.looks = 9, .finds = 7};
}

bool back_thread_has_uring(const struct back_thread *t, const char **why)
{
        *why = "there is no thread";
        return false;
}

/* How often a client gets its turn is limited by time; here it never waits. */
int sd_event_source_set_ratelimit(sd_event_source *s, uint64_t interval_usec,
                                  unsigned burst)
{
        return 0;
}

/* ---- set up --------------------------------------------------------------
 */

static void clean_up(void)
{
        control_stop(d.control);
        sd_event_unref(d.event);
        unlink(lock_path);
        rmdir(dir);
}

static void start(void)
{
        struct err e = {0};

        must(mkdtemp(dir), "mkdtemp");
        snprintf(path, sizeof(path), "%s/s", dir);
        snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
        d.options.socket = path;
        d.nthreads = 1;
        must(sd_event_new(&d.event) >= 0, "sd_event");
        must(control_start(&d, &e) == 0, "%s", e.text);
        atexit(clean_up);
}

static void disks_new(uint8_t *busy)
{
        const struct store_open_opts opts = {.kept_fd = -1};
        struct err e = {0};

        memset(disks, 0, sizeof(disks));
        for (unsigned i = 0; i < 2; i++) {
                struct disk *k = &disks[i];

                k->daemon = &d;
                k->next = i ? NULL : &disks[1];
                k->domid = 3 + i;
                k->vdev = 51712;
                k->config.block_bytes = SECTOR_BYTES;
                k->config.block_bytes = SECTOR_BYTES;
                strcpy(k->name, "xvda");
                snprintf(k->domain, sizeof(k->domain), "guest%u", i);
                k->config.target = strdup(i ? "null:1M" : "ram:1M");
                must(store_open(k->config.target, &opts, &k->store, &e) == 0,
                     "%s", e.text);
        }
        disks[0].rings[0].queue = (struct back_queue *)(void *)busy;
        disks[0].nrings = 1;
        strcpy(disks[1].error, "does not work");
        d.disks = disks;
}

static void disks_free(void)
{
        for (unsigned i = 0; i < 2; i++) {
                store_close(disks[i].store);
                free(disks[i].config.target);
        }
        d.disks = NULL;
}

/* ---- one connection ------------------------------------------------------ */

static int connect_client(void)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        strcpy(a.sun_path, path);
        must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0,
             "connect: %s", strerror(errno));
        return fd;
}

static char *got;
static size_t got_len;

/* Lets the daemon go on until it has nothing to do; keeps what it says. */
static bool turn(int fd)
{
        bool open = true;
        char buf[16384];
        ssize_t n;
        int ran;

        do {
                ran = sd_event_run(d.event, 0);
                must(ran >= 0, "sd_event_run: %d", ran);
                while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
                        got = realloc(got, got_len + (size_t)n);
                        memcpy(got + got_len, buf, (size_t)n);
                        got_len += (size_t)n;
                        ran = 1;
                }
                if (n == 0 || (n < 0 && errno == ECONNRESET))
                        open = false;
        } while (ran);
        return open;
}

static void send_all(int fd, const uint8_t *p, size_t len, size_t piece)
{
        while (len) {
                size_t want = piece && piece < len ? piece : len;
                ssize_t n = send(fd, p, want, MSG_NOSIGNAL);

                if (n > 0) {
                        p += n;
                        len -= (size_t)n;
                } else if (n < 0 && errno != EAGAIN) {
                        return; /* closed: a line was too long */
                }
                if (!turn(fd))
                        return;
        }
}

static void check_line(const char *line, size_t len)
{
        struct json_tokener *t = json_tokener_new();
        struct json_object *o = json_tokener_parse_ex(t, line, (int)len), *f;

        must(o && json_object_is_type(o, json_type_object), "no JSON object");
        must(json_object_object_get_ex(o, "version", &f) &&
                     json_object_get_int(f) == CONTROL_VERSION,
             "version");
        must(json_object_object_get_ex(o, "ok", &f) &&
                     json_object_is_type(f, json_type_boolean),
             "ok");
        if (!json_object_get_boolean(f))
                must(json_object_object_get_ex(o, "error", &f) &&
                             json_object_get_string_len(f) > 0,
                     "no sentence");
        json_object_put(o);
        json_tokener_free(t);
}

static unsigned check_replies(void)
{
        const char *at = got, *end;
        unsigned n = 0;

        while (got_len && (end = memchr(at, '\n', got_len))) {
                check_line(at, (size_t)(end - at));
                got_len -= (size_t)(end + 1 - at);
                at = end + 1;
                n++;
        }
        must(got_len == 0, "half a line");
        return n;
}

/* Whole lines; one that is too long gets an answer too, the last one. */
static unsigned lines(const uint8_t *p, size_t len)
{
        const uint8_t *end;
        unsigned n = 0;

        while (len && (end = memchr(p, '\n', len)) &&
               (size_t)(end - p) < CONTROL_LINE_BYTES) {
                len -= (size_t)(end + 1 - p);
                p = end + 1;
                n++;
        }
        return n + (len >= CONTROL_LINE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t busy = size & 1;
        unsigned want, have;
        int fd;

        if (!d.event)
                start();
        if (!size)
                return 0;
        disks_new(&busy);
        fd = connect_client();
        send_all(fd, data + 1, size - 1, data[0]);
        shutdown(fd, SHUT_WR);
        must(!turn(fd), "the daemon keeps a client that has ended");
        want = lines(data + 1, size - 1);
        have = check_replies();
        must(have == want, "%u answers to %u lines", have, want);
        free(got);
        got = NULL;
        got_len = 0;
        close(fd);
        disks_free();
        return 0;
}
