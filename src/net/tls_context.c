/* SPDX-License-Identifier: PostgreSQL */
/* tls_context.c - build the contexts of both roles. */
#include "net/tls_context.h"

#include "base/list.h"
#include "base/mem.h"
#include "net/tls_context_impl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* A client that has not logged in makes us keep its certificates: not OpenSSL's 100 KiB of them. */
#define CLIENT_CHAIN_MAX (32 * 1024)

/* ---- life ------------------------------------------------------------------------------ */

static struct tls_context *context_new(const SSL_METHOD *method)
{
    struct tls_context *c = xcalloc(1, sizeof *c);
    atomic_init(&c->refs, 1);
    session_cache_init(&c->sessions);
    tls_clear_errors();
    c->ctx = SSL_CTX_new(method);
    if (!c->ctx)
        abort(); /* no memory */
    SSL_CTX_set_app_data(c->ctx, c);
    return c;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context **cp)
{
    struct tls_context *c = *cp;
    *cp = NULL;
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(c->ctx);
    session_cache_fini(&c->sessions);
    free(c);
}

bool tls_context_can_bind(const struct tls_context *c)
{
    return c->can_bind;
}

/* ---- certificate and key --------------------------------------------------------------- */

static bool tls_error(struct error *err, const char *what, const char *name)
{
    char reason[128];
    tls_reason(reason, sizeof reason);
    if (name)
        return error_set(err, "", "%s \"%s\": %s", what, name, reason);
    return error_set(err, "", "%s: %s", what, reason);
}

static bool use_chain_text(SSL_CTX *ctx, const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    X509 *cert = in ? PEM_read_bio_X509_AUX(in, NULL, tls_no_password, NULL) : NULL;
    bool ok = cert && SSL_CTX_use_certificate(ctx, cert);
    X509_free(cert);
    while (ok && (cert = PEM_read_bio_X509(in, NULL, tls_no_password, NULL)) != NULL) {
        ok = SSL_CTX_add0_chain_cert(ctx, cert);
        if (!ok)
            X509_free(cert);
    }
    if (ok)
        ERR_clear_error(); /* the end of the text is an error, too */
    BIO_free(in);
    return ok;
}

static bool use_key_text(SSL_CTX *ctx, const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, tls_no_password, NULL) : NULL;
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key);
    EVP_PKEY_free(key);
    BIO_free(in);
    return ok;
}

static bool use_certificate(SSL_CTX *ctx, const struct tls_terms *t, struct error *err)
{
    if (t->cert_pem) {
        if (!use_chain_text(ctx, t->cert_pem))
            return tls_error(err, "could not load certificate", NULL);
    } else if (t->cert_file && !SSL_CTX_use_certificate_chain_file(ctx, t->cert_file)) {
        return tls_error(err, "could not load certificate file", t->cert_file);
    }
    if (t->key_pem) {
        if (!use_key_text(ctx, t->key_pem))
            return tls_error(err, "could not load private key", NULL);
    } else if (t->key_file && !SSL_CTX_use_PrivateKey_file(ctx, t->key_file, SSL_FILETYPE_PEM)) {
        return tls_error(err, "could not load private key file", t->key_file);
    }
    if (SSL_CTX_get0_certificate(ctx) && !SSL_CTX_check_private_key(ctx))
        return tls_error(err, "certificate and private key do not belong together", NULL);
    return true;
}

/* ---- versions and ciphers -------------------------------------------------------------- */

static int version_number(enum tls_version v, int otherwise)
{
    switch (v) {
    case TLS_VERSION_DEFAULT:
        break;
    case TLS_VERSION_1_0:
        return TLS1_VERSION;
    case TLS_VERSION_1_1:
        return TLS1_1_VERSION;
    case TLS_VERSION_1_2:
        return TLS1_2_VERSION;
    case TLS_VERSION_1_3:
        return TLS1_3_VERSION;
    }
    return otherwise;
}

