/* SPDX-License-Identifier: MIT */
/* xs_counter PROCESSES TIMES: each process adds one, TIMES times, to two
 * numbers in one transaction. At the end both must be PROCESSES * TIMES. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenstore.h>

static const char *const paths[] = {"/it-counter/a/number",
                                    "/it-counter/b/number"};

static long read_number(struct xs_handle *xs, xs_transaction_t tx, int i)
{
        char *text = xs_read(xs, tx, paths[i], NULL);
        long n = text ? strtol(text, NULL, 10) : -1;

        free(text);
        return n;
}

static bool write_number(struct xs_handle *xs, xs_transaction_t tx, int i,
                         long n)
{
        char text[24];

        return xs_write(xs, tx, paths[i], text,
                        (unsigned)sprintf(text, "%ld", n));
}

/* 0, EAGAIN, or another errno. */
static int add_one(struct xs_handle *xs)
{
        xs_transaction_t tx = xs_transaction_start(xs);
        bool ok = tx != XBT_NULL;
        int err;

        for (int i = 0; ok && i < 2; i++) {
                long n = read_number(xs, tx, i);

                ok = n >= 0 && write_number(xs, tx, i, n + 1);
        }
        err = errno;
        if (!ok) {
                xs_transaction_end(xs, tx, true);
                return err;
        }
        return xs_transaction_end(xs, tx, false) ? 0 : errno;
}

static int work(long times)
{
        struct xs_handle *xs = xs_open(0);
        long conflicts = 0;
        int err = xs ? 0 : errno;

        for (long i = 0; !err && i < times;) {
                err = add_one(xs);
                i += err == 0;
                conflicts += err == EAGAIN;
                if (err == EAGAIN)
                        err = 0;
        }
        if (err)
                fprintf(stderr, "xs_counter: %s\n", strerror(err));
        else
                printf("%ld additions, %ld conflicts\n", times, conflicts);
        xs_close(xs);
        return err != 0;
}

static int check(struct xs_handle *xs, long want)
{
        long a = read_number(xs, XBT_NULL, 0), b = read_number(xs, XBT_NULL, 1);

        if (a == want && b == want)
                return 0;
        fprintf(stderr, "xs_counter: %ld and %ld, should be %ld\n", a, b, want);
        return 1;
}

int main(int argc, char **argv)
{
        long processes = argc > 2 ? atol(argv[1]) : 0;
        long times = argc > 2 ? atol(argv[2]) : 0;
        struct xs_handle *xs = xs_open(0);
        int failed = 0, status;

        if (!xs || !write_number(xs, XBT_NULL, 0, 0) ||
            !write_number(xs, XBT_NULL, 1, 0)) {
                perror("xs_counter");
                return 1;
        }
        for (long i = 0; i < processes; i++) {
                if (fork() == 0)
                        exit(work(times));
        }
        for (long i = 0; i < processes; i++)
                failed |= wait(&status) < 0 || status;
        failed |= check(xs, processes * times);
        xs_rm(xs, XBT_NULL, "/it-counter");
        xs_close(xs);
        return failed;
}
