/* SPDX-License-Identifier: PostgreSQL */
/* verify.h - ask PAM and LDAP whether a client's password is right. The answer comes from a helper
 * thread, by mailbox, to whoever has that client's id by then. */
#ifndef RELAY_VERIFY_H
#define RELAY_VERIFY_H

#include <stdbool.h>

struct blocking_question;
struct client;
struct error;

/* struct client_context. */
bool verify_password(void *owner, struct client *c, const struct blocking_question *q,
                     struct error *err);

#endif
