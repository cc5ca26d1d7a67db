/* SPDX-License-Identifier: PostgreSQL */
/* secret.h - what is stored for a user: plain text, an md5 hash, or a SCRAM verifier; and every
 * question that a login asks of it, in both roles.
 *
 * Immutable and counted, so it is always seen as `const struct secret *` and may be used from any
 * thread. Two things are added later, once, under a lock inside: the SCRAM verifier (of a plain
 * password: made; else: read), and the ClientKey that a client's login has disclosed for it. The
 * memory is wiped when the last reference goes. */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include "auth/keycache.h"
#include "auth/md5.h"
#include "auth/scram.h"

/* As in PgBouncer's auth_file. */
#define SECRET_TEXT_MAX 65530

enum secret_kind {
    SECRET_NONE,  /* empty: no login by password is possible */
    SECRET_PLAIN, /* anything that has neither of the other forms */
    SECRET_MD5,   /* "md5" and 32 lower-case hex digits */
    SECRET_SCRAM, /* "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>" */
};

struct secret;

/* Returns a new secret with one reference, or NULL with *err (not for a client: no SQLSTATE) if
 * text is longer than SECRET_TEXT_MAX or contains a NUL. Copies the text. */
const struct secret *secret_new(struct span text, struct error *err);
const struct secret *secret_ref(const struct secret *s);
/* Clears the caller's pointer; NULL inside is fine. */
void secret_unref(const struct secret **s);

enum secret_kind secret_kind_of(const struct secret *s);
/* Begins like a SCRAM verifier but is none, so it counts as plain text (as in PostgreSQL): most
 * probably a mistake worth a warning. */
bool secret_is_suspect(const struct secret *s);
/* The same text. In constant time. */
bool secret_equal(const struct secret *a, const struct secret *b);
/* The text as stored, to be sent where a server asks for a clear-text password. Borrowed. Empty
 * for SECRET_NONE. */
struct span secret_text(const struct secret *s);

/* --- towards a client that wants in ------------------------------------------------------- */

/* What the SCRAM exchange needs. A plain password gets one verifier with a random salt at the
 * first call (one PBKDF2), which is kept; another `iterations` than before makes a new one. False
 * for SECRET_NONE and SECRET_MD5 (28P01: run the exchange with a mock, doomed) or when the
 * cryptographic library fails (XX000). */
bool secret_verifier(const struct secret *s, uint32_t iterations, struct scram_verifier *out,
                     struct error *err);
/* The client's answer to AuthenticationMD5Password, without its final NUL. False with 28P01 if it
 * is wrong or the secret is SCRAM or none. Constant time in the answer. */
bool secret_check_md5(const struct secret *s, struct span user, const uint8_t salt[MD5_SALT_LEN],
                      struct span answer, struct error *err);
/* A clear-text password, without its final NUL, against every form. A SCRAM verifier costs one
 * PBKDF2 unless the same password was right before; only right passwords enter the cache (kc may
 * be NULL), and what they disclose is noted as by secret_learn. */
bool secret_check_password(const struct secret *s, struct span user, struct span password,
                           struct keycache *kc, struct error *err);
/* Notes the ClientKey that a SCRAM login with this secret disclosed, so that we can log in to
 * servers that hold the same verifier. False if it is not the key of a SECRET_SCRAM. */
bool secret_learn(const struct secret *s, const struct scram_keys *keys);

/* --- towards a server that asks ----------------------------------------------------------- */

/* The answer to AuthenticationMD5Password, NUL-terminated. False with 28000 if the secret is no
 * use for it. */
bool secret_answer_md5(const struct secret *s, struct span role, const uint8_t salt[MD5_SALT_LEN],
                       char out[MD5_TEXT_LEN + 1], struct error *err);
/* Keys for scram_client_final. Plain: from the cache or derived into it. SCRAM: needs a learnt
 * ClientKey and the server's salt and iterations to be those of the secret. False with 28000 (the
 * text names the cause) or XX000. The caller wipes *out. */
bool secret_answer_scram(const struct secret *s, struct span role, struct span salt,
                         uint32_t iterations, struct keycache *kc, struct scram_keys *out,
                         struct error *err);
/* Whether secret_answer_scram can succeed at all by now (plain, or a ClientKey was learnt). */
bool secret_can_answer_scram(const struct secret *s);

#endif
