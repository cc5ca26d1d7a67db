/* SPDX-License-Identifier: PostgreSQL */
/* id_table.h - things by a 64-bit number, two words in each thing.
 *
 * For what there are thousands of: a session is in two such tables. Numbers are ours (ids, random
 * keys), so nobody can choose ones that collide. No locks. */
#ifndef RELAY_ID_TABLE_H
#define RELAY_ID_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Embedded in the thing. */
struct id_link {
    struct id_link *next;
    uint64_t id;
};

/* All zero is an empty one. */
struct id_table {
    struct id_link **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;
};

/* NULL if it is not there. */
struct id_link *id_table_find(const struct id_table *t, uint64_t id);
/* The id is in no link of the table. Borrows the link until it is removed. */
void id_table_add(struct id_table *t, struct id_link *link, uint64_t id);
/* The link is in the table. */
void id_table_remove(struct id_table *t, struct id_link *link);
/* Forgets all links. */
void id_table_fini(struct id_table *t);

#endif
