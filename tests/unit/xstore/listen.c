/* SPDX-License-Identifier: MIT */
/* The listener: the socket itself, peers that do not read, peers that break
 * the protocol. Server and clients in one thread: the loop runs when told. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/store_listen.h"

struct bench {
        char dir[32], path[48];
        sd_event *ev;
        struct xstore *xs;
        struct store_listener *l;
};

static int bench_setup(void **state)
{
        struct bench *b = calloc(1, sizeof(*b));

        strcpy(b->dir, "/tmp/xslisten.XXXXXX");
        assert_non_null(mkdtemp(b->dir));
        snprintf(b->path, sizeof(b->path), "%s/s", b->dir);
        assert_true(sd_event_new(&b->ev) >= 0);
        assert_int_equal(xstore_create(&b->xs, NULL), 0);
        assert_int_equal(store_listen_create(&b->l, b->ev, b->xs, 0, b->path),
                         0);
        *state = b;
        return 0;
}

static int bench_teardown(void **state)
{
        struct bench *b = *state;

        store_listen_destroy(b->l);
        xstore_destroy(b->xs);
        sd_event_unref(b->ev);
        assert_int_equal(rmdir(b->dir), 0);
        free(b);
        return 0;
}

/* Until nothing is left to do. */
static void spin(struct bench *b)
{
        while (sd_event_run(b->ev, 0) > 0)
                ;
}

static int dial(struct bench *b)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        strcpy(sa.sun_path, b->path);
        assert_int_equal(connect(fd, (void *)&sa, sizeof(sa)), 0);
        spin(b);
        return fd;
}

