/* SPDX-License-Identifier: PostgreSQL */
/* intern.c - immutable things that are equal are the same thing. */
#include "track/intern.h"

#include "base/rand.h"

#include <pthread.h>

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void make_seed(void)
{
    seed = rand_u64();
}

uint64_t intern_seed(void)
{
    pthread_once(&seed_once, make_seed);
    return seed;
}

static struct intern *find_locked(struct intern_table *t, uint64_t hash, const void *probe)
{
    struct intern *m;
    LIST_FOREACH(m, &t->buckets[hash % INTERN_BUCKETS], link)
    {
        if (m->hash == hash && t->equal(m, probe)) {
            intern_ref(m);
            return m;
        }
    }
    return NULL;
}

struct intern *intern_find(struct intern_table *t, uint64_t hash, const void *probe)
{
    mutex_lock(&t->lock);
    struct intern *m = find_locked(t, hash, probe);
    mutex_unlock(&t->lock);
    return m;
}

struct intern *intern_add(struct intern_table *t, struct intern *fresh, uint64_t hash,
                          const void *probe)
{
    mutex_lock(&t->lock);
    struct intern *m = find_locked(t, hash, probe);
    if (!m) {
        m = fresh;
        m->hash = hash;
        m->id = ++t->last_id;
        atomic_init(&m->refs, 1);
        LIST_INSERT_HEAD(&t->buckets[hash % INTERN_BUCKETS], m, link);
    }
    mutex_unlock(&t->lock);
    return m;
}

bool intern_unref(struct intern_table *t, struct intern *m)
{
    uint32_t n = atomic_load_explicit(&m->refs, memory_order_relaxed);
    while (n > 1) {
        if (atomic_compare_exchange_weak_explicit(&m->refs, &n, n - 1, memory_order_release,
                                                  memory_order_relaxed))
            return false;
    }
    mutex_lock(&t->lock);
    bool last = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1;
    if (last)
        LIST_REMOVE(m, link);
    mutex_unlock(&t->lock);
    return last;
}
