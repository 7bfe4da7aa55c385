/* SPDX-License-Identifier: MIT */
#include "observe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *name_of(int error)
{
        const char *name = strerrorname_np(error);

        return name ? name : "?";
}

void print_int(const char *what, int ret)
{
        int error = errno;

        if (ret < 0)
                printf("%s: -1 %s\n", what, name_of(error));
        else
                printf("%s: %d\n", what, ret);
}

void print_pointer(const char *what, const void *p)
{
        int error = errno;

        if (p)
                printf("%s: a pointer\n", what);
        else
                printf("%s: NULL %s\n", what, name_of(error));
}

void print_text(const char *what, const char *text)
{
        printf("%s: %s\n", what, text);
}

int main(int argc, char **argv)
{
        const char *part = argc > 1 ? argv[1] : "";

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (strcmp(part, "self") == 0) {
                observe_grants(0);
                observe_copies(0);
                observe_events(0);
                observe_store(0);
        } else if (strcmp(part, "guest") == 0) {
                observe_guest();
        } else if (strcmp(part, "death") == 0 && argc == 3) {
                observe_death((uint32_t)atoi(argv[2]));
        } else {
                fprintf(stderr, "usage: observe self | guest | death DOMID\n");
                return 2;
        }
        return 0;
}
