/* SPDX-License-Identifier: MIT */
/* Speaks the raw xenstore protocol as a script on stdin says, and prints what
 * comes back, so that the same script can be run against two servers and the
 * outputs compared.
 *
 *   open C SOCKET       connection C (one letter); SOCKET may be ring:N:DIR,
 *                       domain N's ring of an xenstored on xenstored_shim
 *   C TYPE TX PAYLOAD   sends; TX is 0, a number, or a name given by START.
 *                       \0 is a NUL, \xHH a byte, \*N,c\ N times c, at the
 *                       rest of the line
 *   C START NAME        a transaction, called NAME from now on
 *   drain C             prints the events that C has
 *   close C
 *   # comment
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "xs_ring.h"

static const char *const types[] = {
        "CONTROL",
        "DIRECTORY",
        "READ",
        "GET_PERMS",
        "WATCH",
        "UNWATCH",
        "TRANSACTION_START",
        "TRANSACTION_END",
        "INTRODUCE",
        "RELEASE",
        "GET_DOMAIN_PATH",
        "WRITE",
        "MKDIR",
        "RM",
        "SET_PERMS",
        "WATCH_EVENT",
        "ERROR",
        "IS_DOMAIN_INTRODUCED",
        "RESUME",
        "SET_TARGET",
        "RESTRICT",
        "RESET_WATCHES",
        "DIRECTORY_PART",
};
#define NTYPES (sizeof(types) / sizeof(types[0]))
#define DRAIN_ID 0xd1a1

static int fds[128];
static struct xs_ring *rings[128];
static struct {
        char name[32];
        uint32_t id;
} transactions[64];
static unsigned ntransactions;

static void die(const char *what)
{
        fprintf(stderr, "xs_script: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void open_conn(int c, const char *path)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        struct timeval tv = {.tv_sec = 20};
        char dir[200];
        int domid;

        if (sscanf(path, "ring:%d:%199s", &domid, dir) == 2) {
                rings[c] = xs_ring_open(dir, domid);
                if (!rings[c])
                        die(path);
                return;
        }
        if (strlen(path) >= sizeof(sa.sun_path))
                die(path);
        strcpy(sa.sun_path, path);
        fds[c] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[c] < 0 || connect(fds[c], (void *)&sa, sizeof(sa)) < 0)
                die(path);
        setsockopt(fds[c], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

static size_t unescape(const char *s, char *out, size_t room)
{
        size_t n = 0;

        while (*s && n < room) {
                unsigned count, byte;
                int used = 0;
                char c;

                if (s[0] == '\\' && s[1] == '0') {
                        out[n++] = '\0';
                        s += 2;
                } else if (sscanf(s, "\\x%2x%n", &byte, &used) == 1 && used) {
                        out[n++] = (char)byte;
                        s += used;
                } else if (sscanf(s, "\\*%u,%c\\%n", &count, &c, &used) == 2 &&
                           used) {
                        while (count-- && n < room)
                                out[n++] = c;
                        s += used;
                } else {
                        out[n++] = *s++;
                }
        }
        return n;
}

static void print_payload(const char *data, size_t len)
{
        if (len > 400) {
                unsigned sum = 0;

                for (size_t i = 0; i < len; i++)
                        sum = sum * 31 + (unsigned char)data[i];
                printf(" [%zu bytes, %08x]", len, sum);
                return;
        }
        printf(" \"");
        for (size_t i = 0; i < len; i++) {
                if (isprint((unsigned char)data[i]) && data[i] != '\\')
                        putchar(data[i]);
                else
                        printf(data[i] ? "\\x%02x" : "\\0",
                               (unsigned char)data[i]);
        }
        putchar('"');
}

static bool read_full(int c, void *buf, size_t len)
{
        if (rings[c])
                return xs_ring_read(rings[c], buf, len);
        for (size_t at = 0; at < len;) {
                ssize_t n = read(fds[c], (char *)buf + at, len - at);

                if (n <= 0)
                        return false;
                at += (size_t)n;
        }
        return true;
}

/* One message; false if the server has closed the connection. */
static bool receive(int c, struct xsd_sockmsg *h, char *data)
{
        if (!read_full(c, h, sizeof(*h)))
                return false;
        if (h->len > XENSTORE_PAYLOAD_MAX) {
                printf("%c reply of %u bytes\n", c, h->len);
                exit(1);
        }
        return read_full(c, data, h->len);
}

