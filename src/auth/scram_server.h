/* SPDX-License-Identifier: PostgreSQL */
/* scram_server.h - the server's side of SCRAM: we check a client.
 *
 *   AuthenticationSASL      names the mechanisms of `offer`
 *   SASLInitialResponse  -> scram_server_first -> AuthenticationSASLContinue
 *   SASLResponse         -> scram_server_final -> AuthenticationSASLFinal
 *
 * The caller wraps and unwraps the messages. One exchange per object; no threads, no I/O. */
#ifndef AUTH_SCRAM_SERVER_H
#define AUTH_SCRAM_SERVER_H

#include "base/buf.h"
#include "auth/scram.h"

/* What AuthenticationSASL offered. PLUS is offered (before PLAIN) exactly if the connection is
 * encrypted and our certificate has a tls-server-end-point hash. */
enum scram_offer {
    SCRAM_OFFER_PLAIN,
    SCRAM_OFFER_PLUS,
};

enum scram_server_step {
    SCRAM_SERVER_FIRST,
    SCRAM_SERVER_FINAL,
    SCRAM_SERVER_PROVEN,
    SCRAM_SERVER_OVER,
};

struct scram_server {
    /* Set at birth. */
    struct scram_verifier verifier;
    bool doomed;
    enum scram_offer offer;
    uint8_t binding[SCRAM_BINDING_MAX];
    size_t binding_len;
    char nonce[SCRAM_NONCE_TEXT + 1]; /* our part; tests overwrite it */

    /* Grows with the exchange. */
    enum scram_server_step step;
    char gs2_flag;                 /* as sent: 'n', 'y' or 'p' */
    struct buf auth_message;       /* as much of it as was said so far */
    size_t nonce_start, nonce_len; /* the whole nonce, in auth_message */
    struct scram_keys keys;
};

/* Copies what it is given. `doomed`: the exchange runs as usual and fails at its end, whatever the
 * proof (unknown user; take the verifier from scram_mock_verifier). `binding` is the
 * tls-server-end-point hash of our certificate, not longer than SCRAM_BINDING_MAX; empty unless
 * PLUS is offered. */
void scram_server_init(struct scram_server *s, const struct scram_verifier *verifier, bool doomed,
                       enum scram_offer offer, struct span binding);
/* Wipes and releases. */
void scram_server_fini(struct scram_server *s);

/* Takes the mechanism that the client chose and its client-first-message; appends the
 * server-first-message to out. Anything but SCRAM_OK ends the exchange, and *err says why:
 * 08P01 for SCRAM_BAD, 28P01 or 28000 (channel binding) for SCRAM_FAILED, XX000 with SCRAM_FAILED
 * if the cryptographic library fails. */
enum scram_result scram_server_first(struct scram_server *s, struct span mechanism,
                                     struct span client_first, struct buf *out, struct error *err);
/* Takes the client-final-message; on SCRAM_OK the client is proven, and the server-final-message
 * stands in out. */
enum scram_result scram_server_final(struct scram_server *s, struct span client_final,
                                     struct buf *out, struct error *err);

/* After SCRAM_OK from scram_server_final: all three keys; the ClientKey is the one that the
 * client's proof disclosed. Borrowed until scram_server_fini. NULL before. */
const struct scram_keys *scram_server_keys(const struct scram_server *s);

#endif
