/* SPDX-License-Identifier: MIT */
/* The xenstore wrapper over the real libxenstore. At the other end of the
 * socket is a script: it answers each message with the next prepared reply,
 * sends watch events when told, and can hang up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <xen/io/xs_wire.h>

#include "common/clock.h"
#include "common/util.h"
#include "xen/store_handle.h"

struct reply {
        uint32_t type; /* of the reply: that of the request, or XS_ERROR */
        const char *data;
        uint32_t len;
};

static struct {
        int listener, canary, peer, watches;
        pthread_t thread;
        char path[108], dir[32];
        const struct reply *replies;
        unsigned nreplies, next;
        uint32_t types[64]; /* of the messages that came */
        uint32_t tx[64];
        unsigned nmsgs;
} srv;

static bool read_all(int fd, void *p, size_t n)
{
        char *c = p;

        while (n) {
                ssize_t got = read(fd, c, n);

                if (got <= 0)
                        return false;
                c += got;
                n -= (size_t)got;
        }
        return true;
}

static void send_on(int fd, uint32_t type, uint32_t req, uint32_t tx,
                    const void *data, uint32_t len)
{
        struct xsd_sockmsg m = {
                .type = type, .req_id = req, .tx_id = tx, .len = len};

        if (write(fd, &m, sizeof(m)) < 0 || (len && write(fd, data, len) < 0))
                perror("script: write");
}

static void send_event(const char *event, uint32_t len)
{
        send_on(srv.watches, XS_WATCH_EVENT, 0, 0, event, len);
}

/* False: it has hung up, or asks for what is not in the script. */
static bool answer(int fd)
{
        const struct reply *r = srv.replies + srv.next;
        char body[4096];
        struct xsd_sockmsg m;

        if (!read_all(fd, &m, sizeof(m)) || m.len > sizeof(body) ||
            !read_all(fd, body, m.len))
                return false;
        if (srv.nmsgs < ARRAY_SIZE(srv.types)) {
                srv.tx[srv.nmsgs] = m.tx_id;
                srv.types[srv.nmsgs++] = m.type;
        }
        if (srv.next >= srv.nreplies)
                return false;
        srv.next++;
        send_on(fd, r->type, m.req_id, m.tx_id, r->data, r->len);
        return true;
}

static void *serve(void *arg)
{
        struct pollfd p[2];
        bool going = true;

        /* In this order; the last one is silent. */
        srv.peer = accept(srv.listener, NULL, NULL);
        srv.watches = accept(srv.listener, NULL, NULL);
        srv.canary = accept(srv.listener, NULL, NULL);
        p[0] = (struct pollfd){.fd = srv.peer, .events = POLLIN};
        p[1] = (struct pollfd){.fd = srv.watches, .events = POLLIN};
        while (going && poll(p, 2, -1) > 0)
                for (unsigned i = 0; i < 2; i++)
                        if (p[i].revents)
                                going = going && answer(p[i].fd);
        shutdown(srv.peer, SHUT_RDWR);
        shutdown(srv.watches, SHUT_RDWR);
        shutdown(srv.canary, SHUT_RDWR);
        return NULL;
}

