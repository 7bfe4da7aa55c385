/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/parse.h"
#include "line_socket.h"

#define TIMEOUT_MS 5000

const char *client_socket(const char *path)
{
        const char *env = getenv("EVERGRANT_SOCKET");

        if (path)
                return path;
        return env && *env ? env : CONTROL_SOCKET;
}

struct json_object *client_request(const char *command)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "version",
                               json_object_new_int(CONTROL_VERSION));
        json_object_object_add(o, "command", json_object_new_string(command));
        return o;
}

void client_add_domain(struct json_object *request, const char *dom)
{
        uint64_t domid;

        json_object_object_add(request, "domain",
                               parse_u64(dom, UINT32_MAX, &domid) == 0
                                       ? json_object_new_int64((int64_t)domid)
                                       : json_object_new_string(dom));
}

static int explain(int code, const char *path, struct err *e)
{
        struct stat st;

        if (code == -ENOENT || code == -ENOTDIR)
                return err_set(e, code,
                               "evergrantd is not running: there is no control "
                               "socket %s; start it with `systemctl start "
                               "evergrantd` or `evergrantd &` (in a `pocketxen "
                               "run` its socket is $EVERGRANT_SOCKET)",
                               path);
        if (code == -ECONNREFUSED)
                return err_set(e, code,
                               "evergrantd is not running: %s was left by one "
                               "that has ended; start it again with "
                               "`systemctl start evergrantd` or `evergrantd &`",
                               path);
        if ((code == -EACCES || code == -EPERM) && stat(path, &st) == 0)
                return err_set(e, code,
                               "no permission for the control socket %s: it is "
                               "open to user %u only (you are %u); use sudo",
                               path, st.st_uid, geteuid());
        if (code == -EACCES || code == -EPERM)
                return err_set(e, code,
                               "no permission for the control socket %s; use "
                               "sudo, or be the user who runs evergrantd",
                               path);
        if (code == -ETIMEDOUT)
                return err_set(e, code,
                               "evergrantd does not answer on %s (waited %d s)",
                               path, TIMEOUT_MS / 1000);
        return err_set(e, code, "control socket %s: %s", path, strerror(-code));
}

static int check_reply(struct json_object *o, const char *path, struct err *e)
{
        struct json_object *version, *ok, *error;
        const char *text = "evergrantd gave no reason";

        if (!json_object_object_get_ex(o, "version", &version) ||
            !json_object_is_type(version, json_type_int))
                return err_set(e, -EPROTO,
                               "what answers on %s is no evergrantd: its "
                               "answer has no version",
                               path);
        if (json_object_get_int64(version) != CONTROL_VERSION)
                return err_set(e, -EPROTO,
                               "evergrantd on %s speaks version %lld of the "
                               "control protocol, this evergrant speaks %d: "
                               "use the two of one release, and restart "
                               "evergrantd after an upgrade",
                               path, (long long)json_object_get_int64(version),
                               CONTROL_VERSION);
        if (json_object_object_get_ex(o, "ok", &ok) &&
            json_object_get_boolean(ok))
                return 0;
        if (json_object_object_get_ex(o, "error", &error) &&
            json_object_is_type(error, json_type_string))
                text = json_object_get_string(error);
        return err_set(e, -EREMOTE, "%s", text);
}

static int parse_reply(const char *line, const char *path,
                       struct json_object **reply, struct err *e)
{
        struct json_object *o = json_tokener_parse(line);
        int ret;

        if (!json_object_is_type(o, json_type_object)) {
                json_object_put(o);
                return err_set(e, -EPROTO,
                               "what answers on %s is no evergrantd: its "
                               "answer is no JSON object",
                               path);
        }
        ret = check_reply(o, path, e);
        if (ret < 0)
                json_object_put(o);
        else
                *reply = o;
        return ret;
}

int client_call(const char *path, struct json_object *request,
                struct json_object **reply, struct err *e)
{
        CLEANUP_FREE char *line = NULL;
        int ret;

        path = client_socket(path);
        ret = line_socket_call(
                path,
                json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN),
                TIMEOUT_MS, &line);
        json_object_put(request);
        if (ret == -EPIPE || ret == -ECONNRESET)
                return err_set(e, ret,
                               "evergrantd on %s ended the connection without "
                               "an answer; its log says why",
                               path);
        if (ret < 0)
                return explain(ret, path, e);
        return parse_reply(line, path, reply, e);
}

int client_ping(const char *path, struct err *e)
{
        struct json_object *reply = NULL;
        int ret = client_call(path, client_request("ping"), &reply, e);

        json_object_put(reply);
        return ret;
}
