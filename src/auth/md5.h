/* SPDX-License-Identifier: PostgreSQL */
/* md5.h - the texts of PostgreSQL's md5 password method (protocol chapter, "Start-up":
 * AuthenticationMD5Password). */
#ifndef AUTH_MD5_H
#define AUTH_MD5_H

#include "base/error.h"
#include "base/span.h"

/* "md5" and 32 lower-case hex digits, without the NUL. */
#define MD5_TEXT_LEN 35
#define MD5_SALT_LEN 4

/* Whether text has exactly the stored form. */
bool md5_is_stored_form(struct span text);
/* The stored form: "md5" || hex(MD5(password || user)). False where MD5 is not available. */
bool md5_stored(struct span password, struct span user, char out[MD5_TEXT_LEN + 1],
                struct error *err);
/* The answer to a challenge: "md5" || hex(MD5(hex digits of the stored form || salt)). */
bool md5_answer(struct span stored, const uint8_t salt[MD5_SALT_LEN], char out[MD5_TEXT_LEN + 1],
                struct error *err);

#endif
