/* SPDX-License-Identifier: MIT */
/* The pocketxen server: gives the emulated hypervisor (core/) and xenstore
 * (store/) their sockets, time and processes. One thread on sd-event. Its run
 * directory holds a lock, the control socket, and a folder a domain with the
 * two sockets that are the domain's identity. */
#ifndef POCKETXEN_SERVER_SERVER_H
#define POCKETXEN_SERVER_SERVER_H

#include "../core/world.h"
#include "../store/xstore.h"
#include "store_listen.h"

#include <systemd/sd-event.h>

/* Short names: a socket's path has at most 107 bytes. */
#define SRV_PATH_BYTES 108

struct srv_conn;

struct srv_domain {
        LIST_ENTRY(srv_domain) link;
        struct server *srv;
        struct px_domain *d; /* NULL once gone */
        uint32_t domid;
        char dir[SRV_PATH_BYTES];
        sd_event_source *listen;
        struct store_listener *store;
        LIST_HEAD(, srv_conn) conns;
};

/* One connection on a hypercall socket: one handle of one process. */
struct srv_conn {
        LIST_ENTRY(srv_conn) link;
        struct srv_domain *dom;
        struct px_handle *handle; /* after HELLO */
        sd_event_source *source;
        int fd;
        pid_t pid;
};

struct server {
        sd_event *ev;
        struct px_world *world;
        struct xstore *xs;
        char dir[SRV_PATH_BYTES];
        sd_event_source *tick;     /* on while something waits to be settled */
        sd_event_source *stopping; /* looks whether Domain-0 has ended */
        uint64_t grace_until_us;   /* then it is killed; CLOCK_MONOTONIC */
        LIST_HEAD(, srv_domain) domains;
};

/* Runs until `stop` (or SIGTERM, SIGINT). Writes one byte to ready_fd when the
 * sockets are there, or the error's text. The directory exists and is locked.
 * Exit status. */
int srv_run(const char *dir, int ready_fd);
/* Tells Domain-0's programs to end; serves on until they have. */
void srv_stop(struct server *s);

/* domains.c */
int srv_domain_create(struct server *s, const char *name, uint64_t mem_bytes,
                      struct srv_domain **out);
/* Kills its processes, takes its xenstore away; it is dying until nothing of
 * it is mapped. */
void srv_domain_destroy(struct srv_domain *d);
struct srv_domain *srv_domain_by_id(struct server *s, uint32_t domid);
/* A number or a name. */
struct srv_domain *srv_domain_find(struct server *s, const char *dom);
/* Ends all the domain's connections to xenstore and refuses new ones, or takes
 * them again: watches and transactions are lost, nodes are not. */
int srv_domain_store(struct server *s, uint32_t domid, bool up);
/* Has unshared grants freed and dead domains reaped, now and again while
 * there are any. */
void srv_settle(struct server *s);

/* hypercall.c */
int srv_hypercall_listen(struct srv_domain *d);
void srv_conn_close(struct srv_conn *c);
/* For the core; arg is the server. */
bool srv_handle_is_gone(void *arg, const struct px_handle *h);

/* control.c, account.c */
int srv_control_listen(struct server *s);
struct json_object;
struct json_object *srv_list_json(struct server *s);
struct json_object *srv_grants_json(struct server *s, struct srv_domain *d);

/* fault.c: requests of the control socket; NULL, or why not. */
const char *srv_fault_add(struct server *s, struct json_object *in, int *id);
const char *srv_fault_raise(struct server *s, struct json_object *in);
const char *srv_fault_close(struct server *s, struct json_object *in);
struct json_object *srv_faults_json(struct server *s);
/* Domain `by` notifies port of d, for which a fault is set. */
void srv_fault_notify(struct server *s, uint32_t by, struct px_domain *d,
                      uint32_t port);

/* kill.c: every process that was started in the domain whose folder that is
 * (its environment says so), however deep. Returns how many got the signal. */
unsigned srv_kill_domain(const struct srv_domain *d, int sig);

/* sockets.c: -errno */
int srv_listen(const char *path, int type);

#endif
