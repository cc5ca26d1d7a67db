/* SPDX-License-Identifier: PostgreSQL */
/* scram_login.h - the client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
 *
 * The load logs in thousands of times a second with one password. The costly step, PBKDF2, is done
 * once for each salt and iteration count that a server shows, and kept. */
#ifndef BENCH_SCRAM_LOGIN_H
#define BENCH_SCRAM_LOGIN_H

#include "common.h"

#define SCRAM_MECHANISM "SCRAM-SHA-256"
#define SCRAM_HASH_BYTES 32
#define SCRAM_NONCE_CHARS 24

/* One exchange. */
struct scram_login {
    char nonce[SCRAM_NONCE_CHARS + 1];
    uint8_t server_signature[SCRAM_HASH_BYTES];
};

/* Appends the client-first-message. */
void scram_first(struct scram_login *s, struct bytes *out);
/* Reads the server-first-message and appends the client-final-message; false if it is none. */
bool scram_final(struct scram_login *s, const char *password, const uint8_t *server_first,
                 size_t len, struct bytes *out);
/* Whether the server-final-message proves that the server knows the secret. */
bool scram_verify(const struct scram_login *s, const uint8_t *server_final, size_t len);

#endif