static bool apply_terms(SSL_CTX *ctx, const struct tls_terms *t, struct error *err)
{
    int min = version_number(t->min_version, TLS1_2_VERSION);
    int max = version_number(t->max_version, 0);
    /* Released buffers: an idle connection costs 14 to 19 KB instead of about 50. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_default_passwd_cb(ctx, tls_no_password);
    if (max && max < min)
        return error_set(err, "", "no TLS version lies between the lowest and the highest allowed");
    if (!SSL_CTX_set_min_proto_version(ctx, min) || !SSL_CTX_set_max_proto_version(ctx, max))
        return tls_error(err, "could not set the TLS versions", NULL);
    if (t->ciphers && !SSL_CTX_set_cipher_list(ctx, t->ciphers))
        return tls_error(err, "could not set the TLS ciphers", t->ciphers);
    if (t->ciphersuites && !SSL_CTX_set_ciphersuites(ctx, t->ciphersuites))
        return tls_error(err, "failed to set the TLSv1.3 cipher suites", t->ciphersuites);
    if (t->groups && !SSL_CTX_set1_groups_list(ctx, t->groups))
        return tls_error(err, "could not set the TLS groups", t->groups);
    return use_certificate(ctx, t, err);
}

static bool use_trust(struct tls_context *c, struct tls_trust *trust, struct error *err)
{
    if (!trust)
        return error_set(err, "", "verifying certificates needs a CA file");
    if (!SSL_CTX_set1_verify_cert_store(c->ctx, trust->store))
        return tls_error(err, "could not set the trusted certificates", NULL);
    c->verifies = true;
    return true;
}

/* ---- server role ----------------------------------------------------------------------- */

/* A list without our name is refused, as PostgreSQL does: whoever sends one means another
 * protocol (ALPACA, CVE-2021-3618). A client without a list is served; whether that is enough for
 * direct negotiation is the caller's question. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)TLS_ALPN, TLS_ALPN_LEN, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool ask_for_certificates(struct tls_context *c, const struct tls_server_options *o,
                                 struct error *err)
{
    if (o->client_cert == TLS_CLIENT_CERT_NONE)
        return true;
    if (!use_trust(c, o->trust, err))
        return false;
    int mode = SSL_VERIFY_PEER;
    if (o->client_cert == TLS_CLIENT_CERT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(c->ctx, mode, NULL);
    SSL_CTX_set_max_cert_list(c->ctx, CLIENT_CHAIN_MAX);
    if (o->trust->names)
        SSL_CTX_set_client_CA_list(c->ctx, SSL_dup_CA_list(o->trust->names));
    return true;
}

/* No sessions: our clients stay connected, and a ticket costs each handshake 15 %. */
static void set_server_behaviour(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}

static bool can_bind(SSL_CTX *ctx)
{
    uint8_t hash[STREAM_BINDING_MAX];
    size_t len;
    X509 *cert = SSL_CTX_get0_certificate(ctx);
    return cert && tls_cert_binding(cert, hash, &len);
}

struct tls_context *tls_context_new_server(const struct tls_server_options *o, struct error *err)
{
    struct tls_context *c = context_new(TLS_server_method());
    c->is_server = true;
    set_server_behaviour(c->ctx);
    if (!apply_terms(c->ctx, &o->terms, err) || !ask_for_certificates(c, o, err)) {
        tls_context_unref(&c);
        return NULL;
    }
    if (!SSL_CTX_get0_certificate(c->ctx)) {
        error_set(err, "", "TLS for clients needs a certificate and a private key");
        tls_context_unref(&c);
        return NULL;
    }
    c->can_bind = can_bind(c->ctx);
    return c;
}

/* ---- client role ----------------------------------------------------------------------- */

struct tls_context *tls_context_new_client(const struct tls_client_options *o, struct error *err)
{
    struct tls_context *c = context_new(TLS_client_method());
    c->verify = o->verify;
    c->alpn = o->alpn;
    if (o->no_resumption) {
        SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET);
    } else {
        SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(c->ctx, tls_on_new_session);
    }
    bool ok = apply_terms(c->ctx, &o->terms, err);
    if (ok && o->verify != TLS_VERIFY_NONE) {
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
        ok = use_trust(c, o->trust, err);
    }
    if (!ok)
        tls_context_unref(&c);
    return c;
}

const char *tls_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
