/* SPDX-License-Identifier: PostgreSQL */
/* scram.h - what both sides of SCRAM-SHA-256 share (RFC 5802, RFC 7677): names, bounds, keys.
 *
 *   SaltedPassword = Hi(SASLprep(password), salt, iterations)      the expensive step
 *   ClientKey      = HMAC(SaltedPassword, "Client Key")            proves the password
 *   StoredKey      = SHA-256(ClientKey)                            lets a server check a proof
 *   ServerKey      = HMAC(SaltedPassword, "Server Key")            lets a server prove itself
 *
 * Whoever holds StoredKey and ServerKey can verify a client, but log in nowhere; a successful
 * exchange shows the verifier the ClientKey, which can. */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include "base/error.h"
#include "base/span.h"

#define SCRAM_KEY_LEN 32
/* Of verifiers that we make, as PostgreSQL does. */
#define SCRAM_SALT_LEN 16
#define SCRAM_ITERATIONS 4096
/* Our part of a nonce: random bytes, and their base64. */
#define SCRAM_NONCE_LEN 24
#define SCRAM_NONCE_TEXT 32
/* Accepted from a server by default: 23 ms of computing (Neon uses 1, PostgreSQL 4096). */
#define SCRAM_ITERATIONS_MAX 100000
/* Bounds on what a peer or a stored secret may bring. */
#define SCRAM_SALT_MAX 1024
#define SCRAM_STORED_SALT_MAX 256
#define SCRAM_MESSAGE_MAX 4096
/* A tls-server-end-point binding is one digest; SHA-512 is the longest. */
#define SCRAM_BINDING_MAX 64

#define SCRAM_NAME_PLAIN "SCRAM-SHA-256"
#define SCRAM_NAME_PLUS "SCRAM-SHA-256-PLUS"
#define SCRAM_BINDING_NAME "tls-server-end-point"

enum scram_mechanism {
    SCRAM_PLAIN, /* SCRAM-SHA-256 */
    SCRAM_PLUS,  /* SCRAM-SHA-256-PLUS: with channel binding (RFC 5929 section 4) */
};

enum scram_result {
    SCRAM_OK,
    SCRAM_FAILED, /* the exchange was well-formed, the peer is not who it should be */
    SCRAM_BAD,    /* the peer violates the protocol */
};

struct scram_keys {
    uint8_t client_key[SCRAM_KEY_LEN];
    uint8_t stored_key[SCRAM_KEY_LEN];
    uint8_t server_key[SCRAM_KEY_LEN];
    bool has_client_key;
};

/* What a server keeps of a password. Holds no secret that logs in, but lets one be guessed. */
struct scram_verifier {
    uint8_t stored_key[SCRAM_KEY_LEN];
    uint8_t server_key[SCRAM_KEY_LEN];
    uint32_t iterations;
    uint16_t salt_len;
    uint8_t salt[SCRAM_STORED_SALT_MAX]; /* last: most salts are short, and copies end with them */
};

/* Draws the secret behind scram_mock_verifier; called by auth_init. */
void scram_init(void);

const char *scram_mechanism_name(enum scram_mechanism mechanism);

/* All three keys. Applies SASLprep. One PBKDF2: a millisecond for 4096 iterations, and counted. */
bool scram_derive(struct span password, struct span salt, uint32_t iterations,
                  struct scram_keys *out, struct error *err);
/* Runs of PBKDF2 in this process so far; any thread. */
uint64_t scram_derivations(void);

/* A fresh verifier with a random salt. One PBKDF2. */
bool scram_make_verifier(struct span password, uint32_t iterations, struct scram_verifier *out,
                         struct error *err);
/* A made-up verifier for a user that has none, so that the exchange looks the same: the salt is
 * the same for the same name as long as the process lives, and no password fits. Use it with
 * scram_server_init(…, doomed = true). */
bool scram_mock_verifier(struct span user, uint32_t iterations, struct scram_verifier *out,
                         struct error *err);

/* "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>", as in pg_authid.rolpassword. */
bool scram_parse_verifier(struct span text, struct scram_verifier *out);

/* ClientSignature or ServerSignature: HMAC(key, AuthMessage), where
 *
 *   AuthMessage = client-first-message-bare "," server-first-message ","
 *                 client-final-message-without-proof */
bool scram_signature(const uint8_t key[SCRAM_KEY_LEN], struct span auth_message,
                     uint8_t out[SCRAM_KEY_LEN]);

/* gs2-header (RFC 5802 section 7): the flag, and no authorization identity. 'n': the client can't
 * bind to a channel, 'y': it thinks that the server can't, 'p': it does. */
const char *scram_gs2_header(char flag);

/* A random nonce, printable, NUL-terminated. */
void scram_nonce(char out[SCRAM_NONCE_TEXT + 1]);

#endif
