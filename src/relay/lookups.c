/* SPDX-License-Identifier: PostgreSQL */
/* lookups.c - what auth_query has said, and who waits for what it is about to say. */
#include "relay/lookups.h"

#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* An entry leaves when another needs its room and nobody is asking for it. */
struct entry {
    char *key; /* the question in one text */
    struct lookup_answer answer;
    uint64_t answered_us;  /* 0: never, or not to be believed any more */
    struct lookup *lookup; /* under way; counted */
    UT_hash_handle hh;     /* entries, the one that was asked for last at the end */
};

struct lookup {
    atomic_uint refs;
    struct lookups *lookups;
    /* Under the lock of the table. */
    struct entry *entry; /* NULL: it has ended */
    uint64_t leader;
    struct lookup_asker *followers; /* in the order in which they came */
    size_t n_followers, room;
};

struct lookups {
    struct mutex m;
    struct entry *entries;
};

struct lookups *lookups_new(void)
{
    struct lookups *l = xcalloc(1, sizeof *l);
    mutex_init(&l->m);
    return l;
}

static void free_entry(struct entry *e)
{
    secret_unref(&e->answer.secret);
    lookup_unref(&e->lookup);
    free(e->key);
    free(e);
}

void lookups_free(struct lookups **lp)
{
    struct lookups *l = *lp;
    struct entry *e, *next;
    if (!l)
        return;
    HASH_ITER(hh, l->entries, e, next)
    {
        HASH_DEL(l->entries, e);
        free_entry(e);
    }
    mutex_fini(&l->m);
    free(l);
    *lp = NULL;
}

