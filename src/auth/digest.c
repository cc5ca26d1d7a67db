/* SPDX-License-Identifier: PostgreSQL */
/* digest.c - digests, fetched once. */
#include "auth/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#define SHA256_BLOCK 64

/* Written by digest_init and digest_fini only, while there is one thread. */
static EVP_MD *sha256;
static EVP_MD *md5;
static pthread_key_t scratch; /* of each thread: the EVP_MD_CTX for whatever it digests next */

static void free_context(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

bool digest_init(struct error *err)
{
    if (sha256)
        return true;
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256) {
        ERR_clear_error();
        return error_set(err, SQLSTATE_INTERNAL, "OpenSSL offers no SHA-256");
    }
    if (pthread_key_create(&scratch, free_context) != 0) {
        EVP_MD_free(sha256);
        sha256 = NULL;
        return error_set(err, SQLSTATE_INTERNAL, "no thread-specific storage is left");
    }
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    ERR_clear_error();
    return true;
}

void digest_fini(void)
{
    if (!sha256)
        return;
    free_context(pthread_getspecific(scratch)); /* of this thread; the others are over */
    pthread_key_delete(scratch);
    EVP_MD_free(sha256);
    EVP_MD_free(md5);
    sha256 = NULL;
    md5 = NULL;
}

/* Made once, because to make one costs as much as to digest a block. NULL: memory is gone. */
static EVP_MD_CTX *context(void)
{
    EVP_MD_CTX *ctx = pthread_getspecific(scratch);
    if (ctx)
        return ctx;
    ctx = EVP_MD_CTX_new();
    if (ctx && pthread_setspecific(scratch, ctx) != 0) {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool digest_parts(const EVP_MD *md, const struct span *parts, size_t n_parts, uint8_t *out)
{
    EVP_MD_CTX *ctx = md ? context() : NULL;
    bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    for (size_t i = 0; ok && i < n_parts; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool digest_sha256(struct span in, uint8_t out[SHA256_LEN])
{
    return digest_parts(sha256, &in, 1, out);
}

bool digest_md5(struct span first, struct span second, uint8_t out[MD5_LEN])
{
    const struct span parts[] = {first, second};
    return digest_parts(md5, parts, 2, out);
}

/* RFC 2104: H(K xor opad || H(K xor ipad || text)). Written out because EVP_MAC looks the digest
 * up by name at each use. */
bool digest_hmac(struct span key, const struct span *parts, size_t n_parts, uint8_t out[SHA256_LEN])
{
    uint8_t pad[SHA256_BLOCK] = {0};
    uint8_t inner[SHA256_LEN];
    enum { MAX_PARTS = 8 };
    struct span all[MAX_PARTS + 1] = {{.p = pad, .n = sizeof pad}};
    bool ok = n_parts <= MAX_PARTS;

    if (key.n > sizeof pad)
        ok = ok && digest_sha256(key, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    for (size_t i = 0; ok && i < n_parts; i++)
        all[i + 1] = parts[i];
    ok = ok && digest_parts(sha256, all, n_parts + 1, inner);

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    all[1] = span_of(inner, sizeof inner);
    ok = ok && digest_parts(sha256, all, 2, out);
    mem_wipe(pad, sizeof pad);
    mem_wipe(inner, sizeof inner);
    return ok;
}

bool digest_pbkdf2(struct span password, struct span salt, uint32_t iterations,
                   uint8_t out[SHA256_LEN])
{
    if (!sha256 || iterations == 0 || iterations > INT32_MAX || password.n > INT32_MAX ||
        salt.n > INT32_MAX)
        return false;
    /* A NULL password would be taken as absent, not as empty. */
    const char *text = password.n ? (const char *)password.p : "";
    bool ok = PKCS5_PBKDF2_HMAC(text, (int)password.n, salt.p, (int)salt.n, (int)iterations, sha256,
                                SHA256_LEN, out) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}
