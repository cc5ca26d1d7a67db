/* SPDX-License-Identifier: PostgreSQL */
/* fake_rand.c - the same "random" numbers in each run, and no jitter: a pause drawn from a range is
 * the shortest one, so that a script can name it. */
#include "base/rand.h"

static uint64_t state = 1;

void rand_bytes(void *p, size_t n)
{
    unsigned char *at = p;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        at[i] = (unsigned char)(state >> 56);
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof v);
    return v;
}

uint64_t rand_next(uint64_t *jitter)
{
    *jitter = 0;
    return 0;
}
