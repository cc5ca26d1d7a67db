/* SPDX-License-Identifier: PostgreSQL */
/* scram.c - keys and verifiers of SCRAM-SHA-256. */
#include "auth/scram.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "auth/base64.h"
#include "auth/digest.h"
#include "auth/saslprep.h"
#include "auth/scram_text.h"

_Static_assert(SCRAM_KEY_LEN == SHA256_LEN, "SCRAM-SHA-256 keys are SHA-256 digests");
_Static_assert(BASE64_TEXT(SCRAM_NONCE_LEN) == SCRAM_NONCE_TEXT, "nonce text");

static atomic_uint_fast64_t derivations;
static uint8_t mock_secret[SCRAM_KEY_LEN]; /* written by scram_init only */

void scram_init(void)
{
    rand_bytes(mock_secret, sizeof mock_secret);
}

const char *scram_mechanism_name(enum scram_mechanism mechanism)
{
    return mechanism == SCRAM_PLUS ? SCRAM_NAME_PLUS : SCRAM_NAME_PLAIN;
}

uint64_t scram_derivations(void)
{
    return atomic_load_explicit(&derivations, memory_order_relaxed);
}

static bool hmac_text(const uint8_t key[SCRAM_KEY_LEN], const char *text,
                      uint8_t out[SCRAM_KEY_LEN])
{
    struct span part = span_str(text);
    return digest_hmac(span_of(key, SCRAM_KEY_LEN), &part, 1, out);
}

bool scram_derive(struct span password, struct span salt, uint32_t iterations,
                  struct scram_keys *out, struct error *err)
{
    uint8_t salted[SCRAM_KEY_LEN];
    size_t n;
    char *prepared = saslprep(password, &n);

    atomic_fetch_add_explicit(&derivations, 1, memory_order_relaxed);
    bool ok = digest_pbkdf2(span_of(prepared, n), salt, iterations, salted) &&
              hmac_text(salted, "Client Key", out->client_key) &&
              digest_sha256(span_of(out->client_key, SCRAM_KEY_LEN), out->stored_key) &&
              hmac_text(salted, "Server Key", out->server_key);
    out->has_client_key = ok;
    mem_wipe(salted, sizeof salted);
    mem_wipe(prepared, n);
    free(prepared);
    if (!ok) {
        mem_wipe(out, sizeof *out);
        return error_set(err, SQLSTATE_INTERNAL, "could not derive SCRAM keys");
    }
    return true;
}

bool scram_make_verifier(struct span password, uint32_t iterations, struct scram_verifier *out,
                         struct error *err)
{
    struct scram_keys keys;
    *out = (struct scram_verifier){.iterations = iterations, .salt_len = SCRAM_SALT_LEN};
    rand_bytes(out->salt, SCRAM_SALT_LEN);
    if (!scram_derive(password, span_of(out->salt, SCRAM_SALT_LEN), iterations, &keys, err))
        return false;
    memcpy(out->stored_key, keys.stored_key, SCRAM_KEY_LEN);
    memcpy(out->server_key, keys.server_key, SCRAM_KEY_LEN);
    mem_wipe(&keys, sizeof keys);
    return true;
}

bool scram_mock_verifier(struct span user, uint32_t iterations, struct scram_verifier *out,
                         struct error *err)
{
    uint8_t salt[SCRAM_KEY_LEN];
    *out = (struct scram_verifier){.iterations = iterations, .salt_len = SCRAM_SALT_LEN};
    if (!digest_hmac(span_of(mock_secret, sizeof mock_secret), &user, 1, salt))
        return error_set(err, SQLSTATE_INTERNAL, "could not compute a digest");
    memcpy(out->salt, salt, SCRAM_SALT_LEN);
    rand_bytes(out->stored_key, SCRAM_KEY_LEN);
    rand_bytes(out->server_key, SCRAM_KEY_LEN);
    return true;
}

/* Cuts the text in front of the separator off *rest; false if there is none. */
static bool cut(struct span *rest, char separator, struct span *head)
{
    const uint8_t *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    if (!at)
        return false;
    *head = span_of(rest->p, (size_t)(at - rest->p));
    *rest = span_of(at + 1, rest->n - head->n - 1);
    return true;
}

static bool decode_key(struct span text, uint8_t out[SCRAM_KEY_LEN])
{
    size_t n;
    return base64_decode(text, out, SCRAM_KEY_LEN, &n) && n == SCRAM_KEY_LEN;
}

bool scram_parse_verifier(struct span text, struct scram_verifier *out)
{
    struct span scheme, iterations, salt, stored;
    size_t salt_len;
    *out = (struct scram_verifier){0};
    if (!cut(&text, '$', &scheme) || !cut(&text, ':', &iterations) || !cut(&text, '$', &salt) ||
        !cut(&text, ':', &stored))
        return false;
    if (!span_is(scheme, SCRAM_NAME_PLAIN) || !scram_text_positive(iterations, &out->iterations) ||
        out->iterations > INT32_MAX ||
        !base64_decode(salt, out->salt, sizeof out->salt, &salt_len) || salt_len == 0)
        return false;
    out->salt_len = (uint16_t)salt_len;
    return decode_key(stored, out->stored_key) && decode_key(text, out->server_key);
}

bool scram_signature(const uint8_t key[SCRAM_KEY_LEN], struct span auth_message,
                     uint8_t out[SCRAM_KEY_LEN])
{
    return digest_hmac(span_of(key, SCRAM_KEY_LEN), &auth_message, 1, out);
}

const char *scram_gs2_header(char flag)
{
    switch (flag) {
    case 'p':
        return "p=" SCRAM_BINDING_NAME ",,";
    case 'y':
        return "y,,";
    default:
        return "n,,";
    }
}

void scram_nonce(char out[SCRAM_NONCE_TEXT + 1])
{
    uint8_t raw[SCRAM_NONCE_LEN];
    rand_bytes(raw, sizeof raw);
    base64_encode(span_of(raw, sizeof raw), out);
    out[SCRAM_NONCE_TEXT] = '\0';
}
