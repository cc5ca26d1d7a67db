/* SPDX-License-Identifier: PostgreSQL */
/* forward.c - client -> server: what each message needs before it may go.
 *
 * The first message of a transaction gets the client a server (broker.c) and sends the difference
 * of their session states ahead (link.c). From then on messages are forwarded as they are, by
 * reference to the buffer they were read into; names of prepared statements are seen to by
 * forward_extended.c. All of one input leaves in one send (forward_input_done). */
#include "relay/forward.h"

#include "base/log.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/forward_extended.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/places.h"
#include "relay/relay_impl.h"
#include "relay/tick.h"

/* ---- refused statements ---------------------------------------------------------------- */

void forward_refuse_next(struct session *ses, const struct error *err, struct span report)
{
    buf_clear(&ses->refusal);
    report_relay(&ses->refusal, "ERROR", err, report, NULL);
}

static bool runs_alone(uint8_t type)
{
    return type == FE_QUERY || type == FE_FUNCTION_CALL;
}

/* Answers the message with the refusal: a Query by itself, an extended group up to its Sync. */
static void answer_refusal(struct session *ses, const struct request *r)
{
    struct buf *b = outgoing_buf(&ses->relay->to_client);
    buf_append(b, buf_span(&ses->refusal).p, buf_len(&ses->refusal));
    buf_reset(&ses->refusal);
    ses->drop_body = !r->last;
    if (runs_alone(r->type))
        backend_build_ready_for_query(b, 'I');
    else if (r->type != FE_SYNC)
        ses->skip_to_sync = true;
    else
        backend_build_ready_for_query(b, 'I');
}

/* ---- without a server ------------------------------------------------------------------ */

/* What needs no server is answered here: it would wake a database or queue for nothing. */
static bool answer_alone(struct session *ses, const struct request *r)
{
    struct buf *b = outgoing_buf(&ses->relay->to_client);
    switch (r->type) {
    case FE_SYNC:
        backend_build_ready_for_query(b, 'I');
        return true;
    case FE_FLUSH:
        return true;
    case FE_PARSE:
        if (!extended_parse_alone(ses, r))
            return false;
        backend_build_parse_complete(b);
        return true;
    case FE_CLOSE:
        if (!extended_forget(ses, r))
            return false;
        backend_build_close_complete(b);
        return true;
    case FE_COPY_DATA:
    case FE_COPY_DONE:
    case FE_COPY_FAIL:
        /* Left over from a COPY that has failed: PostgreSQL ignores them too. */
        ses->drop_body = !r->last;
        return true;
    default:
        return false;
    }
}

/* TAKEN: a server was given, or the message was refused. */
static inline enum request_verdict ask_for_server(struct session *ses, const struct request *r)
{
    struct error err;
    switch (broker_acquire(ses, &err)) {
    case ACQUIRED:
        break;
    case ACQUIRE_WAIT:
        return REQUEST_HOLD;
    case ACQUIRE_REFUSED:
        client_log(ses->client, LOG_WARNING_LEVEL, "pooler error: %s", err.text);
        forward_refuse_next(ses, &err, span_of(NULL, 0));
        answer_refusal(ses, r);
        break;
    }
    return REQUEST_TAKEN;
}

/* ---- the limits of a statement ---------------------------------------------------------- */

static void note_start(struct session *ses)
{
    if (ses->query_since_us && ses->xact_since_us)
        return;
    uint64_t now = loop_now(ses->relay->loop);
    if (!ses->query_since_us)
        ses->query_since_us = now;
    if (!ses->xact_since_us)
        ses->xact_since_us = now;
}

/* The client's values go first, and alone. Its statement is under way from here on: query_timeout
 * has to end this as well. */
static enum request_verdict wait_for_fence(struct session *ses)
{
    note_start(ses);
    return REQUEST_HOLD;
}