static void print_message(int c, const struct xsd_sockmsg *h, const char *data)
{
        printf("%c %s", c, h->type < NTYPES ? types[h->type] : "?");
        print_payload(data, h->len);
        putchar('\n');
}

/* Prints events up to the reply with this id, and that too unless quiet. */
static bool await(int c, uint32_t id, bool quiet, struct xsd_sockmsg *h,
                  char *data)
{
        do {
                if (!receive(c, h, data)) {
                        printf("%c closed\n", c);
                        close(fds[c]);
                        fds[c] = -1;
                        return false;
                }
                if (h->type == XS_WATCH_EVENT || !quiet)
                        print_message(c, h, data);
        } while (h->type == XS_WATCH_EVENT || h->req_id != id);
        return true;
}

static void send_message(int c, uint32_t type, uint32_t id, uint32_t tx,
                         const char *data, size_t len)
{
        struct xsd_sockmsg h = {type, id, tx, (uint32_t)len};

        if (rings[c]) {
                if (!xs_ring_write(rings[c], &h, sizeof(h)) ||
                    !xs_ring_write(rings[c], data, len))
                        printf("%c cannot send\n", c);
                return;
        }
        if (send(fds[c], &h, sizeof(h), MSG_NOSIGNAL) != sizeof(h) ||
            send(fds[c], data, len, MSG_NOSIGNAL) != (ssize_t)len)
                printf("%c cannot send\n", c);
}

static uint32_t find_type(const char *name)
{
        for (uint32_t i = 0; i < NTYPES; i++)
                if (strcmp(types[i], name) == 0)
                        return i;
        return (uint32_t)strtoul(name, NULL, 0);
}

static uint32_t find_tx(const char *name)
{
        for (unsigned i = ntransactions; i-- > 0;)
                if (strcmp(transactions[i].name, name) == 0)
                        return transactions[i].id;
        return (uint32_t)strtoul(name, NULL, 0);
}

static void start(int c, const char *name)
{
        static char data[XENSTORE_PAYLOAD_MAX + 1];
        struct xsd_sockmsg h;

        send_message(c, XS_TRANSACTION_START, 7, 0, "", 1);
        if (!await(c, 7, true, &h, data))
                return;
        data[h.len] = '\0';
        if (h.type != XS_TRANSACTION_START) {
                print_message(c, &h, data);
                return;
        }
        printf("%c START %s\n", c, name);
        if (ntransactions == 64)
                ntransactions = 0;
        snprintf(transactions[ntransactions].name, 32, "%s", name);
        transactions[ntransactions++].id = (uint32_t)strtoul(data, NULL, 10);
}

static void command(char *line)
{
        static char payload[XENSTORE_PAYLOAD_MAX * 2];
        char verb[32] = "", tx[32] = "", c, arg[200];
        struct xsd_sockmsg h;
        int at = 0;

        printf("> %s\n", line);
        if (sscanf(line, "open %c %199s", &c, arg) == 2) {
                open_conn(c, arg);
        } else if (sscanf(line, "drain %c", &c) == 1) {
                send_message(c, XS_GET_DOMAIN_PATH, DRAIN_ID, 0, "0", 2);
                await(c, DRAIN_ID, true, &h, payload);
        } else if (sscanf(line, "close %c", &c) == 1) {
                close(fds[(int)c]);
        } else if (sscanf(line, "%c START %31s", &c, tx) == 2) {
                start(c, tx);
        } else if (sscanf(line, "%c %31s %31s %n", &c, verb, tx, &at) >= 3) {
                size_t len =
                        unescape(at ? line + at : "", payload, sizeof(payload));

                send_message(c, find_type(verb), 42, find_tx(tx), payload, len);
                await(c, 42, false, &h, payload);
        } else {
                errno = EINVAL;
                die(line);
        }
}

int main(void)
{
        static char line[8192];

        setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof(line), stdin)) {
                line[strcspn(line, "\n")] = '\0';
                if (line[0] && line[0] != '#')
                        command(line);
        }
        return 0;
}
