/* SPDX-License-Identifier: PostgreSQL */
/* provide.c - what the server must have before a message of the client may use it.
 *
 * A statement that the server lacks is parsed there in front of the client's message, in the same
 * write, under the state that it was first parsed under, and the answers are swallowed. */
#include "relay/provide.h"

#include "proto/frontend.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/terms.h"

void provide_expect(struct session *ses, enum expect_kind kind, enum expect_owner owner,
                    uint64_t arg, uint32_t serial)
{
    (void)names_expect(ses->lent, (struct expect){.kind = (uint8_t)kind,
                                                  .owner = (uint8_t)owner,
                                                  .serial = serial,
                                                  .arg = arg});
}

/* False: the server is going to skip it. */
static bool close_on_server(struct session *ses, uint64_t id)
{
    char name[STATEMENT_NAME];
    frontend_build_close(provide_out(ses), 'S', span_str(statement_server_name(id, name)));
    server_statements_remove(provide_have(ses), id, ses->lent->unit);
    return names_expect(
        ses->lent,
        (struct expect){.kind = (uint8_t)EXPECT_CLOSE, .owner = (uint8_t)EXPECT_OURS, .arg = id});
}

static bool is_uncertain(struct session *ses, uint64_t id)
{
    return names_is_uncertain(ses->lent, server_statements_unit(provide_have(ses), id));
}

bool provide_is_there(struct session *ses, uint64_t id)
{
    return server_statements_touch(provide_have(ses), id) && !is_uncertain(ses, id);
}

void provide_parse(struct session *ses, struct statement *st, enum expect_owner owner,
                   uint32_t serial)
{
    struct server_statements *have = provide_have(ses);
    uint64_t id = statement_id(st), goes;
    /* As it is now: it may have been lowered or raised since the server was opened. */
    server_statements_set_cap(have, terms_statement_room(setup_config(ses->relay->setup)));
    if (server_statements_touch(have, id) || is_uncertain(ses, id))
        (void)close_on_server(ses, id);
    server_statements_add(have, id, ses->lent->unit, serial);
    while ((goes = server_statements_excess(have)) && close_on_server(ses, goes))
        ;
    statement_build_parse(provide_out(ses), st);
    provide_expect(ses, EXPECT_PARSE, owner, id, serial);
}

struct param_set *provide_params(struct session *ses)
{
    const struct lent *l = ses->lent;
    return l->target ? client_params(ses->client) : server_params(l->server);
}

/* Parses again under the state of the original Parse, if the session has another one by now. In a
 * failed transaction no SET runs, and nothing is parsed that depends on one: what ends it is. */
static struct param_set *parse_state_of(struct session *ses, struct param_set *state)
{
    struct param_set *now = provide_params(ses);
    if (server_status(ses->lent->server) == 'E')
        return NULL;
    if (!state) /* not known yet: it is being parsed in this very unit */
        return NULL;
    if (params_fingerprint(state) == params_fingerprint(now))
        return NULL;
    return params_with_parse_state(now, state);
}

/* What comes first in a transaction of its own is not to become part of ours, if it can tell the
 * difference (sql_head_class). */
static bool is_to_stay_first(struct session *ses, struct statement *st)
{
    const struct lent *l = ses->lent;
    return !l->group_open && !l->gate_open && server_status(l->server) == 'I' &&
           sql_head_class(statement_query(st)) == SQL_GATE_UNSAFE;
}

/* Under the values that held `then`, and back. */
static void parse_under(struct session *ses, struct statement *st, struct param_set *then,
                        enum expect_owner owner)
{
    link_set_ahead(ses, then, provide_params(ses), owner);
    provide_parse(ses, st, owner, 0);
    link_set_ahead(ses, provide_params(ses), then, owner);
}

__attribute__((noinline)) static bool provide_under(struct session *ses, struct statement *st,
                                                    struct param_set *then)
{
    if (!is_to_stay_first(ses, st)) {
        parse_under(ses, st, then, EXPECT_OURS);
        return true;
    }
    /* To wait for an own fence would be to lose the server behind it, perhaps time and again. */
    struct expect_queue *q = server_expects(ses->lent->server);
    bool behind_fence = q->count && expect_at(q, q->count - 1)->owner == EXPECT_FENCE;
    if (behind_fence || server_is_at_rest(ses->lent->server)) {
        parse_under(ses, st, then, EXPECT_FENCE);
        link_wait(ses);
    }
    return false;
}

/* If the unit in which it was parsed may have been skipped, it is parsed again. */
bool provide_statement(struct session *ses, struct statement *st)
{
    bool goes_on = true;
    if (provide_is_there(ses, statement_id(st)))
        return true;
    struct param_set *then = parse_state_of(ses, statement_params(st));
    if (then)
        goes_on = provide_under(ses, st, then);
    else
        provide_parse(ses, st, EXPECT_OURS, 0);
    param_set_unref(&then);
    return goes_on;
}

