/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include "../place.h"

#include <fcntl.h>
#include <json.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char guest_said[1 << 20];

/* ---- Domain-0 -------------------------------------------------------------
 */

static int run_line(const char *line)
{
        FILE *p = popen(line, "r");
        size_t n;

        assert_non_null(p);
        n = fread(guest_said, 1, sizeof(guest_said) - 1, p);
        guest_said[n] = 0;
        n = (size_t)pclose(p);
        return WIFEXITED((int)n) ? WEXITSTATUS((int)n) : -1;
}

int guest_run(const char *fmt, ...)
{
        char line[8192];
        va_list ap;
        int n = snprintf(line, sizeof(line), "exec '%s' exec 0 -- ",
                         place_env("POCKETXEN"));

        va_start(ap, fmt);
        n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
        va_end(ap);
        assert_true((size_t)n + 6 < sizeof(line));
        memcpy(line + n, " 2>&1", 6);
        return run_line(line);
}

static bool all_stopped(void)
{
        char line[200];

        snprintf(line, sizeof(line),
                 "! grep -hv -e '^State:.T' /proc/%s/task/*/status |"
                 " grep -q '^State:'",
                 place_env("DAEMON_PID"));
        return run_line(line) == 0;
}

void guest_hold(void)
{
        assert_int_equal(kill(atoi(place_env("DAEMON_PID")), SIGSTOP), 0);
        wait_until(all_stopped());
}

void guest_let_go(void)
{
        assert_int_equal(kill(atoi(place_env("DAEMON_PID")), SIGCONT), 0);
}

/* ---- disks ----------------------------------------------------------------
 */

struct eg_disk *guest_open(const char *target, const char *options,
                           const struct eg_options *opts)
{
        struct eg_disk *disk;

        guest_let_go(); /* the last test may have failed */
        if (guest_run("'%s' attach g1 xvda '%s' %s", place_env("EVERGRANT"),
                      target, options))
                fail_msg("attach: %s", guest_said);
        if (eg_open(&disk, "xvda", opts) < 0)
                fail_msg("eg_open: %s", eg_error());
        return disk;
}

void guest_close(struct eg_disk *disk)
{
        struct grants g;

        eg_close(disk);
        g = guest_grants();
        assert_int_equal(g.granted, 0);
        assert_int_equal(g.deferred, 0);
        if (guest_run("'%s' detach g1 xvda", place_env("EVERGRANT")))
                fail_msg("detach: %s", guest_said);
}

/* ---- an image ---------------------------------------------------------------
 */

static char image[200];

void guest_sectors(void *buf, size_t bytes, size_t sector)
{
        uint32_t *word = buf;

        for (size_t i = 0; i < bytes / 4; i++)
                word[i] = (uint32_t)(sector + i / 128 + 1);
}

const char *guest_image(size_t bytes)
{
        uint8_t *content = malloc(bytes);
        int fd;

        snprintf(image, sizeof(image), "%s/image", place_env("T"));
        fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_non_null(content);
        guest_sectors(content, bytes, 0);
        assert_int_equal(write(fd, content, bytes), bytes);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        free(content);
        return image;
}

void guest_image_read(void *buf, size_t bytes, size_t offset_bytes)
{
        int fd = open(image, O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(pread(fd, buf, bytes, (off_t)offset_bytes), bytes);
        close(fd);
}

unsigned long guest_image_blocks(void)
{
        struct stat st;

        assert_int_equal(stat(image, &st), 0);
        return (unsigned long)st.st_blocks;
}

/* ---- I/O --------------------------------------------------------------------
 */

static void io_done(struct eg_io *io, int error)
{
        struct guest_io *g = io->user;

        assert_int_equal(g->error, 1); /* once */
        g->error = error;
}

void guest_io_init(struct guest_io *g, enum eg_op op, void *mem, size_t len,
                   uint64_t offset_bytes)
{
        memset(g, 0, sizeof(*g));
        g->iov = (struct iovec){mem, len};
        g->io = (struct eg_io){.op = op,
                               .offset_bytes = offset_bytes,
                               .length_bytes = len,
                               .iov = &g->iov,
                               .niov = 1,
                               .done = io_done,
                               .user = g};
        g->error = 1;
}

int guest_finish(struct eg_disk *disk, struct guest_io *g)
{
        struct pollfd fd = {.fd = eg_fd(disk), .events = POLLIN};

        for (int i = 0; g->error == 1; i++) {
                assert_true(i < 100000);
                if (poll(&fd, 1, 20000) == 0)
                        fail_msg("not answered for 20 s");
                eg_process(disk);
        }
        return g->error;
}

int guest_io(struct eg_disk *disk, struct guest_io *g)
{
        int ret;

        g->error = 1;
        ret = eg_submit(disk, &g->io);
        if (ret < 0)
                return ret;
        eg_kick(disk);
        return guest_finish(disk, g);
}

/* ---- accounts
 * -----------------------------------------------------------------
 */

static json_object *said_json(void)
{
        json_object *o = json_tokener_parse(guest_said);

        if (!o)
                fail_msg("no JSON: %s", guest_said);
        return o;
}

static json_object *grants_json(void)
{
        char line[500];

        snprintf(line, sizeof(line), "'%s' grants g1 --json",
                 place_env("POCKETXEN"));
        assert_int_equal(run_line(line), 0);
        return said_json();
}

static json_object *entry(json_object *grants, size_t i)
{
        json_object *list = json_object_object_get(grants, "entries");

        return i < json_object_array_length(list)
                       ? json_object_array_get_idx(list, i)
                       : NULL;
}

struct grants guest_grants(void)
{
        json_object *o = grants_json(), *e;
        struct grants g = {0};

        for (size_t i = 0; (e = entry(o, i)); i++) {
                g.granted++;
                g.mapped += json_object_get_int(
                                    json_object_object_get(e, "pins")) > 0;
                g.deferred +=
                        strcmp(json_object_get_string(
                                       json_object_object_get(e, "state")),
                               "shared") != 0;
        }
        json_object_put(o);
        return g;
}

unsigned guest_peek(const char *text)
{
        json_object *o = grants_json(), *e;
        char refs[7000] = "", *total;
        size_t n = 0;
        unsigned texts;

        for (size_t i = 0; (e = entry(o, i)); i++) {
                n += (size_t)snprintf(
                        refs + n, sizeof(refs) - n, " %d",
                        json_object_get_int(json_object_object_get(e, "ref")));
                assert_true(n < sizeof(refs));
        }
        if (guest_run("'%s' %d '%s'%s", place_env("PEEK"),
                      json_object_get_int(json_object_object_get(o, "domid")),
                      text, refs))
                fail_msg("peek: %s", guest_said);
        json_object_put(o);
        total = strstr(guest_said, "total ");
        assert_non_null(total);
        assert_int_equal(sscanf(total, "total %u", &texts), 1);
        return texts;
}

unsigned long guest_counter(const char *name)
{
        json_object *o, *d;
        unsigned long v;

        if (guest_run("'%s' stat g1 xvda --json", place_env("EVERGRANT")))
                fail_msg("stat: %s", guest_said);
        o = said_json();
        d = json_object_array_get_idx(json_object_object_get(o, "disks"), 0);
        d = json_object_object_get(json_object_object_get(d, "counters"), name);
        assert_non_null(d);
        v = (unsigned long)json_object_get_int64(d);
        json_object_put(o);
        return v;
}
