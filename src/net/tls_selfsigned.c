/* SPDX-License-Identifier: PostgreSQL */
/* tls_selfsigned.c - make a certificate, keep it, find it again. */
#include "net/tls_selfsigned.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/tls_context_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_AS "tls-selfsigned.pem"

/* The longest that all common TLS stacks accept for a certificate installed by hand. */
#define VALID_S (825L * 24 * 3600)
/* Clocks that disagree a little must not make it invalid. */
#define BEFORE_S (-3600L)
#define RENEW_S (30L * 24 * 3600)
/* RFC 5280, section 4.1.2.2: positive, at most 20 octets. */
#define SERIAL_BITS 127

static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
#define N_ALWAYS (sizeof always / sizeof *always)

static const char *host_at(const char *const *hosts, size_t i)
{
    return i < N_ALWAYS ? always[i] : hosts[i - N_ALWAYS];
}

static bool is_address(const char *host)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* ---- making ---------------------------------------------------------------------------- */

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

/* Built as values: in OpenSSL's text form a comma in a host name would begin another entry. */
static bool add_name(GENERAL_NAMES *names, const char *host)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    bool address = is_address(host);
    ASN1_STRING *value = address ? (ASN1_STRING *)a2i_IPADDRESS(host) : ASN1_IA5STRING_new();
    if (!name || !value || (!address && !ASN1_STRING_set(value, host, -1)) ||
        !sk_GENERAL_NAME_push(names, name)) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return false;
    }
    GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, value);
    return true;
}

static bool add_names(X509 *cert, const char *const *hosts, size_t n_hosts)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names;
    for (size_t i = 0; ok && i < N_ALWAYS + n_hosts; i++)
        ok = add_name(names, host_at(hosts, i));
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool ok = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

/* End entity, not CA: some stacks refuse a CA as a server's certificate, and who trusts this one
 * should not thereby trust others that its key may sign. */
static bool fill_in(X509 *cert, EVP_PKEY *key, const char *const *hosts, size_t n_hosts)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), BEFORE_S) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S) && X509_set_pubkey(cert, key) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"pgballast self-signed", -1, -1, 0) &&
           X509_set_issuer_name(cert, name) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_names(cert, hosts, n_hosts) && X509_sign(cert, key, EVP_sha256()) != 0;
}

/* Takes the content of a memory BIO as owned text. */
static char *text_of(BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return xstrndup(p, n > 0 ? (size_t)n : 0);
}

static bool to_text(struct tls_selfsigned *out, X509 *cert, EVP_PKEY *key)
{
    BIO *c = BIO_new(BIO_s_mem());
    BIO *k = BIO_new(BIO_s_secmem());
    bool ok = c && k && PEM_write_bio_X509(c, cert) &&
              PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL);
    if (ok) {
        out->cert_pem = text_of(c);
        out->key_pem = text_of(k);
    }
    BIO_free(c);
    BIO_free(k);
    return ok;
}

static bool make(struct tls_selfsigned *out, const char *const *hosts, size_t n_hosts,
                 struct error *err)
{
    char reason[128];
    tls_clear_errors();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool ok = key && cert && fill_in(cert, key, hosts, n_hosts) && to_text(out, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    if (!ok)
        error_set(err, "", "could not make a certificate: %s", tls_reason(reason, sizeof reason));
    tls_clear_errors();
    return ok;
}

/* ---- keeping --------------------------------------------------------------------------- */

static bool names_all(X509 *cert, const char *const *hosts, size_t n_hosts)
{
    for (size_t i = 0; i < N_ALWAYS + n_hosts; i++) {
        const char *host = host_at(hosts, i);
        int r = is_address(host) ? X509_check_ip_asc(cert, host, 0)
                                 : X509_check_host(cert, host, 0, 0, NULL);
        if (r != 1)
            return false;
    }
    return true;
}

static bool is_current(X509 *cert)
{
    time_t soon = (time_t)(clock_wall_us() / US_PER_S) + RENEW_S;
    return X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0 &&
           X509_cmp_current_time(X509_get0_notBefore(cert)) < 0;
}

static bool load(struct tls_selfsigned *out, const char *path, const char *const *hosts,
                 size_t n_hosts)
{
    tls_clear_errors();
    BIO *in = BIO_new_file(path, "r");
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, tls_no_password, NULL) : NULL;
    EVP_PKEY *key = cert ? PEM_read_bio_PrivateKey(in, NULL, tls_no_password, NULL) : NULL;
    bool ok = key && X509_check_private_key(cert, key) && is_current(cert) &&
              names_all(cert, hosts, n_hosts) && to_text(out, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(in);
    tls_clear_errors();
    return ok;
}

static bool write_all(int fd, const char *text)
{
    size_t n = strlen(text);
    while (n) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        text += done;
        n -= (size_t)done;
    }
    return true;
}

/* Under another name first: a crash must leave the old file or the new one. */
static bool save(const struct tls_selfsigned *c, const char *path, struct error *err)
{
    char *temporary = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    bool ok = fd >= 0 && write_all(fd, c->cert_pem) && write_all(fd, c->key_pem) &&
              fsync(fd) == 0 && rename(temporary, path) == 0;
    if (!ok) {
        error_set(err, "", "could not keep the certificate in \"%.120s\": %s", path,
                  strerror(errno));
        if (fd >= 0)
            (void)unlink(temporary);
    }
    if (fd >= 0)
        close(fd);
    free(temporary);
    return ok;
}

bool tls_selfsigned_make(struct tls_selfsigned *out, const char *state_dir,
                         const char *const *hosts, size_t n_hosts, bool *kept_out,
                         struct error *err)
{
    *out = (struct tls_selfsigned){0};
    *kept_out = false;
    if (!state_dir)
        return make(out, hosts, n_hosts, err);
    char *path = xasprintf("%s/%s", state_dir, KEPT_AS);
    bool ok = load(out, path, hosts, n_hosts);
    if (ok) {
        *kept_out = true;
    } else {
        ok = make(out, hosts, n_hosts, err);
        *kept_out = ok && save(out, path, err);
    }
    free(path);
    return ok;
}

void tls_selfsigned_fini(struct tls_selfsigned *c)
{
    free(c->cert_pem);
    c->cert_pem = NULL;
    secret_free(&c->key_pem);
}
