/* SPDX-License-Identifier: MIT */
/* Messages on pocketxen's hypercall sockets: the real sockets, the real core,
 * three domains. Input: steps of processes that connect, ask, map pages as the
 * drop-ins do, and die, also in the middle of a map. When all connections are
 * closed, nothing of them may be left. */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "server/server.h"

#define DOMAINS 3
#define CONNS 6
#define REMEMBERED 16

static struct server srv;
static struct srv_domain doms[DOMAINS];
static char dir[] = "/tmp/evergrant-fuzz.XXXXXX";
static int conns[CONNS];
static unsigned conn_dom[CONNS];
static uint32_t conn_handle[CONNS]; /* its id after HELLO, or 0 */
static bool conn_raw[CONNS];        /* said what nobody followed */
static struct pxw_reply last_reply;
static uint32_t remembered[REMEMBERED], nremembered;

/* ---- set up --------------------------------------------------------------
 */

static void clean_up(void)
{
        char path[64];

        for (unsigned i = 0; i < DOMAINS; i++) {
                sd_event_source_disable_unref(doms[i].listen);
                snprintf(path, sizeof(path), "%s/xen", doms[i].dir);
                unlink(path);
                rmdir(doms[i].dir);
        }
        sd_event_source_disable_unref(srv.tick);
        px_world_destroy(srv.world);
        sd_event_unref(srv.ev);
        rmdir(dir);
}

static void start(void)
{
        static const char *const names[DOMAINS] = {"Domain-0", "g1", "g2"};

        must(mkdtemp(dir) && sd_event_new(&srv.ev) >= 0 &&
                     px_world_create(&srv.world) == 0,
             "set up");
        LIST_INIT(&srv.domains);
        for (unsigned i = 0; i < DOMAINS; i++) {
                struct srv_domain *d = &doms[i];

                d->srv = &srv;
                LIST_INIT(&d->conns);
                must(px_domain_create(srv.world, names[i], 1u << 20, &d->d) ==
                             0,
                     "domain");
                d->domid = d->d->domid;
                LIST_INSERT_HEAD(&srv.domains, d, link);
                snprintf(d->dir, sizeof(d->dir), "%s/d%u", dir, i);
                must(mkdir(d->dir, 0700) == 0, "mkdir");
                must(srv_hypercall_listen(d) == 0, "listen");
        }
        atexit(clean_up);
}

static int connect_to(const struct srv_domain *d)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
                        0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s/xen", d->dir);
        must(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0,
             "connect: %s", strerror(errno));
        return fd;
}

static void run_server(void)
{
        while (sd_event_run(srv.ev, 0) > 0)
                ;
}

/* ---- a process ----------------------------------------------------------- */

static void remember(uint32_t v)
{
        remembered[nremembered++ % REMEMBERED] = v;
}

static void close_fds(struct msghdr *m)
{
        struct cmsghdr *c = CMSG_FIRSTHDR(m);
        size_t n = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                close(fd);
        }
}

/* All answers there are. False: the server hung up. */
static bool take_replies(int fd)
{
        static struct pxw_shared shared[PXW_SHARE_MAX];
        char control[CMSG_SPACE(4 * sizeof(int))]
                __attribute__((aligned(sizeof(size_t))));
        struct pxw_reply r;

        for (;;) {
                struct iovec iov[2] = {{&r, sizeof(r)},
                                       {shared, sizeof(shared)}};
                struct msghdr m = {.msg_iov = iov,
                                   .msg_iovlen = 2,
                                   .msg_control = control,
                                   .msg_controllen = sizeof(control)};
                ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

                if (n <= 0)
                        return n < 0 && errno == EAGAIN;
                close_fds(&m);
                must((size_t)n == sizeof(r) + r.n * sizeof(shared[0]),
                     "%zd bytes with %u", n, r.n);
                must(r.error >= 0 && (!r.error || !r.n), "error %d, n %u",
                     r.error, r.n);
                last_reply = r;
                if (r.error)
                        continue;
                remember(r.a);
                if (r.n)
                        remember(shared[0].ref);
        }
}

