/* SPDX-License-Identifier: PostgreSQL */
/* auth.h - start-up of the authentication folder.
 *
 * Fetches the digests once, because a fetch at each use costs a shared lock inside OpenSSL, and
 * draws the per-process secret behind the made-up salts of unknown users. Nothing global in auth/
 * is written afterwards. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "base/error.h"

#include <stdbool.h>

/* Call once, in the main thread, before anything else of auth/ and before other threads start.
 * False if OpenSSL offers no SHA-256. MD5 may be missing (FIPS): only the md5 functions fail then.
 * Calling it again is harmless. */
bool auth_init(struct error *err);
/* After all other threads have ended. */
void auth_fini(void);

#endif
