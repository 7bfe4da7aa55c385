/* SPDX-License-Identifier: MIT */
#include "store_handle.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <xen/io/xs_wire.h>

#include "quiet.h"

#define TRANSACTION_TRIES 16
/* So many are made at once; before each further one comes a pause. */
#define HASTY_TRIES 4
#define PAUSE_FIRST_MS 1u
#define PAUSE_MOST_MS 32u
#define VALUE_BYTES_MAX 2048u

static struct xen_store *open_handle(void)
{
        struct xen_store *new = calloc(1, sizeof(*new));

        if (!new) {
                errno = ENOMEM;
                return NULL;
        }
        new->canary_fd = -1;
        errno = 0;
        new->xs = xs_open(0);
        if (!new->xs) {
                int ret = xen_call_error();

                free(new);
                errno = -ret;
                return NULL;
        }
        return new;
}

int xen_store_open(struct xen_store **s, struct err *e)
{
        struct xen_store *new = open_handle();
        int ret;

        *s = NULL;
        if (!new) {
                ret = -errno;
                return err_set(e, ret,
                               "cannot reach xenstore (%s): start xenstored on "
                               "a Xen host, or use `pocketxen run -- CMD` "
                               "anywhere else",
                               strerror(-ret));
        }
        ret = xen_store_watch_init(new);
        if (ret < 0) {
                xen_store_close(new);
                return err_set(e, ret, "cannot poll xenstore: %s",
                               strerror(-ret));
        }
        *s = new;
        return 0;
}

int xen_store_open_bare(struct xen_store **s, const struct xen_store_wait *w)
{
        *s = open_handle();
        if (!*s)
                return -errno;
        (*s)->wait = *w;
        return 0;
}

void xen_store_close(struct xen_store *s)
{
        if (!s)
                return;
        xen_store_watch_release(s);
        xs_close(s->watches);
        xs_close(s->xs);
        free(s);
}

/* Others were faster, and may be at it still. In all it is a quarter of a
 * second. */
static void let_others_finish(struct xen_store *s, int tries)
{
        struct timespec t = {0};
        uint64_t ms = PAUSE_FIRST_MS;

        if (tries < HASTY_TRIES)
                return;
        ms = min_u64(ms << (tries - HASTY_TRIES), PAUSE_MOST_MS);
        t.tv_nsec = (long)ms * 1000000;
        store_wait_begin(s);
        (void)nanosleep(&t, NULL);
        store_wait_end(s);
}

int xen_store_transaction(struct xen_store *s,
                          int (*body)(struct xen_store *s, void *arg),
                          void *arg)
{
        int ret;

        if (s->transaction != XBT_NULL)
                return -EINVAL; /* they do not nest */
        for (int i = 0; i < TRANSACTION_TRIES; i++) {
                bool ended;

                let_others_finish(s, i);
                store_wait_begin(s);
                s->transaction = xs_transaction_start(s->xs);
                store_wait_end(s);
                if (s->transaction == XBT_NULL)
                        return xen_call_error();
                ret = body(s, arg);
                store_wait_begin(s);
                ended = xs_transaction_end(s->xs, s->transaction, ret < 0);
                store_wait_end(s);
                s->transaction = XBT_NULL;
                if (ret < 0)
                        return ret;
                if (ended)
                        return 0;
                if (errno != EAGAIN)
                        return xen_call_error();
        }
        return -EAGAIN;
}

bool xen_store_path_ok(const char *path)
{
        size_t len = strlen(path);
        size_t max =
                *path == '/' ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX;

        if (len == 0 || len > max)
                return false;
        if (len > 1 && path[len - 1] == '/')
                return false;
        for (const char *c = path; *c; c++) {
                bool name = (*c >= 'a' && *c <= 'z') ||
                            (*c >= 'A' && *c <= 'Z') ||
                            (*c >= '0' && *c <= '9') || strchr("-/_@", *c);

                if (!name || (c[0] == '/' && c[1] == '/'))
                        return false;
        }
        return true;
}

int xen_store_read(struct xen_store *s, const char *path, char **value)
{
        unsigned len = 0;
        char *v;

        *value = NULL;
        if (!xen_store_path_ok(path))
                return -EINVAL;
        store_wait_begin(s);
        v = xs_read(s->xs, s->transaction, path, &len);
        store_wait_end(s);
        if (!v)
                return xen_call_error();
        if (len > VALUE_BYTES_MAX || memchr(v, '\0', len)) {
                free(v);
                return -EINVAL;
        }
        *value = v;
        return 0;
}

int xen_store_write(struct xen_store *s, const char *path, const char *value)
{
        size_t len = strlen(value);
        bool done;

        if (!xen_store_path_ok(path) || len > VALUE_BYTES_MAX)
                return -EINVAL;
        store_wait_begin(s);
        done = xs_write(s->xs, s->transaction, path, value, (unsigned)len);
        store_wait_end(s);
        return done ? 0 : xen_call_error();
}

int xen_store_rm(struct xen_store *s, const char *path)
{
        bool done;
        int ret;

        if (!xen_store_path_ok(path))
                return -EINVAL;
        store_wait_begin(s);
        done = xs_rm(s->xs, s->transaction, path);
        store_wait_end(s);
        if (done)
                return 0;
        ret = xen_call_error();
        return ret == -ENOENT ? 0 : ret;
}

bool xen_store_exists(struct xen_store *s, const char *path)
{
        CLEANUP_FREE char *value = NULL;

        if (!xen_store_path_ok(path))
                return false;
        store_wait_begin(s);
        value = xs_read(s->xs, s->transaction, path, NULL);
        store_wait_end(s);
        return value || errno == EACCES; /* there, but not for us */
}

int xen_store_list(struct xen_store *s, const char *path, char ***names,
                   unsigned *n)
{
        *names = NULL;
        *n = 0;
        if (!xen_store_path_ok(path))
                return -EINVAL;
        store_wait_begin(s);
        *names = xs_directory(s->xs, s->transaction, path, n);
        store_wait_end(s);
        if (*names)
                return 0;
        *n = 0;
        return xen_call_error();
}
