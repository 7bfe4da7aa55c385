/* SPDX-License-Identifier: MIT */
/* Requests: parsed strictly, since a field that is misspelt would otherwise be
 * taken for one that is absent. */
#include "control.h"

#include "common/log.h"
#include "control_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- a request
 * --------------------------------------------------------------------- */

static const struct control_command *find_command(struct json_object *request,
                                                  struct err *e)
{
        struct json_object *f;
        char shown[64] = "";

        if (json_object_object_get_ex(request, "command", &f) &&
            json_object_is_type(f, json_type_string)) {
                const char *name = json_object_get_string(f);

                for (unsigned i = 0; i < CONTROL_COMMANDS; i++) {
                        if (strcmp(name, control_commands[i].name) == 0)
                                return &control_commands[i];
                }
                log_escape(shown, sizeof(shown), name, strlen(name));
        }
        err_set(e, -EINVAL,
                "unknown command \"%s\"; there are ping, list, stat and resize",
                shown);
        return NULL;
}

static bool field_known(const struct control_command *c, const char *name)
{
        if (strcmp(name, "version") == 0 || strcmp(name, "command") == 0)
                return true;
        for (unsigned i = 0; i < ARRAY_SIZE(c->fields) && c->fields[i]; i++) {
                if (strcmp(name, c->fields[i]) == 0)
                        return true;
        }
        return false;
}

static int check_version(struct json_object *request, struct err *e)
{
        struct json_object *f;

        if (json_object_object_get_ex(request, "version", &f) &&
            json_object_is_type(f, json_type_int) &&
            json_object_get_int64(f) == CONTROL_VERSION)
                return 0;
        return err_set(e, -EPROTO,
                       "this evergrantd speaks version %d of the control "
                       "protocol; use an evergrant of the same release",
                       CONTROL_VERSION);
}

static int run_request(struct daemon *d, struct json_object *request,
                       struct json_object *reply, struct err *e)
{
        const struct control_command *c;
        char shown[64];
        int ret;

        if (!json_object_is_type(request, json_type_object))
                return err_set(e, -EINVAL, "a request is one JSON object");
        ret = check_version(request, e);
        if (ret < 0)
                return ret;
        c = find_command(request, e);
        if (!c)
                return -EINVAL;
        json_object_object_foreach(request, name, value)
        {
                (void)value;
                if (!field_known(c, name))
                        return err_set(e, -EINVAL, "%s has no field \"%s\"",
                                       c->name,
                                       log_escape(shown, sizeof(shown), name,
                                                  strlen(name)));
        }
        return c->run(d, request, reply, e);
}

static struct json_object *parse(const char *line, size_t len)
{
        struct json_tokener *t = json_tokener_new();
        struct json_object *o;

        if (!t)
                return NULL;
        json_tokener_set_flags(t, JSON_TOKENER_STRICT);
        o = json_tokener_parse_ex(t, line, (int)len);
        if (json_tokener_get_error(t) != json_tokener_success) {
                json_object_put(o);
                o = NULL;
        }
        json_tokener_free(t);
        return o;
}

static struct json_object *new_reply(bool ok)
{
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "version",
                               json_object_new_int(CONTROL_VERSION));
        json_object_object_add(o, "ok", json_object_new_boolean(ok));
        return o;
}

char *control_answer(struct daemon *d, const char *line, size_t len)
{
        struct json_object *request = parse(line, len);
        struct json_object *reply = new_reply(true);
        struct err e = {0};
        char *text = NULL;

        if (run_request(d, request, reply, &e) < 0) {
                json_object_put(reply);
                reply = new_reply(false);
                json_object_object_add(reply, "error",
                                       json_object_new_string(e.text));
        }
        if (asprintf(&text, "%s\n",
                     json_object_to_json_string_ext(
                             reply, JSON_C_TO_STRING_PLAIN |
                                            JSON_C_TO_STRING_NOSLASHESCAPE)) <
            0)
                text = NULL;
        json_object_put(reply);
        json_object_put(request);
        return text;
}
