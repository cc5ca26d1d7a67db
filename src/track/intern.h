/* SPDX-License-Identifier: PostgreSQL */
/* intern.h - immutable things that are equal are the same thing.
 *
 * A table of counted, immutable objects, found by content: whoever makes an object that exists
 * already is given the existing one, so that later the question "equal?" is a comparison of two
 * pointers. The table holds no reference: an object leaves it with its last owner.
 *
 * Any thread may call anything here. References are taken and given back without a lock, except the
 * last one, which must not slip away while another thread is just finding the object. Under the
 * lock only lists are walked; nothing is allocated, which is why the buckets do not grow. */
#ifndef TRACK_INTERN_H
#define TRACK_INTERN_H

#include "base/mutex.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Chains stay short up to some ten thousand objects; 64 KiB per table. */
#define INTERN_BUCKETS 8192

/* The first member of an object that lives in a table. */
struct intern {
    LIST_ENTRY(intern) link;
    uint64_t hash;
    uint64_t id; /* given by intern_add: never 0, never given twice */
    _Atomic uint32_t refs;
};

LIST_HEAD(intern_bucket, intern);

struct intern_table {
    struct mutex lock;
    uint64_t last_id;
    /* Does the member have the content that `probe` describes? Hashes are equal already. */
    bool (*equal)(const struct intern *member, const void *probe);
    struct intern_bucket buckets[INTERN_BUCKETS];
};

/* Ids up to first_id - 1 are left to objects that are not made by intern_add. */
#define INTERN_TABLE(equal_function, first_id)                                                     \
    {                                                                                              \
        .lock = MUTEX_INITIALIZER, .last_id = (first_id)-1, .equal = (equal_function)              \
    }

/* Random, the same for the life of the process: hashes start from it, so that no peer can choose
 * names that collide. */
uint64_t intern_seed(void);

/* The member with this content and a reference for the caller, or NULL. */
struct intern *intern_find(struct intern_table *t, uint64_t hash, const void *probe);
/* Publishes `fresh` (its content is complete and what `probe` describes) and returns it with one
 * reference; if another thread was faster, returns its object instead and `fresh` stays the
 * caller's, to be freed. */
struct intern *intern_add(struct intern_table *t, struct intern *fresh, uint64_t hash,
                          const void *probe);

/* The caller already holds a reference. */
static inline void intern_ref(struct intern *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}
/* Gives one reference back; true if it was the last: the object has left the table, free it. */
bool intern_unref(struct intern_table *t, struct intern *m);

#endif