struct lookup *lookup_ref(struct lookup *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void lookup_unref(struct lookup **kp)
{
    struct lookup *k = *kp;
    *kp = NULL;
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(k->followers);
    free(k);
}

/* ---- the table ------------------------------------------------------------------------- */

/* With the lengths, no two questions give the same text. */
static char *key_of(const struct lookup_question *q)
{
    return xasprintf("%zu %zu %zu %s%s%s%s", strlen(q->user), strlen(q->database),
                     strlen(q->auth_user), q->user, q->database, q->auth_user, q->query);
}

static struct entry *find_locked(struct lookups *l, const char *key)
{
    struct entry *e;
    HASH_FIND_STR(l->entries, key, e);
    return e;
}

/* The oldest that nobody is asking for; NULL if there is room. */
static struct entry *make_room_locked(struct lookups *l)
{
    struct entry *e = HASH_COUNT(l->entries) < LOOKUPS_MAX ? NULL : l->entries;
    while (e && e->lookup)
        e = e->hh.next;
    if (e)
        HASH_DEL(l->entries, e);
    return e;
}

/* To the end of the list. */
static void touch_locked(struct lookups *l, struct entry *e)
{
    if (!e->hh.next)
        return;
    HASH_DEL(l->entries, e);
    HASH_ADD_KEYPTR(hh, l->entries, e->key, strlen(e->key), e);
}

static void follow_locked(struct lookup *k, const struct lookup_asker *who)
{
    if (k->n_followers == k->room) {
        k->room = k->room ? 2 * k->room : 8;
        k->followers = xrealloc(k->followers, k->room * sizeof *k->followers);
    }
    k->followers[k->n_followers++] = *who;
}

static struct lookup *lookup_new(struct lookups *l, uint64_t leader)
{
    struct lookup *k = xcalloc(1, sizeof *k);
    atomic_init(&k->refs, 1);
    k->lookups = l;
    k->leader = leader;
    return k;
}

static bool is_fresh(const struct entry *e, uint64_t max_age_us, uint64_t now_us)
{
    return e->answered_us && e->answer.secret && now_us - e->answered_us < max_age_us;
}

static void copy_answer(struct lookup_answer *to, const struct lookup_answer *from)
{
    *to = *from;
    if (to->secret)
        secret_ref(to->secret);
}

enum lookups_asked lookups_ask(struct lookups *l, const struct lookup_question *q,
                               const struct lookup_asker *who, uint64_t max_age_us, uint64_t now_us,
                               struct lookup_answer *answer_out, struct lookup **lookup_out)
{
    struct entry *fresh = xcalloc(1, sizeof *fresh), *out = NULL;
    enum lookups_asked asked = LOOKUPS_LEAD;
    fresh->key = key_of(q);
    mutex_lock(&l->m);
    struct entry *e = find_locked(l, fresh->key);
    if (!e) {
        out = make_room_locked(l);
        e = fresh;
        fresh = NULL;
        HASH_ADD_KEYPTR(hh, l->entries, e->key, strlen(e->key), e);
    }
    touch_locked(l, e);
    if (is_fresh(e, max_age_us, now_us)) {
        asked = LOOKUPS_KNOWN;
        copy_answer(answer_out, &e->answer);
    } else if (e->lookup) {
        asked = LOOKUPS_FOLLOW;
        follow_locked(e->lookup, who);
        *lookup_out = lookup_ref(e->lookup);
    } else {
        e->lookup = lookup_new(l, who->client_id);
        e->lookup->entry = e;
        *lookup_out = lookup_ref(e->lookup);
    }
    mutex_unlock(&l->m);
    if (fresh)
        free_entry(fresh);
    if (out)
        free_entry(out);
    return asked;
}

/* ---- one question ---------------------------------------------------------------------- */

/* The entry learns the answer; what it had before goes to *old, to be given back without lock. */
static void learn_locked(struct entry *e, struct lookup_answer *answer, uint64_t now_us,
                         const struct secret **old)
{
    const struct secret *had = e->answer.secret;
    if (had && answer->secret && secret_equal(had, answer->secret)) {
        *old = answer->secret;
        answer->secret = secret_ref(had);
        memcpy(e->answer.user, answer->user, sizeof e->answer.user);
    } else {
        *old = had;
        copy_answer(&e->answer, answer);
    }
    e->answered_us = now_us;
}

struct lookup_asker *lookup_end(struct lookup *k, struct lookup_answer *answer, uint64_t now_us,
                                size_t *n_out)
{
    struct lookups *l = k->lookups;
    const struct secret *old = NULL;
    struct lookup *mine = NULL;
    struct entry *out = NULL;
    mutex_lock(&l->m);
    struct entry *e = k->entry;
    struct lookup_asker *followers = k->followers;
    *n_out = k->n_followers;
    k->followers = NULL;
    k->n_followers = k->room = 0;
    k->entry = NULL;
    mine = e->lookup;
    e->lookup = NULL;
    if (answer)
        learn_locked(e, answer, now_us, &old);
    if (!e->answer.secret) { /* names that nobody has are not remembered */
        HASH_DEL(l->entries, e);
        out = e;
    }
    mutex_unlock(&l->m);
    secret_unref(&old);
    lookup_unref(&mine);
    if (out)
        free_entry(out);
    return followers;
}

/* Takes the i-th out of those who follow. */
static struct lookup_asker take_locked(struct lookup *k, size_t i)
{
    struct lookup_asker who = k->followers[i];
    memmove(&k->followers[i], &k->followers[i + 1],
            (--k->n_followers - i) * sizeof k->followers[0]);
    return who;
}

/* Nobody wants to know any more: without a leader the question has ended. */
static void abandon_locked(struct lookup *k, struct lookup **mine, struct entry **out)
{
    struct entry *e = k->entry;
    *mine = e->lookup;
    e->lookup = NULL;
    k->entry = NULL;
    if (e->answer.secret)
        return;
    HASH_DEL(k->lookups->entries, e);
    *out = e;
}

bool lookup_leave(struct lookup *k, uint64_t client_id, struct lookup_asker *next_out)
{
    struct lookups *l = k->lookups;
    struct lookup *mine = NULL;
    struct entry *out = NULL;
    bool passed_on = false;
    mutex_lock(&l->m);
    if (k->entry && k->leader != client_id) {
        for (size_t i = 0; i < k->n_followers; i++) {
            if (k->followers[i].client_id == client_id) {
                (void)take_locked(k, i);
                break;
            }
        }
    } else if (k->entry && k->n_followers) {
        *next_out = take_locked(k, 0);
        k->leader = next_out->client_id;
        passed_on = true;
    } else if (k->entry) {
        abandon_locked(k, &mine, &out);
    }
    mutex_unlock(&l->m);
    lookup_unref(&mine);
    if (out)
        free_entry(out);
    return passed_on;
}

/* ---- doubt ----------------------------------------------------------------------------- */

void lookups_doubt(struct lookups *l, const struct lookup_question *q)
{
    char *key = key_of(q);
    mutex_lock(&l->m);
    struct entry *e = find_locked(l, key);
    if (e)
        e->answered_us = 0;
    mutex_unlock(&l->m);
    free(key);
}

void lookups_doubt_all(struct lookups *l)
{
    struct entry *e, *next;
    mutex_lock(&l->m);
    HASH_ITER(hh, l->entries, e, next)
    e->answered_us = 0;
    mutex_unlock(&l->m);
}

void lookups_each_user(struct lookups *l, void (*fn)(const char *user, void *arg), void *arg)
{
    struct entry *e, *next;
    mutex_lock(&l->m);
    HASH_ITER(hh, l->entries, e, next)
    {
        if (e->answer.secret)
            fn(e->answer.user, arg);
    }
    mutex_unlock(&l->m);
}