static struct xen_store *start(const struct reply *replies, unsigned n)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        struct xen_store *s;
        struct err e;

        memset(&srv, 0, sizeof(srv));
        srv.replies = replies;
        srv.nreplies = n;
        strcpy(srv.dir, "/tmp/unit-xen-store-XXXXXX");
        assert_non_null(mkdtemp(srv.dir));
        snprintf(srv.path, sizeof(srv.path), "%s/socket", srv.dir);
        strcpy(addr.sun_path, srv.path);
        srv.listener = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(
                bind(srv.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
        assert_int_equal(listen(srv.listener, 5), 0);
        setenv("XENSTORED_PATH", srv.path, 1);
        assert_int_equal(pthread_create(&srv.thread, NULL, serve, NULL), 0);
        assert_int_equal(xen_store_open(&s, &e), 0);
        return s;
}

static void stop(struct xen_store *s)
{
        xen_store_close(s);
        pthread_join(srv.thread, NULL);
        close(srv.peer);
        close(srv.watches);
        close(srv.canary);
        close(srv.listener);
        unlink(srv.path);
        rmdir(srv.dir);
}

#define R(type, text)                        \
        {                                    \
                type, text, sizeof(text) - 1 \
        }
#define OK(type)              \
        {                     \
                type, "OK", 3 \
        }
#define FAIL(name)                           \
        {                                    \
                XS_ERROR, name, sizeof(name) \
        }

static void open_without_a_xenstore_says_what_to_do(void **state)
{
        struct xen_store *s;
        struct err e;

        setenv("XENSTORED_PATH", "/nonexistent/socket", 1);
        assert_true(xen_store_open(&s, &e) < 0);
        assert_null(s);
        assert_non_null(strstr(e.text, "pocketxen run"));
}

static void values_are_strict(void **state)
{
        char *v;
        uint64_t n;
        static char big[2100];
        struct reply replies[] = {
                R(XS_READ, "hello"),  R(XS_READ, "a\0b"), {XS_READ, big, 2049},
                {XS_READ, big, 2048}, R(XS_READ, "42"),   R(XS_READ, "43"),
                R(XS_READ, " 4"),     R(XS_READ, "-1"),   R(XS_READ, "0x10"),
                R(XS_READ, ""),       FAIL("ENOENT"),     FAIL("ENOENT"),
                FAIL("EACCES"),
        };
        struct xen_store *s;

        memset(big, 'x', sizeof(big));
        s = start(replies, ARRAY_SIZE(replies));
        assert_int_equal(xen_store_read(s, "/a", &v), 0);
        assert_string_equal(v, "hello");
        free(v);
        assert_int_equal(xen_store_read(s, "/a", &v), -EINVAL);
        assert_null(v);
        assert_int_equal(xen_store_read(s, "/a", &v), -EINVAL);
        assert_int_equal(xen_store_read(s, "/a", &v), 0);
        free(v);
        assert_int_equal(xen_store_read_u64(s, "/a", 42, &n), 0);
        assert_int_equal(n, 42);
        assert_int_equal(xen_store_read_u64(s, "/a", 42, &n), -EINVAL);
        for (int i = 0; i < 4; i++)
                assert_int_equal(xen_store_read_u64(s, "/a", 42, &n), -EINVAL);
        assert_int_equal(xen_store_read_u64(s, "/a", 42, &n), -ENOENT);
        assert_int_equal(xen_store_read_u64_or(s, "/a", 42, 7, &n), 0);
        assert_int_equal(n, 7);
        assert_int_equal(xen_store_read_u64_or(s, "/a", 42, 7, &n), -EACCES);
        stop(s);
}

static void states_outside_the_range_are_unknown(void **state)
{
        const struct reply replies[] = {
                R(XS_READ, "4"),  R(XS_READ, "8"),  R(XS_READ, "9"),
                R(XS_READ, "-1"), R(XS_READ, "4x"), FAIL("ENOENT"),
        };
        struct xen_store *s = start(replies, ARRAY_SIZE(replies));

        assert_int_equal(xen_store_read_state(s, "/s"), XENBUS_CONNECTED);
        assert_int_equal(xen_store_read_state(s, "/s"), XENBUS_RECONFIGURED);
        for (int i = 0; i < 4; i++)
                assert_int_equal(xen_store_read_state(s, "/s"), XENBUS_UNKNOWN);
        stop(s);
        assert_string_equal(xenbus_state_name(XENBUS_CONNECTED), "Connected");
        assert_string_equal(xenbus_state_name((enum xenbus_state)77),
                            "Unknown");
}

static void paths_are_checked_before_they_are_sent(void **state)
{
        static const char *const bad[] = {"",     "/a//b", "/a/", "/a b",
                                          "/a\n", "/a%",   "//"};
        struct xen_store *s = start(NULL, 0);
        char *v;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                assert_int_equal(xen_store_read(s, bad[i], &v), -EINVAL);
                assert_int_equal(xen_store_write(s, bad[i], "x"), -EINVAL);
                assert_int_equal(xen_store_rm(s, bad[i]), -EINVAL);
                assert_int_equal(xen_store_watch(s, bad[i], "t"), -EINVAL);
                assert_false(xen_store_exists(s, bad[i]));
        }
        assert_int_equal(srv.nmsgs, 0);
        stop(s);
}

