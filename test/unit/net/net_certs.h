/* SPDX-License-Identifier: PostgreSQL */
/* net_certs.h - certificates for tests, made in memory. */
#ifndef TEST_NET_CERTS_H
#define TEST_NET_CERTS_H

#include "base/mem.h"
#include "net_fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct cert {
    X509 *x509;
    EVP_PKEY *key;
    char *cert_pem, *key_pem;
};

struct cert_terms {
    const struct cert *issuer; /* NULL: self-signed */
    bool is_ca;
    const char *name;     /* common name */
    const char *san;      /* "DNS:a,IP:1.2.3.4" or NULL */
    const char *key_type; /* "EC" (default), "RSA", "ED25519" */
    const char *digest;   /* "SHA256" (default), ... */
    bool pss;             /* RSA: sign with PSS padding */
    long from_s, to_s;    /* validity, from now; 0, 0: an hour */
};

static MAYBE_UNUSED char *cert_text(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    char *text = xstrndup(p, (size_t)n);
    BIO_free(b);
    return text;
}

static EVP_PKEY *cert_key(const char *type)
{
    if (!type || strcmp(type, "EC") == 0)
        return EVP_EC_gen("P-256");
    if (strcmp(type, "RSA") == 0)
        return EVP_RSA_gen(2048);
    return EVP_PKEY_Q_keygen(NULL, NULL, type);
}

static void cert_extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(ext);
    assert_true(X509_add_ext(cert, ext, -1));
    X509_EXTENSION_free(ext);
}

static void cert_sign(struct cert *c, const struct cert_terms *t)
{
    EVP_PKEY *by = t->issuer ? t->issuer->key : c->key;
    bool plain = t->key_type && strcmp(t->key_type, "ED25519") == 0 && !t->issuer;
    const EVP_MD *md = plain ? NULL : EVP_get_digestbyname(t->digest ? t->digest : "SHA256");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL;
    assert_true(EVP_DigestSignInit(ctx, &key_ctx, md, NULL, by));
    if (t->pss)
        assert_true(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) > 0);
    assert_true(X509_sign_ctx(c->x509, ctx) > 0);
    EVP_MD_CTX_free(ctx);
}

/* Any number will do; as authorities do it, the issuer's is named again in what it has issued. */
#define CERT_KEY_ID "01020304"

static MAYBE_UNUSED struct cert cert_make(struct cert_terms t)
{
    static long serial = 1;
    struct cert c = {.x509 = X509_new(), .key = cert_key(t.key_type)};
    X509_NAME *name = X509_get_subject_name(c.x509);
    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), t.from_s);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), t.to_s ? t.to_s : 3600);
    X509_set_pubkey(c.x509, c.key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)t.name, -1, -1, 0);
    X509_set_issuer_name(c.x509, t.issuer ? X509_get_subject_name(t.issuer->x509) : name);
    cert_extend(c.x509, NID_basic_constraints, t.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (t.is_ca)
        cert_extend(c.x509, NID_subject_key_identifier, CERT_KEY_ID);
    if (t.issuer)
        cert_extend(c.x509, NID_authority_key_identifier, "DER:30068004" CERT_KEY_ID);
    if (t.san)
        cert_extend(c.x509, NID_subject_alt_name, t.san);
    cert_sign(&c, &t);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, c.x509);
    c.cert_pem = cert_text(b);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, c.key, NULL, NULL, 0, NULL, NULL);
    c.key_pem = cert_text(b);
    return c;
}

static MAYBE_UNUSED void cert_free(struct cert *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    free(c->cert_pem);
    free(c->key_pem);
}

#endif
