/* SPDX-License-Identifier: MIT */
/* The shortest use of libevergrant: open a disk, write a block, read it back.
 *
 *      hello VDEV
 *
 * It overwrites the first block of the disk. */
#include <evergrant.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
        char out[4096] = "Hello from the other side of the ring", in[4096];
        struct eg_disk *disk;
        int ok;

        if (argc != 2) {
                fprintf(stderr, "usage: hello VDEV\n");
                return 2;
        }
        if (eg_open(&disk, argv[1], NULL) < 0) {
                fprintf(stderr, "hello: %s\n", eg_error());
                return 1;
        }
        ok = eg_pwrite(disk, out, sizeof(out), 0) == 0 && eg_flush(disk) == 0 &&
             eg_pread(disk, in, sizeof(in), 0) == 0;
        if (!ok)
                fprintf(stderr, "hello: %s\n", eg_error());
        else if (memcmp(in, out, sizeof(in)) != 0)
                ok = 0, fprintf(stderr, "hello: other bytes came back\n");
        else
                puts(in);
        eg_close(disk);
        return ok ? 0 : 1;
}