struct body {
        int runs;
        int result;
};

static int count_runs(struct xen_store *s, void *arg)
{
        struct body *b = arg;

        b->runs++;
        assert_int_equal(xen_store_transaction(s, count_runs, b), -EINVAL);
        if (b->result == 0)
                assert_int_equal(xen_store_write(s, "/a", "1"), 0);
        return b->result;
}

/* In place of libc's: while `pausing`, pauses between tries are noted and not
 * waited for. */
static bool pausing;
static unsigned pauses;
static uint64_t paused_ms;

int nanosleep(const struct timespec *t, struct timespec *rest)
{
        if (!pausing)
                return clock_nanosleep(CLOCK_MONOTONIC, 0, t, rest);
        pauses++;
        paused_ms += (uint64_t)t->tv_sec * 1000 +
                     (uint64_t)t->tv_nsec / CLOCK_NS_PER_MS;
        return 0;
}

static int transact(struct xen_store *s, struct body *b)
{
        int ret;

        pausing = true;
        pauses = 0;
        paused_ms = 0;
        ret = xen_store_transaction(s, count_runs, b);
        pausing = false;
        return ret;
}

static void transaction_is_tried_again_on_conflict(void **state)
{
        const struct reply replies[] = {
                R(XS_TRANSACTION_START, "11\0"),
                OK(XS_WRITE),
                FAIL("EAGAIN"),
                R(XS_TRANSACTION_START, "12\0"),
                OK(XS_WRITE),
                OK(XS_TRANSACTION_END),
        };
        struct xen_store *s = start(replies, ARRAY_SIZE(replies));
        struct body b = {.result = 0};

        assert_int_equal(transact(s, &b), 0);
        assert_int_equal(pauses, 0);
        assert_int_equal(b.runs, 2);
        assert_int_equal(srv.tx[1], 11);
        assert_int_equal(srv.tx[4], 12);
        stop(s);
}

static void transaction_gives_up_after_16(void **state)
{
        struct reply replies[16 * 3 + 1];
        struct xen_store *s;
        struct body b = {.result = 0};

        for (unsigned i = 0; i < 16; i++) {
                replies[i * 3] = (struct reply)R(XS_TRANSACTION_START, "5\0");
                replies[i * 3 + 1] = (struct reply)OK(XS_WRITE);
                replies[i * 3 + 2] = (struct reply)FAIL("EAGAIN");
        }
        replies[48] = (struct reply)OK(XS_WRITE);
        s = start(replies, ARRAY_SIZE(replies));
        assert_int_equal(transact(s, &b), -EAGAIN);
        assert_int_equal(b.runs, 16);
        /* Before each but the first four. */
        assert_int_equal(pauses, 12);
        assert_int_equal(paused_ms, 1 + 2 + 4 + 8 + 16 + 7 * 32);
        /* And it is over: the next call is in none. */
        assert_int_equal(xen_store_write(s, "/a", "1"), 0);
        assert_int_equal(srv.tx[48], 0);
        stop(s);
}

static void abandoned_transaction_returns_why(void **state)
{
        const struct reply replies[] = {
                R(XS_TRANSACTION_START, "9\0"),
                OK(XS_TRANSACTION_END),
        };
        struct xen_store *s = start(replies, ARRAY_SIZE(replies));
        struct body b = {.result = -EPERM};

        assert_int_equal(xen_store_transaction(s, count_runs, &b), -EPERM);
        assert_int_equal(b.runs, 1);
        stop(s);
}