/* What the server has under no name is another client's, or a SET of ours. Without it the server
 * says in its own words that there is none. */
static void drop_unnamed_of_others(struct session *ses)
{
    frontend_build_close(provide_out(ses), 'S', span_str(""));
    provide_expect(ses, EXPECT_CLOSE, EXPECT_OURS, 0, 0);
    server_statements_set_unnamed(provide_have(ses), 0, 0, 0);
}

/* A plain identifier means its lower-case form. */
static size_t fold(struct span name, bool quoted, char *out, size_t size)
{
    size_t n = name.n < size ? name.n : size;
    for (size_t i = 0; i < n; i++) {
        char ch = (char)name.p[i];
        out[i] = !quoted && ch >= 'A' && ch <= 'Z' ? (char)(ch + 'a' - 'A') : ch;
    }
    return n;
}

/* The name that `DEALLOCATE name` speaks of, as the protocol calls it; n is 0 if it is too long. */
struct span provide_deallocated(struct span text, char folded[PROVIDE_FOLDED])
{
    struct span name = {0};
    bool quoted = false;
    if (sql_head_command(text, &name, &quoted) != SQL_DEALLOCATE || name.n > PROVIDE_FOLDED)
        return span_of(NULL, 0);
    return span_of(folded, fold(name, quoted, folded, PROVIDE_FOLDED));
}

#define GONER "PGBALLAST_GONE"

const char provide_goner_command[] = "DEALLOCATE \"" GONER "\"";

/* An empty statement is parsed in a failed transaction too. */
void provide_goner(struct session *ses)
{
    frontend_build_close(provide_out(ses), 'S', span_str(GONER));
    provide_expect(ses, EXPECT_CLOSE, EXPECT_OURS, 0, 0);
    frontend_build_parse(provide_out(ses), span_str(GONER), span_str(""), span_of(NULL, 0), 0);
    provide_expect(ses, EXPECT_PARSE, EXPECT_OURS, 0, 0);
}

/* The client's statement that its unnamed DEALLOCATE is about, or NULL. */
struct statement *provide_unnamed_deallocates(struct session *ses)
{
    char folded[PROVIDE_FOLDED];
    if (client_statements_unnamed_traits(provide_names(ses)).drops != SQL_DROPS_ONE)
        return NULL;
    return client_statements_find(
        provide_names(ses),
        provide_deallocated(client_statements_unnamed_query(provide_names(ses)), folded));
}

bool provide_compose_unnamed(struct session *ses)
{
    if (!provide_unnamed_deallocates(ses))
        return client_statements_build_unnamed(provide_names(ses), provide_out(ses));
    frontend_build_parse(provide_out(ses), span_str(""), span_str(provide_goner_command),
                         span_of(NULL, 0), 0);
    return true;
}

__attribute__((noinline)) static void parse_unnamed_again(struct session *ses, uint64_t generation)
{
    struct param_set *then =
        parse_state_of(ses, client_statements_unnamed_params(provide_names(ses)));
    if (then)
        link_set_ahead(ses, then, provide_params(ses), EXPECT_OURS);
    provide_compose_unnamed(ses);
    /* Ahead of its entry: that may say at once that it is going to be skipped. */
    server_statements_set_unnamed(provide_have(ses), ses->id, generation, ses->lent->unit);
    provide_expect(ses, EXPECT_PARSE, EXPECT_OURS, 0, 0);
    if (then)
        link_set_ahead(ses, provide_params(ses), then, EXPECT_OURS);
    param_set_unref(&then);
}

/* The client's unnamed statement exists on one server only; there too it is parsed again if the
 * unit in which it was parsed may have been skipped. */
void provide_unnamed(struct session *ses)
{
    uint64_t generation = client_statements_unnamed_generation(provide_names(ses));
    const struct server_statements *have = provide_have(ses);
    bool there = server_statements_unnamed_is(have, ses->id, generation);
    if (there && !names_is_uncertain(ses->lent, have->unnamed_unit))
        return;
    bool known = client_statements_unnamed_query(provide_names(ses)).p != NULL;
    if (generation && known)
        parse_unnamed_again(ses, generation);
    else if (!there)
        drop_unnamed_of_others(ses);
}

/* Makes the server raise the error that the client's own server would have raised. */
void provide_undefined(struct session *ses, struct span name)
{
    char text[STATEMENT_PROVOKE_NAME];
    frontend_build_describe(provide_out(ses), 'S', span_str(statement_provoke_name(name, text)));
    provide_expect(ses, EXPECT_DESCRIBE, EXPECT_CLIENT, 0, 0);
}
