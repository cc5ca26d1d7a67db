/* SPDX-License-Identifier: PostgreSQL */
/* forward_extended.c - Parse, Bind, Describe, Execute, Close.
 *
 * A named statement of a client is remembered with its text (track/prepared.h) and has one name on
 * all servers. What a server does not have yet is parsed there first (provide.c); what it has
 * already is not parsed again, and the ParseComplete is ours to give in its turn. Names are undone
 * when their Parse fails or is skipped (names.c).
 *
 * With max_prepared_statements=0 and in session mode nothing is renamed or remembered. */
#include "relay/forward_extended.h"

#include "proto/frontend.h"
#include "proto/message.h"
#include "relay/forward.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/places.h"
#include "relay/provide.h"
#include "relay/relay_impl.h"

__attribute__((always_inline)) static inline void
pass_as(struct session *ses, const struct request *r, enum expect_kind kind, uint64_t arg)
{
    (void)names_expect(ses->lent, (struct expect){.kind = (uint8_t)kind, .arg = arg});
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
}

__attribute__((always_inline)) static inline void pass(struct session *ses, const struct request *r,
                                                       enum expect_kind kind)
{
    pass_as(ses, r, kind, 0);
}

/* As it is, and about nothing that we know. */
static enum request_verdict pass_about(struct session *ses, const struct request *r, uint64_t arg)
{
    static const uint8_t kinds[] = {
        [FE_PARSE] = EXPECT_PARSE,     [FE_BIND] = EXPECT_BIND,   [FE_DESCRIBE] = EXPECT_DESCRIBE,
        [FE_EXECUTE] = EXPECT_EXECUTE, [FE_CLOSE] = EXPECT_CLOSE,
    };
    pass_as(ses, r, (enum expect_kind)kinds[r->type], arg);
    return REQUEST_TAKEN;
}

/* The server refuses it in its own words, and skips what stands behind it up to the Sync. */
static enum request_verdict pass_unreadable(struct session *ses, const struct request *r)
{
    return pass_about(ses, r, NAMES_UNREADABLE);
}

enum request_verdict extended_break_copy(struct session *ses, const struct request *r)
{
    return pass_about(ses, r, r->type == FE_PARSE ? NAMES_RAW : 0);
}

/* Until what is on its way was answered (on_input_done in respond.c). */
static enum request_verdict hold(struct session *ses)
{
    ses->held_back = true;
    return REQUEST_HOLD;
}

/* Was what is known of a name sent in an earlier unit, and is not answered? */
static bool is_uncertain(struct session *ses, const struct client_named *named)
{
    return names_is_uncertain(ses->lent, named->unit);
}

static struct span body_of(const struct request *r)
{
    return span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER);
}

static enum request_verdict violation(struct session *ses, const char *text)
{
    struct error err;
    error_set(&err, SQLSTATE_PROTOCOL_VIOLATION, "%s", text);
    client_fail(ses->client, &err);
    return REQUEST_CLOSED;
}

static bool is_followed(struct session *ses)
{
    return ses->follows_statements;
}

/* Must what is bound to the unnamed statement wait until it is known which one that is? */
static bool unnamed_is_uncertain(struct session *ses)
{
    return names_is_uncertain(ses->lent, client_statements_unnamed_unit(provide_names(ses)));
}

/* Names that we use on servers must not be reachable by a client that guesses them. */
static bool is_our_name(struct span name)
{
    static const char prefix[] = "PGBALLAST_";
    return name.n >= sizeof prefix - 1 && memcmp(name.p, prefix, sizeof prefix - 1) == 0;
}

/* After a reload a server may have clients of both kinds: the unnamed statement of one that is
 * followed is parsed again behind those that are not, who do what they like with it. */
static void drop_unnamed_of_followed(struct session *ses)
{
    server_statements_set_unnamed(provide_have(ses), 0, 0, 0);
}

/* ---- Parse ----------------------------------------------------------------------------- */

/* The name is taken. The server, asked to parse the new text under the name of the old one, finds
 * everything that is wrong with it in the order in which the client's own server would. */
