/* SPDX-License-Identifier: PostgreSQL */
/* lookups.h - what auth_query has said, and who waits for what it is about to say.
 *
 * One table for all workers, under its own lock. Shared, because many clients of one user are on
 * all of them: they share one look-up, and they must share one struct secret, which is where the
 * key is kept that a SCRAM login discloses and that a server of their pool is then shown. The lock
 * is taken for a moment, once or twice per login.
 *
 * Of the clients that want to know the same thing at the same time the first leads: it acquires a
 * server and asks. The others follow; whoever leads tells them, and if it leaves before it has an
 * answer, one of them takes its place. Nothing is known here of servers and messages: auth_query.c
 * carries it out.
 *
 * An answer is believed for a while (auth_query_cache_time); that there is no such user never is. A
 * stale entry is kept, up to LOOKUPS_MAX: for SHOW USERS, and so that the same verifier that is
 * read again is the same object, with the keys it has learnt. */
#ifndef RELAY_LOOKUPS_H
#define RELAY_LOOKUPS_H

#include "auth/secret.h"

/* About 600 bytes each. The one that was not asked for longest makes room. */
#define LOOKUPS_MAX 4096
/* Of a name that auth_query gives; as for names that clients give. */
#define LOOKUPS_NAME_MAX 127

struct lookup; /* one question that is being asked; counted */
struct lookups;

/* Borrowed during the call. */
struct lookup_question {
    const char *database, *auth_user, *query; /* whom it is asked */
    const char *user;
};

struct lookup_asker {
    unsigned worker;
    uint64_t client_id;
};

struct lookup_answer {
    char user[LOOKUPS_NAME_MAX + 1]; /* what he is called from now on */
    const struct secret *secret;     /* counted; NULL: there is no such user */
};

struct lookups *lookups_new(void);
/* No question may be under way. */
void lookups_free(struct lookups **l);

enum lookups_asked {
    LOOKUPS_KNOWN,  /* *answer_out is filled */
    LOOKUPS_LEAD,   /* ask the server, then lookup_end, or lookup_leave */
    LOOKUPS_FOLLOW, /* the answer comes, or the order to lead; or lookup_leave */
};

/* An answer that is older than max_age_us does not count. For LEAD and FOLLOW, *lookup_out. */
enum lookups_asked lookups_ask(struct lookups *l, const struct lookup_question *q,
                               const struct lookup_asker *who, uint64_t max_age_us, uint64_t now_us,
                               struct lookup_answer *answer_out, struct lookup **lookup_out);

struct lookup *lookup_ref(struct lookup *k);
void lookup_unref(struct lookup **k);
/* The leader's question is answered; `answer` NULL: it has failed, and so it has for all. In
 * *answer the secret may be exchanged for the one that was known before, if it is the same.
 * Returns those who followed, *n_out of them, to be told and freed. */
struct lookup_asker *lookup_end(struct lookup *k, struct lookup_answer *answer, uint64_t now_us,
                                size_t *n_out);
/* One of them does not want to know any more. True: *next_out leads from now on, tell it. */
bool lookup_leave(struct lookup *k, uint64_t client_id, struct lookup_asker *next_out);

/* The answer must be asked for again. */
void lookups_doubt(struct lookups *l, const struct lookup_question *q);
/* All of them: something else may have been configured. */
void lookups_doubt_all(struct lookups *l);

/* Everybody who was ever found, as long as he is remembered. Called under the lock. */
void lookups_each_user(struct lookups *l, void (*fn)(const char *user, void *arg), void *arg);

#endif
