/* SPDX-License-Identifier: PostgreSQL */
/* tls_memory.c - OpenSSL's record buffers, kept for the next record. */
#include "net/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* RFC 8446, section 5.1: a record holds 16 KiB at most; OpenSSL asks for 130 to 350 bytes more. */
#define RECORD_BYTES 16384
/* What such a request gets, so that each buffer fits the next request. */
#define BUFFER_BYTES (RECORD_BYTES + 1024)
/* The allocator may give a little more. */
#define BUFFER_SLACK 64
/* One connection at a time reads and writes; two streams meet when what was read is passed on. */
#define KEPT_MAX 4

static _Thread_local struct kept {
    void *buffers[KEPT_MAX];
    unsigned n;
    bool ends_with_thread;
} kept;

static pthread_key_t at_thread_end;

static void free_kept(void *arg)
{
    struct kept *k = arg;
    while (k->n)
        free(k->buffers[--k->n]);
}

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n <= RECORD_BYTES || n > BUFFER_BYTES)
        return n ? malloc(n) : NULL;
    return kept.n ? kept.buffers[--kept.n] : malloc(BUFFER_BYTES);
}

static void give_back(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t n = p ? malloc_usable_size(p) : 0;
    if (n < BUFFER_BYTES || n >= BUFFER_BYTES + BUFFER_SLACK || kept.n == KEPT_MAX) {
        free(p);
        return;
    }
    if (!kept.ends_with_thread)
        kept.ends_with_thread = pthread_setspecific(at_thread_end, &kept) == 0;
    if (kept.ends_with_thread)
        kept.buffers[kept.n++] = p;
    else
        free(p);
}

static void *resize(void *p, size_t n, const char *file, int line)
{
    if (n)
        return realloc(p, n);
    give_back(p, file, line);
    return NULL;
}

void tls_memory_install(void)
{
    if (pthread_key_create(&at_thread_end, free_kept) == 0)
        (void)CRYPTO_set_mem_functions(take, resize, give_back);
}
