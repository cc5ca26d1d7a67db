/* SPDX-License-Identifier: PostgreSQL */
/* keycache.h - SCRAM keys that were derived before, so that logging in to servers costs PBKDF2
 * once per password and not once per connection (935 against 2.5 microseconds).
 *
 * Entries are found by an HMAC of (role, password, salt, iterations) under a random key of the
 * cache: no password is kept. Bounded; the entry unused for longest is wiped to make room. All
 * functions may be called from any thread; nothing is computed while the lock is held. Two threads
 * that miss the same entry at the same moment derive it twice, and one copy is kept. */
#ifndef AUTH_KEYCACHE_H
#define AUTH_KEYCACHE_H

#include "auth/scram.h"

/* 1024 entries are 200 KiB. */
#define KEYCACHE_ENTRIES 1024

struct keycache;

/* What the keys belong to; borrowed. */
struct keycache_query {
    struct span role;
    struct span password;
    struct span salt;
    uint32_t iterations;
};

/* max_entries >= 1. */
struct keycache *keycache_new(size_t max_entries);
/* Wipes all entries. */
void keycache_free(struct keycache **kc);

/* Looks only: for callers that derive elsewhere. */
bool keycache_find(struct keycache *kc, const struct keycache_query *q, struct scram_keys *out);
/* Puts keys that the caller has derived or proven. They must have a ClientKey. Copies them. */
void keycache_put(struct keycache *kc, const struct keycache_query *q,
                  const struct scram_keys *keys);
/* Finds, or derives and puts. The caller wipes *out. */
bool keycache_get(struct keycache *kc, const struct keycache_query *q, struct scram_keys *out,
                  struct error *err);
/* Wipes all entries: after a reload that changed passwords. */
void keycache_clear(struct keycache *kc);

size_t keycache_count(struct keycache *kc);
/* How often keycache_get had to derive. (scram_derivations counts the whole process.) */
uint64_t keycache_derivations(struct keycache *kc);

#endif
