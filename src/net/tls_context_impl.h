/* SPDX-License-Identifier: PostgreSQL */
/* tls_context_impl.h - what net/tls*.c share about contexts and certificates; included by them
 * only. */
#ifndef NET_TLS_CONTEXT_IMPL_H
#define NET_TLS_CONTEXT_IMPL_H

#include "base/mutex.h"
#include "net/stream.h"
#include "net/tls_context.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

/* Wire form of the one protocol name that PostgreSQL has registered with IANA. */
#define TLS_ALPN "\x0apostgresql"
#define TLS_ALPN_LEN (sizeof TLS_ALPN - 1)

TAILQ_HEAD(session_list, kept_sessions);

/* Sessions of a client context that may be resumed, by target (tls_session.c). */
struct session_cache {
    struct {
        struct mutex m;
        struct session_list list; /* the one used last first */
        unsigned n;
    } shared;
};

struct tls_context {
    atomic_uint refs;
    SSL_CTX *ctx;
    bool is_server;
    bool verifies; /* a certificate that the peer gives is checked */
    bool can_bind;
    enum tls_verify verify; /* client role */
    bool alpn;              /* client role: offer it always */
    struct session_cache sessions;
};

struct tls_trust {
    atomic_uint refs;
    X509_STORE *store;
    STACK_OF(X509_NAME) * names; /* of the CAs, to be asked for; NULL: too many to list */
};

void session_cache_init(struct session_cache *c);
void session_cache_fini(struct session_cache *c);
/* Keeps a copy under the key. */
void session_cache_put(struct session_cache *c, const char *key, SSL_SESSION *session);
/* Returns an owned session that nobody else uses, or NULL. */
SSL_SESSION *session_cache_take(struct session_cache *c, const char *key);
/* SSL_CTX_sess_set_new_cb; in tls.c, which knows the key. */
int tls_on_new_session(SSL *ssl, SSL_SESSION *session);

/* tls_cert.c */
bool tls_cert_binding(X509 *cert, uint8_t out[STREAM_BINDING_MAX], size_t *len_out);
bool tls_cert_common_name(X509 *cert, char *out, size_t size);
/* The reason of the oldest error in this thread's queue, which is emptied. Returns out. */
const char *tls_reason(char *out, size_t size);
/* Empties this thread's queue, which is nearly always empty already: looking is cheaper. */
void tls_clear_errors(void);
/* A pem_password_cb that has none: a daemon must not stop to ask a terminal. */
int tls_no_password(char *buf, int size, int writing, void *arg);

#endif
