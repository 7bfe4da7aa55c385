/* SPDX-License-Identifier: MIT */
#include "../../it/page_table.h"
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#define RW (PROT_READ | PROT_WRITE)

static void maps(uint32_t self, xengnttab_handle *gt, xengntshr_handle *gs)
{
        uint32_t refs[3], more[3], domids[3] = {self, self, self};
        char *shared, *mapped, *again;

        shared = xengntshr_share_pages(gs, self, 3, refs, 1);
        print_pointer("share 3 pages", shared);
        printf("refs are not 0 and differ: %d\n",
               refs[0] && refs[1] && refs[2] && refs[0] != refs[1] &&
                       refs[1] != refs[2] && refs[0] != refs[2]);
        printf("a shared page is zero at first: %d\n",
               shared[0] == 0 && !memcmp(shared, shared + 1, 3 * PAGE - 1));
        strcpy(shared + PAGE, "from the granter");
        mapped = xengnttab_map_grant_refs(gt, 3, domids, refs, RW);
        print_pointer("map 3 refs", mapped);
        printf("all are there before they are touched: %d\n",
               in_page_table(mapped) && in_page_table(mapped + PAGE) &&
                       in_page_table(mapped + 2 * PAGE));
        print_text("the mapper reads", mapped + PAGE);
        strcpy(mapped + PAGE, "from the mapper");
        print_text("the granter reads", shared + PAGE);
        again = xengnttab_map_grant_ref(gt, self, refs[1], RW);
        print_pointer("map one of them again", again);
        print_text("the second mapping reads", again + PAGE - PAGE);
        print_int("unmap 1 of 3 pages", xengnttab_unmap(gt, mapped, 1));
        print_int("unmap from the second page on",
                  xengnttab_unmap(gt, mapped + PAGE, 2));
        print_int("unmap 4 of 3 pages", xengnttab_unmap(gt, mapped, 4));
        print_int("unmap 0 pages", xengnttab_unmap(gt, mapped, 0));
        print_int("unmap 3 pages", xengnttab_unmap(gt, mapped, 3));
        print_int("unmap them again", xengnttab_unmap(gt, mapped, 3));
        print_text("the second mapping still reads", again);

        memcpy(more, refs, sizeof(more));
        more[1] = 200; /* in the table's first frame, and free */
        print_pointer("map with one ref in use by nobody",
                      xengnttab_map_grant_refs(gt, 3, domids, more, RW));
        more[1] = 4000000000u;
        print_pointer("map with one ref out of range",
                      xengnttab_map_grant_refs(gt, 3, domids, more, RW));
        print_pointer("map one ref in use by nobody",
                      xengnttab_map_grant_ref(gt, self, 200, RW));
        print_pointer("map of a domain that is not there",
                      xengnttab_map_grant_ref(gt, 777, refs[0], RW));
        mapped = xengnttab_map_domain_grant_refs(gt, 3, self, refs, PROT_READ);
        print_pointer("map 3 refs for reading", mapped);
        print_int("unmap", xengnttab_unmap(gt, mapped, 3));

        print_int("unshare while mapped", xengntshr_unshare(gs, shared, 3));
        print_text("the mapping still reads", again);
        print_pointer("map an unshared ref",
                      xengnttab_map_grant_ref(gt, self, refs[0], RW));
        print_int("unmap the last one", xengnttab_unmap(gt, again, 1));
}

static void read_only(uint32_t self, xengnttab_handle *gt, xengntshr_handle *gs)
{
        uint32_t ref;
        char *shared = xengntshr_share_pages(gs, self, 1, &ref, 0), *mapped;

        print_pointer("share for reading", shared);
        print_pointer("map it for writing",
                      xengnttab_map_grant_ref(gt, self, ref, RW));
        mapped = xengnttab_map_grant_ref(gt, self, ref, PROT_READ);
        print_pointer("map it for reading", mapped);
        strcpy(shared, "read-only");
        print_text("it reads", mapped);
        print_int("unmap", xengnttab_unmap(gt, mapped, 1));
        print_int("unshare", xengntshr_unshare(gs, shared, 1));
}

