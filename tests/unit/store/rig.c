/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include "store/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

uint64_t fake_room_bytes = UINT64_MAX;
int fake_fallocate_error;
void (*fake_punch_seen)(off_t at, off_t len);
int fake_sync_error;
unsigned fake_short_bytes;

uint64_t __real_ram_room_bytes(const char *root);
uint64_t __wrap_ram_room_bytes(const char *root);
int __wrap_fallocate(int fd, int mode, off_t at, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len);

uint64_t __wrap_ram_room_bytes(const char *root)
{
        return fake_room_bytes == UINT64_MAX ? __real_ram_room_bytes(root)
                                             : fake_room_bytes;
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t len)
{
        if (mode == 0 && fake_fallocate_error) {
                errno = fake_fallocate_error;
                return -1;
        }
        if (mode && fake_punch_seen)
                fake_punch_seen(at, len);
        return (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int __wrap_fallocate64(int fd, int mode, off_t at, off_t len)
{
        return __wrap_fallocate(fd, mode, at, len);
}

int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
        if (fake_sync_error) {
                errno = fake_sync_error;
                return -1;
        }
        return (int)syscall(SYS_fdatasync, fd);
}

static int setup(void **state, enum way way)
{
        struct loop_opts opts = {.no_uring = way == WAY_NO_URING_LOOP};
        struct rig *r = calloc(1, sizeof(*r));
        const char *tmp = getenv("TMPDIR");

        r->way = way;
        snprintf(r->dir, sizeof(r->dir), "%.40s/egstore-XXXXXX",
                 tmp ? tmp : "/var/tmp");
        assert_non_null(mkdtemp(r->dir));
        snprintf(r->path, sizeof(r->path), "%s/image", r->dir);
        *state = r;
        return loop_create(&r->l, &opts);
}

int rig_setup(void **state)
{
        return setup(state, WAY_URING);
}

int rig_setup_no_uring_loop(void **state)
{
        return setup(state, WAY_NO_URING_LOOP);
}

int rig_setup_no_uring_store(void **state)
{
        return setup(state, WAY_NO_URING_STORE);
}

void rig_end_child(struct rig *r)
{
        if (r->child <= 0)
                return;
        kill(r->child, SIGTERM);
        waitpid(r->child, NULL, 0);
        r->child = 0;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
        remove(path); /* a server may be faster */
        return 0;
}

int rig_teardown(void **state)
{
        struct rig *r = *state;

        fake_room_bytes = UINT64_MAX;
        fake_fallocate_error = 0;
        fake_sync_error = 0;
        fake_short_bytes = 0;
        rig_close(r);
        rig_end_child(r);
        if (r->device[0]) {
                char line[100];

                snprintf(line, sizeof(line), "losetup -d %s", r->device);
                if (system(line) != 0)
                        print_message("%s failed\n", line);
        }
        loop_destroy(r->l);
        nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(r);
        return 0;
}

static void open_it(struct rig *r, const char *target, bool readonly)
{
        struct store_open_opts opts = {
                .readonly = readonly,
                .no_uring = r->way == WAY_NO_URING_STORE,
                .kept_fd = -1,
        };
        struct err e = {0};

        rig_close(r);
        if (store_open(target, &opts, &r->s, &e) < 0)
                fail_msg("%s: %s", target, e.text);
        assert_int_equal(store_queue_open(r->s, r->l, &r->q), 0);
}

void rig_open(struct rig *r, const char *target)
{
        open_it(r, target, false);
}

void rig_open_readonly(struct rig *r, const char *target)
{
        open_it(r, target, true);
}

void rig_close(struct rig *r)
{
        store_queue_close(r->q);
        store_close(r->s);
        r->q = NULL;
        r->s = NULL;
}

void rig_refused(struct rig *r, const char *target, bool readonly, int code,
                 const char *words)
{
        struct store_open_opts opts = {.readonly = readonly, .kept_fd = -1};
        struct store *s = NULL;
        struct err e = {0};
        int ret = store_open(target, &opts, &s, &e);

        if (ret != code || !strstr(e.text, words))
                fail_msg("%s: %d \"%s\", not %d \"%s\"", target, ret, e.text,
                         code, words);
        assert_null(s);
        assert_int_equal(e.code, code);
}

void rig_image(struct rig *r, uint64_t size_bytes)
{
        int fd = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
        close(fd);
}

static void io_done(struct store_req *req, int error)
{
        struct io *io = container_of(req, struct io, req);
        struct rig *r = io->r;

        assert_true(error <= 0);
        io->error = error;
        io->calls++;
        r->pending--;
        if (io->then)
                io->then(io);
        if (r->pending == 0)
                loop_stop(r->l);
}

void rig_submit(struct rig *r, struct io *io)
{
        io->r = r;
        io->calls = 0;
        io->req.done = io_done;
        io->req.iov = io->iov;
        r->pending++;
        store_submit(r->q, &io->req);
}

void rig_wait(struct rig *r)
{
        /* A stop from inside of a submit may be left over. */
        do {
                loop_run(r->l);
        } while (r->pending);
}

int rig_do(struct rig *r, enum store_op op, uint64_t offset, void *buf,
           uint64_t len)
{
        struct io io = {
                .req = {.op = op,
                        .offset_bytes = offset,
                        .len_bytes = len,
                        .niov = buf ? 1 : 0},
                .iov[0] = {buf, len},
        };

        rig_submit(r, &io);
        rig_wait(r);
        assert_int_equal(io.calls, 1);
        return io.error;
}

uint64_t rig_blocks(const struct rig *r)
{
        struct stat st;

        assert_int_equal(stat(r->path, &st), 0);
        return (uint64_t)st.st_blocks;
}

/* A random request; its iovecs lie scattered in a 64 KiB-a-slot buffer. */
struct slot {
        struct io io;
        struct model *m;
        uint8_t *buf;
        bool busy;
};
struct model {
        struct rig *r;
        uint8_t *bytes, *claimed; /* claimed: per sector, by a request */
        uint64_t sectors;
        unsigned left;
        unsigned short seed[3];
        bool discard;
        struct slot slots[16];
};

static unsigned pick(struct model *m, unsigned below)
{
        return (unsigned)(nrand48(m->seed) % below);
}

/* No two at once on the same sector: their order is not defined. */
static bool claim(struct model *m, uint64_t at, uint64_t n)
{
        for (uint64_t i = at; i < at + n; i++) {
                if (m->claimed[i])
                        return false;
        }
        memset(m->claimed + at, 1, n);
        return true;
}

static void scatter(struct slot *s, unsigned sectors)
{
        struct model *m = s->m;
        unsigned n = 0, at = 0;

        while (sectors) {
                unsigned part = n == 63 ? sectors : 1 + pick(m, 8);

                if (part > sectors)
                        part = sectors;
                s->io.iov[n].iov_base = s->buf + at * 512;
                s->io.iov[n++].iov_len = part * 512;
                at += part + (n < 63 ? pick(m, 2) : 0);
                sectors -= part;
        }
        s->io.req.niov = n;
}

static void fill(struct slot *s, uint64_t at)
{
        for (unsigned i = 0; i < s->io.req.niov; i++) {
                struct iovec *v = &s->io.iov[i];

                if (s->io.req.op == STORE_READ) {
                        memset(v->iov_base, 0xee, v->iov_len);
                } else {
                        memset(v->iov_base, (int)pick(s->m, 255) + 1,
                               v->iov_len);
                        memcpy(s->m->bytes + at, v->iov_base, v->iov_len);
                }
                at += v->iov_len;
        }
}

static void check(struct slot *s)
{
        struct store_req *q = &s->io.req;
        uint64_t at = q->offset_bytes;

        for (unsigned i = 0; q->op == STORE_READ && i < q->niov; i++) {
                assert_memory_equal(q->iov[i].iov_base, s->m->bytes + at,
                                    q->iov[i].iov_len);
                at += q->iov[i].iov_len;
        }
}

static void model_done(struct io *io)
{
        struct slot *s = io->arg;
        struct store_req *q = &io->req;

        assert_int_equal(io->error, 0);
        assert_int_equal(io->calls, 1);
        check(s);
        if (q->op != STORE_FLUSH)
                memset(s->m->claimed + q->offset_bytes / 512, 0,
                       q->len_bytes / 512);
        s->busy = false;
}

static void next(struct slot *s)
{
        struct model *m = s->m;
        unsigned kind = pick(m, 20), n = 1 + pick(m, 60);
        uint64_t at = pick(m, (unsigned)(m->sectors - n));
        struct store_req *q = &s->io.req;

        *q = (struct store_req){.op = kind < 9    ? STORE_READ
                                      : kind < 18 ? STORE_WRITE
                                      : kind < 19 ? STORE_FLUSH
                                                  : STORE_DISCARD,
                                /* a hint, right or wrong */
                                .read_elsewhere = n % 2};
        if (q->op == STORE_DISCARD && !m->discard)
                q->op = STORE_READ;
        if (pick(m, 2) && (at & ~7ull) + ((n + 7) & ~7u) <= m->sectors) {
                /* whole pages, as file systems do */
                at &= ~7ull;
                n = (n + 7) & ~7u;
        }
        if (q->op != STORE_FLUSH) {
                if (!claim(m, at, n))
                        return;
                q->offset_bytes = at * 512;
                q->len_bytes = n * 512ull;
        }
        if (q->op == STORE_READ || q->op == STORE_WRITE) {
                scatter(s, n);
                fill(s, at * 512);
        } else if (q->op == STORE_DISCARD) {
                memset(m->bytes + at * 512, 0, n * 512);
        }
        s->busy = true;
        s->io.arg = s;
        s->io.then = model_done;
        m->left--;
        rig_submit(m->r, &s->io);
}

static void all_is_as_written(struct model *m)
{
        uint8_t *got = aligned_alloc(4096, 65536);

        for (uint64_t at = 0; at < m->sectors * 512; at += 65536) {
                uint64_t n = min_u64(65536, m->sectors * 512 - at);

                memset(got, 0xee, 65536);
                assert_int_equal(rig_do(m->r, STORE_READ, at, got, n), 0);
                assert_memory_equal(got, m->bytes + at, n);
        }
        free(got);
}

void rig_random_io(struct rig *r, unsigned requests, unsigned seed,
                   bool discard)
{
        struct model *m = calloc(1, sizeof(*m));
        struct store_info info;

        store_info(r->s, &info);
        m->r = r;
        m->left = requests;
        m->seed[0] = (unsigned short)seed;
        m->discard = discard;
        m->sectors = info.size_bytes / 512;
        m->bytes = calloc(m->sectors, 512);
        m->claimed = calloc(m->sectors, 1);
        for (size_t i = 0; i < ARRAY_SIZE(m->slots); i++) {
                m->slots[i].m = m;
                m->slots[i].buf = aligned_alloc(4096, 65536 + 65536);
        }
        while (m->left) {
                for (size_t i = 0; i < ARRAY_SIZE(m->slots) && m->left; i++) {
                        if (!m->slots[i].busy)
                                next(&m->slots[i]);
                }
                if (r->pending > 8)
                        rig_wait(r);
        }
        if (r->pending)
                rig_wait(r);
        all_is_as_written(m);
        for (size_t i = 0; i < ARRAY_SIZE(m->slots); i++)
                free(m->slots[i].buf);
        free(m->bytes);
        free(m->claimed);
        free(m);
}

uint64_t rig_memory(const struct rig *r)
{
        struct stat st;

        assert_int_equal(fstat(store_keep_fd(r->s), &st), 0);
        return (uint64_t)st.st_blocks * 512;
}
