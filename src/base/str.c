/* SPDX-License-Identifier: PostgreSQL */
/* str.c - small helpers on text. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
    if (!((*s >= '0' && *s <= '9') || *s == '-'))
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || end == s || *end || v < min || v > max)
        return false;
    *out = v;
    return true;
}

bool span_is_nocase(struct span a, const char *word)
{
    size_t n = strlen(word);
    return a.n == n && strncasecmp((const char *)a.p, word, n) == 0;
}

bool span_to_str(struct span a, char *out, size_t size)
{
    if (a.n >= size || (a.n && memchr(a.p, 0, a.n))) {
        if (size)
            out[0] = '\0';
        return false;
    }
    if (a.n)
        memcpy(out, a.p, a.n);
    out[a.n] = '\0';
    return true;
}

bool span_equal_ct(struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    volatile uint8_t diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
    return diff == 0;
}

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
    const uint8_t *at = p;
    uint64_t h = 0xcbf29ce484222325ULL ^ seed;
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * 0x100000001b3ULL;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ULL;
    h ^= h >> 32;
    return h;
}
