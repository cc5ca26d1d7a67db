/* SPDX-License-Identifier: PostgreSQL */
/* mem.c - allocation that ends the program when memory is gone. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p) {
        fputs("pgballast: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

/* glibc's calloc passes by the thread's cache of small pieces, which makes it ten times as dear as
 * clearing what malloc gives; for large ones it knows which are clear already. */
#define SMALL_BYTES 1024

void *xcalloc(size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes) && bytes && bytes <= SMALL_BYTES) {
        void *p = xmalloc(bytes);
        __asm__("" : "+r"(p)); /* or the compiler sees through it and writes calloc again */
        return memset(p, 0, bytes);
    }
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return checked(strdup(s));
}

char *xstrndup(const void *p, size_t n)
{
    char *s = xmalloc(n + 1);
    if (n)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return checked(n < 0 ? NULL : s);
}

/* Out of line: inside of a caller, the linking compiler takes the first member of what is wiped for
 * all of it, and warns. */
__attribute__((noinline)) void mem_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

void secret_free(char **s)
{
    if (!*s)
        return;
    mem_wipe(*s, strlen(*s));
    free(*s);
    *s = NULL;
}