static void closes(uint32_t self, xengntshr_handle *gs)
{
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        uint32_t ref;
        char *shared = xengntshr_share_pages(gs, self, 1, &ref, 1), *mapped;

        strcpy(shared, "after the close");
        mapped = xengnttab_map_grant_ref(gt, self, ref, RW);
        print_int("close a handle with a mapping", xengnttab_close(gt));
        print_text("the mapping reads", mapped);
        print_int("munmap", munmap(mapped, PAGE));
        print_int("unshare", xengntshr_unshare(gs, shared, 1));

        gs = xengntshr_open(NULL, 0);
        shared = xengntshr_share_pages(gs, self, 1, &ref, 1);
        strcpy(shared, "still shared");
        print_int("close a handle with a share", xengntshr_close(gs));
        gt = xengnttab_open(NULL, 0);
        mapped = xengnttab_map_grant_ref(gt, self, ref, RW);
        print_pointer("map it after the close", mapped);
        if (mapped)
                xengnttab_unmap(gt, mapped, 1);
        munmap(shared, PAGE);
        xengnttab_close(gt);
}

void observe_grants(uint32_t self)
{
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        xengntshr_handle *gs = xengntshr_open(NULL, 0);

        print_pointer("xengnttab_open", gt);
        print_pointer("xengntshr_open", gs);
        print_int("set_max_grants", xengnttab_set_max_grants(gt, 64));
        maps(self, gt, gs);
        read_only(self, gt, gs);
        closes(self, gs);
        print_int("xengntshr_close", xengntshr_close(gs));
        print_int("xengnttab_close", xengnttab_close(gt));
}

static void copy(xengnttab_handle *gt, const char *what, uint32_t n,
                 xengnttab_grant_copy_segment_t *segs)
{
        for (uint32_t i = 0; i < n; i++)
                segs[i].status = 99;
        print_int(what, xengnttab_grant_copy(gt, n, segs));
        for (uint32_t i = 0; i < n; i++)
                printf("  status %d\n", segs[i].status);
}

void observe_copies(uint32_t self)
{
        xengnttab_handle *gt = xengnttab_open(NULL, 0);
        xengntshr_handle *gs = xengntshr_open(NULL, 0);
        uint32_t refs[2], closed;
        char *shared = xengntshr_share_pages(gs, self, 2, refs, 1), *ro;
        char *own = aligned_alloc(PAGE, 2 * PAGE);
        xengnttab_grant_copy_segment_t in = {
                .source.foreign = {refs[0], 100, (uint16_t)self},
                .dest.virt = own + 7,
                .len = 50,
                .flags = GNTCOPY_source_gref};
        xengnttab_grant_copy_segment_t out = {
                .source.virt = own + 7,
                .dest.foreign = {refs[1], PAGE - 50, (uint16_t)self},
                .len = 50,
                .flags = GNTCOPY_dest_gref};
        xengnttab_grant_copy_segment_t bad = in, segs[3];

        ro = xengntshr_share_pages(gs, self, 1, &closed, 0);
        memset(own, 0, 2 * PAGE);
        strcpy(shared + 100, "copied");
        copy(gt, "copy in", 1, &in);
        print_text("own memory has", own + 7);
        copy(gt, "copy out, up to the page's end", 1, &out);
        print_text("the granter has", shared + 2 * PAGE - 50);
        in.len = 0;
        copy(gt, "copy of no bytes", 1, &in);
        in.len = 50;
        in.dest.virt = own + PAGE - 20;
        copy(gt, "copy in, own memory over two pages", 1, &in);
        print_text("own memory has", own + PAGE - 20);

        bad.source.foreign.ref = 200;
        segs[0] = in, segs[1] = bad, segs[2] = out;
        copy(gt, "three, the second of a ref in use by nobody", 3, segs);
        segs[1].source.foreign.ref = 100000;
        copy(gt, "three, the second of a ref out of range", 3, segs);
        bad = in;
        bad.source.foreign.domid = 777;
        segs[1] = bad;
        copy(gt, "three, the second of no domain", 3, segs);
        bad = in;
        bad.source.foreign.offset = PAGE - 10;
        segs[1] = bad;
        copy(gt, "three, the second over the page's end", 3, segs);
        bad = out;
        bad.dest.foreign.ref = closed;
        copy(gt, "copy out to a page shared for reading", 1, &bad);
        copy(gt, "copy of no segments", 0, segs);
        xengntshr_unshare(gs, shared, 2);
        in.dest.virt = own;
        copy(gt, "copy in from an unshared ref", 1, &in);
        xengntshr_unshare(gs, ro, 1);
        free(own);
        xengntshr_close(gs);
        xengnttab_close(gt);
}