static int poll_fd(struct xen_store *s, int ms)
{
        struct pollfd p = {.fd = xen_store_fd(s), .events = POLLIN};

        return poll(&p, 1, ms);
}

static void watches_arrive_and_never_block(void **state)
{
        const struct reply replies[] = {OK(XS_WATCH)};
        struct xen_store *s = start(replies, 1);
        static const char event[] = "/a/b\0tok";
        char *path, *token;

        assert_int_equal(xen_store_next_watch(s, &path, &token), 0);
        assert_int_equal(xen_store_watch(s, "/a", "tok"), 0);
        assert_int_equal(xen_store_next_watch(s, &path, &token), 0);
        assert_int_equal(poll_fd(s, 0), 0);
        for (int i = 0; i < 2; i++) {
                int got;

                send_event(event, sizeof(event));
                assert_int_equal(poll_fd(s, 10000), 1);
                while ((got = xen_store_next_watch(s, &path, &token)) == 0)
                        usleep(1000);
                assert_int_equal(got, 1);
                assert_string_equal(path, "/a/b");
                assert_string_equal(token, "tok");
                free(path);
                free(token);
        }
        assert_int_equal(xen_store_next_watch(s, &path, &token), 0);
        assert_int_equal(poll_fd(s, 0), 0);
        stop(s);
}

/* Until libxenstore's own list, which has no bound, is empty: nobody here asks
 * for events. */
static void wait_until_folded(struct xen_store *s)
{
        struct pollfd p = {.fd = xs_fileno(s->watches), .events = POLLIN};
        int unread = 1;

        for (int i = 0; i < 30000 && (unread || poll(&p, 1, 0) > 0); i++) {
                assert_int_equal(ioctl(srv.watches, SIOCOUTQ, &unread), 0);
                usleep(1000);
        }
        assert_int_equal(unread, 0);
        assert_int_equal(poll(&p, 1, 0), 0);
}

#define EVENTS 4000u

static void send_events(unsigned paths, const char *token)
{
        for (unsigned i = 0; i < EVENTS; i++) {
                char event[64];
                int len = snprintf(event, sizeof(event), "/a/b/%u%c%s",
                                   i % paths, 0, token);

                send_event(event, (uint32_t)len + 1);
        }
}

/* How many events of this token come next; the first one's path. */
static unsigned take_events(struct xen_store *s, const char *token, char *first,
                            size_t first_bytes)
{
        char *path, *found;
        unsigned n = 0;

        while (xen_store_next_watch(s, &path, &found) > 0) {
                assert_string_equal(found, token);
                if (n++ == 0)
                        snprintf(first, first_bytes, "%s", path);
                free(path);
                free(found);
        }
        return n;
}

static void events_that_nobody_takes_wait_once(void **state)
{
        const struct reply replies[] = {OK(XS_WATCH), OK(XS_WATCH)};
        struct xen_store *s = start(replies, 2);
        char first[64];

        assert_int_equal(xen_store_watch(s, "/a", "tok"), 0);
        assert_int_equal(xen_store_watch(s, "/b", "other"), 0);
        /* Few paths: each of them is told. */
        send_events(FOLD_PATHS, "tok");
        wait_until_folded(s);
        assert_int_equal(poll_fd(s, 30000), 1);
        assert_int_equal(take_events(s, "tok", first, sizeof(first)),
                         FOLD_PATHS);
        assert_string_equal(first, "/a/b/0");
        assert_int_equal(poll_fd(s, 0), 0);
        /* Many: one of them stands for all others. */
        send_events(FOLD_PATHS + 9, "other");
        wait_until_folded(s);
        assert_int_equal(take_events(s, "other", first, sizeof(first)),
                         FOLD_PATHS);
        assert_string_equal(first, "/a/b");
        /* What was taken comes again. */
        send_events(1, "tok");
        wait_until_folded(s);
        assert_int_equal(take_events(s, "tok", first, sizeof(first)), 1);
        stop(s);
}

