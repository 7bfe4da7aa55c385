/* SPDX-License-Identifier: MIT */
/* What the files of the store share. Nodes live in one hash table keyed by the
 * whole path; a node knows the names of its children, as a packed list in the
 * form that XS_DIRECTORY sends. A transaction has a second table, its private
 * copies of every node it touched; see transaction.c. */
#ifndef POCKETXEN_STORE_INTERNAL_H
#define POCKETXEN_STORE_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "common/util.h"
#include <xen/io/xs_wire.h> /* wants errno.h and stdint.h first */

#include "store/xstore.h"

#define DOMID_FIRST_RESERVED 0x7ff0u
#define DOMID_SELF 0x7ff0u

/* perms.c */
enum { PERM_READ = 1, PERM_WRITE = 2, PERM_OWNER = 4 };
#define PERM_ALL (PERM_READ | PERM_WRITE | PERM_OWNER)

struct perm {
        uint32_t domid;
        uint32_t bits; /* PERM_READ | PERM_WRITE */
};
/* Shared by the nodes that inherit them; never changed while shared. The
 * first entry is the owner, its bits are for all who are not listed. */
struct perms {
        unsigned refs;
        unsigned n;
        struct perm e[];
};

struct perms *perms_new(unsigned n);
struct perms *perms_ref(struct perms *p);
void perms_unref(struct perms *p);
/* n terminated strings, one after the other. -EINVAL, -ENOMEM. */
int perms_parse(const char *strings, size_t len, unsigned n, struct perms **p);
/* Appends "r5\0" of each. The length, or -E2BIG. */
int perms_format(const struct perms *p, char *out, size_t room);
struct domain;
unsigned perms_of(const struct perms *p, const struct domain *d);

/* table.c */
struct bytes {
        char *p;
        uint32_t len, room;
};
struct node {
        struct node *chain;
        uint32_t hash, path_len;
        uint64_t gen; /* of the last change of value, permissions or list of
                       * children; never the same twice */
        struct perms *perms;
        struct bytes value;
        struct bytes children; /* "a\0b\0", in the order of creation */
        /* Only in a transaction's table. */
        struct node *next;       /* in the order of the first access */
        uint64_t seen;           /* gen at the first access, 0: was not there */
        bool exists, dirty;      /* in the eyes of the transaction */
        bool noted, noted_exact; /* watches (on this very node) will fire */
        struct perms *before;    /* while it is committed */
        char path[];
};
struct table {
        struct node **slots;
        size_t size, count;
};

uint32_t path_hash(const char *path, size_t len);
int table_init(struct table *t);
void table_release(struct table *t);
struct node *table_find(const struct table *t, const char *path, size_t len);
struct node *table_add(struct table *t, const char *path, size_t len);
void table_remove(struct table *t, struct node *n); /* and frees it */
int bytes_set(struct bytes *b, const void *p, size_t len);
int children_add(struct bytes *b, const char *name);
void children_remove(struct bytes *b, const char *name);

/* path.c */
#define PATH_BYTES (XENSTORE_ABS_PATH_MAX + 1)
bool path_is_valid(const char *path, size_t len, unsigned max);
/* Makes the absolute path of what domid sent. The length or -EINVAL. */
int path_canonical(char *out, const char *name, uint32_t domid, unsigned max);
/* The length of the parent's path; "/" is its own. */
size_t path_parent(const char *path, size_t len);
/* The last component. */
const char *path_name(const char *path, size_t len);

/* domain.c */
struct domain {
        struct domain *chain;
        uint32_t domid;
        bool introduced;
        bool seen; /* it had a connection or a node once */
        bool has_target;
        uint32_t target; /* it may do what this domain may (a stubdom) */
        size_t nodes, watches;
};
#define DOMAIN_BUCKETS 256

static inline bool domain_is_privileged(const struct domain *d)
{
        return d->domid == 0;
}
struct domain *domain_find(const struct xstore *xs, uint32_t domid);
struct domain *domain_get(struct xstore *xs, uint32_t domid); /* or NULL */
void domain_account(struct xstore *xs, uint32_t domid, int delta);
bool domain_exists(const struct xstore *xs, uint32_t domid);
void domain_free_all(struct xstore *xs);
/* Whether the actor may make a node of this size. */
bool quota_node_fits(const struct xstore *xs, const struct domain *actor,
                     size_t nperms, size_t value_len, size_t children_len);

/* watch.c */
struct watch {
        struct watch *chain; /* in the store's table, by path */
        struct watch *next;  /* of the connection, in order */
        struct xstore_conn *conn;
        uint64_t serial;
        uint32_t hash, path_len;
        uint32_t strip; /* bytes to leave out: it was set by relative path */
        char *token;    /* behind the path */
        char path[];
};
struct watch_table {
        struct watch **slots;
        size_t size, count;
        uint64_t serial;
        struct watch **matches; /* room for watch_fire to sort */
        size_t matches_room;
};
enum special { SPECIAL_INTRODUCE, SPECIAL_RELEASE, NSPECIALS };

int watch_add(struct xstore_conn *c, const char *path, size_t len,
              uint32_t strip, const char *token);
int watch_remove(struct xstore_conn *c, const char *path, size_t len,
                 const char *token);
