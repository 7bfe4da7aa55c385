/* SPDX-License-Identifier: MIT */
/* Clients of the control socket. A client gets its next answer when it has
 * read the last one, so each holds a bounded piece of memory; when too many
 * are there, the one that was silent for the longest time has to go. */
#include "control.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Of a client, before disks get theirs. */
#define TURNS 100u
#define TURNS_US 100000u

struct client {
        struct control *control;
        struct client *next;
        sd_event_source *source;
        int fd;
        uint64_t turn; /* of its last sign of life */
        bool ended;    /* sends no more: close when all is answered */
        size_t in_len;
        char *out;
        size_t out_len, out_at;
        char in[CONTROL_LINE_BYTES];
};

struct control {
        struct daemon *daemon;
        sd_event_source *source;
        int fd, lock_fd;
        struct client *clients;
        unsigned nclients;
        uint64_t turn;
};

static void drop_client(struct client *c)
{
        for (struct client **p = &c->control->clients; *p; p = &(*p)->next) {
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        }
        c->control->nclients--;
        sd_event_source_disable_unref(c->source);
        close(c->fd);
        free(c->out);
        free(c);
}

static void reply(struct client *c, char *line)
{
        c->out = line;
        c->out_len = line ? strlen(line) : 0;
        c->out_at = 0;
        if (!line)
                c->ended = true;
}

/* Answers the first whole line, if there is one. */
static void take_line(struct client *c)
{
        static const char too_long[] =
                "{\"version\":1,\"ok\":false,\"error\":\"a request is one line "
                "of less than 65536 bytes\"}\n";
        char *end = memchr(c->in, '\n', c->in_len);
        size_t len;

        if (!end && c->in_len == sizeof(c->in)) {
                c->in_len = 0;
                reply(c, strdup(too_long));
                c->ended = true;
        }
        if (!end)
                return;
        len = (size_t)(end - c->in);
        reply(c, control_answer(c->control->daemon, c->in, len));
        c->in_len -= len + 1;
        memmove(c->in, end + 1, c->in_len);
}

/* False if the client is gone. */
static bool send_out(struct client *c)
{
        while (c->out_at < c->out_len) {
                ssize_t n = send(c->fd, c->out + c->out_at,
                                 c->out_len - c->out_at, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                c->out_at += (size_t)n;
        }
        free(c->out);
        c->out = NULL;
        c->out_len = c->out_at = 0;
        return true;
}

static bool receive(struct client *c)
{
        ssize_t n;

        if (c->ended || c->in_len == sizeof(c->in))
                return true;
        n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
        if (n > 0)
                c->in_len += (size_t)n;
        else if (n == 0)
                c->ended = true;
        else
                return errno == EAGAIN || errno == EINTR;
        return true;
}

/* One answer a turn: many requests at once wait for the disks' events, not the
 * other way round. */
static int on_client(sd_event_source *src, int fd, uint32_t events, void *arg)
{
        struct client *c = arg;
        bool alive = !(events & EPOLLERR);

        c->turn = ++c->control->turn;
        if (alive && (events & EPOLLIN))
                alive = receive(c);
        if (alive)
                alive = send_out(c);
        if (alive && !c->out) {
                take_line(c);
                alive = send_out(c);
        }
        if (alive && !c->out && !memchr(c->in, '\n', c->in_len)) {
                if (!c->ended)
                        return sd_event_source_set_io_events(src, EPOLLIN);
                alive = false;
        }
        if (alive)
                return sd_event_source_set_io_events(src, EPOLLOUT);
        drop_client(c);
        return 0;
}

static struct client *longest_silent(struct control *ctl)
{
        struct client *found = ctl->clients;

        for (struct client *c = ctl->clients; c; c = c->next) {
                if (c->turn < found->turn)
                        found = c;
        }
        return found;
}

static void add_client(struct control *ctl, int peer)
{
        struct client *c;

        if (ctl->nclients >= CONTROL_CLIENTS)
                drop_client(longest_silent(ctl));
        c = calloc(1, sizeof(*c));
        if (!c) {
                close(peer);
                return;
        }
        c->control = ctl;
        c->fd = peer;
        c->turn = ++ctl->turn;
        if (sd_event_add_io(ctl->daemon->event, &c->source, peer, EPOLLIN,
                            on_client, c) < 0) {
                close(peer);
                free(c);
                return;
        }
        /* Nobody asks more often but to keep us busy. */
        (void)sd_event_source_set_ratelimit(c->source, TURNS_US, TURNS);
        c->next = ctl->clients;
        ctl->clients = c;
        ctl->nclients++;
}

static int on_connect(sd_event_source *src, int fd, uint32_t events, void *arg)
{
        for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
                int peer =
                        accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (peer < 0)
                        break;
                add_client(arg, peer);
        }
        return 0;
}

int control_start(struct daemon *d, struct err *e)
{
        struct control *c = calloc(1, sizeof(*c));
        int ret;

        if (!c)
                return err_set(e, -ENOMEM, "out of memory");
        c->daemon = d;
        c->fd = c->lock_fd = -1;
        ret = control_socket_open(d->options.socket, &c->fd, &c->lock_fd, e);
        if (ret < 0)
                goto fail;
        ret = sd_event_add_io(d->event, &c->source, c->fd, EPOLLIN, on_connect,
                              c);
        if (ret < 0) {
                err_set(e, ret, "cannot poll the control socket: %s",
                        strerror(-ret));
                goto fail;
        }
        d->control = c;
        return 0;
fail:
        control_stop(c);
        return ret;
}

void control_stop(struct control *c)
{
        if (!c)
                return;
        while (c->clients)
                /* It takes itself off the list, which clang-tidy misses. */
                drop_client(c->clients); // NOLINT(*-unix.Malloc)
        sd_event_source_disable_unref(c->source);
        if (c->fd >= 0) {
                unlink(c->daemon->options.socket);
                close(c->fd);
        }
        /* The lock file stays: removing it would race with the next one. */
        if (c->lock_fd >= 0)
                close(c->lock_fd);
        free(c);
}
