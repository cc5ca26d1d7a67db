/* SPDX-License-Identifier: PostgreSQL */
/* scram_client.h - the client's side of SCRAM: we log in to a server.
 *
 *   AuthenticationSASL         -> scram_choose, scram_client_first -> SASLInitialResponse
 *   AuthenticationSASLContinue -> scram_client_challenge
 *                                 keys for salt and iterations: from a cache, or derived
 *                                 scram_client_final               -> SASLResponse
 *   AuthenticationSASLFinal    -> scram_client_verify
 *
 * Deriving keys is the caller's step because it is the only expensive one. A server that was not
 * verified by scram_client_verify has proven nothing: AuthenticationOk before that is an attack,
 * and the caller refuses it (scram_client_is_verified). */
#ifndef AUTH_SCRAM_CLIENT_H
#define AUTH_SCRAM_CLIENT_H

#include "base/buf.h"
#include "auth/scram.h"

/* As libpq's parameter channel_binding. */
enum channel_binding_policy {
    CHANNEL_BINDING_DISABLE,
    CHANNEL_BINDING_PREFER,
    CHANNEL_BINDING_REQUIRE,
};

struct scram_choice {
    enum scram_mechanism mechanism;
    /* gs2-cbind-flag: 'p' bound, 'y' we could have bound but the server did not offer it (the
     * server refuses if it did: somebody tampered with the list), 'n' we can't or don't want to. */
    char gs2_flag;
};

/* Chooses from the list of AuthenticationSASL: `mechanisms` is the message's body behind the
 * code, names that each end in NUL, then an empty one. `have_binding`: the connection is encrypted
 * and the server's certificate has a tls-server-end-point hash. False with *err: malformed list
 * (08P01), or nothing in it that the policy permits (28000). */
bool scram_choose(struct span mechanisms, bool have_binding, enum channel_binding_policy policy,
                  struct scram_choice *choice_out, struct error *err);

enum scram_client_step {
    SCRAM_CLIENT_START,
    SCRAM_CLIENT_SENT_FIRST,
    SCRAM_CLIENT_CHALLENGED,
    SCRAM_CLIENT_SENT_FINAL,
    SCRAM_CLIENT_VERIFIED,
    SCRAM_CLIENT_OVER,
};

struct scram_client {
    /* Set at birth. */
    struct scram_choice choice;
    uint8_t binding[SCRAM_BINDING_MAX];
    size_t binding_len;
    uint32_t max_iterations;
    char nonce[SCRAM_NONCE_TEXT + 1]; /* our part; tests overwrite it */

    /* Grows with the exchange. */
    enum scram_client_step step;
    struct buf auth_message;       /* as much of it as was said so far */
    size_t nonce_start, nonce_len; /* the whole nonce, in auth_message */
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_len;
    uint32_t iterations;
    uint8_t server_signature[SCRAM_KEY_LEN]; /* what the server must answer */
};

/* Copies what it is given. `binding` is the tls-server-end-point hash of the server's certificate,
 * used with the flag 'p' only. A server may ask for 1 … max_iterations iterations. */
void scram_client_init(struct scram_client *c, struct scram_choice choice, struct span binding,
                       uint32_t max_iterations);
/* Wipes and releases. */
void scram_client_fini(struct scram_client *c);

/* Appends the client-first-message; call it once. Its mechanism is
 * scram_mechanism_name(choice.mechanism). The user name in it is empty: PostgreSQL takes it from
 * the StartupMessage. */
void scram_client_first(struct scram_client *c, struct buf *out);

/* Takes the server-first-message. On SCRAM_OK scram_client_salt and scram_client_iterations say
 * which keys are needed. Here and below anything but SCRAM_OK ends the exchange; *err is 08P01 for
 * SCRAM_BAD, 28000 or 54000 (too many iterations) for SCRAM_FAILED. */
enum scram_result scram_client_challenge(struct scram_client *c, struct span server_first,
                                         struct error *err);
/* Borrowed until scram_client_fini. */
struct span scram_client_salt(const struct scram_client *c);
uint32_t scram_client_iterations(const struct scram_client *c);

/* Appends the client-final-message; keys->has_client_key must be true. Borrows keys. */
enum scram_result scram_client_final(struct scram_client *c, const struct scram_keys *keys,
                                     struct buf *out, struct error *err);
/* Takes the server-final-message; SCRAM_OK if the server knows the password's verifier too. */
enum scram_result scram_client_verify(struct scram_client *c, struct span server_final,
                                      struct error *err);
bool scram_client_is_verified(const struct scram_client *c);

#endif
