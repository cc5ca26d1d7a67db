/* SPDX-License-Identifier: PostgreSQL */
/* scram_login.c - the client's half of SCRAM-SHA-256.
 *
 *     client-first-message  = "n,," client-first-message-bare
 *     client-first-message-bare = "n=,r=" c-nonce          (PostgreSQL ignores the name)
 *     server-first-message  = "r=" c-nonce s-nonce ",s=" salt ",i=" iterations
 *     client-final-message  = "c=biws,r=" nonce ",p=" proof
 *     server-final-message  = "v=" signature
 */
#include "scram_login.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES_MAX 64
#define SERVER_FIRST_MAX 512
#define ITERATIONS_MAX 1000000

/* What the password amounts to for one salt and iteration count. */
struct keys {
    uint8_t salt[SALT_BYTES_MAX];
    size_t salt_len;
    int iterations; /* 0: none derived yet */
    uint8_t client_key[SCRAM_HASH_BYTES];
    uint8_t stored_key[SCRAM_HASH_BYTES];
    uint8_t server_key[SCRAM_HASH_BYTES];
};

struct server_first {
    const char *nonce; /* up to nonce_len; client's part included */
    size_t nonce_len;
    uint8_t salt[SALT_BYTES_MAX];
    size_t salt_len;
    int iterations;
};

static void hmac(const uint8_t *key, const char *data, size_t len, uint8_t *out)
{
    if (HMAC(EVP_sha256(), key, SCRAM_HASH_BYTES, (const uint8_t *)data, len, out, NULL) == NULL)
        die("HMAC failed");
}

static const struct keys *keys_for(const char *password, const struct server_first *f)
{
    static struct keys keys;
    uint8_t salted[SCRAM_HASH_BYTES];

    if (keys.iterations == f->iterations && keys.salt_len == f->salt_len &&
        memcmp(keys.salt, f->salt, f->salt_len) == 0)
        return &keys;
    if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), f->salt, (int)f->salt_len, f->iterations,
                          EVP_sha256(), sizeof(salted), salted) != 1)
        die("PBKDF2 failed");
    memcpy(keys.salt, f->salt, f->salt_len);
    keys.salt_len = f->salt_len;
    keys.iterations = f->iterations;
    hmac(salted, "Client Key", strlen("Client Key"), keys.client_key);
    hmac(salted, "Server Key", strlen("Server Key"), keys.server_key);
    SHA256(keys.client_key, sizeof(keys.client_key), keys.stored_key);
    return &keys;
}

void scram_first(struct scram_login *s, struct bytes *out)
{
    uint8_t random[SCRAM_NONCE_CHARS / 4 * 3];

    if (RAND_bytes(random, sizeof(random)) != 1)
        die("no random bytes");
    /* Base64 has no comma, which is all that a nonce must not have. */
    EVP_EncodeBlock((uint8_t *)s->nonce, random, sizeof(random));
    bytes_add(out, "n,,n=,r=", strlen("n,,n=,r="));
    bytes_add(out, s->nonce, SCRAM_NONCE_CHARS);
}

static bool parse_server_first(const char *text, struct server_first *out)
{
    const char *salt = strstr(text, ",s=");
    const char *iterations = salt != NULL ? strstr(salt + 3, ",i=") : NULL;

    if (strncmp(text, "r=", 2) != 0 || iterations == NULL)
        return false;
    size_t chars = (size_t)(iterations - (salt + 3));
    if (chars == 0 || chars % 4 != 0 || chars / 4 * 3 > SALT_BYTES_MAX)
        return false;
    int n = EVP_DecodeBlock(out->salt, (const uint8_t *)salt + 3, (int)chars);
    if (n < 0)
        return false;
    /* EVP_DecodeBlock counts the padding. */
    for (const char *p = iterations - 1; *p == '='; p--)
        n--;
    out->salt_len = (size_t)n;
    out->nonce = text + 2;
    out->nonce_len = (size_t)(salt - out->nonce);
    long value = strtol(iterations + 3, NULL, 10);
    if (value < 1 || value > ITERATIONS_MAX)
        return false;
    out->iterations = (int)value;
    return true;
}

bool scram_final(struct scram_login *s, const char *password, const uint8_t *server_first,
                 size_t len, struct bytes *out)
{
    char first[SERVER_FIRST_MAX], final[SERVER_FIRST_MAX], auth[3 * SERVER_FIRST_MAX];
    uint8_t proof[SCRAM_HASH_BYTES];
    uint8_t encoded[SCRAM_HASH_BYTES * 2];
    struct server_first parsed;

    if (len >= sizeof(first) - sizeof("c=biws,"))
        return false;
    memcpy(first, server_first, len);
    first[len] = '\0';
    if (!parse_server_first(first, &parsed) || parsed.nonce_len <= SCRAM_NONCE_CHARS ||
        memcmp(parsed.nonce, s->nonce, SCRAM_NONCE_CHARS) != 0)
        return false;
    const struct keys *keys = keys_for(password, &parsed);

    /* AuthMessage = client-first-message-bare "," server-first-message ","
     *               client-final-message-without-proof */
    snprintf(final, sizeof(final), "c=biws,r=%.*s", (int)parsed.nonce_len, parsed.nonce);
    int auth_len = snprintf(auth, sizeof(auth), "n=,r=%s,%s,%s", s->nonce, first, final);
    hmac(keys->stored_key, auth, (size_t)auth_len, proof);
    for (size_t i = 0; i < sizeof(proof); i++)
        proof[i] ^= keys->client_key[i];
    hmac(keys->server_key, auth, (size_t)auth_len, s->server_signature);

    int encoded_len = EVP_EncodeBlock(encoded, proof, sizeof(proof));
    bytes_add(out, final, strlen(final));
    bytes_add(out, ",p=", 3);
    bytes_add(out, encoded, (size_t)encoded_len);
    return true;
}

bool scram_verify(const struct scram_login *s, const uint8_t *server_final, size_t len)
{
    uint8_t expected[SCRAM_HASH_BYTES * 2];

    int n = EVP_EncodeBlock(expected, s->server_signature, sizeof(s->server_signature));
    return len >= (size_t)n + 2 && memcmp(server_final, "v=", 2) == 0 &&
           CRYPTO_memcmp(server_final + 2, expected, (size_t)n) == 0;
}
