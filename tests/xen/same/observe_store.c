/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define BASE "/local/domain/0/eg-observe"

static void done(const char *what, bool ok)
{
        int error = errno;

        printf("%s: %s\n", what, ok ? "ok" : name_of(error));
}

static void shown(const char *what, struct xs_handle *h, xs_transaction_t t,
                  const char *path)
{
        unsigned len;
        char *value = xs_read(h, t, path, &len);

        if (value)
                printf("%s: \"%s\", %u bytes\n", what, value, len);
        else
                printf("%s: %s\n", what, name_of(errno));
        free(value);
}

static void listed(const char *what, struct xs_handle *h, const char *path)
{
        unsigned n;
        char **names = xs_directory(h, XBT_NULL, path, &n);

        if (!names) {
                printf("%s: %s\n", what, name_of(errno));
                return;
        }
        printf("%s:", what);
        for (unsigned i = 0; i < n; i++)
                printf(" %s", names[i]);
        printf(" (%u)\n", n);
        free(names);
}

static void nodes(struct xs_handle *h)
{
        char large[4097] = "", path[3200];

        done("write", xs_write(h, XBT_NULL, BASE "/a/b", "value", 5));
        shown("read", h, XBT_NULL, BASE "/a/b");
        shown("the parent that came with it", h, XBT_NULL, BASE "/a");
        shown("read what is not there", h, XBT_NULL, BASE "/no");
        done("write nothing", xs_write(h, XBT_NULL, BASE "/empty", "", 0));
        shown("read it", h, XBT_NULL, BASE "/empty");
        done("write zeroes", xs_write(h, XBT_NULL, BASE "/zero", "a\0b", 3));
        shown("read them", h, XBT_NULL, BASE "/zero");
        done("mkdir of what is there", xs_mkdir(h, XBT_NULL, BASE "/a"));
        shown("which changes nothing", h, XBT_NULL, BASE "/a/b");
        listed("directory", h, BASE);
        listed("directory of what is not there", h, BASE "/no");
        done("rm of what is not there", xs_rm(h, XBT_NULL, BASE "/no"));
        done("rm below what is not there", xs_rm(h, XBT_NULL, BASE "/n/o"));
        done("rm of a tree", xs_rm(h, XBT_NULL, BASE "/a"));
        shown("a leaf of it", h, XBT_NULL, BASE "/a/b");
        done("two slashes", xs_write(h, XBT_NULL, BASE "//x", "", 0));
        done("a slash at the end", xs_write(h, XBT_NULL, BASE "/x/", "", 0));
        done("a forbidden letter", xs_write(h, XBT_NULL, BASE "/x y", "", 0));
        done("a relative path", xs_write(h, XBT_NULL, "eg-observe/r", "1", 1));
        shown("which is below the own domain", h, XBT_NULL, BASE "/r");
        memset(large, 'x', 4096);
        done("4,096 bytes", xs_write(h, XBT_NULL, BASE "/large", large, 4096));
        snprintf(path, sizeof(path), BASE "/%0*d", 3100 - (int)strlen(BASE), 0);
        done("a path too long", xs_write(h, XBT_NULL, path, "", 0));
}

static void permissions(struct xs_handle *h)
{
        struct xs_permissions p[2] = {{.id = 0, .perms = XS_PERM_READ},
                                      {.id = 5, .perms = XS_PERM_WRITE}};
        struct xs_permissions *got;
        unsigned n = 0;

        done("set permissions", xs_set_permissions(h, XBT_NULL, BASE, p, 2));
        xs_write(h, XBT_NULL, BASE "/child", "", 0);
        got = xs_get_permissions(h, XBT_NULL, BASE "/child", &n);
        printf("a new node's permissions:");
        for (unsigned i = 0; got && i < n; i++)
                printf(" %u:%u", got[i].id, (unsigned)got[i].perms);
        printf("\n");
        free(got);
        done("of what is not there",
             xs_set_permissions(h, XBT_NULL, BASE "/no", p, 2));
}

static void transactions(struct xs_handle *h, struct xs_handle *other)
{
        xs_transaction_t t = xs_transaction_start(h), u;

        done("write in a transaction", xs_write(h, t, BASE "/t", "1", 1));
        shown("the others do not see it", other, XBT_NULL, BASE "/t");
        shown("the transaction does", h, t, BASE "/t");
        done("commit", xs_transaction_end(h, t, false));
        shown("now they see it", other, XBT_NULL, BASE "/t");
        t = xs_transaction_start(h);
        shown("read in a transaction", h, t, BASE "/t");
        xs_write(other, XBT_NULL, BASE "/t", "2", 1);
        xs_write(h, t, BASE "/mine", "1", 1);
        done("commit after a conflict", xs_transaction_end(h, t, false));
        shown("nothing of it", other, XBT_NULL, BASE "/mine");
        t = xs_transaction_start(h);
        u = xs_transaction_start(other);
        xs_write(h, t, BASE "/one", "1", 1);
        xs_write(other, u, BASE "/two", "2", 1);
        done("one of two without a conflict", xs_transaction_end(h, t, false));
        done("the other", xs_transaction_end(other, u, false));
        t = xs_transaction_start(h);
        xs_rm(h, t, BASE);
        done("abort", xs_transaction_end(h, t, true));
        shown("nothing changed", h, XBT_NULL, BASE "/t");
        done("end what is not there", xs_transaction_end(h, 99, false));
        shown("read in what is not there", h, 99, BASE "/t");
}

static void events(const char *what, struct xs_handle *h)
{
        struct pollfd p = {.fd = xs_fileno(h), .events = POLLIN};
        unsigned n;

        printf("%s:", what);
        while (poll(&p, 1, 1000) == 1) {
                char **e = xs_read_watch(h, &n);

                printf(" %s(%s)", e[XS_WATCH_PATH], e[XS_WATCH_TOKEN]);
                free(e);
        }
        printf("\n");
}

static void watches(struct xs_handle *h, struct xs_handle *other)
{
        xs_transaction_t t;

        done("watch", xs_watch(h, BASE, "token"));
        events("fires once at first", h);
        done("the same again", xs_watch(h, BASE, "token"));
        xs_write(other, XBT_NULL, BASE "/t", "3", 1);
        events("a change below", h);
        t = xs_transaction_start(other);
        xs_write(other, t, BASE "/t", "4", 1);
        xs_write(other, t, BASE "/u", "4", 1);
        events("a transaction before its end", h);
        xs_transaction_end(other, t, false);
        events("and after it", h);
        xs_rm(other, XBT_NULL, BASE);
        events("a tree's end", h);
        done("unwatch", xs_unwatch(h, BASE, "token"));
        xs_write(other, XBT_NULL, BASE "/t", "5", 1);
        events("no more", h);
        done("unwatch again", xs_unwatch(h, BASE, "token"));
        done("watch a special path", xs_watch(h, "@releaseDomain", "r"));
        events("fires once at first", h);
}

void observe_store(uint32_t self)
{
        struct xs_handle *h = xs_open(0), *other = xs_open(0);
        char *path = xs_get_domain_path(h, self);

        print_text("own path", path ? path : "none");
        free(path);
        printf("domain 777 is introduced: %d\n",
               xs_is_domain_introduced(h, 777));
        xs_rm(h, XBT_NULL, BASE);
        nodes(h);
        permissions(h);
        transactions(h, other);
        watches(h, other);
        xs_rm(h, XBT_NULL, BASE);
        xs_close(other);
        xs_close(h);
}
