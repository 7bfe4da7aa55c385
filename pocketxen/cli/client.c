/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_server(void)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd;

        if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/pocketxen.sock",
                     cli_dir()) >= (int)sizeof(sa.sun_path))
                return -1;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

/* Everything until the server closes, terminated. */
static char *read_all(int fd)
{
        size_t room = 65536, have = 0;
        char *buf = malloc(room);
        ssize_t n;

        while (buf && (n = recv(fd, buf + have, room - 1 - have, 0)) > 0) {
                have += (size_t)n;
                if (have == room - 1) {
                        char *more = realloc(buf, room *= 2);

                        if (!more) {
                                free(buf);
                                return NULL;
                        }
                        buf = more;
                }
        }
        if (buf)
                buf[have] = '\0';
        return buf;
}

static struct json_object *exchange(int fd, struct json_object *request)
{
        const char *text =
                json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
        struct json_object *reply = NULL;
        char *answer;

        if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ||
            send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
                return NULL;
        answer = read_all(fd);
        if (answer)
                reply = json_tokener_parse(answer);
        free(answer);
        return reply;
}

struct json_object *cli_ask_object(struct json_object *request)
{
        struct json_object *reply, *v;
        int fd = connect_server();

        if (fd < 0) {
                json_object_put(request);
                cli_fail(1,
                         "no pocketxen in %s (pocketxen start, or "
                         "pocketxen run -- CMD; POCKETXEN_DIR says where)",
                         cli_dir());
                return NULL;
        }
        reply = exchange(fd, request);
        close(fd);
        json_object_put(request);
        if (!reply) {
                cli_fail(1, "the server in %s gave no answer", cli_dir());
                return NULL;
        }
        if (json_object_object_get_ex(reply, "ok", &v) &&
            json_object_get_boolean(v))
                return reply;
        cli_fail(1, "%s",
                 json_object_object_get_ex(reply, "error", &v)
                         ? json_object_get_string(v)
                         : "the server refused");
        json_object_put(reply);
        return NULL;
}

struct json_object *cli_ask(const char *command, const char *dom)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "command", json_object_new_string(command));
        if (dom)
                json_object_object_add(o, "dom", json_object_new_string(dom));
        return cli_ask_object(o);
}
