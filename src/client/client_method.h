/* SPDX-License-Identifier: PostgreSQL */
/* client_method.h - by which method a client has to prove who it is; included by client*.c.
 *
 * A method is chosen before the user's secret is needed, so that who is refused outright costs
 * nothing; what the secret then says about the exchange is client_method_exchange's matter. */
#ifndef CLIENT_CLIENT_METHOD_H
#define CLIENT_CLIENT_METHOD_H

#include <stdbool.h>

struct client;
struct error;

enum login_method {
    /* Without an exchange: client_method_admits decides. */
    LOGIN_ANY,
    LOGIN_TRUST,
    LOGIN_CERT,
    LOGIN_PEER,
    /* By an exchange. */
    LOGIN_PASSWORD, /* the password in clear */
    LOGIN_MD5,
    LOGIN_SCRAM,
    LOGIN_PAM, /* the password in clear, which somebody else judges (client_verify.c) */
    LOGIN_LDAP,
};

/* By auth_type or by HBA rule: fills method and rule of the login's run. False with *err, for the
 * client, if the rules have nothing for it but a refusal. */
bool client_method_choose(struct client *c, struct error *err);
/* False: there is no exchange, the client is in if client_method_admits says so. */
bool client_method_is_exchange(enum login_method method);
/* There is no secret of this user that we would know. */
static inline bool client_method_is_elsewhere(enum login_method method)
{
    return method == LOGIN_PAM || method == LOGIN_LDAP;
}
/* False with *err, for the client. */
bool client_method_admits(struct client *c, struct error *err);
/* The method by which this user can prove it: who has a SCRAM verifier cannot by md5. */
enum login_method client_method_exchange(const struct client *c, enum login_method method);

/* The account that the program runs under, on this machine, by the console's name or its own: it
 * could read and signal us anyway, so it needs no password (as in PgBouncer). */
bool client_method_is_own_operator(const struct client *c);
/* What the way in which a client has come adds to its rights on the console. */
void client_method_grant_console(struct client *c);

#endif
