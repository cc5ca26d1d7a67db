/* SPDX-License-Identifier: PostgreSQL */
/* id_table.c - chains of links; their number doubles when they grow longer than two. */
#include "relay/id_table.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64
#define CHAIN 2

static size_t bucket_of(uint64_t id, size_t n_buckets)
{
    /* Fibonacci hashing, both halves folded in: keys may have fixed bits anywhere. */
    return (size_t)(((id ^ id >> 32) * 0x9e3779b97f4a7c15ULL) >> 32) & (n_buckets - 1);
}

static struct id_link **place_of(const struct id_table *t, uint64_t id)
{
    return &t->buckets[bucket_of(id, t->n_buckets)];
}

struct id_link *id_table_find(const struct id_table *t, uint64_t id)
{
    struct id_link *link = t->n ? *place_of(t, id) : NULL;
    while (link && link->id != id)
        link = link->next;
    return link;
}

static void put(struct id_table *t, struct id_link *link)
{
    struct id_link **at = place_of(t, link->id);
    link->next = *at;
    *at = link;
}

static void grow(struct id_table *t)
{
    struct id_table old = *t;
    t->n_buckets = old.n_buckets ? old.n_buckets * 2 : FIRST_BUCKETS;
    t->buckets = xcalloc(t->n_buckets, sizeof *t->buckets);
    for (size_t i = 0; i < old.n_buckets; i++) {
        struct id_link *next;
        for (struct id_link *link = old.buckets[i]; link; link = next) {
            next = link->next;
            put(t, link);
        }
    }
    free(old.buckets);
}

void id_table_add(struct id_table *t, struct id_link *link, uint64_t id)
{
    if (t->n >= t->n_buckets * CHAIN)
        grow(t);
    link->id = id;
    put(t, link);
    t->n++;
}

void id_table_remove(struct id_table *t, struct id_link *link)
{
    struct id_link **at = place_of(t, link->id);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    t->n--;
}

void id_table_fini(struct id_table *t)
{
    free(t->buckets);
    *t = (struct id_table){0};
}
