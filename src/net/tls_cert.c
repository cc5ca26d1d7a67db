/* SPDX-License-Identifier: PostgreSQL */
/* tls_cert.c - questions about certificates, and what OpenSSL says when it fails. */
#include "net/tls_context_impl.h"

#include "base/str.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

void tls_clear_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

const char *tls_reason(char *out, size_t size)
{
    unsigned long e = ERR_peek_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    if (reason)
        snprintf(out, size, "%s", reason);
    else if (e && ERR_SYSTEM_ERROR(e))
        snprintf(out, size, "%s", strerror(ERR_GET_REASON(e)));
    else
        snprintf(out, size, "unknown TLS error");
    ERR_clear_error();
    return out;
}

int tls_no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

/* RFC 5929, section 4.1: the hash function of the certificate's signatureAlgorithm, SHA-256 if
 * that is MD5 or SHA-1; if it has none or several, the channel binding is undefined. OpenSSL's
 * table has no digest for Ed25519 (none) and for RSA-PSS (parameters name two). */
static const EVP_MD *binding_digest(X509 *cert)
{
    int digest = NID_undef;
    if (!OBJ_find_sigid_algs(X509_get_signature_nid(cert), &digest, NULL) || digest == NID_undef)
        return NULL;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    return EVP_get_digestbynid(digest);
}

bool tls_cert_binding(X509 *cert, uint8_t out[STREAM_BINDING_MAX], size_t *len_out)
{
    unsigned len = 0;
    const EVP_MD *md = binding_digest(cert);
    if (!md || EVP_MD_get_size(md) > STREAM_BINDING_MAX || !X509_digest(cert, md, out, &len)) {
        tls_clear_errors();
        return false;
    }
    *len_out = len;
    return true;
}

bool tls_cert_common_name(X509 *cert, char *out, size_t size)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return false;
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool ok = n > 0 && span_to_str(span_of(text, (size_t)n), out, size);
    OPENSSL_free(text);
    tls_clear_errors();
    return ok;
}
