/* SPDX-License-Identifier: MIT */
/* Lists of requests, and the gate of file.h. First come, first served: a
 * stream of one kind does not starve the other. */
#include "file.h"

void file_list_append(struct file_list *l, struct file_io *io)
{
        io->next = NULL;
        *l->end = io;
        l->end = &io->next;
}

struct file_io *file_list_take(struct file_list *l)
{
        struct file_io *io = l->first;

        if (!io)
                return NULL;
        l->first = io->next;
        if (!l->first)
                l->end = &l->first;
        return io;
}

static bool may_enter(const struct file_gate *g, const struct file_io *io)
{
        return !g->inside[io->way == FILE_DIRECT ? FILE_CACHED : FILE_DIRECT];
}

bool file_gate_enter(struct file_gate *g, struct file_io *io)
{
        bool in;

        pthread_mutex_lock(&g->lock);
        in = !g->waiting.first && may_enter(g, io);
        if (in)
                g->inside[io->way]++;
        else
                file_list_append(&g->waiting, io);
        pthread_mutex_unlock(&g->lock);
        return in;
}

static void start(void *arg)
{
        file_io_start(arg);
}

void file_gate_leave(struct file_gate *g, struct file_io *io)
{
        struct file_io *next;

        pthread_mutex_lock(&g->lock);
        g->inside[io->way]--;
        while (g->waiting.first && may_enter(g, g->waiting.first)) {
                next = file_list_take(&g->waiting);
                g->inside[next->way]++;
                /* It may be another queue's, of another thread. */
                next->work = (struct loop_work){.fn = start, .arg = next};
                loop_post(next->q->head.loop, &next->work);
        }
        pthread_mutex_unlock(&g->lock);
}
