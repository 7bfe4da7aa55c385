/* SPDX-License-Identifier: MIT */
/* The oracles: canaries, accounts, life after an attack, bounds. */
#include "kit.h"

#include "../it/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define CANARY 0xc3

/* ---- O-CAN: pages ---------------------------------------------------------*/

void kit_guard(struct guest *g, struct guarded *p, unsigned n)
{
        void *pages;

        assert_true(n <= KIT_SLOTS);
        p->n = n;
        assert_int_equal(xen_shares_share(g->shares, 0, 2 * n + 1, true,
                                          p->refs, &pages),
                         0);
        p->all = pages;
        memset(p->all, CANARY, (2 * (size_t)n + 1) * 4096);
        for (unsigned i = 0; i < n; i++)
                p->page[i] = (struct page){p->all + (2 * (size_t)i + 1) * 4096,
                                           p->refs[2 * i + 1]};
}

void kit_guard_check(const struct guarded *p)
{
        static uint8_t whole[4096];

        memset(whole, CANARY, sizeof(whole));
        for (unsigned i = 0; i <= p->n; i++)
                if (memcmp(p->all + 2 * (size_t)i * 4096, whole, 4096) != 0)
                        fail_msg("the page before page %u was written", i);
}

/* ---- O-CAN: sectors -------------------------------------------------------*/

static void transfer(const char *path, bool write, uint64_t sector, void *bytes,
                     uint64_t sectors)
{
        int fd = open(path, write ? O_WRONLY : O_RDONLY);
        size_t len = sectors * SECTOR_BYTES;
        off_t at = (off_t)(sector * SECTOR_BYTES);
        ssize_t done;

        assert_true(fd >= 0);
        done = write ? pwrite(fd, bytes, len, at) : pread(fd, bytes, len, at);
        assert_int_equal(done, len);
        close(fd);
}

void kit_image(struct image *i, const char *name, uint64_t sectors)
{
        snprintf(i->path, sizeof(i->path), "%s/%s", place_env("HOSTILE_DIR"),
                 name);
        i->sectors = sectors;
        i->was = malloc(sectors * SECTOR_BYTES);
        assert_non_null(i->was);
        for (uint64_t k = 0; k < sectors * SECTOR_BYTES; k++)
                i->was[k] = (uint8_t)(k / SECTOR_BYTES * 37 + k * 11 + 1);
        close(open(i->path, O_CREAT | O_TRUNC | O_WRONLY, 0600));
        transfer(i->path, true, 0, i->was, sectors);
}

void kit_image_read(struct image *i, uint64_t sector, void *to, uint64_t n)
{
        transfer(i->path, false, sector, to, n);
}

void kit_image_check(struct image *i, uint64_t from, uint64_t n)
{
        uint8_t *now = malloc(i->sectors * SECTOR_BYTES);
        struct stat st;

        assert_non_null(now);
        assert_int_equal(stat(i->path, &st), 0);
        if ((uint64_t)st.st_size != i->sectors * SECTOR_BYTES)
                fail_msg("%s has another size", i->path);
        kit_image_read(i, 0, now, i->sectors);
        for (uint64_t s = 0; s < i->sectors; s++)
                if ((s < from || s - from >= n) &&
                    memcmp(now + s * SECTOR_BYTES, i->was + s * SECTOR_BYTES,
                           SECTOR_BYTES) != 0)
                        fail_msg("sector %" PRIu64 " of %s was written", s,
                                 i->path);
        free(now);
}

void kit_image_settle(struct image *i)
{
        kit_image_read(i, 0, i->was, i->sectors);
}

void kit_image_free(struct image *i)
{
        free(i->was);
        i->was = NULL;
}

/* ---- O-CAN: another domain ------------------------------------------------*/

#define WITNESS_SECTORS 512u

static struct {
        struct guest *g;
        struct image image;
        struct guarded page;
} witness;

int kit_group_setup(void **state)
{
        (void)state;
        kit_image(&witness.image, "witness.img", WITNESS_SECTORS);
        witness.g = guest_create(witness.image.path, "--grants persistent");
        guest_connect(witness.g, (struct connect_opts){.persistent = true});
        kit_guard(witness.g, &witness.page, 1);
        kit_witness_check();
        return 0;
}

void kit_witness_check(void)
{
        struct page *p = &witness.page.page[0];

        kit_guard_check(&witness.page);
        kit_image_check(&witness.image, 0, 0);
        memset(p->bytes, 0, 4096);
        assert_int_equal(guest_io(witness.g, BLK_READ, 16, p, 1), BLK_OKAY);
        assert_memory_equal(p->bytes, witness.image.was + 16ul * 512, 4096);
        assert_int_equal(guest_io(witness.g, BLK_WRITE, 16, p, 1), BLK_OKAY);
        assert_memory_equal(p->bytes, witness.image.was + 16ul * 512, 4096);
}

int kit_group_teardown(void **state)
{
        (void)state;
        kit_witness_check();
        guest_destroy(witness.g);
        kit_image_free(&witness.image);
        return 0;
}

/* ---- O-GNT, O-LIVE
 * ----------------------------------------------------------*/

static bool accounts_agree(struct guest *g)
{
        uint64_t ring_pages = (uint64_t)g->queues << g->order;
        struct account a = guest_account(g);

        return a.map_pages - a.unmap_pages == a.mapped &&
               guest_counter(g, "kept") + ring_pages == a.mapped &&
               guest_counter(g, "map_pages") -
                               guest_counter(g, "unmap_pages") ==
                       a.mapped;
}