static void lost_connection_is_seen_and_told(void **state)
{
        const struct reply replies[] = {OK(XS_WATCH)};
        struct xen_store *s = start(replies, 1);
        char *path, *token, *v;

        assert_int_equal(xen_store_watch(s, "/a", "tok"), 0);
        assert_int_equal(poll_fd(s, 0), 0);
        shutdown(srv.peer, SHUT_RDWR);
        assert_int_equal(poll_fd(s, 10000), 1);
        assert_int_equal(xen_store_next_watch(s, &path, &token), -ECONNRESET);
        assert_true(xen_store_read(s, "/a", &v) < 0);
        assert_int_equal(xen_store_next_watch(s, &path, &token), -ECONNRESET);
        stop(s);
}

static void rm_of_what_is_absent_is_fine(void **state)
{
        const struct reply replies[] = {FAIL("ENOENT"), FAIL("EACCES")};
        struct xen_store *s = start(replies, 2);

        assert_int_equal(xen_store_rm(s, "/a"), 0);
        assert_int_equal(xen_store_rm(s, "/a"), -EACCES);
        stop(s);
}

static void owner_is_the_first_entry(void **state)
{
        static const char perms[] = "n3\0r5";
        const struct reply replies[] = {
                {XS_GET_PERMS, perms, sizeof(perms)},
                OK(XS_SET_PERMS),
        };
        struct xen_store *s = start(replies, ARRAY_SIZE(replies));
        uint32_t domid = 0;

        assert_int_equal(xen_store_owner(s, "/a", &domid), 0);
        assert_int_equal(domid, 3);
        assert_int_equal(xen_store_set_owner(s, "/a", 3, 5), 0);
        stop(s);
}

static void domain_by_id_and_by_name(void **state)
{
        static const char ids[] = "0\0"
                                  "7\0"
                                  "12";
        const struct reply replies[] = {
                R(XS_READ, ""), /* /local/domain/7 */
                FAIL("ENOENT"), /* /local/domain/8 */
                {XS_DIRECTORY, ids, sizeof(ids)},
                R(XS_READ, "Domain-0"),
                FAIL("ENOENT"), /* 7 has no name */
                R(XS_READ, "guest"),
                {XS_DIRECTORY, ids, sizeof(ids)},
                R(XS_READ, "Domain-0"),
                R(XS_READ, "other"),
                R(XS_READ, "guest"),
        };
        struct xen_store *s = start(replies, ARRAY_SIZE(replies));
        uint32_t domid = 0;
        struct err e;

        assert_int_equal(xen_store_domain(s, "7", &domid, &e), 0);
        assert_int_equal(domid, 7);
        assert_int_equal(xen_store_domain(s, "8", &domid, &e), -ENOENT);
        assert_non_null(strstr(e.text, "8"));
        assert_int_equal(xen_store_domain(s, "guest", &domid, &e), 0);
        assert_int_equal(domid, 12);
        assert_int_equal(xen_store_domain(s, "nobody", &domid, &e), -ENOENT);
        assert_non_null(strstr(e.text, "nobody"));
        stop(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(open_without_a_xenstore_says_what_to_do),
                cmocka_unit_test(values_are_strict),
                cmocka_unit_test(states_outside_the_range_are_unknown),
                cmocka_unit_test(paths_are_checked_before_they_are_sent),
                cmocka_unit_test(transaction_is_tried_again_on_conflict),
                cmocka_unit_test(transaction_gives_up_after_16),
                cmocka_unit_test(abandoned_transaction_returns_why),
                cmocka_unit_test(watches_arrive_and_never_block),
                cmocka_unit_test(events_that_nobody_takes_wait_once),
                cmocka_unit_test(lost_connection_is_seen_and_told),
                cmocka_unit_test(rm_of_what_is_absent_is_fine),
                cmocka_unit_test(owner_is_the_first_entry),
                cmocka_unit_test(domain_by_id_and_by_name),
        };

        return cmocka_run_group_tests_name("xenstore", tests, NULL, NULL);
}
