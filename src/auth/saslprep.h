/* SPDX-License-Identifier: PostgreSQL */
/* saslprep.h - normalisation of passwords (RFC 4013), the way PostgreSQL applies it.
 *
 * The only door to libidn. */
#ifndef AUTH_SASLPREP_H
#define AUTH_SASLPREP_H

#include "base/span.h"

/* Returns owned memory: the normalised password and a NUL; *n_out is its length without the NUL.
 * A password that is no UTF-8, contains what the profile prohibits, or becomes empty comes back
 * unchanged: PostgreSQL does that too, so any bytes can be a password. The caller wipes it. */
char *saslprep(struct span password, size_t *n_out);

#endif
