/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#define STACK_BYTES (1u << 20)

struct crew {
        struct daemon *daemon;
        pthread_mutex_t lock;
        pthread_cond_t work;   /* there is a disk, or the end */
        pthread_cond_t change; /* a disk was given back */
        struct disk *first, **last;
        unsigned queued, idle; /* disks; threads that wait for one */
        bool ended;

        /* A mutex is whose who runs: the control thread, which comes back to
         * it at once under a stream of commands, gives way to those who want
         * it then. */
        unsigned wanting; /* atomic */
        uint64_t turns;   /* that the crew had */
        bool giving_way;
        pthread_cond_t turn;

        pthread_t thread[CREW_THREADS];
        unsigned nthreads;
        int event_fd; /* wakes the control thread */
        sd_event_source *source;
        /* One is kept; the others are there as long as disks wait. */
        struct xen_store *spare;
        unsigned epoch; /* counts the connections' losses */
};

/* ---- connections --------------------------------------------------------- */

static void let_others(void *arg)
{
        pthread_mutex_unlock(&((struct crew *)arg)->lock);
}

static void note_turn(struct crew *c)
{
        c->turns++;
        if (c->giving_way)
                pthread_cond_signal(&c->turn);
}

static void go_on(void *arg)
{
        struct crew *c = arg;

        __atomic_add_fetch(&c->wanting, 1, __ATOMIC_RELAXED);
        pthread_mutex_lock(&c->lock);
        __atomic_sub_fetch(&c->wanting, 1, __ATOMIC_RELAXED);
        note_turn(c);
}

/* NULL: the daemon's own will do, without letting others run. */
static struct xen_store *take_store(struct crew *c)
{
        const struct xen_store_wait wait = {let_others, go_on, c};
        struct xen_store *s = c->spare;

        c->spare = NULL;
        if (s)
                return s;
        return xen_store_open_bare(&s, &wait) < 0 ? NULL : s;
}

static void give_store(struct crew *c, struct xen_store *s, unsigned epoch)
{
        if (s && !c->spare && epoch == c->epoch && !c->daemon->trouble)
                c->spare = s;
        else
                xen_store_close(s);
}

void crew_reconnect(struct crew *c)
{
        c->epoch++;
        xen_store_close(c->spare);
        c->spare = NULL;
}

/* ---- the threads --------------------------------------------------------- */

static struct disk *next_disk(struct crew *c)
{
        struct disk *k;

        c->idle++;
        while (!c->first && !c->ended)
                pthread_cond_wait(&c->work, &c->lock);
        c->idle--;
        note_turn(c);
        k = c->first;
        if (!k)
                return NULL;
        c->queued--;
        c->first = k->crew_next;
        if (!c->first)
                c->last = &c->first;
        return k;
}

static void give_back(struct crew *c, struct disk *k)
{
        const struct daemon *d = c->daemon;

        k->crewed = false;
        pthread_cond_broadcast(&c->change);
        if (k->dirty || k->removed || d->hurry_due || d->trouble || d->rescan ||
            d->stopping || !d->swept)
                eventfd_write(c->event_fd, 1);
}

static void *crew_thread(void *arg)
{
        struct crew *c = arg;
        struct xen_store *s = NULL;
        unsigned epoch = 0;

        pthread_mutex_lock(&c->lock);
        for (;;) {
                struct disk *k;

                /* Perhaps it was only ours that is lost. Nor does one that
                 * waits keep its own: another may take the next disk. */
                if (!c->first || epoch != c->epoch || c->daemon->trouble) {
                        give_store(c, s, epoch);
                        s = NULL;
                }
                k = next_disk(c);
                if (!k)
                        break;
                epoch = c->epoch;
                if (!s)
                        s = take_store(c);
                disk_use_conn(s);
                disk_reconcile(k);
                give_back(c, k);
        }
        pthread_mutex_unlock(&c->lock);
        return NULL;
}

void crew_give(struct crew *c, struct disk *k)
{
        k->crewed = true;
        k->crew_next = NULL;
        *c->last = k;
        c->last = &k->crew_next;
        c->queued++;
        pthread_cond_signal(&c->work);
}

void crew_wait(struct crew *c, const struct disk *k)
{
        while (k->crewed)
                pthread_cond_wait(&c->change, &c->lock);
}

/* ---- the control thread -------------------------------------------------- */

/* The source that looks at the flags runs after any event. */
static int on_wake(sd_event_source *src, int fd, uint32_t events, void *arg)
{
        eventfd_t n;

        (void)eventfd_read(fd, &n);
        return 0;
}

static void come_back(struct crew *c)
{
        uint64_t until;

        pthread_mutex_lock(&c->lock);
        until = c->turns + __atomic_load_n(&c->wanting, __ATOMIC_RELAXED) +
                min_u64(c->queued, c->idle);
        c->giving_way = true;
        while (c->turns < until)
                pthread_cond_wait(&c->turn, &c->lock);
        c->giving_way = false;
}

int crew_loop(struct crew *c)
{
        sd_event *event = c->daemon->event;
        int ret = 0;

        while (ret >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED) {
                ret = sd_event_prepare(event);
                if (ret == 0) {
                        let_others(c);
                        ret = sd_event_wait(event, UINT64_MAX);
                        come_back(c);
                }
                if (ret > 0)
                        ret = sd_event_dispatch(event);
        }
        return ret < 0 ? ret : 0;
}

static int start_threads(struct crew *c)
{
        pthread_attr_t attr;
        sigset_t all, before;
        int ret = 0;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK_BYTES);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (; ret == 0 && c->nthreads < CREW_THREADS; c->nthreads++) {
                ret = pthread_create(&c->thread[c->nthreads], &attr,
                                     crew_thread, c);
                if (ret)
                        break;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        return -ret;
}

int crew_start(struct daemon *d, struct err *e)
{
        struct crew *c = calloc(1, sizeof(*c));
        int ret;

        if (!c)
                return err_set(e, -ENOMEM, "out of memory");
        c->daemon = d;
        c->last = &c->first;
        pthread_mutex_init(&c->lock, NULL);
        pthread_cond_init(&c->work, NULL);
        pthread_cond_init(&c->change, NULL);
        pthread_cond_init(&c->turn, NULL);
        pthread_mutex_lock(&c->lock);
        d->crew = c;
        c->event_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        ret = c->event_fd < 0 ? -errno : 0;
        if (ret == 0)
                ret = sd_event_add_io(d->event, &c->source, c->event_fd,
                                      EPOLLIN, on_wake, c);
        c->spare = ret < 0 ? NULL : take_store(c);
        if (ret >= 0)
                ret = start_threads(c);
        if (ret < 0)
                return err_set(e, ret,
                               "cannot start the threads that look after "
                               "disks: %s",
                               strerror(-ret));
        return 0;
}

void crew_stop(struct crew *c)
{
        if (!c)
                return;
        c->ended = true;
        pthread_cond_broadcast(&c->work);
        pthread_mutex_unlock(&c->lock);
        for (unsigned i = 0; i < c->nthreads; i++)
                pthread_join(c->thread[i], NULL);
        xen_store_close(c->spare);
        sd_event_source_disable_unref(c->source);
        if (c->event_fd >= 0)
                close(c->event_fd);
        pthread_cond_destroy(&c->work);
        pthread_cond_destroy(&c->change);
        pthread_cond_destroy(&c->turn);
        pthread_mutex_destroy(&c->lock);
        free(c);
}
