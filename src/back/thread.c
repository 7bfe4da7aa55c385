/* SPDX-License-Identifier: MIT */
/* Sets an I/O thread up, sends its events to queues by port, and gives each
 * queue that did something its end of the turn. */
#include "thread.h"
#include "common/clock.h"
#include "queue.h"
#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Ports looked at before the loop gets its turn; the rest is still pending. */
#define EVENTS_PER_TURN 256u
/* More than any event-channel ABI has; a port beyond is no port. */
#define PORTS_MAX (1u << 17)

/* ---- events --------------------------------------------------------------*/

static void kick(struct back_thread *t, int port)
{
        struct back_queue *q = NULL;
        uint32_t before;

        if ((unsigned)port < t->nports)
                q = t->by_port[port];
        /* Of a queue that is gone: the port was closed, nothing to unmask. */
        if (!q)
                return;
        before = q->ring.req_cons;
        stat_add(&q->stats.kicks, 1);
        back_service_run(q);
        if (q->ring.req_cons == before)
                stat_add(&q->stats.empty_kicks, 1);
        /* Late: while we drain, the peer's further events cost us nothing. */
        back_storm_event(q);
}

static bool has_one_queue(const struct back_thread *t)
{
        const struct back_queue *q = LIST_FIRST(&t->attached);

        return q && !LIST_NEXT(q, attached_link);
}

static void events_ready(struct loop_fd *self)
{
        struct back_thread *t = self->arg;

        for (unsigned i = 0; i < EVENTS_PER_TURN; i++) {
                int port = xen_evtchn_pending(t->evtchn);

                if (port < 0)
                        return;
                kick(t, port);
                /* Asking once more is a system call; what is there all the
                 * same, of a queue that was, keeps the descriptor readable. */
                if (has_one_queue(t))
                        return;
        }
}

int back_thread_route(struct back_thread *t, int port, struct back_queue *q)
{
        unsigned want;
        void *grown;

        if (port < 0 || (unsigned)port >= PORTS_MAX)
                return -ERANGE;
        if ((unsigned)port >= t->nports) {
                if (!q)
                        return 0;
                want = ((unsigned)port | 63u) + 1;
                grown = realloc(t->by_port, want * sizeof(struct back_queue *));
                if (!grown)
                        return -ENOMEM;
                t->by_port = grown;
                for (; t->nports < want; t->nports++)
                        t->by_port[t->nports] = NULL;
        }
        t->by_port[port] = q;
        return 0;
}

/* ---- before sleeping -----------------------------------------------------*/

static bool look(struct loop_poller *self)
{
        struct back_thread *t = self->arg;
        struct back_queue *q;
        bool any = false;

        LIST_FOREACH(q, &t->attached, attached_link)
        {
                any |= back_service_look(q);
        }
        return any;
}

static bool before_sleep(struct loop_poller *self)
{
        struct back_thread *t = self->arg;
        struct back_queue *q;
        bool any = false;

        while ((q = LIST_FIRST(&t->unasked)))
                any |= back_service_ask(q);
        return any;
}

/* ---- turns ---------------------------------------------------------------*/

void back_thread_mark(struct back_queue *q)
{
        if (q->marked)
                return;
        q->marked = true;
        q->next_dirty = q->thread->dirty;
        q->thread->dirty = q;
}

static void turn_end(struct loop_turn *self)
{
        struct back_thread *t = self->arg;
        struct back_queue *q;

        while ((q = t->dirty)) {
                t->dirty = q->next_dirty;
                q->marked = false;
                back_service_turn_end(q); /* may free q */
        }
        /* These give no event: with work of others always waiting, the thread
         * would not come to before_sleep, which looks at them. */
        LIST_FOREACH(q, &t->unasked, unasked_link)
        {
                back_service_again(q);
        }
}

/* ---- grant handles -------------------------------------------------------*/

static void grants_free(struct back_grant_handle *g)
{
        if (g)
                xen_grants_close(g->xen);
        free(g);
}

static int grants_open(struct back_thread *t, struct back_grant_handle **g)
{
        struct back_grant_handle *new = calloc(1, sizeof(*new));
        int ret = new ? xen_grants_open(&new->xen) : -ENOMEM;

        if (ret) {
                free(new);
                return ret;
        }
        xen_grants_note_calls(new->xen, &t->in_call_ns);
        *g = new;
        return 0;
}

/* If none can be opened now, the one there is goes on. */
static void renew_grants(struct back_thread *t)
{
        struct back_grant_handle *old = t->grants;
        struct xen_grant_counters c;

        xen_grants_counters(old->xen, &c);
        if (c.maps_given_up && !grants_open(t, &t->grants) && !old->queues)
                grants_free(old);
}