/* TAKEN: it is linked, or the message is dealt with. */
static inline enum request_verdict get_server(struct session *ses, const struct request *r)
{
    if (!ses->given) {
        if (r->type != FE_QUERY && answer_alone(ses, r))
            return REQUEST_TAKEN;
        enum request_verdict asked = ask_for_server(ses, r);
        if (!ses->given)
            return asked;
    }
    struct lent *l = ses->given;
    ses->given = NULL;
    return link_begin(ses, l, r) == LINK_GO ? REQUEST_TAKEN : wait_for_fence(ses);
}

/* ---- with a server --------------------------------------------------------------------- */

/* Entries that we answer ourselves and whose turn has come already. */
__attribute__((noinline)) static void inject_due(struct session *ses)
{
    struct expect entry;
    struct expect_queue *q = server_expects(ses->lent->server);
    while (expect_take_inject(q, &entry)) {
        if (entry.kind == EXPECT_INJECT_PARSE)
            backend_build_parse_complete(outgoing_buf(&ses->relay->to_client));
        else
            backend_build_close_complete(outgoing_buf(&ses->relay->to_client));
    }
}

/* Behind an uncommitted gate a Query or a Sync may be what ends its transaction. If that rolls
 * back, what follows must not run: it would not have the client's settings. So it goes when that is
 * known. */
static void note_gate_unit(struct lent *l, uint8_t type)
{
    if (l->gate_open)
        l->gate_unit = type;
}

static bool starts_unit(uint8_t type)
{
    return runs_alone(type) || type == FE_PARSE || type == FE_BIND || type == FE_DESCRIBE ||
           type == FE_EXECUTE || type == FE_CLOSE;
}

static bool is_behind_decision(const struct lent *l, const struct request *r)
{
    const struct expect_queue *q = server_expects(l->server);
    /* Behind a RESET too: it goes back to the server's own values, not to the client's. */
    bool decides = l->gate_unit || l->reset != SQL_RESETS_NOTHING;
    return decides && q->count && !q->copy_in && starts_unit(r->type) && !l->group_open;
}

static bool must_wait(struct session *ses, const struct request *r)
{
    const struct lent *l = ses->lent;
    if (l->rare && l->fence_wait)
        return true;
    ses->held_back =
        server_expects(l->server)->count > EXPECT_MAX || (l->rare && is_behind_decision(l, r));
    if (l->rare && !ses->held_back && l->gate_open && l->gate_bare) {
        /* It may wait until nothing is owed. */
        if (expect_inject_is_due(server_expects(l->server)))
            inject_due(ses);
        return link_behind_gate(ses, r) == LINK_HOLD;
    }
    return ses->held_back;
}

static bool lacks_values(const struct session *ses)
{
    return ses->pins && !ses->own && client_params(ses->client) != server_params(ses->lent->server);
}

/* A simple Query destroys the unnamed statement (protocol chapter, "Extended Query"), unless it is
 * skipped behind an error in an open group. Returns the `arg` of its entry. */
static uint64_t drop_unnamed(struct session *ses)
{
    struct client_statements *cs = client_statements_of(ses->client);
    if (!client_statements_unnamed_changes(cs) &&
        (!ses->lent->group_open || !client_statements_unnamed_generation(cs))) {
        server_statements_set_unnamed(server_statements_of(ses->lent->server), 0, 0, 0);
        client_statements_drop_unnamed(cs);
        return 0;
    }
    names_unnamed_changes(ses);
    client_statements_close_unnamed(cs, ses->lent->unit);
    return NAMES_UNNAMED;
}

static inline void unit_ends(struct session *ses, enum expect_kind kind, uint64_t arg,
                             uint32_t serial)
{
    struct lent *l = ses->lent;
    if (names_expect(
            l, (struct expect){
                   .kind = (uint8_t)kind, .owner = EXPECT_CLIENT, .serial = serial, .arg = arg}))
        names_unit_sent(l);
}

/* The text of a Query, or the part of it that is there. */
static inline struct span query_text(const struct request *r)
{
    struct span body = span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER);
    if (r->last && body.n)
        body.n--; /* the final NUL */
    return body;
}

/* The server takes it for the end of a COPY, an error, whatever it says. */
static inline bool is_in_copy(const struct session *ses)
{
    const struct expect_queue *q = server_expects(ses->lent->server);
    return q->rare && expect_is_in_copy(q);
}