void kit_gnt(struct guest *g)
{
        /* Idle grants may be evicted between two looks; a leak stays. */
        for (unsigned i = 0; i < 300; i++) {
                if (accounts_agree(g))
                        return;
                usleep(100000);
        }
        fail_msg("%" PRIu64 " pages are mapped; the backend says %" PRIu64
                 " kept, %" PRIu64 " maps, %" PRIu64 " unmaps",
                 guest_account(g).mapped, guest_counter(g, "kept"),
                 guest_counter(g, "map_pages"),
                 guest_counter(g, "unmap_pages"));
}

uint64_t kit_refused(struct guest *g, const char *verdict)
{
        char field[40];
        const char *at;

        assert_int_equal(rig_run("%s stat %s xvda --json",
                                 place_env("EVERGRANT"), g->name),
                         0);
        at = strstr(rig_said, "\"refused\"");
        assert_non_null(at);
        snprintf(field, sizeof(field), "\"%s\":", verdict);
        at = strstr(at, field);
        assert_non_null(at);
        return strtoull(at + strlen(field), NULL, 10);
}

uint64_t kit_map_bound(struct guest *g, unsigned max_segs)
{
        uint64_t indirect = (max_segs + BLK_SEGS_PER_INDIRECT_PAGE - 1) /
                            BLK_SEGS_PER_INDIRECT_PAGE;

        return guest_counter(g, "max_persistent") +
               (uint64_t)g->queues * (g->ring.slots * (max_segs + indirect) +
                                      (1u << g->order));
}

void kit_live(struct guest *g, struct connect_opts o)
{
        struct page p;
        uint8_t was[4096];

        guest_disconnect(g);
        assert_int_equal(guest_account(g).mapped, 0);
        guest_connect(g, (struct connect_opts){.persistent = true});
        guest_page(g, &p, true);
        assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        memcpy(was, p.bytes, 4096);
        memset(p.bytes, 0, 4096);
        assert_int_equal(guest_io(g, BLK_READ, 0, &p, 1), BLK_OKAY);
        assert_memory_equal(p.bytes, was, 4096);
        guest_disconnect(g);
        guest_unshare(g, &p);
        guest_connect(g, o);
}

/* ---- bounds
 * -----------------------------------------------------------------*/

static int daemon_pid(void)
{
        FILE *f = fopen(place_env("DAEMON_PID_FILE"), "r");
        int pid = 0;

        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        fclose(f);
        return pid;
}

static uint64_t entries(const char *what, const char *but)
{
        char path[300];
        struct dirent *d;
        uint64_t n = 0;
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/%s", daemon_pid(), what);
        dir = opendir(path);
        assert_non_null(dir);
        while ((d = readdir(dir))) {
                char comm[32] = "";
                FILE *f;

                if (d->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "/proc/%d/%s/%.20s/comm",
                         daemon_pid(), what, d->d_name);
                f = fopen(path, "r");
                if (f) {
                        if (!fgets(comm, sizeof(comm), f))
                                comm[0] = '\0';
                        fclose(f);
                }
                n += !but || strncmp(comm, but, strlen(but)) != 0;
        }
        closedir(dir);
        return n;
}

static uint64_t rss_kib(void)
{
        char path[64], line[128];
        uint64_t v = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/status", daemon_pid());
        f = fopen(path, "r");
        assert_non_null(f);
        /* Its own memory: guests' pages that are mapped count as shared. */
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %" SCNu64, &v) == 1)
                        break;
        fclose(f);
        return v;
}

uint64_t kit_log_lines(const char *with)
{
        FILE *f = fopen(place_env("DAEMON_LOG"), "r");
        char line[1024];
        uint64_t n = 0;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
                n += strstr(line, with) != NULL;
        fclose(f);
        return n;
}

uint64_t kit_log_wait(const char *with, uint64_t n)
{
        struct timespec from, to;

        clock_gettime(CLOCK_MONOTONIC, &from);
        for (unsigned i = 0; kit_log_lines(with) < n; i++) {
                if (i > 200000)
                        fail_msg("the log never says \"%s\"", with);
                usleep(300);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
               (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
}

struct bounds kit_bounds(void)
{
        return (struct bounds){
                .rss_kib = rss_kib(),
                .fds = entries("fd", NULL),
                /* the kernel's io_uring workers come and go */
                .threads = entries("task", "iou-"),
                .log_lines = kit_log_lines(""),
        };
}

void kit_bounds_check(const struct bounds *before, const char *what)
{
        struct bounds now = kit_bounds();
        const char *sanitize = getenv("EG_SANITIZE");

        printf("%s: memory %+" PRId64 " KiB, descriptors %+" PRId64
               ", threads %" PRIu64 ", log lines %" PRIu64 "\n",
               what, (int64_t)(now.rss_kib - before->rss_kib),
               (int64_t)(now.fds - before->fds), now.threads,
               now.log_lines - before->log_lines);
        /* Sanitizers keep what was freed. */
        if (!sanitize || strcmp(sanitize, "none") == 0)
                assert_true(now.rss_kib <= before->rss_kib + 1024);
        assert_int_equal(now.threads, before->threads);
        /* C3: a disk may have 4; one of an event channel is opened when the
         * first event is sent. */
        assert_true(now.fds <= before->fds + 4);
}

/* ---- the daemon
 * ---------------------------------------------------------------*/

static void tell_shell(int sig)
{
        char done[300];

        snprintf(done, sizeof(done), "%s/told", place_env("HOSTILE_DIR"));
        unlink(done);
        assert_int_equal(kill((pid_t)atoi(place_env("HOSTILE_SHELL")), sig), 0);
        for (unsigned i = 0; access(done, F_OK) != 0; i++) {
                if (i > 6000)
                        fail_msg("the shell does not answer");
                usleep(10000);
        }
}

void kit_daemon_stop(void)
{
        tell_shell(SIGUSR1);
}

void kit_daemon_start(void)
{
        tell_shell(SIGUSR2);
}
