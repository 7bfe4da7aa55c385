/* SPDX-License-Identifier: MIT */
#include "trap.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE 4096u
#define PAGES 16u
#define SINGLE_STEP 0x100 /* TF, in the flags */
#define WRITE_FAULT 2     /* in the error code */

static struct {
        uint8_t *at;
        unsigned number;
        int prot;
} watched[PAGES];
static trap_fn after_access;

/* One thread touches watched pages at a time. */
static unsigned stepping, step_offset;
static bool step_write;

#if TRAP_WORKS
static void fault(int sig, siginfo_t *info, void *context)
{
        greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
        uint8_t *at = info->si_addr;

        for (unsigned i = 0; i < PAGES; i++) {
                if (!watched[i].at || at < watched[i].at ||
                    at >= watched[i].at + PAGE)
                        continue;
                stepping = i;
                step_offset = (unsigned)(at - watched[i].at);
                step_write = regs[REG_ERR] & WRITE_FAULT;
                mprotect(watched[i].at, PAGE, watched[i].prot);
                regs[REG_EFL] |= SINGLE_STEP;
                return;
        }
        /* A real one: let it happen again, for good. */
        signal(SIGSEGV, SIG_DFL);
}

static void stepped(int sig, siginfo_t *info, void *context)
{
        greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

        regs[REG_EFL] &= ~(greg_t)SINGLE_STEP;
        if (watched[stepping].at)
                mprotect(watched[stepping].at, PAGE, PROT_NONE);
        after_access(watched[stepping].number, step_offset, step_write);
}
#endif

void trap_init(trap_fn after)
{
        after_access = after;
#if TRAP_WORKS
        struct sigaction a = {.sa_flags = SA_SIGINFO};

        a.sa_sigaction = fault;
        sigaction(SIGSEGV, &a, NULL);
        a.sa_sigaction = stepped;
        sigaction(SIGTRAP, &a, NULL);
#endif
}

void trap_watch(unsigned page, void *at, bool writable)
{
        sigset_t ours;

        /* Called in the thread that will touch it: I/O threads block all. */
        sigemptyset(&ours);
        sigaddset(&ours, SIGSEGV);
        sigaddset(&ours, SIGTRAP);
        pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
        for (unsigned i = 0; TRAP_WORKS && i < PAGES; i++) {
                if (watched[i].at)
                        continue;
                watched[i].number = page;
                watched[i].prot = PROT_READ | (writable ? PROT_WRITE : 0);
                watched[i].at = at;
                if (mprotect(at, PAGE, PROT_NONE))
                        abort();
                return;
        }
        if (TRAP_WORKS)
                abort();
}

void trap_unwatch(void *at)
{
        for (unsigned i = 0; i < PAGES; i++)
                if (watched[i].at == at)
                        watched[i].at = NULL;
}
