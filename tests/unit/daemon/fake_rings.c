/* SPDX-License-Identifier: MIT */
#include "fake_rings.h"

#include "daemon/fdstore.h"

#include <string.h>

struct fake_rings fake_rings;

static struct {
        back_done done;
        void *arg;
} waiting;

void fake_rings_reset(void)
{
        memset(&fake_rings, 0, sizeof(fake_rings));
}

void fake_rings_report(void)
{
        if (fake_rings.error)
                fake_rings.held--;
        waiting.done(waiting.arg, fake_rings.error, "the test says so");
}

/* ---- back.h ---------------------------------------------------------------*/

int back_queue_attach(struct back_thread *t, const struct back_queue_params *p,
                      struct back_queue **q, back_done done, void *arg)
{
        fake_rings.attaches++;
        fake_rings.held++;
        fake_rings.ref = p->ring_refs[0];
        fake_rings.port = p->remote_port;
        *q = (struct back_queue *)&fake_rings;
        waiting.done = done;
        waiting.arg = arg;
        return 0;
}

void back_queue_detach(struct back_queue *q, back_done done, void *arg)
{
        fake_rings.detaches++;
        if (fake_rings.held)
                fake_rings.held--;
        done(arg, 0, NULL);
}

void back_queue_set_sectors(struct back_queue *q, uint64_t sectors)
{
}

unsigned back_thread_queues(const struct back_thread *t)
{
        return 0;
}

/* ---- daemon.h, fdstore.h --------------------------------------------------*/

void scan_mark(struct daemon *d, struct disk *k)
{
        k->stale = DISK_LOOK_ALL;
        fake_rings.marks++;
}

void scan_mark_parts(struct daemon *d, struct disk *k, unsigned parts)
{
        fake_rings.marks++;
}

void scan_mark_all(struct daemon *d)
{
        fake_rings.marks++;
}

void scan_store_trouble(struct daemon *d)
{
}

void scan_hurry(struct daemon *d)
{
}

int scan_watch_front(struct daemon *d, struct disk *k)
{
        return 0;
}

void scan_unwatch_front(struct daemon *d, struct disk *k)
{
}

void daemon_stop_check(struct daemon *d)
{
}

int fdstore_claim(uint32_t domid, uint32_t vdev)
{
        return -1;
}

void fdstore_push(uint32_t domid, uint32_t vdev, int fd)
{
}

void fdstore_remove(uint32_t domid, uint32_t vdev)
{
}
