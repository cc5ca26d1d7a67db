/* SPDX-License-Identifier: PostgreSQL */
/* client_method.c - which method a client has to prove itself by, and those that ask nothing. */
#include "client/client_method.h"

#include "auth/hba.h"
#include "base/log.h"
#include "client/client_impl.h"
#include "conf/config.h"
#include "proto/startup.h"
#include "setup/setup.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

/* Longest name of a system user, and of one in a certificate. */
#define SYSTEM_USER_MAX 256

/* ---- by rule --------------------------------------------------------------------------- */

static struct hba_request request_of(const struct client *c)
{
    return (struct hba_request){
        .peer = stream_is_unix(&c->stream) ? NULL : c->peer,
        .is_tls = stream_is_tls(&c->stream),
        .is_replication = client_replication(c) == REPLICATION_PHYSICAL,
        .user = client_user(c),
        .database = client_database(c),
        .alias = config_console_alias(client_database(c)),
    };
}

/* PgBouncer's words, then PostgreSQL's. */
static bool refuse_by_rule(const struct client *c, const struct hba_request *q,
                           const struct hba_rule *rule, struct error *err)
{
    static const char *const words[2][2] = {
        {"no authentication method is found: no pg_hba.conf entry for",
         "no authentication method is found: no pg_hba.conf entry for replication connection from"},
        {"login rejected: pg_hba.conf rejects connection for",
         "login rejected: pg_hba.conf rejects replication connection for"},
    };
    char host[ADDR_TEXT] = "[local]", database[80] = "";
    if (q->peer)
        addr_host_text(q->peer, host, sizeof host);
    if (!q->is_replication)
        snprintf(database, sizeof database, ", database \"%.63s\"", client_database(c));
    return error_set(err, SQLSTATE_INVALID_AUTHORIZATION, "%s host \"%s\", user \"%.63s\"%s, %s",
                     words[rule != NULL][q->is_replication], host, client_user(c), database,
                     q->is_tls ? "SSL encryption" : "no encryption");
}

static bool choose_by_rule(struct client *c, struct error *err)
{
    static const enum login_method methods[] = {
        [HBA_TRUST] = LOGIN_TRUST, [HBA_PASSWORD] = LOGIN_PASSWORD, [HBA_MD5] = LOGIN_MD5,
        [HBA_SCRAM] = LOGIN_SCRAM, [HBA_CERT] = LOGIN_CERT,         [HBA_PEER] = LOGIN_PEER,
        [HBA_LDAP] = LOGIN_LDAP,   [HBA_PAM] = LOGIN_PAM,
    };
    struct hba_request q = request_of(c);
    const struct hba_rule *rule = hba_find(setup_hba(c->who->setup), &q);
    if (!rule || rule->method == HBA_REJECT)
        return refuse_by_rule(c, &q, rule, err);
    c->login->rule = rule;
    c->login->method = methods[rule->method];
    return true;
}

bool client_method_choose(struct client *c, struct error *err)
{
    static const enum login_method methods[] = {
        [AUTH_TYPE_ANY] = LOGIN_ANY,   [AUTH_TYPE_TRUST] = LOGIN_TRUST,
        [AUTH_TYPE_CERT] = LOGIN_CERT, [AUTH_TYPE_PLAIN] = LOGIN_PASSWORD,
        [AUTH_TYPE_MD5] = LOGIN_MD5,   [AUTH_TYPE_SCRAM] = LOGIN_SCRAM,
        [AUTH_TYPE_LDAP] = LOGIN_LDAP, [AUTH_TYPE_PAM] = LOGIN_PAM,
    };
    enum auth_type type = setup_config(c->who->setup)->auth_type;
    if (type == AUTH_TYPE_HBA)
        return choose_by_rule(c, err);
    const struct setup_login *login = &c->who->login;
    if (type == AUTH_TYPE_ANY && login->db && login->db->lacks_user)
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "bouncer config error: auth_type = any needs a user for the database");
    c->login->method = methods[type];
    return true;
}

/* ---- without an exchange --------------------------------------------------------------- */

bool client_method_is_exchange(enum login_method method)
{
    return method >= LOGIN_PASSWORD;
}

/* Whether who the system or a certificate says it is may be the user it says it is. */
static bool may_be_user(const struct client *c, const char *system_user)
{
    const struct hba_rule *rule = c->login->rule;
    const char *map = rule ? rule->map : NULL;
    if (!map)
        return strcmp(system_user, client_user(c)) == 0;
    if (ident_allows(setup_ident(c->who->setup), map, system_user, client_user(c)))
        return true;
    client_log(c, LOG_WARNING_LEVEL,
               "ident map: %s does not have a match for \"%s\" as user \"%s\" (ident map %s cannot "
               "be matched)",
               map, system_user, client_user(c), map);
    return false;
}

/* The name of an account; false if it has none. */
static bool name_of_account(uid_t uid, char *out, size_t size)
{
    char space[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, space, sizeof space, &found) != 0 || !found)
        return false;
    return (size_t)snprintf(out, size, "%s", found->pw_name) < size;
}

static bool has_certificate(const struct client *c)
{
    char name[SYSTEM_USER_MAX];
    return stream_peer_verified(&c->stream) && stream_peer_name(&c->stream, name, sizeof name) &&
           may_be_user(c, name);
}

static bool is_peer(const struct client *c)
{
    char name[SYSTEM_USER_MAX];
    uid_t uid;
    pid_t pid;
    return stream_is_unix(&c->stream) && stream_peer_cred(&c->stream, &uid, &pid) &&
           name_of_account(uid, name, sizeof name) && may_be_user(c, name);
}

bool client_method_admits(struct client *c, struct error *err)
{
    const char *user = client_user(c);
    switch (c->login->method) {
    case LOGIN_ANY:
        return true;
    case LOGIN_TRUST:
        return client_setup_login(c)->secret ||
               error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "\"trust\" authentication failed for user \"%s\"", user);
    case LOGIN_CERT:
        return has_certificate(c) ||
               error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "certificate authentication failed for user \"%s\"", user);
    case LOGIN_PEER:
        return is_peer(c) || error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                                       "unix socket login rejected: peer authentication failed "
                                       "for user \"%s\"",
                                       user);
    case LOGIN_PASSWORD:
    case LOGIN_MD5:
    case LOGIN_SCRAM:
    case LOGIN_PAM:
    case LOGIN_LDAP:
        break;
    }
    return error_set(err, SQLSTATE_INTERNAL, "this method needs an exchange");
}

/* ---- by an exchange -------------------------------------------------------------------- */

/* Somebody who does not exist, or has nothing to prove it by, is asked as most users are. */
enum login_method client_method_exchange(const struct client *c, enum login_method method)
{
    const struct secret *secret = client_setup_login(c)->secret;
    if (!secret || secret_kind_of(secret) == SECRET_NONE)
        secret = setup_decoy(c->who->setup);
    bool scram = method == LOGIN_MD5 && secret && secret_kind_of(secret) == SECRET_SCRAM;
    return scram ? LOGIN_SCRAM : method;
}

/* ---- the console ----------------------------------------------------------------------- */

static bool is_own_name(const char *user)
{
    char name[SYSTEM_USER_MAX];
    return config_is_console(user) ||
           (name_of_account(geteuid(), name, sizeof name) && strcmp(user, name) == 0);
}

bool client_method_is_own_operator(const struct client *c)
{
    uid_t uid;
    pid_t pid;
    return c->who->login.is_console && stream_is_unix(&c->stream) &&
           stream_peer_cred(&c->stream, &uid, &pid) && uid == geteuid() &&
           is_own_name(client_user(c));
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
