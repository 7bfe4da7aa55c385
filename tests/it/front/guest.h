/* SPDX-License-Identifier: MIT */
/* A guest with libevergrant, against the daemon that
 * ../frontend_keeps_its_promises.sh has started: it runs in domain g1 and
 * attaches its own disks. */
#ifndef TESTS_IT_FRONT_GUEST_H
#define TESTS_IT_FRONT_GUEST_H

#include <evergrant.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUEST_PAGE 4096u
#define GUEST_RING_PAGES 1u /* of a disk with default options */

/* Runs a command line in Domain-0, its output in guest_said; its status. */
int guest_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern char guest_said[1 << 20];

/* `evergrant attach g1 xvda TARGET OPTIONS`, and opens it; opts may be NULL. */
struct eg_disk *guest_open(const char *target, const char *options,
                           const struct eg_options *opts);
/* Closes and detaches: nothing of the domain may be granted any more. */
void guest_close(struct eg_disk *disk);

/* A file of the test's directory, made anew, whose sectors hold their number
 * everywhere; good until the next call. */
const char *guest_image(size_t bytes);
void guest_image_read(void *buf, size_t bytes, size_t offset_bytes);
unsigned long guest_image_blocks(void); /* that it occupies, of 512 bytes */
/* Fills memory as the sectors from `sector` on are. */
void guest_sectors(void *buf, size_t bytes, size_t sector);

/* The daemon is stopped (SIGSTOP) in between: nothing is answered. */
void guest_hold(void);
void guest_let_go(void);

/* I/Os of a test. Not yet done: error is 1. */
struct guest_io {
        struct eg_io io;
        struct iovec iov;
        int error;
};
/* Prepares one over [mem, len). */
void guest_io_init(struct guest_io *g, enum eg_op op, void *mem, size_t len,
                   uint64_t offset_bytes);
/* Processes until it is done; its error. */
int guest_finish(struct eg_disk *disk, struct guest_io *g);
int guest_io(struct eg_disk *disk, struct guest_io *g); /* submit, and that */

/* pocketxen's account of g1: grefs granted, and those that are mapped. */
struct grants {
        unsigned granted, mapped, deferred;
};
struct grants guest_grants(void);
/* How often text stands in any page that is granted. */
unsigned guest_peek(const char *text);
/* A counter of `evergrant stat`. */
unsigned long guest_counter(const char *name);

/* Polls an expression for 20 s; what was once true is not asked again. */
#define wait_until(expression)                                        \
        do {                                                          \
                bool met_ = false;                                    \
                for (int i_ = 0; i_ < 2000 && !met_; i_++)            \
                        if (!(met_ = (expression)))                   \
                                poll(NULL, 0, 10);                    \
                if (!met_)                                            \
                        fail_msg("never came true: %s", #expression); \
        } while (0)

#endif