static enum request_verdict parse_again(struct session *ses, const struct frontend_parse *m,
                                        const struct client_named *named)
{
    char name[STATEMENT_NAME];
    struct statement *st = named->statement;
    if (!provide_statement(ses, st))
        return hold(ses);
    statement_server_name(statement_id(st), name);
    /* It cannot succeed; as the entry of a Parse its failure would take the old name away. */
    frontend_build_parse(provide_out(ses), span_str(name), m->query, m->oids, m->n_oids);
    provide_expect(ses, EXPECT_BIND, EXPECT_CLIENT, 0, named->serial);
    return REQUEST_TAKEN;
}

static void define(struct session *ses, struct span name, struct statement *st)
{
    uint64_t id = statement_id(st);
    /* Behind what is not answered the transaction may have failed by then; in a failed one, and
     * then, the server must see the Parse, to refuse it. */
    bool pipelined = ses->lent->first_unit != ses->lent->unit;
    bool inject =
        provide_is_there(ses, id) && !pipelined && server_status(ses->lent->server) != 'E';
    uint32_t serial = client_statements_define(provide_names(ses), name, st, ses->lent->unit,
                                               !server_statements_knows(provide_have(ses), id));
    if (inject)
        provide_expect(ses, EXPECT_INJECT_PARSE, EXPECT_CLIENT, id, serial);
    else
        provide_parse(ses, st, EXPECT_CLIENT, serial);
}

/* Where names are not followed, a statement is taken to be run when it is parsed. */
static void note_parsed(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    if (!r->last || !frontend_parse_parse(body_of(r), &m))
        return;
    struct sql_traits traits = sql_traits_of(m.query, true);
    if (traits.sets)
        names_note_sets(ses->lent, m.query,
                        traits.ending == SQL_ENDS_MAYBE ? RESET_TEXT_SEVERAL : RESET_TEXT_SINGLE);
}

static enum request_verdict parse_named(struct session *ses, const struct request *r,
                                        const struct frontend_parse *m)
{
    struct client_named named = client_statements_look(provide_names(ses), m->name);
    if (is_uncertain(ses, &named))
        return hold(ses);
    if (named.statement)
        return parse_again(ses, m, &named);
    if (ses->names_raw) {
        /* It may be the name of a text that is not known here. */
        note_parsed(ses, r);
        pass_as(ses, r, EXPECT_PARSE, NAMES_RAW);
        return REQUEST_TAKEN;
    }
    struct statement *st = names_state_is_uncertain(ses->lent)
                               ? statement_private(m->query, m->oids, m->n_oids)
                               : statement_intern(m->query, m->oids, m->n_oids, provide_params(ses),
                                                  place_definitions(ses->place));
    define(ses, m->name, st);
    statement_unref(&st);
    return REQUEST_TAKEN;
}

static void pass_unnamed(struct session *ses, const struct request *r)
{
    server_statements_set_unnamed(provide_have(ses), ses->id,
                                  client_statements_unnamed_generation(provide_names(ses)),
                                  ses->lent->unit);
    pass_as(ses, r, EXPECT_PARSE, NAMES_UNNAMED);
}

static void parse_unnamed(struct session *ses, const struct request *r,
                          const struct frontend_parse *m)
{
    struct param_set *params = names_state_is_uncertain(ses->lent) ? NULL : provide_params(ses);
    names_unnamed_changes(ses);
    client_statements_set_unnamed(provide_names(ses), m->query, m->oids, m->n_oids, params,
                                  ses->lent->unit);
    pass_unnamed(ses, r);
}

static bool begins_with_no_name(const struct request *r)
{
    return r->bytes.n > FRAME_HEADER && r->bytes.p[FRAME_HEADER] == '\0';
}

/* The name that a Parse begins with, which may not be all there. Of a longer one 63 bytes count. */
static struct span parse_name(const struct request *r)
{
    struct span body = body_of(r);
    const uint8_t *nul = memchr(body.p, 0, body.n);
    return span_of(body.p, nul ? (size_t)(nul - body.p) : body.n);
}

/* The name is taken, and the text is not looked at. */
static enum request_verdict refuse_name(struct session *ses, const struct client_named *named)
{
    struct frontend_parse m = {.query = span_str("SELECT 1")};
    return parse_again(ses, &m, named);
}

