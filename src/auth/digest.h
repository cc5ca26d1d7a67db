/* SPDX-License-Identifier: PostgreSQL */
/* digest.h - the cryptographic primitives of auth/, over digests that were fetched at start.
 *
 * Functions that return false leave OpenSSL's error queue empty and have written nothing that the
 * caller may use. They fail only if memory is gone inside OpenSSL (or MD5 is not available). */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include "base/error.h"
#include "base/span.h"

#define SHA256_LEN 32
#define MD5_LEN 16

/* Called by auth_init and auth_fini. */
bool digest_init(struct error *err);
void digest_fini(void);

bool digest_sha256(struct span in, uint8_t out[SHA256_LEN]);
/* HMAC-SHA-256 (RFC 2104) over the concatenation of the parts. */
bool digest_hmac(struct span key, const struct span *parts, size_t n_parts,
                 uint8_t out[SHA256_LEN]);
/* PBKDF2-HMAC-SHA-256 with one block of output: Hi() of RFC 5802. iterations >= 1. About 0.23
 * microseconds for each iteration. */
bool digest_pbkdf2(struct span password, struct span salt, uint32_t iterations,
                   uint8_t out[SHA256_LEN]);
/* MD5 over the concatenation of two parts; false also where MD5 is switched off. */
bool digest_md5(struct span first, struct span second, uint8_t out[MD5_LEN]);

#endif
