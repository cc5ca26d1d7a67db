/* SPDX-License-Identifier: PostgreSQL */
/* tls_selfsigned.h - a certificate made at start, for clients that insist on TLS to a local
 * address.
 *
 * ECDSA P-256 signed with SHA-256, so that SCRAM-SHA-256-PLUS works over it. Not a CA: who trusts
 * it trusts this one name list. Kept in the state directory where there is one, so that a client
 * that has stored it does not have to do so after each restart. */
#ifndef NET_TLS_SELFSIGNED_H
#define NET_TLS_SELFSIGNED_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_selfsigned {
    char *cert_pem;
    char *key_pem; /* secret */
};

/* `hosts` are names and addresses beside localhost, 127.0.0.1 and ::1, which are always in it.
 * With a state_dir, a kept certificate is used if it names all hosts and is valid for 30 days more;
 * else one is made and kept there (mode 0600, replaced as a whole). If keeping fails, the
 * certificate is still made: *kept_out is false and *err says why. False only if nothing could be
 * made. */
bool tls_selfsigned_make(struct tls_selfsigned *out, const char *state_dir,
                         const char *const *hosts, size_t n_hosts, bool *kept_out,
                         struct error *err);
void tls_selfsigned_fini(struct tls_selfsigned *c);

#endif
