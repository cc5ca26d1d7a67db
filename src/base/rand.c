/* SPDX-License-Identifier: PostgreSQL */
/* rand.c - unpredictable bytes and cheap jitter. */
#include "base/rand.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* getrandom never breaks off below this (random(4)). */
#define STOCK_SIZE 256

/* A login takes a nonce and a key; a system call for each would cost more than the bytes. */
static _Thread_local struct {
    unsigned char bytes[STOCK_SIZE];
    size_t left; /* at the end of bytes; the others were handed out and wiped */
} stock;

static void ask_kernel(void *p, size_t n)
{
    unsigned char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            fputs("pgballast: getrandom failed\n", stderr);
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

/* Parent and child must not draw the same bytes; of the threads only the one that forks lives on in
 * the child. */
static void drop_stock(void)
{
    mem_wipe(&stock, sizeof stock);
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, drop_stock) != 0) {
        fputs("pgballast: pthread_atfork failed\n", stderr);
        abort();
    }
}

static void refill(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    ask_kernel(stock.bytes, sizeof stock.bytes);
    stock.left = sizeof stock.bytes;
}

void rand_bytes(void *p, size_t n)
{
    if (n > sizeof stock.bytes / 4) {
        ask_kernel(p, n);
        return;
    }
    if (stock.left < n)
        refill();
    unsigned char *from = stock.bytes + (sizeof stock.bytes - stock.left);
    memcpy(p, from, n);
    mem_wipe(from, n);
    stock.left -= n;
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof v);
    return v;
}

uint64_t rand_next(uint64_t *state)
{
    uint64_t x = *state ? *state : 0x9e3779b97f4a7c15ULL;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}