/* Too large to keep a copy: it streams, and the client keeps the server. */
static enum request_verdict parse_large(struct session *ses, const struct request *r)
{
    struct client_named named = client_statements_look(provide_names(ses), parse_name(r));
    if (is_uncertain(ses, &named))
        return hold(ses);
    if (named.statement) {
        enum request_verdict refused = refuse_name(ses, &named);
        ses->drop_body = refused == REQUEST_TAKEN && !r->last;
        return refused;
    }
    ses->pins |= PIN_LARGE_PARSE;
    if (begins_with_no_name(r)) {
        names_unnamed_changes(ses);
        client_statements_set_unnamed_unseen(provide_names(ses), ses->lent->unit);
        pass_unnamed(ses, r);
    } else {
        ses->names_raw = true;
        pass_as(ses, r, EXPECT_PARSE, NAMES_RAW);
    }
    return REQUEST_TAKEN;
}

/* Names that are never closed are a leak, in an app or in its driver: it is to be seen. */
static enum request_verdict refuse_another(struct session *ses)
{
    struct error err;
    error_set(&err, SQLSTATE_PROGRAM_LIMIT,
              "too many prepared statements: a client may have %d, of %d MiB together",
              CLIENT_STATEMENTS_MAX, CLIENT_STATEMENTS_BYTES_MAX / (1024 * 1024));
    client_fail_detail(ses->client, &err, NULL,
                       "Close those that are not needed any more, or send DEALLOCATE ALL.");
    return REQUEST_CLOSED;
}

enum request_verdict extended_parse(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    if (!is_followed(ses)) {
        drop_unnamed_of_followed(ses);
        note_parsed(ses, r);
        pass(ses, r, EXPECT_PARSE);
        return REQUEST_TAKEN;
    }
    if (!r->last || r->body_len > STATEMENT_PARSE_MAX)
        return parse_large(ses, r);
    if (!frontend_parse_parse(body_of(r), &m))
        return pass_unreadable(ses, r);
    if (m.name.n && client_statements_is_full(provide_names(ses)))
        return refuse_another(ses);
    if (!m.name.n) {
        parse_unnamed(ses, r, &m);
        return REQUEST_TAKEN;
    }
    enum request_verdict verdict = parse_named(ses, r, &m);
    if (verdict == REQUEST_TAKEN)
        counter_add(&ses->stats->client_parse, 1);
    return verdict;
}

bool extended_parse_alone(struct session *ses, const struct request *r)
{
    struct frontend_parse m;
    /* Nearly always, where a Parse is what gets a client its server: one look. */
    if (begins_with_no_name(r) || !ses->follows_statements || !r->last ||
        r->body_len > STATEMENT_PARSE_MAX || !frontend_parse_parse(body_of(r), &m) || !m.name.n ||
        client_statements_is_full(provide_names(ses)) ||
        client_statements_find(provide_names(ses), m.name))
        return false;
    struct statement *st = statement_intern(m.query, m.oids, m.n_oids, client_params(ses->client),
                                            place_definitions(ses->place));
    bool known = place_has_parsed(ses->place, statement_id(st));
    if (known) {
        client_statements_define(provide_names(ses), m.name, st, 0, false);
        counter_add(&ses->stats->client_parse, 1);
    }
    statement_unref(&st);
    return known;
}

/* ---- Bind, Describe, Close ------------------------------------------------------------- */

/* What running it may do, for when it is run. */
static void note_traits(struct session *ses, struct sql_traits traits, struct span text, bool named)
{
    if (traits.ending)
        ses->ending = traits.ending;
    if (traits.sets)
        names_note_sets(ses->lent, text,
                        traits.ending == SQL_ENDS_MAYBE ? RESET_TEXT_SEVERAL : RESET_TEXT_SINGLE);
    /* A named DEALLOCATE of one name is not followed: its text was not rewritten. */
    ses->portal_drops = named && traits.drops == SQL_DROPS_ONE ? SQL_DROPS_NOTHING : traits.drops;
}

static void note_unnamed_traits(struct session *ses)
{
    struct client_statements *cs = provide_names(ses);
    struct sql_traits traits = client_statements_unnamed_traits(cs);
    struct span text = traits.sets ? client_statements_unnamed_query(cs) : span_of(NULL, 0);
    note_traits(ses, traits, text, false);
}