struct back_grant_handle *back_thread_grants_get(struct back_thread *t)
{
        renew_grants(t);
        t->grants->queues++;
        return t->grants;
}

void back_thread_grants_put(struct back_thread *t, struct back_grant_handle *g)
{
        if (!g || --g->queues)
                return;
        if (g == t->grants)
                renew_grants(t);
        else
                grants_free(g);
}

uint64_t back_thread_stuck_ms(const struct back_thread *t)
{
        uint64_t since = stat_get(&t->in_call_ns);
        uint64_t now = clock_ns();

        return since && since < now ? (now - since) / CLOCK_NS_PER_MS : 0;
}

/* ---- life ----------------------------------------------------------------*/

static void stop(void *arg)
{
        struct back_thread *t = arg;

        loop_stop(t->loop);
}

/* On the thread itself: an io_uring may belong to its creator alone. */
static int set_up(struct back_thread *t)
{
        struct loop_opts opts = {.no_uring = t->opts.no_uring,
                                 .polling = t->opts.polling};
        int ret;

        t->start_what = "cannot open the grant device";
        ret = grants_open(t, &t->grants);
        if (ret < 0)
                return ret;
        t->start_what = "cannot open the event-channel device";
        ret = xen_evtchn_open(&t->evtchn);
        if (ret < 0)
                return ret;
        t->start_what = "cannot make an event loop";
        ret = loop_create(&t->loop, &opts);
        if (ret < 0)
                return ret;
        t->events = (struct loop_fd){.fd = xen_evtchn_fd(t->evtchn),
                                     .ready = events_ready,
                                     .arg = t};
        ret = loop_fd_add(t->loop, &t->events);
        if (ret < 0)
                return ret;
        t->turn = (struct loop_turn){.end = turn_end, .arg = t};
        loop_turn_add(t->loop, &t->turn);
        t->poller = (struct loop_poller){
                .look = look, .sleep = before_sleep, .arg = t};
        loop_set_poller(t->loop, &t->poller);
        t->stop = (struct loop_work){.fn = stop, .arg = t};
        return 0;
}

static void *thread_main(void *arg)
{
        struct back_thread *t = arg;
        int ret = set_up(t);

        t->start_error = ret;
        sem_post(&t->started);
        if (!ret) {
                loop_run(t->loop);
                loop_set_poller(t->loop, NULL);
                loop_turn_remove(t->loop, &t->turn);
                loop_fd_remove(t->loop, &t->events);
        }
        xen_evtchn_close(t->evtchn);
        grants_free(t->grants);
        return NULL;
}

static int start_thread(struct back_thread *t)
{
        sigset_t all, old;
        char name[16];
        int ret;

        /* Signals are the control thread's. */
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        ret = -pthread_create(&t->id, NULL, thread_main, t);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (ret)
                return ret;
        snprintf(name, sizeof(name), "io-%u", t->index);
        pthread_setname_np(t->id, name);
        while (sem_wait(&t->started))
                ;
        if (t->start_error) {
                pthread_join(t->id, NULL);
                loop_destroy(t->loop);
        }
        return t->start_error;
}

int back_thread_start(struct back_thread **t, unsigned index,
                      const struct back_thread_opts *opts, struct err *e)
{
        struct back_thread *n = calloc(1, sizeof(*n));
        int ret;

        *t = NULL;
        if (!n)
                return err_set(e, -ENOMEM, "out of memory");
        n->index = index;
        n->opts = *opts;
        n->start_what = "cannot start a thread";
        sem_init(&n->started, 0, 0);
        ret = start_thread(n);
        if (ret) {
                err_set(e, ret, "I/O thread %u: %s: %s", index, n->start_what,
                        strerror(-ret));
                sem_destroy(&n->started);
                free(n);
                return ret;
        }
        *t = n;
        return 0;
}

void back_thread_stop(struct back_thread *t)
{
        if (!t)
                return;
        loop_post(t->loop, &t->stop);
        pthread_join(t->id, NULL);
        /* Here, not there: loop_post still uses the loop after it has woken
         * the thread. */
        loop_destroy(t->loop);
        sem_destroy(&t->started);
        free(t->by_port);
        free(t);
}

unsigned back_thread_queues(const struct back_thread *t)
{
        return t->queues;
}

struct polling_counters back_thread_polling(const struct back_thread *t)
{
        return loop_polling(t->loop);
}

bool back_thread_has_uring(const struct back_thread *t, const char **why)
{
        return loop_has_uring(t->loop, why);
}