/* false: no room in the socket. */
static bool request(int fd, uint32_t type, const void *data, size_t len)
{
        char m[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
        struct xsd_sockmsg h = {type, 1, 0, (uint32_t)len};
        ssize_t n;

        memcpy(m, &h, sizeof(h));
        memcpy(m + sizeof(h), data, len);
        n = send(fd, m, sizeof(h) + len, MSG_NOSIGNAL);
        assert_true(n < 0 || (size_t)n == sizeof(h) + len);
        return n > 0;
}

static bool receive_all(int fd, void *buf, size_t len)
{
        for (size_t at = 0; at < len;) {
                ssize_t n = read(fd, (char *)buf + at, len - at);

                if (n <= 0)
                        return false;
                at += (size_t)n;
        }
        return true;
}

/* The next whole message, or 0 if there is none; -1 at the end. */
static int receive(struct bench *b, int fd, struct xsd_sockmsg *h, char *data)
{
        ssize_t n;

        spin(b);
        n = recv(fd, h, sizeof(*h), 0);
        if (n <= 0)
                return n < 0 && errno == EAGAIN ? 0 : -1;
        assert_int_equal(n, sizeof(*h));
        assert_true(h->len <= XENSTORE_PAYLOAD_MAX);
        for (int i = 0; i < 100; i++) {
                char c;

                if (recv(fd, &c, 1, MSG_PEEK) == 1 || !h->len)
                        break;
                spin(b);
        }
        if (!receive_all(fd, data, h->len))
                return -1;
        data[h->len] = '\0';
        return 1;
}

static void watch_all(struct bench *b, int fd)
{
        struct xsd_sockmsg h;
        char data[XENSTORE_PAYLOAD_MAX + 1];

        assert_true(request(fd, XS_WATCH, "/\0t", 4));
        assert_int_equal(receive(b, fd, &h, data), 1);
        assert_int_equal(h.type, XS_WATCH);
        assert_int_equal(receive(b, fd, &h, data), 1);
        assert_int_equal(h.type, XS_WATCH_EVENT);
}

static void the_socket_is_private_and_disappears(void **state)
{
        struct bench *b = *state;
        struct store_listener *second;
        struct stat st;
        int fd = dial(b);
        char c;

        assert_int_equal(stat(b->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(store_listen_connections(b->l), 1);
        store_listen_destroy(b->l);
        b->l = NULL;
        assert_int_equal(read(fd, &c, 1), 0);
        assert_int_equal(stat(b->path, &st), -1);
        close(fd);
        /* Over what a killed server left. */
        assert_int_equal(mknod(b->path, S_IFSOCK | 0600, 0), 0);
        assert_int_equal(store_listen_create(&second, b->ev, b->xs, 0, b->path),
                         0);
        store_listen_destroy(second);
}

static void connections_are_counted(void **state)
{
        struct bench *b = *state;
        int fd = dial(b);

        assert_int_equal(store_listen_connections(b->l), 1);
        close(fd);
        spin(b);
        assert_int_equal(store_listen_connections(b->l), 0);
}

static void a_closed_connection_takes_its_watches_along(void **state)
{
        struct bench *b = *state;
        struct xstore_count n;
        int fd = dial(b);

        watch_all(b, fd);
        request(fd, XS_TRANSACTION_START, "", 1);
        spin(b);
        xstore_count(b->xs, UINT32_MAX, &n);
        assert_int_equal(n.watches + n.transactions, 2);
        close(fd);
        spin(b);
        xstore_count(b->xs, UINT32_MAX, &n);
        assert_int_equal(n.watches + n.transactions + n.connections, 0);
}

static void a_peer_that_breaks_the_protocol_is_dropped(void **state)
{
        struct bench *b = *state;
        struct xsd_sockmsg h = {XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
        int bad = dial(b), good = dial(b);
        char c;

        assert_int_equal(send(bad, &h, sizeof(h), 0), sizeof(h));
        spin(b);
        assert_int_equal(read(bad, &c, 1), 0);
        watch_all(b, good);
        close(bad);
        close(good);
}

/* Returns how many events came of so many changes of one node and, at the end,
 * one of another. */
static int flood(struct bench *b, int fd)
{
        struct xsd_sockmsg h;
        char data[XENSTORE_PAYLOAD_MAX + 1];
        bool last = false;
        int events = 0;

        for (int i = 0; i < 100000; i++)
                xstore_write(b->xs, "/state", "x", NULL, 0);
        xstore_write(b->xs, "/other", "x", NULL, 0);
        while (receive(b, fd, &h, data) == 1) {
                assert_int_equal(h.type, XS_WATCH_EVENT);
                events++;
                last = strcmp(data, "/other") == 0;
        }
        assert_true(last);
        return events;
}

static void a_waiting_event_is_not_queued_twice(void **state)
{
        struct bench *b = *state;
        int fd = dial(b);

        watch_all(b, fd);
        /* As many as the socket itself takes, and a few. */
        for (int round = 0; round < 3; round++)
                assert_in_range(flood(b, fd), 10, 20000);
        close(fd);
}

static void a_peer_that_never_reads_is_dropped_in_the_end(void **state)
{
        struct bench *b = *state;
        struct xsd_sockmsg h;
        char data[XENSTORE_PAYLOAD_MAX + 1], path[2048];
        int slow = dial(b), good = dial(b), events = 0;

        watch_all(b, slow);
        for (int i = 0; i < 4000; i++) {
                snprintf(path, sizeof(path), "/%01500d/%d", 0, i);
                assert_int_equal(xstore_write(b->xs, path, "", NULL, 0), 0);
                if (i < 1000) /* far below the limit */
                        assert_int_equal(store_listen_connections(b->l), 2);
        }
        spin(b);
        assert_int_equal(store_listen_connections(b->l), 1);
        while (receive(b, slow, &h, data) == 1)
                events++;
        assert_in_range(events, 1, 3999);
        watch_all(b, good);
        close(slow);
        close(good);
}

static void requests_wait_while_replies_are_not_read(void **state)
{
        struct bench *b = *state;
        struct xsd_sockmsg h;
        char data[XENSTORE_PAYLOAD_MAX + 1] = "", value[4001];
        int fd = dial(b), sent = 0, replies = 0, full = 0;

        memset(value, 'v', sizeof(value));
        value[4000] = '\0';
        xstore_write(b->xs, "/big", value, NULL, 0);
        /* The socket takes no more although the server had its turn. */
        while (full < 2 && sent < 100000) {
                if (request(fd, XS_READ, "/big", 5)) {
                        sent++;
                        full = 0;
                        continue;
                }
                full++;
                spin(b);
        }
        assert_int_equal(full, 2);
        while (receive(b, fd, &h, data) == 1) {
                assert_int_equal(h.type, XS_READ);
                assert_int_equal(h.len, 4000);
                replies++;
        }
        assert_int_equal(replies, sent);
        close(fd);
}

#define BENCH_TEST(f) \
        cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                BENCH_TEST(the_socket_is_private_and_disappears),
                BENCH_TEST(connections_are_counted),
                BENCH_TEST(a_closed_connection_takes_its_watches_along),
                BENCH_TEST(a_peer_that_breaks_the_protocol_is_dropped),
                BENCH_TEST(a_waiting_event_is_not_queued_twice),
                BENCH_TEST(a_peer_that_never_reads_is_dropped_in_the_end),
                BENCH_TEST(requests_wait_while_replies_are_not_read),
        };

        return cmocka_run_group_tests_name("xstore-listen", tests, NULL, NULL);
}