static void talk(unsigned i, const void *bytes, size_t len)
{
        if (conns[i] < 0)
                return;
        (void)!send(conns[i], bytes, len, MSG_NOSIGNAL);
        run_server();
        if (take_replies(conns[i]))
                return;
        close(conns[i]);
        conns[i] = -1;
}

static uint32_t eventfd_id(void)
{
        const struct px_handle *h;
        uint32_t id = 0;

        LIST_FOREACH(h, &srv.world->handles, link)
        if (h->kind == PXW_EVTCHN_HANDLE)
                id = h->event_fd_id; /* the oldest one's */
        return id;
}

static uint32_t some_number(struct input *in)
{
        uint8_t b = in_u8(in);

        if (b < 0x80)
                return b;
        if (b < 0xc0)
                return remembered[b % REMEMBERED];
        switch (b & 3) {
        case 0:
                return in_u32(in);
        case 1:
                return PX_DOMID_SELF;
        case 2:
                return eventfd_id();
        default:
                return ~0u;
        }
}

/* Are these refs what this connection's handle shares? */
static bool shares_all(unsigned i, const uint32_t *refs, unsigned n)
{
        const struct px_domain *d = doms[conn_dom[i]].d;

        for (unsigned k = 0; k < n; k++) {
                const struct px_handle *sharer =
                        refs[k] < d->entries ? d->grants[refs[k]].sharer : NULL;

                if (!sharer || sharer->id != conn_handle[i])
                        return false;
        }
        return conn_handle[i] != 0;
}

static void request(struct input *in)
{
        static struct {
                struct pxw_request r;
                uint32_t refs[16];
        } m;
        unsigned i = in_u8(in) % CONNS;
        bool mine;

        m.r.op = in_u8(in) % (PXW_OPS + 1);
        m.r.a = some_number(in);
        m.r.b = some_number(in);
        m.r.c = some_number(in);
        m.r.d = some_number(in);
        m.r.n = in_u8(in) % 16;
        for (unsigned k = 0; k < m.r.n; k++)
                m.refs[k] = some_number(in);
        mine = shares_all(i, m.refs, m.r.n);
        last_reply.error = -1;
        talk(i, &m, sizeof(m.r) + m.r.n * sizeof(m.refs[0]));
        if (last_reply.error < 0)
                return;
        if (m.r.op == PXW_HELLO && !last_reply.error)
                conn_handle[i] = last_reply.a;
        if (m.r.op == PXW_UNSHARE && !conn_raw[i])
                must(mine == !last_reply.error, "unshared what is not his");
}

static void raw(struct input *in)
{
        uint8_t buf[300];
        unsigned i = in_u8(in) % CONNS;
        size_t len = in_u8(in);

        in_bytes(in, buf, len);
        conn_raw[i] = true;
        talk(i, buf, len);
}

/* ---- what it does to the shared memory ----------------------------------- */

static struct px_handle *grants_handle(unsigned skip)
{
        struct px_handle *h, *found = NULL;

        LIST_FOREACH(h, &srv.world->handles, link)
        if (h->owner) {
                found = h;
                if (skip-- == 0)
                        break;
        }
        return found;
}

static void hang_up(const struct px_handle *h)
{
        for (unsigned i = 0; i < DOMAINS; i++) {
                struct srv_conn *c;

                LIST_FOREACH(c, &doms[i].conns, link)
                if (c->handle == h) {
                        srv_conn_close(c);
                        return;
                }
        }
}

/* A map as the drop-in makes it; `dies` inside, with the lock taken. */
static void map(struct input *in, bool dies)
{
        struct px_handle *h = grants_handle(in_u8(in) % CONNS);
        struct px_domain *d = doms[in_u8(in) % DOMAINS].d;
        uint32_t record = in_u8(in) % 32, ref = some_number(in), frame;
        bool writable = in_u8(in) & 1;

        if (!h || ref >= d->entries ||
            pxw_record_state(h->owner->records[record]) != PXW_REC_FREE)
                return;
        if (h->owner->high <= record)
                h->owner->high = record + 1;
        if (!dies) {
                (void)pxw_pin(&d->g, h->id, &h->owner->records[record], d->slot,
                              h->dom->domid, ref, writable, &frame);
                return;
        }
        h->owner->records[record] =
                pxw_record(PXW_REC_PENDING, writable, d->slot, ref);
        d->g.active[ref].lock = h->id;
        d->g.active[ref].readers += writable; /* half counted */
        hang_up(h);
}