static void bind_named(struct session *ses, const struct request *r,
                       const struct frontend_bind_head *head, const struct client_named *named)
{
    char name[STATEMENT_NAME];
    struct statement *st = named->statement;
    note_traits(ses, statement_traits(st), statement_query(st), true);
    frontend_rewrite_bind_head(provide_out(ses), head, r->body_len,
                               span_str(statement_server_name(statement_id(st), name)));
    provide_expect(ses, EXPECT_BIND, EXPECT_CLIENT, 0, named->serial);
    size_t skip = FRAME_HEADER + head->len;
    outgoing_ref(&ses->relay->to_server, r->bytes.p + skip, r->bytes.n - skip);
}

/* Before a statement is used by its name. Behind the very Parse that gave the name and is not
 * answered, it may be used all the same: if that fails, so will this, and must. False: it has to
 * wait until it is known what has the name. */
static bool prepare_named(struct session *ses, const struct client_named *named)
{
    if (!is_uncertain(ses, named))
        return !named->statement || provide_statement(ses, named->statement);
    if (!named->statement || !named->parsed)
        return false;
    uint64_t id = statement_id(named->statement);
    return server_statements_is_of(provide_have(ses), id, named->serial) &&
           server_statements_touch(provide_have(ses), id);
}

/* Whether the unnamed DEALLOCATE is about a name of the client's (provide_compose_unnamed) may have
 * changed since it was parsed: it is parsed again. False: that has to wait. */
static bool decide_deallocate(struct session *ses)
{
    char folded[PROVIDE_FOLDED];
    if (client_statements_unnamed_traits(provide_names(ses)).drops != SQL_DROPS_ONE)
        return true;
    struct span text = client_statements_unnamed_query(provide_names(ses));
    struct client_named named =
        client_statements_look(provide_names(ses), provide_deallocated(text, folded));
    if (is_uncertain(ses, &named))
        return false;
    server_statements_set_unnamed(provide_have(ses), 0, 0, 0);
    return true;
}

