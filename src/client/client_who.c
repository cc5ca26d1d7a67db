/* SPDX-License-Identifier: PostgreSQL */
/* client_who.c - clients that are the same user at the same database share what that means. */
#include "client/client_who.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "track/parameters.h"

#include <stdlib.h>
#include <string.h>

/* Where two of them meet, the older is not found any more: its clients keep it, others make anew.
 */
#define SLOTS 256
/* Nobody has proven anything when he says it: longer packets are not kept. */
#define SAID_MAX 512

struct client_said {
    struct param_set *params; /* counted */
    size_t n;
    uint8_t pairs[];
};

struct client_known {
    uint64_t seed;
    struct client_who *slots[SLOTS]; /* not counted: who dies leaves */
};

struct client_known *client_known_new(void)
{
    struct client_known *k = xcalloc(1, sizeof *k);
    k->seed = rand_u64();
    return k;
}

void client_known_free(struct client_known **kp)
{
    free(*kp);
    *kp = NULL;
}

static struct client_who **slot_of(struct client_known *k, struct span user, struct span database)
{
    uint64_t hash = hash_bytes(user.p, user.n, k->seed);
    return &k->slots[hash_bytes(database.p, database.n, hash) % SLOTS];
}

static struct client_who *make(struct setup *setup, struct span user, struct span database)
{
    struct client_who *w = xcalloc(1, sizeof *w + user.n + database.n + 2);
    char *at = w->user + user.n + 1;
    memcpy(w->user, user.p, user.n);
    memcpy(at, database.p, database.n);
    w->refs = 1;
    w->database = at;
    w->setup = setup_ref(setup);
    setup_find_login(setup, w->database, w->user, &w->login);
    return w;
}

static void publish(struct client_known *known, struct client_who *w)
{
    /* Of the console each has its own: its rights depend on how its client has come. */
    if (!known || w->login.is_console)
        return;
    struct client_who **slot = slot_of(known, span_str(w->user), span_str(w->database));
    if (*slot)
        (*slot)->known = NULL;
    *slot = w;
    w->known = known;
}

struct client_who *client_who_get(struct client_known *known, struct setup *setup, struct span user,
                                  struct span database)
{
    struct client_who **slot = known ? slot_of(known, user, database) : NULL;
    struct client_who *w = slot ? *slot : NULL;
    if (w && w->setup == setup && span_is(user, w->user) && span_is(database, w->database)) {
        w->refs++;
        return w;
    }
    w = make(setup, user, database);
    publish(known, w);
    return w;
}

void client_who_found(struct client_known *known, struct client_who **wp, struct span user,
                      const struct secret *secret)
{
    struct client_who *old = *wp;
    if (old->found == secret && span_is(user, old->user))
        return;
    struct client_who *w = make(old->setup, user, span_str(old->database));
    /* Renamed to somebody on the list: who comes by that name is to be asked for his own secret. */
    if (w->login.secret)
        known = NULL;
    w->found = secret_ref(secret);
    if (old->login.by_query)
        w->login.by_query = true; /* whoever he was renamed to */
    setup_login_found(&w->login, secret);
    publish(known, w);
    client_who_unref(wp);
    *wp = w;
}

struct param_set *client_who_recall(const struct client_who *who, struct span pairs)
{
    const struct client_said *said = who->said;
    if (!said || !span_equal(span_of(said->pairs, said->n), pairs))
        return NULL;
    return param_set_ref(said->params);
}

static void forget_said(struct client_who *w)
{
    if (w->said)
        param_set_unref(&w->said->params);
    free(w->said);
    w->said = NULL;
}

void client_who_keep(struct client_who *who, struct span pairs, struct param_set *params)
{
    if (pairs.n == 0 || pairs.n > SAID_MAX)
        return;
    forget_said(who);
    who->said = xmalloc(sizeof *who->said + pairs.n);
    who->said->params = param_set_ref(params);
    who->said->n = pairs.n;
    memcpy(who->said->pairs, pairs.p, pairs.n);
}

void client_who_unref(struct client_who **wp)
{
    struct client_who *w = *wp;
    *wp = NULL;
    if (!w || --w->refs)
        return;
    if (w->known)
        *slot_of(w->known, span_str(w->user), span_str(w->database)) = NULL;
    forget_said(w);
    secret_unref(&w->found);
    setup_unref(&w->setup);
    free(w);
}