void watch_remove_all(struct xstore_conn *c);
/* path changed. exact: only watches on this very node. before: permissions
 * that it had, for who could see it until now; may be NULL. Call it while the
 * node is there: when it is gone already, nobody is told on account of its
 * parent (as in xenstored, for removals in transactions). Sends at once. */
void watch_fire(struct xstore *xs, const char *path, size_t len, bool exact,
                const struct perms *before);
int special_find(const char *name); /* or -1 */
void special_fire(struct xstore *xs, enum special which);

/* transaction.c */
struct transaction {
        struct transaction *next; /* of the connection */
        uint32_t id;
        bool failed; /* ran into a quota: cannot be committed */
        struct table table;
        struct node *first, **last;
};

/* Who does something, and in which view of the store. */
struct actor {
        struct xstore *xs;
        struct domain *dom;
        struct transaction *tx; /* NULL: directly */
};

int transaction_start(struct xstore_conn *c, uint32_t *id);
struct transaction *transaction_find(const struct xstore_conn *c, uint32_t id);
/* Ends and frees it. 0, -EAGAIN, -ENOSPC or -ENOMEM. */
int transaction_end(struct xstore_conn *c, struct transaction *tx, bool commit);
void transaction_end_all(struct xstore_conn *c);
/* The transaction's copy, made at the first access; n->exists tells. NULL:
 * quota or memory, *err says which. */
struct node *transaction_node(const struct actor *a, const char *path,
                              size_t len, int *err);

/* tree.c: what may be done with nodes, in a transaction or not. All paths are
 * canonical. 0 or -errno. */
/* want: PERM_… that the actor must have. -ENOENT only where it may know. */
int tree_get(const struct actor *a, const char *path, size_t len, unsigned want,
             struct node **n);
int tree_write(const struct actor *a, const char *path, size_t len,
               const void *value, size_t value_len);
int tree_mkdir(const struct actor *a, const char *path, size_t len);
int tree_rm(const struct actor *a, const char *path, size_t len);
/* Without any check; *err: -ENOENT, or what transaction_node says. */
struct node *tree_find(const struct actor *a, const char *path, size_t len,
                       int *err);
/* The node was changed. */
void tree_touch(const struct actor *a, struct node *n);
/* Takes over the reference to p, also when it fails. */
int tree_set_perms(const struct actor *a, const char *path, size_t len,
                   struct perms *p);
/* remove.c */
int tree_remove_subtree(const struct actor *a, const char *path, size_t len);
void tree_forget_domain(struct xstore *xs, uint32_t domid);

/* fault.c */
enum fault { FAULT_NONE, FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY };
/* What is to happen to the request that the connection makes now. */
enum fault fault_of_request(struct xstore_conn *c);
/* True if the transaction's commit is to conflict. */
bool fault_of_commit(struct xstore_conn *c);
struct journal {
        char *prefix; /* NULL: off */
        struct bytes text;
};
void journal_note(struct xstore *xs, const char *path, size_t len,
                  const void *value, size_t value_len);

/* wire.c */
struct request {
        struct xstore_conn *c;
        struct actor actor;
        struct xsd_sockmsg h;
        const char *data; /* h.len bytes */
        char path[PATH_BYTES];
};
typedef int (*request_handler)(struct request *r);
void reply(struct request *r, const void *data, size_t len); /* E2BIG too */
void reply_ok(struct request *r);
void send_event(struct xstore_conn *c, const char *path, size_t path_len,
                const char *token);
/* Exactly n NUL-terminated strings and nothing else. */
bool get_strings(const struct request *r, const char **s, unsigned n);
/* The canonical path of name in r->path; its length or -EINVAL. */
int get_path(struct request *r, const char *name);
/* requests.c, toolstack.c */
int do_control(struct request *r);
int do_directory(struct request *r);
int do_read(struct request *r);
int do_get_perms(struct request *r);
int do_watch(struct request *r);
int do_unwatch(struct request *r);
int do_transaction_start(struct request *r);
int do_transaction_end(struct request *r);
int do_introduce(struct request *r);
int do_release(struct request *r);
int do_get_domain_path(struct request *r);
int do_write(struct request *r);
int do_mkdir(struct request *r);
int do_rm(struct request *r);
int do_set_perms(struct request *r);
int do_is_domain_introduced(struct request *r);
int do_resume(struct request *r);
int do_set_target(struct request *r);
int do_reset_watches(struct request *r);
int do_directory_part(struct request *r);

/* xstore.c */
struct xstore_conn {
        struct xstore *xs;
        struct xstore_conn *next, **link;
        struct domain *dom;
        xstore_send send;
        void *arg;
        struct watch *watches, **last_watch;
        struct transaction *transactions;
        unsigned ntransactions;
        uint32_t next_transaction;
        bool broken;
        bool mute;   /* what leaves for it is dropped */
        size_t have; /* bytes of an incomplete message in in[] */
        char *in;    /* allocated when first needed */
};
struct xstore {
        struct xstore_quota quota;
        struct table table;
        uint64_t gen;
        struct watch_table watches;
        struct perms *special[NSPECIALS];
        struct domain *domains[DOMAIN_BUCKETS];
        struct domain *dom0;
        struct xstore_conn *conns;
        xstore_exists exists;
        void *exists_arg;
        struct xstore_faults faults;
        struct journal journal;
};

#endif