enum request_verdict extended_bind(struct session *ses, const struct request *r)
{
    struct frontend_bind_head head;
    if (!is_followed(ses)) {
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    switch (frontend_parse_bind_head(body_of(r), r->body_len, &head)) {
    case FRAME_OK:
        break;
    case FRAME_MORE: /* longer names than are waited for: which statement it is cannot be told */
        return violation(ses, "broken Bind packet: its names are too long");
    case FRAME_BAD:
        return pass_unreadable(ses, r);
    }
    if (!head.statement.n) {
        if (unnamed_is_uncertain(ses) || !decide_deallocate(ses))
            return hold(ses);
        provide_unnamed(ses);
        note_unnamed_traits(ses);
        pass(ses, r, EXPECT_BIND);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(provide_names(ses), head.statement);
    if (!prepare_named(ses, &named))
        return hold(ses);
    if (named.statement) {
        counter_add(&ses->stats->bind, 1);
        bind_named(ses, r, &head, &named);
    } else if (is_our_name(head.statement)) {
        provide_undefined(ses, head.statement);
        ses->drop_body = !r->last;
    } else {
        /* Prepared by SQL, or not at all: the server knows. */
        ses->portal_drops = SQL_DROPS_NOTHING;
        pass(ses, r, EXPECT_BIND);
    }
    return REQUEST_TAKEN;
}

static enum request_verdict describe_statement(struct session *ses, const struct request *r,
                                               struct span name)
{
    char ours[STATEMENT_NAME];
    if (!name.n) {
        if (unnamed_is_uncertain(ses))
            return hold(ses);
        provide_unnamed(ses);
        pass(ses, r, EXPECT_DESCRIBE);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(provide_names(ses), name);
    if (!prepare_named(ses, &named))
        return hold(ses);
    if (named.statement) {
        statement_server_name(statement_id(named.statement), ours);
        frontend_build_describe(provide_out(ses), 'S', span_str(ours));
        provide_expect(ses, EXPECT_DESCRIBE, EXPECT_CLIENT, 0, named.serial);
    } else if (is_our_name(name)) {
        provide_undefined(ses, name);
    } else {
        pass(ses, r, EXPECT_DESCRIBE);
    }
    return REQUEST_TAKEN;
}

enum request_verdict extended_describe(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!frontend_parse_object(body_of(r), &m))
        return pass_unreadable(ses, r);
    if (m.kind == 'S' && is_followed(ses))
        return describe_statement(ses, r, m.name);
    pass(ses, r, EXPECT_DESCRIBE);
    return REQUEST_TAKEN;
}

enum request_verdict extended_close(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!frontend_parse_object(body_of(r), &m))
        return pass_unreadable(ses, r);
    if (m.kind != 'S' || !is_followed(ses)) {
        if (m.kind == 'S')
            drop_unnamed_of_followed(ses);
        pass(ses, r, EXPECT_CLOSE);
        return REQUEST_TAKEN;
    }
    if (!m.name.n) {
        names_unnamed_changes(ses);
        client_statements_close_unnamed(provide_names(ses), ses->lent->unit);
        pass_as(ses, r, EXPECT_CLOSE, NAMES_UNNAMED);
        return REQUEST_TAKEN;
    }
    struct client_named named = client_statements_look(provide_names(ses), m.name);
    if (is_uncertain(ses, &named))
        return hold(ses);
    /* The server keeps its copy for others; one that does not exist is no error either. */
    uint32_t serial = client_statements_remove(provide_names(ses), m.name, ses->lent->unit);
    if (serial || is_our_name(m.name)) {
        provide_expect(ses, EXPECT_INJECT_CLOSE, EXPECT_CLIENT, 0, serial);
        return REQUEST_TAKEN;
    }
    pass(ses, r, EXPECT_CLOSE);
    return REQUEST_TAKEN;
}

bool extended_forget(struct session *ses, const struct request *r)
{
    struct frontend_object m;
    if (!r->last || !frontend_parse_object(body_of(r), &m) || m.kind != 'S')
        return false;
    if (m.name.n)
        client_statements_remove(provide_names(ses), m.name, 0);
    else
        client_statements_drop_unnamed(provide_names(ses));
    return true;
}

/* ---- Execute, and names that go with it ------------------------------------------------ */

static uint32_t drop_all(struct session *ses)
{
    uint64_t unit = ses->lent->unit;
    uint32_t serial = client_statements_remove_all(provide_names(ses), unit);
    server_statements_drop_all(provide_have(ses), unit);
    return serial;
}

/* Of the statement that was bound. Returns the serial of the change; 0: none. */
__attribute__((noinline)) static uint32_t drop_bound(struct session *ses)
{
    char folded[PROVIDE_FOLDED];
    enum sql_drops drops = ses->portal_drops;
    ses->portal_drops = SQL_DROPS_NOTHING;
    if (drops == SQL_DROPS_ALL)
        return drop_all(ses);
    if (!provide_unnamed_deallocates(ses))
        return 0;
    struct span text = client_statements_unnamed_query(provide_names(ses));
    provide_goner(ses);
    return client_statements_remove(provide_names(ses), provide_deallocated(text, folded),
                                    ses->lent->unit);
}

enum request_verdict extended_execute(struct session *ses, const struct request *r)
{
    uint32_t serial = ses->portal_drops != SQL_DROPS_NOTHING ? drop_bound(ses) : 0;
    provide_expect(ses, EXPECT_EXECUTE, EXPECT_CLIENT, 0, serial);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

bool extended_drop_names(struct session *ses, const struct request *r, enum sql_drops drops,
                         uint32_t *serial_out, bool *rewritten_out)
{
    struct span text;
    char folded[PROVIDE_FOLDED];
    if (!r->last || !is_followed(ses) || !frontend_parse_query(body_of(r), &text))
        return true;
    if (drops == SQL_DROPS_ALL) {
        *serial_out = drop_all(ses);
        return true;
    }
    struct span name = provide_deallocated(text, folded);
    struct client_named named = client_statements_look(provide_names(ses), name);
    if (is_uncertain(ses, &named)) {
        ses->held_back = true;
        return false;
    }
    if (!named.statement)
        return true;
    provide_goner(ses);
    frontend_build_query(provide_out(ses), span_str(provide_goner_command));
    *serial_out = client_statements_remove(provide_names(ses), name, ses->lent->unit);
    *rewritten_out = true;
    return true;
}
