/* SPDX-License-Identifier: MIT */
/* evergrantd: starts everything in the order in which it can fail, serves until
 * a signal, and stops without disturbing a guest. */
#include "control.h"
#include "crew.h"
#include "disk.h"
#include "fdstore.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

static void prepare_process(void)
{
        struct rlimit files;
        sigset_t set;

        signal(SIGPIPE, SIG_IGN);
        /* The crew's threads allocate little, and nearly always one at a time:
         * no heap for each. */
        mallopt(M_ARENA_MAX, 2);
        /* Blocked before any thread starts, so that only sd-event takes them.
         */
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}

void daemon_stop_check(struct daemon *d)
{
        for (const struct disk *k = d->disks; k; k = k->next) {
                if (!disk_is_idle(k))
                        return;
        }
        sd_event_exit(d->event, 0);
}

static int on_signal(sd_event_source *src, const struct signalfd_siginfo *si,
                     void *arg)
{
        struct daemon *d = arg;

        if (d->stopping) {
                log_err("told to stop a second time: ends at once; requests in "
                        "flight are not answered");
                _exit(1);
        }
        log_info("stops; guests wait until evergrantd runs again");
        sd_notify(0, "STOPPING=1\nSTATUS=Answering what is in flight");
        d->stopping = true;
        /* The marks of a clean stop are worth one more try. */
        if (!d->store && xen_store_open(&d->store, NULL) < 0)
                d->store = NULL;
        return 0; /* scan_turn is next */
}

static int on_back(sd_event_source *src, int fd, uint32_t events, void *arg)
{
        back_control_run();
        return 0;
}

/* Threads fail to start for the devices, nearly always. */
static int explain_devices(int ret, struct err *e)
{
        char why[sizeof(e->text)];

        memcpy(why, e->text, sizeof(why));
        if (ret == -ENOENT || ret == -ENXIO || ret == -ENODEV)
                return err_set(e, ret,
                               "%.200s: load the kernel's modules xen-gntdev "
                               "and xen-evtchn on a Xen host, or use "
                               "`pocketxen run -- CMD` anywhere else",
                               why);
        if (ret == -EACCES || ret == -EPERM)
                return err_set(e, ret,
                               "%.200s: run evergrantd as root, or as a user "
                               "who may open /dev/xen/gntdev and "
                               "/dev/xen/evtchn",
                               why);
        return ret;
}

static int start_threads(struct daemon *d, struct err *e)
{
        struct back_thread_opts opts = {.no_uring = d->options.no_uring,
                                        .polling = d->options.polling,
                                        .bounce_mapped =
                                                d->options.bounce_mapped};
        const char *why = NULL;
        int ret;

        back_rule_measure(&d->rule, d->self_domid);
        opts.rule = d->rule;
        for (unsigned i = 0; i < d->options.io_threads; i++) {
                ret = back_thread_start(&d->threads[i], i, &opts, e);
                if (ret < 0)
                        return explain_devices(ret, e);
                d->nthreads++;
        }
        if (!back_thread_has_uring(d->threads[0], &why))
                log_warn("works without io_uring: %s", why ? why : "unknown");
        return 0;
}

static int add_sources(struct daemon *d)
{
        int ret = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);

        if (ret >= 0)
                ret = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
        if (ret >= 0)
                ret = sd_event_add_io(d->event, NULL, back_control_fd(),
                                      EPOLLIN, on_back, d);
        return ret;
}

static int start(struct daemon *d, struct err *e)
{
        int ret = sd_event_default(&d->event);

        if (ret >= 0)
                ret = back_control_init();
        if (ret >= 0)
                ret = add_sources(d);
        if (ret < 0)
                return err_set(e, ret, "cannot set up the event loop: %s",
                               strerror(-ret));
        /* First, so that a second daemon touches nothing of the first. */
        ret = control_start(d, e);
        if (ret == 0)
                ret = xen_store_open(&d->store, e);
        if (ret < 0)
                return ret;
        ret = xen_store_self(d->store, &d->self_domid);
        if (ret < 0)
                return err_set(e, ret,
                               "xenstore does not say which domain this is: %s",
                               strerror(-ret));
        ret = start_threads(d, e);
        if (ret < 0)
                return ret;
        ret = stall_start(d);
        if (ret < 0)
                return err_set(e, ret, "cannot set a timer: %s",
                               strerror(-ret));
        ret = crew_start(d, e);
        return ret < 0 ? ret : scan_start(d, e);
}

/* Why there is no evergrantd, for dist/block-evergrant, which can only tell
 * that there is none. */
#define START_ERROR "evergrant/start-error"

static void note_start(struct daemon *d, const char *error)
{
        if (!d->store)
                return;
        if (error)
                (void)xen_store_write(d->store, START_ERROR, error);
        else
                (void)xen_store_rm(d->store, "evergrant");
}

static void stop(struct daemon *d)
{
        scan_stop(d);
        stall_stop(d);
        crew_stop(d->crew);
        xen_store_close(d->store); /* and with it all watches */
        d->store = NULL;
        while (d->disks)
                disk_destroy(d->disks);
        for (unsigned i = 0; i < d->nthreads; i++)
                back_thread_stop(d->threads[i]);
        /* Last: who finds the socket free finds everything free. */
        control_stop(d->control);
        sd_event_unref(d->event);
}

static int serve(struct daemon *d)
{
        int ret;

        sd_notifyf(0, "READY=1\nSTATUS=Serving domain %u's disks on %s",
                   d->self_domid, d->options.socket);
        log_info("evergrantd %s serves with %u I/O thread%s, control socket %s",
                 EVERGRANT_VERSION, d->nthreads, d->nthreads == 1 ? "" : "s",
                 d->options.socket);
        ret = crew_loop(d->crew);
        if (ret < 0)
                log_err("the event loop failed: %s", strerror(-ret));
        return ret < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
        struct daemon d = {0};
        struct err e = {0};
        int status = 0;

        log_set_name("evergrantd");
        if (options_parse(argc, argv, &d.options, &status) < 0)
                return status;
        prepare_process();
        fdstore_init();
        d.budget.total = d.options.map_budget;
        if (start(&d, &e) < 0) {
                log_err("%s", e.text);
                note_start(&d, e.text);
                status = 1;
        } else {
                note_start(&d, NULL);
                status = serve(&d);
        }
        stop(&d);
        return status;
}
