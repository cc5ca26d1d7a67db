/* SPDX-License-Identifier: PostgreSQL */
/* client_verify.c - a password that somebody else judges: PAM, LDAP.
 *
 * The client waits (LOOKUP) while a helper thread asks; client_login_timeout bounds that. Whose
 * password was right logs in at the server with it, unless the configuration names another. */
#include "client/client_impl.h"

#include "auth/hba.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "setup/setup.h"

static const char *name_of(const struct client *c)
{
    return c->login->method == LOGIN_PAM ? "PAM" : "LDAP";
}

static const char *options_of(const struct client *c)
{
    const struct hba_rule *rule = c->login->rule;
    return rule && rule->options[0] ? rule->options
                                    : setup_config(c->who->setup)->auth_ldap_options;
}

void client_verify_begin(struct client *c, struct span password)
{
    struct client_login_run *run = c->login;
    char host[ADDR_TEXT];
    struct error err;
    buf_reserve(&run->proof, password.n + 1); /* so that no copy is left behind */
    buf_append(&run->proof, password.p, password.n);
    buf_append(&run->proof, "", 1);
    struct blocking_question q = {
        .method = run->method == LOGIN_PAM ? BLOCKING_PAM : BLOCKING_LDAP,
        .user = client_user(c),
        .password = (const char *)buf_span(&run->proof).p,
        .options = run->method == LOGIN_LDAP ? options_of(c) : NULL,
    };
    if (c->peer && !addr_is_unix(c->peer)) {
        addr_host_text(c->peer, host, sizeof host);
        q.remote_host = host;
    }
    client_enter(c, CLIENT_LOOKUP);
    if (!c->context->verify(c->context->owner, c, &q, &err))
        client_login_failed(c, &err);
}

static void keep_password(struct client *c)
{
    struct span proof = buf_span(&c->login->proof);
    struct error err;
    const struct secret *secret = secret_new(span_of(proof.p, proof.n - 1), &err);
    if (!secret)
        return; /* longer than any server would take */
    client_who_found(NULL, &c->who, span_str(client_user(c)), secret);
    secret_unref(&secret);
}

void client_verified(struct client *c, enum blocking_verdict verdict, const struct error *why)
{
    struct error err;
    if (c->state != CLIENT_LOOKUP || !client_method_is_elsewhere(c->login->method))
        return;
    if (verdict != BLOCKING_RIGHT)
        client_log(c, verdict == BLOCKING_BROKEN ? LOG_WARNING_LEVEL : LOG_INFO_LEVEL, "%s",
                   why->text);
    switch (verdict) {
    case BLOCKING_RIGHT:
        keep_password(c);
        client_login_proven(c);
        return;
    case BLOCKING_WRONG:
        error_set(&err, SQLSTATE_INVALID_PASSWORD, "%s authentication failed for user \"%s\"",
                  name_of(c), client_user(c));
        break;
    case BLOCKING_BROKEN:
        error_set(&err, SQLSTATE_CANNOT_CONNECT_NOW,
                  "%s authentication failed for user \"%s\": the service cannot be asked",
                  name_of(c), client_user(c));
        break;
    }
    client_login_failed(c, &err);
}
