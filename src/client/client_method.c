/* SPDX-License-Identifier: PostgreSQL */
/* client_method.c - which method a client has to prove itself by, and those that ask nothing. */
#include "client/client_method.h"

#include "client/client_impl.h"
#include "conf/config.h"
#include "setup/setup.h"

#include <unistd.h>

enum login_method client_method_choose(const struct client *c)
{
    switch (setup_config(c->who->setup)->auth_type) {
    case AUTH_TYPE_ANY:
        return LOGIN_ANY;
    case AUTH_TYPE_TRUST:
        return LOGIN_TRUST;
    case AUTH_TYPE_PLAIN:
        return LOGIN_PASSWORD;
    case AUTH_TYPE_MD5:
        return LOGIN_MD5;
    case AUTH_TYPE_SCRAM:
    case AUTH_TYPE_CERT:
    case AUTH_TYPE_HBA:
    case AUTH_TYPE_LDAP:
    case AUTH_TYPE_PAM:
        break;
    }
    return LOGIN_SCRAM;
}

enum login_method client_method_exchange(const struct client *c, enum login_method method)
{
    const struct secret *secret = client_setup_login(c)->secret;
    bool scram = method == LOGIN_MD5 && secret && secret_kind_of(secret) == SECRET_SCRAM;
    return scram ? LOGIN_SCRAM : method;
}

bool client_method_is_exchange(enum login_method method)
{
    return method >= LOGIN_PASSWORD;
}

bool client_method_admits(const struct client *c, enum login_method method, struct error *err)
{
    switch (method) {
    case LOGIN_ANY:
        return true;
    case LOGIN_TRUST:
        if (client_setup_login(c)->secret)
            return true;
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION, "\"trust\" authentication failed");
    case LOGIN_PASSWORD:
    case LOGIN_MD5:
    case LOGIN_SCRAM:
        break;
    }
    return error_set(err, SQLSTATE_INTERNAL, "this method needs an exchange");
}

/* ---- the console ----------------------------------------------------------------------- */

bool client_method_is_own_operator(const struct client *c)
{
    uid_t uid;
    pid_t pid;
    return c->who->login.is_console && config_is_console(client_user(c)) &&
           stream_peer_cred(&c->stream, &uid, &pid) && uid == geteuid();
}

void client_method_grant_console(struct client *c)
{
    struct setup_login *login = &c->who->login;
    if (client_method_is_own_operator(c))
        login->may_read = login->may_admin = true;
    /* Where nobody is asked for a password, everybody may look. */
    if (setup_config(c->who->setup)->auth_type == AUTH_TYPE_ANY)
        login->may_read = true;
}
