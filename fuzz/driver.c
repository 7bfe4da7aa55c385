/* SPDX-License-Identifier: MIT */
/* Runs a target over files: `fuzz-TARGET FILE-OR-FOLDER…`. The ordinary test,
 * for every compiler; a corpus of less than 20 inputs is a failure, since then
 * something was left out. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#define LEAST_INPUTS 20

static unsigned ran;

static void run_file(const char *path)
{
        FILE *f = fopen(path, "rb");
        uint8_t *data;
        struct stat st;
        size_t n;

        if (!f || fstat(fileno(f), &st) < 0) {
                perror(path);
                exit(1);
        }
        /* Exactly as large: a sanitizer sees the first byte past it. */
        n = (size_t)st.st_size;
        data = malloc(n);
        if ((n && !data) || fread(data, 1, n, f) != n) {
                perror(path);
                exit(1);
        }
        fclose(f);
        if (getenv("FUZZ_VERBOSE"))
                fprintf(stderr, "%s\n", path);
        LLVMFuzzerTestOneInput(data, n);
        free(data);
        ran++;
}

static int no_dot(const struct dirent *e)
{
        return e->d_name[0] != '.';
}

static void run_folder(const char *path)
{
        struct dirent **list;
        int n = scandir(path, &list, no_dot, alphasort);
        char file[4096];

        if (n < 0) {
                perror(path);
                exit(1);
        }
        for (int i = 0; i < n; i++) {
                snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
                run_file(file);
                free(list[i]);
        }
        free(list);
        if (n < LEAST_INPUTS) {
                fprintf(stderr, "%s: only %d inputs\n", path, n);
                exit(1);
        }
}

int main(int argc, char **argv)
{
        struct stat st;

        if (argc < 2) {
                fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
                return 2;
        }
        for (int i = 1; i < argc; i++) {
                if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
                        run_folder(argv[i]);
                else
                        run_file(argv[i]);
        }
        printf("%u inputs\n", ran);
        return 0;
}
