/* SPDX-License-Identifier: MIT */
/* What happens when a descriptor is readable. */
#include "common/copy.h"
#include "front.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Answers taken at once where the backend runs at the same time and could fall
 * asleep: what is submitted in their place keeps it awake. */
#define TAKE_FEW 2u

static void answer(struct eg_disk *d, struct front_part **p, int status)
{
        if (*p)
                front_part_answered(d, *p, status);
        *p = NULL;
}

/* What the next answer needs comes nearer while the bytes of one are copied:
 * its bytes, if the backend writes them on another processor, else what we know
 * of the request. */
static bool take_some(struct eg_disk *d, struct front_queue *q, uint32_t n)
{
        bool fetches = d->polls || front_ring_peer_overlaps(&q->ring);
        struct front_part *p = NULL, *next;
        struct blk_response rsp;
        int status = 0;

        for (; n; n--) {
                const char *why = "";

                front_ring_take(&q->ring, &rsp);
                if (!fetches) {
                        front_shadow_expect(&q->shadow, &rsp);
                        answer(d, &p, status);
                }
                next = front_shadow_match(&q->shadow, &rsp, q->ring.req_pushed,
                                          &why);
                if (fetches && next && next->wire_op == BLK_READ &&
                    !next->direct)
                        copy_fetch(next->mem[0], next->len_bytes);
                answer(d, &p, status);
                if (!next) {
                        front_broken(d, why);
                        return false;
                }
                p = next;
                status = rsp.status;
        }
        answer(d, &p, status);
        return true;
}

static uint32_t at_most(const struct eg_disk *d, const struct front_queue *q,
                        enum front_take take)
{
        if (take == FRONT_TAKE_ALL || d->polls)
                return UINT32_MAX;
        return front_ring_peer_overlaps(&q->ring) ? TAKE_FEW : UINT32_MAX;
}

static void take_queue(struct eg_disk *d, struct front_queue *q,
                       enum front_take take)
{
        uint32_t most = at_most(d, q, take);

        do {
                uint32_t waiting = front_ring_waiting(&q->ring);
                uint32_t n = (uint32_t)min_u64(waiting, most);

                if (q->ring.broken) {
                        front_broken(d, "more responses than requests");
                        return;
                }
                if (n)
                        front_ring_batch(&q->ring, waiting);
                if (!take_some(d, q, n))
                        return;
                most -= n;
                if (!most) {
                        d->unasked = true;
                        return;
                }
        } while (take != FRONT_TAKE_FOUND && front_ring_final_check(&q->ring));
}

/* A response that cannot be ends the disk, and its queues. */
static void take_responses(struct eg_disk *d, enum front_take take)
{
        if (take != FRONT_TAKE_FOUND)
                d->unasked = false;
        for (unsigned i = 0; i < d->nqueues && d->state == FRONT_CONNECTED; i++)
                take_queue(d, &d->queue[i], take);
}

void front_process_responses(struct eg_disk *d, enum front_take take)
{
        take_responses(d, take);
        front_dispatch(d);
        front_publish(d);
}

/* One event of each port a call, which is unmasked only after its ring was
 * looked at: a backend that sends events without end costs one look each
 * (XSA-391). Ports of an earlier connection are left masked; they are
 * unbound. */
static void take_events(struct eg_disk *d, enum front_take take)
{
        int ports[FRONT_MAX_QUEUES];
        unsigned n = 0;

        while (n < FRONT_MAX_QUEUES &&
               (ports[n] = xen_evtchn_pending(d->evtchn)) >= 0) {
                d->stats.events++;
                if (++n >= d->nqueues)
                        break;
        }
        take_responses(d, take);
        for (unsigned i = 0; i < d->nqueues; i++) {
                for (unsigned j = 0; j < n; j++) {
                        if (ports[j] == d->queue[i].port)
                                xen_evtchn_unmask(d->evtchn, ports[j]);
                }
        }
}

static void take_watches(struct eg_disk *d)
{
        char *path, *token;
        bool fired = false;
        int ret;

        while ((ret = xen_store_next_watch(d->xs, &path, &token)) > 0) {
                free(path);
                free(token);
                fired = true;
        }
        if (ret == -ENOMEM)
                fired = true; /* which one does not matter */
        else if (ret < 0) {
                /* The ring does not need it; a change would go unseen. */
                front_log(d, EG_LOG_WARNING, "xenstore is gone: %s",
                          strerror(-ret));
                d->xs_lost = true;
                epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, xen_store_fd(d->xs),
                          NULL);
                return;
        }
        if (fired)
                front_connect_step(d);
}

static void take_timeout(struct eg_disk *d)
{
        uint64_t fired;

        if (read(d->timer_fd, &fired, sizeof(fired)) == sizeof(fired) &&
            d->state != FRONT_CONNECTED)
                front_fail(d, -ENODEV, "the backend did not come back in time");
}

void front_process(struct eg_disk *d, unsigned ready, enum front_take take)
{
        if (ready & FRONT_READY_XS)
                take_watches(d);
        if (ready & FRONT_READY_TIMER)
                take_timeout(d);
        if (ready & FRONT_READY_EVTCHN)
                take_events(d, take);
        else
                take_responses(d, take);
        front_dispatch(d);
        front_publish(d);
}

/* Only what is due now: I/O that the callbacks submit has its own turn. */
int front_run_callbacks(struct eg_disk *d)
{
        struct front_io_list due = d->done;
        struct eg_io *io;
        eventfd_t n;
        int ran = 0;

        if (!due.n)
                return 0;
        front_io_list_init(&d->done);
        if (d->woken)
                eventfd_read(d->wake_fd, &n);
        d->woken = false;
        pthread_mutex_unlock(&d->lock);
        while ((io = front_io_list_take(&due))) {
                if (io->done)
                        io->done(io, front_io(io)->error);
                ran++;
        }
        pthread_mutex_lock(&d->lock);
        return ran;
}