static enum reset_text text_kind(const struct sql_traits *traits, bool whole)
{
    if (traits->ending != SQL_ENDS_MAYBE)
        return RESET_TEXT_SINGLE;
    return whole ? RESET_TEXT_SEVERAL : RESET_TEXT_CUT;
}

static enum request_verdict take_query(struct session *ses, const struct request *r)
{
    struct sql_traits traits = sql_traits_of(query_text(r), r->last);
    uint32_t serial = 0;
    bool rewritten = false;
    if (traits.drops && !is_in_copy(ses) &&
        !extended_drop_names(ses, r, traits.drops, &serial, &rewritten))
        return REQUEST_HOLD;
    note_gate_unit(ses->lent, FE_QUERY);
    note_start(ses);
    ses->ending = traits.ending;
    if (traits.sets)
        names_note_sets(ses->lent, query_text(r), text_kind(&traits, r->last));
    unit_ends(ses, EXPECT_QUERY, drop_unnamed(ses), serial);
    if (!rewritten)
        outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

static enum request_verdict take_function_call(struct session *ses, const struct request *r)
{
    note_gate_unit(ses->lent, FE_QUERY);
    note_start(ses);
    ses->ending = SQL_ENDS_NOTHING;
    unit_ends(ses, EXPECT_FUNCTION_CALL, 0, 0);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

static enum request_verdict take_sync(struct session *ses, const struct request *r)
{
    struct lent *l = ses->lent;
    /* In a COPY it is ignored: the group goes on behind it. */
    if (!server_expects(l->server)->copy_in)
        l->group_open = false;
    note_gate_unit(l, FE_SYNC);
    unit_ends(ses, EXPECT_SYNC, 0, 0);
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

/* `take`: what forward_extended.h has for the message. */
__attribute__((always_inline)) static inline enum request_verdict
take_extended(struct session *ses, const struct request *r,
              enum request_verdict (*take)(struct session *ses, const struct request *r))
{
    struct lent *l = ses->lent;
    enum request_verdict verdict = is_in_copy(ses) ? extended_break_copy(ses, r) : take(ses, r);
    if (verdict == REQUEST_TAKEN) {
        l->group_open = true;
        note_start(ses);
    }
    return verdict;
}

/* Any message but a Query. */
static inline enum request_verdict forward_linked(struct session *ses, const struct request *r)
{
    struct outgoing *out = &ses->relay->to_server;
    switch ((enum frontend_type)r->type) {
    case FE_SYNC:
        return take_sync(ses, r);
    case FE_PARSE:
        return take_extended(ses, r, extended_parse);
    case FE_BIND:
        return take_extended(ses, r, extended_bind);
    case FE_DESCRIBE:
        return take_extended(ses, r, extended_describe);
    case FE_EXECUTE:
        return take_extended(ses, r, extended_execute);
    case FE_CLOSE:
        return take_extended(ses, r, extended_close);
    case FE_COPY_DONE:
    case FE_COPY_FAIL:
        /* PostgreSQL ignores a Sync that comes ahead of these: its unit has not ended. */
        if (ses->lent->gate_unit == FE_SYNC)
            ses->lent->gate_unit = 0;
        /* Nothing is owed: it is left over from a COPY that has failed, and no answer will clear
         * the mark away. */
        if (!expect_is_empty(server_expects(ses->lent->server)))
            expect_push(server_expects(ses->lent->server), EXPECT_COPY_END, EXPECT_CLIENT, 0);
        break;
    case FE_COPY_DATA:
    case FE_FLUSH:
        break;
    case FE_FUNCTION_CALL:
        return take_function_call(ses, r);
    case FE_QUERY:
    case FE_PASSWORD:
    case FE_TERMINATE:
        return REQUEST_CLOSED; /* the last two are the client's to deal with */
    }
    outgoing_ref(out, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

static enum request_verdict forward_rest(struct session *ses, const struct request *r)
{
    if (ses->drop_body || !ses->lent) {
        ses->drop_body = ses->drop_body && !r->last;
        return REQUEST_TAKEN;
    }
    outgoing_ref(&ses->relay->to_server, r->bytes.p, r->bytes.n);
    return REQUEST_TAKEN;
}

static enum request_verdict skip(struct session *ses, const struct request *r)
{
    ses->drop_body = !r->last;
    if (r->type == FE_SYNC) {
        ses->skip_to_sync = false;
        backend_build_ready_for_query(outgoing_buf(&ses->relay->to_client), 'I');
    }
    return REQUEST_TAKEN;
}

/* Is it a message that a server is to answer, not one that we know what to do with? */
static inline bool wants_answer(const struct session *ses, const struct request *r)
{
    return r->first && !ses->skip_to_sync && buf_is_empty(&ses->refusal) &&
           (ses->lent || client_get_state(ses->client) != CLIENT_WELCOME);
}

__attribute__((noinline)) static enum request_verdict take_other(struct session *ses,
                                                                 const struct request *r)
{
    if (client_get_state(ses->client) == CLIENT_WELCOME)
        return REQUEST_HOLD; /* it did not wait for ReadyForQuery */
    if (!r->first)
        return forward_rest(ses, r);
    if (ses->skip_to_sync)
        return skip(ses, r);
    answer_refusal(ses, r);
    return REQUEST_TAKEN;
}

static enum request_verdict take_request(struct session *ses, const struct request *r)
{
    if (!wants_answer(ses, r))
        return take_other(ses, r);
    if (!ses->lent) {
        enum request_verdict got = get_server(ses, r);
        if (got != REQUEST_TAKEN || !ses->lent)
            return got;
    }
    if (must_wait(ses, r))
        return REQUEST_HOLD;
    if (lacks_values(ses) && starts_unit(r->type) && link_refresh(ses) == LINK_HOLD)
        return wait_for_fence(ses);
    return r->type == FE_QUERY ? take_query(ses, r) : forward_linked(ses, r);
}

enum request_verdict forward_request(struct client *c, const struct request *r)
{
    struct session *ses = client_data(c);
    if (!ses->watched)
        tick_watch(ses);
    enum request_verdict verdict = take_request(ses, r);
    /* What the client has sent, not what we make of it for the server. */
    if (verdict == REQUEST_TAKEN)
        counter_add(&ses->stats->received, r->bytes.n);
    return verdict;
}

/* ---- the end of an input --------------------------------------------------------------- */

void forward_input_done(struct client *c)
{
    struct session *ses = client_data(c);
    struct relay *r = ses->relay;
    if (ses->lent) {
        if (expect_inject_is_due(server_expects(ses->lent->server)))
            inject_due(ses);
        if (outgoing_bytes(&r->to_server)) {
            server_send(ses->lent->server, &r->to_server);
            if (server_is_blocked(ses->lent->server))
                client_pause(c);
        }
    } else {
        outgoing_clear(&r->to_server);
    }
    size_t n = outgoing_bytes(&r->to_client);
    if (n) {
        counter_add(&ses->stats->sent, n);
        client_send(c, &r->to_client);
    }
}

/* ---- what will run --------------------------------------------------------------------- */

struct span forward_statement_text(struct session *ses, const struct request *r)
{
    struct span body = span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER);
    struct frontend_parse parse;
    struct frontend_bind_head head;
    struct frontend_object object;
    struct statement *st = NULL;
    switch (r->type) {
    case FE_QUERY:
        return query_text(r);
    case FE_PARSE:
        if (r->last && frontend_parse_parse(body, &parse))
            return parse.query;
        return body;
    case FE_BIND:
        if (frontend_parse_bind_head(body, r->body_len, &head) == FRAME_OK && head.statement.n)
            st = client_statements_find(client_statements_of(ses->client), head.statement);
        return st ? statement_query(st) : span_of("", 0);
    case FE_DESCRIBE:
        /* Behind it the statement is going to be run. */
        if (r->last && frontend_parse_object(body, &object) && object.kind == 'S' && object.name.n)
            st = client_statements_find(client_statements_of(ses->client), object.name);
        return st ? statement_query(st) : span_of(NULL, 0);
    default:
        return span_of(NULL, 0);
    }
}
