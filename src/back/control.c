/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct back_control_work *first, **last = &first;
static int event_fd = -1;

int back_control_init(void)
{
        if (event_fd < 0)
                event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        return event_fd < 0 ? -errno : 0;
}

int back_control_fd(void)
{
        return event_fd;
}

void back_control_post(struct back_control_work *w)
{
        uint64_t one = 1;

        w->next = NULL;
        pthread_mutex_lock(&lock);
        *last = w;
        last = &w->next;
        pthread_mutex_unlock(&lock);
        /* Only a full counter can refuse, and then the descriptor is
         * readable anyway. */
        (void)!write(event_fd, &one, sizeof(one));
}

void back_control_run(void)
{
        struct back_control_work *w;
        uint64_t n;

        /* Before taking the list: what is posted later signals again. */
        (void)!read(event_fd, &n, sizeof(n));
        pthread_mutex_lock(&lock);
        w = first;
        first = NULL;
        last = &first;
        pthread_mutex_unlock(&lock);
        while (w) {
                struct back_control_work *next = w->next;

                w->fn(w->arg);
                w = next;
        }
}
