/* SPDX-License-Identifier: PostgreSQL */
/* tls_session.c - sessions that may be resumed: half the CPU of a handshake.
 *
 * Each session in the cache is a copy that no connection uses: OpenSSL writes into the session of a
 * connection that fails, and connections belong to different threads. A TLS 1.3 ticket is taken
 * out, since it should be used once (RFC 8446, appendix C.4); an older session stays. Nothing
 * depends on a session being accepted. */
#include "base/list.h"
#include "base/mem.h"
#include "net/tls_context_impl.h"

#include <stdlib.h>
#include <string.h>

/* Servers send two tickets per connection; a pool opens a few connections at once. */
#define SESSIONS_PER_TARGET 4
/* Hosts come from the configuration; far more than one of these per host is not expected. */
#define TARGETS_MAX 64

struct kept_sessions {
    TAILQ_ENTRY(kept_sessions) link;
    unsigned n;
    SSL_SESSION *sessions[SESSIONS_PER_TARGET]; /* oldest first */
    char key[];
};

void session_cache_init(struct session_cache *c)
{
    mutex_init(&c->shared.m);
    TAILQ_INIT(&c->shared.list);
}

static void kept_free(struct kept_sessions *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < k->n; i++)
        SSL_SESSION_free(k->sessions[i]);
    free(k);
}

void session_cache_fini(struct session_cache *c)
{
    struct kept_sessions *k;
    while ((k = TAILQ_FIRST(&c->shared.list)) != NULL) {
        TAILQ_REMOVE(&c->shared.list, k, link);
        kept_free(k);
    }
    mutex_fini(&c->shared.m);
}

static struct kept_sessions *find_locked(struct session_cache *c, const char *key)
{
    struct kept_sessions *k;
    TAILQ_FOREACH(k, &c->shared.list, link)
    {
        if (strcmp(k->key, key) != 0)
            continue;
        TAILQ_REMOVE(&c->shared.list, k, link);
        TAILQ_INSERT_HEAD(&c->shared.list, k, link);
        return k;
    }
    return NULL;
}

/* Returns what had to leave to make room, or NULL. */
static SSL_SESSION *push_locked(struct kept_sessions *k, SSL_SESSION *session)
{
    SSL_SESSION *out = NULL;
    if (k->n == SESSIONS_PER_TARGET) {
        out = k->sessions[0];
        memmove(k->sessions, k->sessions + 1, (--k->n) * sizeof *k->sessions);
    }
    k->sessions[k->n++] = session;
    return out;
}

static struct kept_sessions *insert_locked(struct session_cache *c, struct kept_sessions *k)
{
    struct kept_sessions *out = NULL;
    if (c->shared.n == TARGETS_MAX) {
        out = TAILQ_LAST(&c->shared.list, session_list);
        TAILQ_REMOVE(&c->shared.list, out, link);
        c->shared.n--;
    }
    TAILQ_INSERT_HEAD(&c->shared.list, k, link);
    c->shared.n++;
    return out;
}

/* Takes session. */
static void keep(struct session_cache *c, const char *key, SSL_SESSION *session)
{
    /* Made before the lock is taken, in case there is none under this key. */
    size_t len = strlen(key) + 1;
    struct kept_sessions *fresh = xcalloc(1, sizeof *fresh + len);
    struct kept_sessions *unused = fresh;
    memcpy(fresh->key, key, len);

    mutex_lock(&c->shared.m);
    struct kept_sessions *k = find_locked(c, key);
    if (!k) {
        k = fresh;
        unused = insert_locked(c, k);
    }
    SSL_SESSION *dropped = push_locked(k, session);
    mutex_unlock(&c->shared.m);

    SSL_SESSION_free(dropped);
    kept_free(unused);
}

void session_cache_put(struct session_cache *c, const char *key, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy)
        keep(c, key, copy);
    else
        tls_clear_errors();
}

SSL_SESSION *session_cache_take(struct session_cache *c, const char *key)
{
    SSL_SESSION *session = NULL;
    mutex_lock(&c->shared.m);
    struct kept_sessions *k = find_locked(c, key);
    if (k && k->n)
        session = k->sessions[--k->n];
    mutex_unlock(&c->shared.m);
    if (session && SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        session_cache_put(c, key, session);
    return session;
}
