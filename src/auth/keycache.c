/* SPDX-License-Identifier: PostgreSQL */
/* keycache.c - a bounded table of derived SCRAM keys.
 *
 * All entries are allocated at birth, so nothing is allocated under the lock; calloc's pages cost
 * nothing before they are used. An entry is in `unused` (it was used before), beyond n_touched, or
 * in one bucket and in the list `used`. */
#include "auth/keycache.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/rand.h"
#include "auth/digest.h"

struct key_id {
    uint8_t bytes[SHA256_LEN];
};

struct entry {
    struct key_id id;
    struct scram_keys keys;
    LIST_ENTRY(entry) in_bucket;
    TAILQ_ENTRY(entry) in_use;
    SLIST_ENTRY(entry) in_unused;
};

LIST_HEAD(bucket, entry);
TAILQ_HEAD(entry_queue, entry);
SLIST_HEAD(entry_stack, entry);

struct keycache {
    /* Set at birth. */
    uint8_t secret[SHA256_LEN]; /* under which entries are named */
    struct entry *entries;
    size_t n_entries, n_buckets;

    struct mutex m;
    struct bucket *buckets;
    struct entry_queue used; /* last used first */
    struct entry_stack unused;
    size_t n_touched; /* entries[n_touched] and all behind it were never used */
    size_t n_used;
    uint64_t derivations;
};

struct keycache *keycache_new(size_t max_entries)
{
    struct keycache *kc = xcalloc(1, sizeof *kc);
    rand_bytes(kc->secret, sizeof kc->secret);
    kc->n_entries = kc->n_buckets = max_entries;
    kc->entries = xcalloc(max_entries, sizeof *kc->entries);
    kc->buckets = xcalloc(max_entries, sizeof *kc->buckets);
    mutex_init(&kc->m);
    TAILQ_INIT(&kc->used);
    SLIST_INIT(&kc->unused);
    return kc;
}

void keycache_free(struct keycache **kcp)
{
    struct keycache *kc = *kcp;
    if (!kc)
        return;
    keycache_clear(kc);
    mutex_fini(&kc->m);
    free(kc->buckets);
    free(kc->entries);
    mem_wipe(kc, sizeof *kc);
    free(kc);
    *kcp = NULL;
}

/* The name of an entry. Lengths are part of it: ("a", "bc") and ("ab", "c") must differ. */
static bool name_of(const struct keycache *kc, const struct keycache_query *q,
                    struct key_id *id_out)
{
    const uint64_t head[] = {q->role.n, q->password.n, q->salt.n, q->iterations};
    const struct span parts[] = {span_of(head, sizeof head), q->role, q->password, q->salt};
    return digest_hmac(span_of(kc->secret, sizeof kc->secret), parts, 4, id_out->bytes);
}

static struct bucket *bucket_of(struct keycache *kc, const struct key_id *id)
{
    uint64_t v;
    memcpy(&v, id->bytes, sizeof v);
    return &kc->buckets[v % kc->n_buckets];
}

/* Returns the entry, now the one used last, or NULL. */
static struct entry *find_locked(struct keycache *kc, const struct key_id *id)
{
    for (struct entry *e = LIST_FIRST(bucket_of(kc, id)); e; e = LIST_NEXT(e, in_bucket)) {
        if (memcmp(e->id.bytes, id->bytes, sizeof id->bytes) == 0) {
            TAILQ_REMOVE(&kc->used, e, in_use);
            TAILQ_INSERT_HEAD(&kc->used, e, in_use);
            return e;
        }
    }
    return NULL;
}

static void drop_locked(struct keycache *kc, struct entry *e)
{
    LIST_REMOVE(e, in_bucket);
    TAILQ_REMOVE(&kc->used, e, in_use);
    mem_wipe(e, sizeof *e);
    SLIST_INSERT_HEAD(&kc->unused, e, in_unused);
    kc->n_used--;
}

/* A wiped entry that hangs nowhere; the one unused for longest has to go if there is none. */
static struct entry *take_unused_locked(struct keycache *kc)
{
    if (SLIST_EMPTY(&kc->unused)) {
        if (kc->n_touched < kc->n_entries)
            return &kc->entries[kc->n_touched++];
        drop_locked(kc, TAILQ_LAST(&kc->used, entry_queue));
    }
    struct entry *e = SLIST_FIRST(&kc->unused);
    SLIST_REMOVE_HEAD(&kc->unused, in_unused);
    return e;
}

static void put_locked(struct keycache *kc, const struct key_id *id, const struct scram_keys *keys)
{
    if (find_locked(kc, id))
        return;
    struct entry *e = take_unused_locked(kc);
    e->id = *id;
    e->keys = *keys;
    LIST_INSERT_HEAD(bucket_of(kc, id), e, in_bucket);
    TAILQ_INSERT_HEAD(&kc->used, e, in_use);
    kc->n_used++;
}

static bool find_named(struct keycache *kc, const struct key_id *id, struct scram_keys *out)
{
    mutex_lock(&kc->m);
    struct entry *e = find_locked(kc, id);
    if (e)
        *out = e->keys;
    mutex_unlock(&kc->m);
    return e != NULL;
}

bool keycache_find(struct keycache *kc, const struct keycache_query *q, struct scram_keys *out)
{
    struct key_id id;
    return name_of(kc, q, &id) && find_named(kc, &id, out);
}

void keycache_put(struct keycache *kc, const struct keycache_query *q,
                  const struct scram_keys *keys)
{
    struct key_id id;
    if (!keys->has_client_key || !name_of(kc, q, &id))
        return;
    mutex_lock(&kc->m);
    put_locked(kc, &id, keys);
    mutex_unlock(&kc->m);
}

bool keycache_get(struct keycache *kc, const struct keycache_query *q, struct scram_keys *out,
                  struct error *err)
{
    struct key_id id;
    if (!name_of(kc, q, &id))
        return error_set(err, SQLSTATE_INTERNAL, "could not compute a digest");
    if (find_named(kc, &id, out))
        return true;
    if (!scram_derive(q->password, q->salt, q->iterations, out, err))
        return false;
    mutex_lock(&kc->m);
    kc->derivations++;
    put_locked(kc, &id, out);
    mutex_unlock(&kc->m);
    return true;
}

void keycache_clear(struct keycache *kc)
{
    struct entry *e;
    mutex_lock(&kc->m);
    while ((e = TAILQ_FIRST(&kc->used)) != NULL)
        drop_locked(kc, e);
    mutex_unlock(&kc->m);
}

size_t keycache_count(struct keycache *kc)
{
    mutex_lock(&kc->m);
    size_t n = kc->n_used;
    mutex_unlock(&kc->m);
    return n;
}

uint64_t keycache_derivations(struct keycache *kc)
{
    mutex_lock(&kc->m);
    uint64_t n = kc->derivations;
    mutex_unlock(&kc->m);
    return n;
}
