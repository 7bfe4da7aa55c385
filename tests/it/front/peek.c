/* SPDX-License-Identifier: MIT */
/* A curious backend: maps pages of a guest and looks at what is in them.
 *
 *      it-front-peek DOMID TEXT GREF…
 *
 * For each gref a line: GREF, how often TEXT stands there, bytes not zero.
 * Then "total" with the sums. Links libxengnttab as it is. */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xengnttab.h>

#define PAGE_BYTES 4096

struct seen {
        unsigned texts, nonzero;
};

static struct seen look(const uint8_t *page, const char *text)
{
        size_t len = strlen(text);
        struct seen s = {0};

        for (size_t i = 0; i < PAGE_BYTES; i++) {
                s.nonzero += page[i] != 0;
                if (i + len <= PAGE_BYTES && memcmp(page + i, text, len) == 0)
                        s.texts++;
        }
        return s;
}

int main(int argc, char **argv)
{
        xengnttab_handle *h = xengnttab_open(NULL, 0);
        struct seen sum = {0};

        if (argc < 3 || !argv[2][0])
                errx(2, "usage: it-front-peek DOMID TEXT GREF…");
        if (!h)
                err(1, "xengnttab_open");
        for (int i = 3; i < argc; i++) {
                uint32_t gref = (uint32_t)strtoul(argv[i], NULL, 10);
                void *page = xengnttab_map_grant_ref(h, (uint32_t)atoi(argv[1]),
                                                     gref, 1 /* PROT_READ */);
                struct seen s;

                if (!page)
                        err(1, "gref %u", gref);
                s = look(page, argv[2]);
                sum.texts += s.texts;
                sum.nonzero += s.nonzero;
                printf("%u %u %u\n", gref, s.texts, s.nonzero);
                if (xengnttab_unmap(h, page, 1) < 0)
                        err(1, "unmap of gref %u", gref);
        }
        printf("total %u %u\n", sum.texts, sum.nonzero);
        return xengnttab_close(h) < 0;
}
