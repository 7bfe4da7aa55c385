/* SPDX-License-Identifier: MIT */
/* Preloaded into Debian's xenstored so that it runs without a hypervisor: the
 * domains are those with a file ring-N in $XENSTORED_RUNDIR, which is also
 * their ring; an event channel is a datagram with the port's number, sent to
 * the socket `events` there. Only what xenstored calls is here. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define MAX_DOMID 32

static int events = -1;

static void run_path(char *path, size_t room, const char *name, unsigned n)
{
        const char *dir = getenv("XENSTORED_RUNDIR");

        snprintf(path, room, name, dir ? dir : "/nonexistent", n);
}

static int raw_open(const char *path, int flags, int mode)
{
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* ---- libxenctrl ---- */
xc_interface *xc_interface_open(xentoollog_logger *log,
                                xentoollog_logger *dombuild, unsigned flags)
{
        static char dummy;

        return (xc_interface *)&dummy;
}

int xc_interface_close(xc_interface *xch)
{
        return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned max,
                      xc_dominfo_t *info)
{
        unsigned n = 0;
        char path[200];

        for (uint32_t d = first; d < MAX_DOMID && n < max; d++) {
                run_path(path, sizeof(path), "%s/ring-%u", d);
                if (access(path, F_OK) < 0)
                        continue;
                memset(&info[n], 0, sizeof(info[n]));
                info[n++].domid = d;
        }
        return (int)n;
}

/* ---- libxenevtchn ---- */
xenevtchn_handle *xenevtchn_open(xentoollog_logger *log, unsigned flags)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};

        run_path(sa.sun_path, sizeof(sa.sun_path), "%s/events", 0);
        events = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (events < 0 || bind(events, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                return NULL;
        return (xenevtchn_handle *)&events;
}

xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *log, int fd,
                                   unsigned flags)
{
        return xenevtchn_open(log, flags);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
        return events;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce,
                                                     uint32_t domid,
                                                     evtchn_port_t port)
{
        return (int)(100 + domid);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce,
                                              unsigned int virq)
{
        return 99;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
        int port;

        if (recv(events, &port, sizeof(port), MSG_DONTWAIT) != sizeof(port))
                return -1;
        return port;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
        return 0; /* the client polls its ring */
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
        return 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
        return 0;
}

/* ---- libxengnttab ---- */
xengnttab_handle *xengnttab_open(xentoollog_logger *log, unsigned flags)
{
        return (xengnttab_handle *)&events;
}

int xengnttab_close(xengnttab_handle *xgt)
{
        return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr)
{
        return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
                              uint32_t ref, int prot)
{
        char path[200];
        void *p;
        int fd;

        run_path(path, sizeof(path), "%s/ring-%u", domid);
        fd = raw_open(path, O_RDWR | O_CLOEXEC, 0);
        if (fd < 0)
                return NULL;
        p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        return p == MAP_FAILED ? NULL : p;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
        return munmap(start, count * 4096);
}

/* ---- Domain-0's own ring and port, which the kernel would show ---- */
static int open_or_redirect(const char *path, int flags, int mode)
{
        char own[200];

        if (strcmp(path, "/proc/xen/xsd_port") == 0)
                run_path(own, sizeof(own), "%s/port", 0);
        else if (strcmp(path, "/proc/xen/xsd_kva") == 0 ||
                 strcmp(path, "/dev/xen/xenbus") == 0 ||
                 strcmp(path, "/proc/xen/xenbus") == 0)
                run_path(own, sizeof(own), "%s/ring-%u", 0);
        else
                snprintf(own, sizeof(own), "%s", path);
        return raw_open(own, flags, mode);
}

int open(const char *path, int flags, ...)
{
        va_list ap;
        int mode;

        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
        return open_or_redirect(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
        va_list ap;
        int mode;

        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
        return open_or_redirect(path, flags, mode);
}
