/* SPDX-License-Identifier: PostgreSQL */
/* parameters_accepted.c - which values the servers of one generation have accepted before.
 *
 * A set of hashes. A false "yes" would need two pairs with the same 64 bits, started from a random
 * seed, and would only let a name travel unguarded that is harmless to begin with. When the set is
 * full it is emptied: a value then has to be accepted once more. */
#include "track/parameters_impl.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

#define SLOTS 512
#define MOST (SLOTS / 2)

struct param_accepted {
    struct mutex lock;
    unsigned n;
    uint64_t slots[SLOTS]; /* 0: free */
};

struct param_accepted *param_accepted_new(void)
{
    struct param_accepted *a = xcalloc(1, sizeof *a);
    mutex_init(&a->lock);
    return a;
}

void param_accepted_free(struct param_accepted **a)
{
    if (!*a)
        return;
    mutex_fini(&(*a)->lock);
    free(*a);
    *a = NULL;
}

static uint64_t hash_pair(struct span name, struct span value)
{
    char spelled[PARAM_NAME_MAX + 1];
    if (name.n <= PARAM_NAME_MAX)
        name = param_name_spell(name, param_name_find(name), spelled);
    uint64_t h = hash_bytes(value.p, value.n, hash_bytes(name.p, name.n, intern_seed()));
    return h ? h : 1;
}

/* The slot that holds the hash, or the free one where it belongs. */
static uint64_t *slot_locked(struct param_accepted *a, uint64_t hash)
{
    size_t i = hash % SLOTS;
    while (a->slots[i] && a->slots[i] != hash)
        i = (i + 1) % SLOTS;
    return &a->slots[i];
}

static void clear_locked(struct param_accepted *a)
{
    memset(a->slots, 0, sizeof a->slots);
    a->n = 0;
}

void param_accepted_clear(struct param_accepted *a)
{
    mutex_lock(&a->lock);
    clear_locked(a);
    mutex_unlock(&a->lock);
}

static bool is_harmless(struct span name)
{
    const struct param_name *row = param_name_find(name);
    return row && (row->traits & PARAM_FENCE);
}

void params_note_accepted(struct param_accepted *a, struct span name, struct span value)
{
    if (!is_harmless(name))
        return;
    uint64_t hash = hash_pair(name, value);
    mutex_lock(&a->lock);
    if (a->n == MOST)
        clear_locked(a);
    uint64_t *slot = slot_locked(a, hash);
    if (!*slot) {
        *slot = hash;
        a->n++;
    }
    mutex_unlock(&a->lock);
}

bool params_may_fence(struct param_accepted *a, struct span name, struct span value)
{
    if (!is_harmless(name))
        return false;
    uint64_t hash = hash_pair(name, value);
    mutex_lock(&a->lock);
    bool known = *slot_locked(a, hash) != 0;
    mutex_unlock(&a->lock);
    return known;
}

bool params_may_gate(struct span name)
{
    const struct param_name *row = param_name_find(name);
    return !row || !(row->traits & PARAM_NEXT);
}
