/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay_main: run a fuzz target once over its corpus, without a fuzzer.
 *
 * A program linked with this and with test/fuzz/fuzz_X.c is a test for `make check`: it feeds every
 * file of $srcdir/test/fuzz/corpus/X to the target, X being taken from the program's own name.
 * Files named on the command line are fed instead, which is how a crash is looked at in a debugger.
 *
 * Each input is handed over in a heap block of exactly its size, so that the address sanitizer sees
 * a read of one byte too many. A corpus that is missing or empty is a failure, not a pass.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Corpus files are small; a bound catches a wrong path before it fills the memory. */
enum { MAX_INPUT_BYTES = 64 * 1024 * 1024 };

static bool fail_on(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

/* True with *size_out set if `file` is a regular file within the bound; else errno says why not. */
static bool input_size(FILE *file, size_t *size_out)
{
    struct stat st;

    if (fstat(fileno(file), &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_INPUT_BYTES) {
        errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        return false;
    }
    *size_out = (size_t)st.st_size;
    return true;
}

static bool replay_file(const char *path)
{
    bool ok = false;
    uint8_t *data = NULL;
    size_t size;
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return fail_on(path);
    if (!input_size(file, &size)) {
        fail_on(path);
        goto out;
    }
    data = malloc(size);
    if (data == NULL && size > 0) {
        fail_on(path);
        goto out;
    }
    if (size > 0 && fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: short read\n", path);
        goto out;
    }
    /* On a crash the last line tells which input it was. */
    printf("%s (%zu bytes)\n", path, size);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    ok = true;
out:
    free(data);
    fclose(file);
    return ok;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Every file of the directory, in the order of names, so that two runs do the same. */
static bool replay_directory(const char *directory)
{
    struct dirent **entries;
    bool ok = true;
    int n = scandir(directory, &entries, is_visible, alphasort);

    if (n < 0)
        return fail_on(directory);
    if (n == 0)
        fprintf(stderr, "%s: no inputs\n", directory);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name) >=
            (int)sizeof(path)) {
            errno = ENAMETOOLONG;
            ok = fail_on(directory);
        } else if (!replay_file(path)) {
            ok = false;
        }
        free(entries[i]);
    }
    free(entries);
    return ok && n > 0;
}

/* The corpus that belongs to a program called …/fuzz_X (libtool's lt- prefix does not occur here).
 */
static bool replay_own_corpus(const char *program)
{
    static const char prefix[] = "fuzz_";
    char directory[PATH_MAX];
    const char *srcdir = getenv("srcdir");
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL ? slash + 1 : program;

    if (strncmp(name, prefix, strlen(prefix)) != 0) {
        fprintf(stderr, "%s: the name does not begin with %s; name the inputs instead\n", program,
                prefix);
        return false;
    }
    if (snprintf(directory, sizeof(directory), "%s/test/fuzz/corpus/%s",
                 srcdir != NULL ? srcdir : ".", name + strlen(prefix)) >= (int)sizeof(directory)) {
        errno = ENAMETOOLONG;
        return fail_on(program);
    }
    return replay_directory(directory);
}

int main(int argc, char **argv)
{
    bool ok = true;

    if (argc < 2)
        return replay_own_corpus(argv[0]) ? EXIT_SUCCESS : EXIT_FAILURE;
    for (int i = 1; i < argc; i++)
        ok = replay_file(argv[i]) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
