/* SPDX-License-Identifier: PostgreSQL */
/* tls_context.h - what a TLS connection is made with: certificates, trust, versions, ciphers.
 *
 * Built when a configuration is loaded, never written after, counted, shared by all threads. A
 * reload builds new ones; connections that are up keep the old. The one thing that changes inside
 * is the small cache of sessions of a client context, which has its own lock; because it dies with
 * the context, a session never outlives the rules it was verified by. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include "base/error.h"

#include <stdbool.h>

struct tls_context;
struct tls_trust;

enum tls_version {
    TLS_VERSION_DEFAULT,
    TLS_VERSION_1_0,
    TLS_VERSION_1_1,
    TLS_VERSION_1_2,
    TLS_VERSION_1_3
};

/* What both roles have in common. Strings are OpenSSL's; NULL leaves its default. */
struct tls_terms {
    enum tls_version min_version; /* default: 1.2 */
    enum tls_version max_version; /* default: the newest */
    const char *ciphers;          /* up to TLS 1.2 */
    const char *ciphersuites;     /* TLS 1.3 */
    const char *groups;           /* key exchange, "X25519:P-256" */
    /* Certificate chain and key, as files or as PEM text; text wins. NULL: none. */
    const char *cert_file, *key_file;
    const char *cert_pem, *key_pem;
};

enum tls_client_cert {
    TLS_CLIENT_CERT_NONE,     /* not asked for */
    TLS_CLIENT_CERT_OPTIONAL, /* asked for; verified if given */
    TLS_CLIENT_CERT_REQUIRED,
};

struct tls_server_options {
    struct tls_terms terms; /* a certificate is needed */
    enum tls_client_cert client_cert;
    struct tls_trust *trust; /* needed to ask for certificates; a reference is taken */
};

/* As libpq's sslmode. */
enum tls_verify {
    TLS_VERIFY_NONE, /* require: encrypted, to whomever */
    TLS_VERIFY_CA,   /* the chain ends in trust */
    TLS_VERIFY_FULL, /* and the certificate names the host */
};

struct tls_client_options {
    struct tls_terms terms; /* a certificate is optional */
    enum tls_verify verify;
    struct tls_trust *trust; /* needed to verify; a reference is taken */
    bool alpn;               /* offer "postgresql" also when TLS was asked for in clear */
    bool no_resumption;
};

/* A set of trusted certificates. Loading one takes milliseconds and a megabyte: once per file. */
struct tls_trust *tls_trust_new_file(const char *path, struct error *err);
struct tls_trust *tls_trust_new_pem(const char *pem, struct error *err);
/* The system's store: SSL_CERT_FILE and SSL_CERT_DIR, OpenSSL's directories, else the usual
 * places. */
struct tls_trust *tls_trust_new_system(struct error *err);
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust **t);

/* Return NULL and *err. Options are borrowed during the call. */
struct tls_context *tls_context_new_server(const struct tls_server_options *o, struct error *err);
struct tls_context *tls_context_new_client(const struct tls_client_options *o, struct error *err);
struct tls_context *tls_context_ref(struct tls_context *c);
/* Clears the caller's pointer; NULL inside is fine. */
void tls_context_unref(struct tls_context **c);

/* "OpenSSL 3.0.11 19 Sep 2023". */
const char *tls_library(void);

/* Whether clients can bind to our certificate (stream_channel_binding would succeed): PLUS is
 * offered only then. */
bool tls_context_can_bind(const struct tls_context *c);

#endif
