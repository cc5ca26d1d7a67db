/* SPDX-License-Identifier: PostgreSQL */
/* tls_trust.c - sets of trusted certificates. */
#include "base/list.h"
#include "base/mem.h"
#include "net/tls_context_impl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A server that asks for certificates names the CAs it accepts, unless that would be a list of the
 * world's. */
#define NAMES_MAX 64

static struct tls_trust *trust_new(void)
{
    struct tls_trust *t = xcalloc(1, sizeof *t);
    atomic_init(&t->refs, 1);
    t->store = X509_STORE_new();
    if (!t->store)
        abort(); /* no memory */
    return t;
}

struct tls_trust *tls_trust_ref(struct tls_trust *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tls_trust_unref(struct tls_trust **tp)
{
    struct tls_trust *t = *tp;
    *tp = NULL;
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    sk_X509_NAME_pop_free(t->names, X509_NAME_free);
    X509_STORE_free(t->store);
    free(t);
}

/* Also has OpenSSL derive what it keeps of their extensions, which it else does when one is first
 * verified with: correctly, but past locks, by an atomic that the thread sanitizer does not see, so
 * that workers which begin together are reported. */
static void look_at_all(struct tls_trust *t)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(t->store);
    int n = sk_X509_OBJECT_num(objects);
    if (n > NAMES_MAX)
        return;
    t->names = sk_X509_NAME_new_null();
    for (int i = 0; t->names && i < n; i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert)
            (void)X509_check_purpose(cert, -1, 0);
        X509_NAME *name = cert ? X509_NAME_dup(X509_get_subject_name(cert)) : NULL;
        if (name && !sk_X509_NAME_push(t->names, name))
            X509_NAME_free(name);
    }
}

struct tls_trust *tls_trust_new_file(const char *path, struct error *err)
{
    struct tls_trust *t = trust_new();
    char reason[128];
    tls_clear_errors();
    if (X509_STORE_load_file(t->store, path)) {
        look_at_all(t);
        return t;
    }
    error_set(err, "", "could not load CA file \"%s\": %s", path,
              tls_reason(reason, sizeof reason));
    tls_trust_unref(&t);
    return NULL;
}

static int add_all(X509_STORE *store, BIO *in)
{
    int n = 0;
    X509 *cert;
    while ((cert = PEM_read_bio_X509(in, NULL, tls_no_password, NULL)) != NULL) {
        n += X509_STORE_add_cert(store, cert);
        X509_free(cert);
    }
    ERR_clear_error(); /* the end of the text is an error, too */
    return n;
}

struct tls_trust *tls_trust_new_pem(const char *pem, struct error *err)
{
    struct tls_trust *t = trust_new();
    BIO *in = BIO_new_mem_buf(pem, -1);
    if (!in)
        abort(); /* no memory */
    int n = add_all(t->store, in);
    BIO_free(in);
    if (n == 0) {
        error_set(err, "", "could not load CA certificates: there is none in the text");
        tls_trust_unref(&t);
        return NULL;
    }
    look_at_all(t);
    return t;
}

static bool is_readable(const char *variable, const char *usual)
{
    const char *path = getenv(variable);
    return access(path ? path : usual, R_OK) == 0;
}

/* The hashed directory is read certificate by certificate as they are needed; a bundle at once. */
struct tls_trust *tls_trust_new_system(struct error *err)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Red Hat */
        "/etc/ssl/ca-bundle.pem",             /* SUSE */
        "/etc/ssl/cert.pem",                  /* BSD */
    };
    /* Loading defaults succeeds even where there are none; then everything would fail to verify
     * later, with a message that blames the server. */
    if (is_readable(X509_get_default_cert_file_env(), X509_get_default_cert_file()) ||
        is_readable(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())) {
        struct tls_trust *t = trust_new();
        if (X509_STORE_set_default_paths(t->store)) {
            tls_clear_errors();
            return t;
        }
        tls_trust_unref(&t);
    }
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
        if (access(bundles[i], R_OK) == 0)
            return tls_trust_new_file(bundles[i], err);
    }
    tls_clear_errors();
    error_set(err, "", "there is no system store of CA certificates (package ca-certificates)");
    return NULL;
}
