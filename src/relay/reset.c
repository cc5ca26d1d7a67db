/* SPDX-License-Identifier: PostgreSQL */
/* reset.c - RESET and DISCARD ALL go back to the session's own start.
 *
 * The tag says that something was reset, the text said what. Where several statements were sent in
 * one text, what was reset is taken from the values: what fell back to the server's. */
#include "relay/reset.h"

#include "base/str.h"
#include "relay/relay_impl.h"

void reset_forget(struct lent *l)
{
    l->was_reset = l->discarded = false;
    l->reset = SQL_RESETS_NOTHING;
    l->reset_name[0] = '\0';
}

static bool mentions(struct span text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.n; i++) {
        if (span_is_nocase(span_of(text.p + i, n), word))
            return true;
    }
    return false;
}

void reset_note_sent(struct lent *l, struct span text, enum reset_text kind)
{
    bool several = kind != RESET_TEXT_SINGLE;
    if (several && !mentions(text, "reset") && !mentions(text, "default"))
        return;
    struct span name = {0};
    enum sql_reset reset = several ? SQL_RESETS_UNKNOWN : sql_head_reset(text, &name);
    if (kind == RESET_TEXT_SEVERAL && sql_ends_with_reset_all(text))
        reset = SQL_RESETS_ALL;
    if (reset == SQL_RESETS_NOTHING)
        return;
    bool same =
        l->reset == reset && (reset != SQL_RESETS_ONE || span_is_nocase(name, l->reset_name));
    if (l->reset != SQL_RESETS_NOTHING && !same)
        reset = SQL_RESETS_UNKNOWN;
    if (reset == SQL_RESETS_ONE && !span_to_str(name, l->reset_name, sizeof l->reset_name))
        reset = SQL_RESETS_UNKNOWN;
    l->reset = (uint8_t)reset;
}

void reset_note_run(struct lent *l, struct span tag)
{
    if (span_is(tag, "DISCARD ALL"))
        l->discarded = true;
    /* SET ... TO DEFAULT says SET. */
    if (span_is(tag, "RESET") || (l->reset == SQL_RESETS_ONE && span_is(tag, "SET")))
        l->was_reset = true;
}

static void put(struct lent *l, struct param_builder *b, struct span name, struct span value)
{
    if (!param_builder_put(b, name, value))
        l->close_when_idle = true;
}

/* What is outside of the reach of RESET ALL (guc.h: GUC_NO_RESET_ALL). */
static bool stays(struct span name)
{
    return span_is_nocase(name, "role") || span_is_nocase(name, "session_authorization");
}

/* Reported values are as they were reported last; what is not reported has gone. */
static struct param_set *server_after(struct lent *l)
{
    struct param_set *base = server_base_params(l->server), *now = server_params(l->server);
    struct param_builder *has = param_builder_new(now);
    struct span name, value, at_login;
    for (unsigned i = 0; i < param_set_count(now); i++) {
        param_set_at(now, i, &name, &value);
        if (params_get(base, name, &at_login))
            continue;
        if (l->reset == SQL_RESETS_UNKNOWN)
            l->close_when_idle = true; /* gone or not */
        bool one = l->reset == SQL_RESETS_ONE && span_is_nocase(name, l->reset_name);
        bool all = l->reset == SQL_RESETS_ALL && !stays(name);
        if (one || all)
            param_builder_remove(has, name);
    }
    return param_builder_finish(&has);
}

/* Of a setting that the client began with: is it back to that? */
static bool is_back(struct lent *l, struct span name, struct param_set *left)
{
    struct span at_login, is;
    switch ((enum sql_reset)l->reset) {
    case SQL_RESETS_ONE:
        return span_is_nocase(name, l->reset_name);
    case SQL_RESETS_ALL:
        return !stays(name);
    default:
        return params_get(server_base_params(l->server), name, &at_login) &&
               params_get(left, name, &is) && span_equal(is, at_login);
    }
}

static void settle_client(struct lent *l, struct param_set *left)
{
    struct client *c = l->session->client;
    struct param_set *defaults = client_default_params(c);
    struct param_builder *wants = param_builder_new(left);
    struct span name, value;
    for (unsigned i = 0; i < param_set_count(defaults); i++) {
        param_set_at(defaults, i, &name, &value);
        if (is_back(l, name, left))
            put(l, wants, name, value);
    }
    struct param_set *wanted = param_builder_finish(&wants);
    client_set_params(c, wanted);
    param_set_unref(&wanted);
}

bool reset_settle(struct lent *l)
{
    if (l->discarded) {
        /* The server is as after its login, the client as after its own. */
        server_set_params(l->server, server_base_params(l->server));
        if (l->session)
            client_set_params(l->session->client, client_default_params(l->session->client));
    } else if (l->was_reset) {
        if (l->reset == SQL_RESETS_NOTHING)
            l->reset = SQL_RESETS_UNKNOWN;
        struct param_set *left = server_after(l);
        server_set_params(l->server, left);
        if (l->session)
            settle_client(l, left);
        param_set_unref(&left);
    }
    bool was = l->discarded || l->was_reset;
    if (was) /* a fence is answered before what has been sent behind it */
        reset_forget(l);
    return was;
}