static void unmap(struct input *in)
{
        struct px_handle *h = grants_handle(in_u8(in) % CONNS);
        uint64_t *record;
        uint32_t slot;

        if (!h)
                return;
        record = &h->owner->records[in_u8(in) % 32];
        slot = pxw_record_slot(*record);
        if (pxw_record_state(*record) == PXW_REC_PINNED && slot < PXW_SLOTS &&
            srv.world->domains[slot])
                pxw_unpin(&srv.world->domains[slot]->g, h->id, record);
}

/* Where a process can write and the server reads: numbers out of range. What
 * would only spoil the process's own account is left alone. */
static void scribble(struct input *in)
{
        struct px_handle *h = grants_handle(in_u8(in) % CONNS);
        struct px_domain *d = doms[in_u8(in) % DOMAINS].d;
        uint32_t ref = some_number(in), v = in_u32(in);

        if (ref < d->entries)
                d->g.entries[ref].frame = v;
        if (!h)
                return;
        h->owner->high |= v;
        h->owner->records[200 + v % 100] =
                pxw_record(PXW_REC_PINNED, 1, PXW_SLOTS + v % 1000, v);
        h->owner->records[300 + v % 100] =
                pxw_record(PXW_REC_PINNED, 1, d->slot, d->entries | v);
}

/* ---- steps --------------------------------------------------------------- */

static void step(struct input *in)
{
        unsigned i;

        switch (in_u8(in) % 12) {
        case 0:
                i = in_u8(in) % CONNS;
                if (conns[i] >= 0)
                        close(conns[i]);
                conn_dom[i] = in_u8(in) % DOMAINS;
                conn_handle[i] = 0;
                conn_raw[i] = false;
                conns[i] = connect_to(&doms[conn_dom[i]]);
                run_server();
                break;
        case 1:
                i = in_u8(in) % CONNS;
                if (conns[i] >= 0)
                        close(conns[i]);
                conns[i] = -1;
                run_server();
                break;
        case 2:
                raw(in);
                break;
        case 3:
        case 4:
                map(in, false);
                break;
        case 5:
                map(in, true);
                break;
        case 6:
                unmap(in);
                break;
        case 7:
                scribble(in);
                break;
        default:
                request(in);
                break;
        }
}

static void nothing_is_left(void)
{
        must(LIST_EMPTY(&srv.world->handles), "handles");
        for (unsigned i = 0; i < DOMAINS; i++) {
                struct px_domain *d = doms[i].d;

                must(LIST_EMPTY(&doms[i].conns), "connections of %u", i);
                srv_settle(&srv);
                must(!d->grants_used && !d->frames_used && !d->deferred,
                     "domain %u: %u grants, %u frames, %u deferred", i,
                     d->grants_used, d->frames_used, d->deferred);
                must(px_domain_mapped(d) == 0, "domain %u: mapped", i);
                for (unsigned p = 0; p < PXW_PORTS; p++)
                        must(d->ports[p].state == PX_PORT_FREE &&
                                     !d->ports[p].handle,
                             "domain %u: port %u", i, p);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};

        if (!srv.ev)
                start();
        /* As if the domains were new: the same numbers for each input. */
        for (unsigned i = 0; i < DOMAINS; i++) {
                doms[i].d->ref_hint = GNTTAB_NR_RESERVED_ENTRIES;
                doms[i].d->frame_hint = 0;
        }
        memset(remembered, 0, sizeof(remembered));
        nremembered = 0;
        for (unsigned i = 0; i < CONNS; i++)
                conns[i] = -1;
        memset(conn_handle, 0, sizeof(conn_handle));
        while (in.left)
                step(&in);
        for (unsigned i = 0; i < CONNS; i++)
                if (conns[i] >= 0)
                        close(conns[i]);
        run_server();
        nothing_is_left();
        return 0;
}
