/* SPDX-License-Identifier: PostgreSQL */
/* console.c - a client of the console: its life, its messages, the simple protocol. */
#include "admin/console.h"

#include "admin/console_impl.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/message.h"
#include "proto/report.h"
#include "setup/setup.h"
#include "track/parameters.h"
#include "worker/command.h"
#include "worker/inspect.h"
#include "worker/worker.h"

#include <stdlib.h>

/* Answers that are put together before they are sent. */
#define ANSWERS_MAX 65536
/* A client that reads nothing for so long while there is something to read. */
#define STALLED_US (20 * US_PER_S)
#define CANCEL_KEY_SIZE 8

/* ---- saying ---------------------------------------------------------------------------- */

struct buf *console_out(struct console *con)
{
    return outgoing_buf(&con->out);
}

void console_report(struct console *con, const struct error *err, const char *hint)
{
    client_log(con->client, LOG_WARNING_LEVEL, "pooler error: %s", err->text);
    report_error(console_out(con), "ERROR", err, NULL, hint);
}

static void say_ready(struct console *con)
{
    counter_add(&inspect_console_stats(con->relay)->query, 1);
    backend_build_ready_for_query(console_out(con), 'I');
}

static void watch_unsent(struct console *con)
{
    con->unsent = stream_unsent(client_stream(con->client));
    timer_set(&con->stalled, loop_now(relay_loop(con->relay)) + STALLED_US);
}

/* Whoever asks for much and reads nothing is closed; who reads slowly is not. */
static void on_stalled(void *arg)
{
    struct console *con = arg;
    if (stream_unsent(client_stream(con->client)) >= con->unsent)
        client_close(con->client, "client of the console does not read its answers");
    else
        watch_unsent(con);
}

/* A failure is told at the end of the turn. */
static void flush(struct console *con)
{
    size_t n = outgoing_bytes(&con->out);
    if (!n)
        return;
    counter_add(&inspect_console_stats(con->relay)->sent, n);
    client_send(con->client, &con->out);
    if (client_is_blocked(con->client))
        watch_unsent(con);
}

/* So that answers do not pile up: what comes next is begun when these have gone. */
static bool has_room(struct console *con)
{
    if (outgoing_bytes(&con->out) >= ANSWERS_MAX)
        flush(con);
    return !client_is_blocked(con->client);
}

/* ---- the simple protocol --------------------------------------------------------------- */

static void end_script(struct console *con)
{
    free(con->script);
    con->script = NULL;
    con->asked = CONSOLE_ASKED_NONE;
    say_ready(con);
}

/* False if it failed: the rest of the Query is not carried out. */
static bool answer_query(struct console *con)
{
    struct outcome *o = &con->outcome;
    struct buf *b = console_out(con);
    bool ok = !o->failed;
    if (ok && o->rows.columns.n) {
        rows_build_description(b, o->rows.columns, NULL);
        for (size_t i = 0; i < o->rows.n; i++)
            rows_build_data_row(b, &o->rows, i, NULL);
    }
    if (ok)
        backend_build_command_complete(b, span_str(o->tag));
    else
        console_report(con, &o->error, o->hint);
    outcome_fini(o);
    return ok;
}

static void run_script(struct console *con)
{
    struct command cmd;
    struct error err;
    for (;;) {
        con->script_held = !has_room(con);
        if (con->script_held)
            return;
        struct span from = con->script_rest;
        switch (command_parse(&con->script_rest, &cmd, &err)) {
        case COMMAND_NONE:
            if (!con->script_began)
                backend_build_empty_query(console_out(con));
            end_script(con);
            return;
        case COMMAND_BAD:
            console_report(con, &err, command_hint(from));
            end_script(con);
            return;
        case COMMAND_OK:
            break;
        }
        con->script_began = true;
        if (command_run(con, &cmd) == RUN_LATER) {
            con->busy = true;
            return;
        }
        if (!answer_query(con)) {
            end_script(con);
            return;
        }
    }
}

static void refuse_query(struct console *con, const char *sqlstate, const char *text)
{
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    console_report(con, &err, NULL);
    say_ready(con);
}

static void take_query(struct console *con, struct span body)
{
    struct span text;
    if (!frontend_parse_query(body, &text)) {
        refuse_query(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Query message");
        return;
    }
    con->script = xstrndup(text.p, text.n);
    con->script_rest = span_of(con->script, text.n);
    con->script_began = false;
    con->asked = CONSOLE_ASKED_QUERY;
    run_script(con);
}

/* The next message of the client. */
static bool may_take(const struct console *con)
{
    return !con->busy && !con->script_held && !client_is_blocked(con->client);
}

void console_goes_on(struct console *con)
{
    struct client *c = con->client;
    con->busy = false;
    switch (con->asked) {
    case CONSOLE_ASKED_QUERY:
        if (answer_query(con))
            run_script(con);
        else
            end_script(con);
        break;
    case CONSOLE_ASKED_EXECUTE:
        con->asked = CONSOLE_ASKED_NONE;
        console_executed(con);
        break;
    case CONSOLE_ASKED_NONE:
        outcome_fini(&con->outcome);
        break;
    }
    flush(con);
    if (may_take(con))
        client_continue(c);
}

/* ---- messages -------------------------------------------------------------------------- */

static void take_message(struct console *con, uint8_t type, struct span body)
{
    if (con->skip_to_sync && type != FE_SYNC)
        return;
    switch ((enum frontend_type)type) {
    case FE_QUERY:
        take_query(con, body);
        return;
    case FE_PARSE:
        console_parse(con, body);
        return;
    case FE_BIND:
        console_bind(con, body);
        return;
    case FE_DESCRIBE:
        console_describe(con, body);
        return;
    case FE_EXECUTE:
        console_execute(con, body);
        return;
    case FE_CLOSE:
        console_close(con, body);
        return;
    case FE_SYNC:
        console_sync(con);
        say_ready(con);
        return;
    case FE_FUNCTION_CALL:
        refuse_query(con, SQLSTATE_FEATURE_NOT_SUPPORTED, "the console has no functions");
        return;
    case FE_FLUSH:
    case FE_COPY_DATA: /* left over from a COPY that never began: PostgreSQL ignores them too */
    case FE_COPY_DONE:
    case FE_COPY_FAIL:
    case FE_PASSWORD: /* the client deals with these */
    case FE_TERMINATE:
        return;
    }
}

/* A whole message is too long for us: it fails as if it had been read. */
static void refuse_long(struct console *con, uint8_t type)
{
    struct error err;
    error_set(&err, SQLSTATE_PROGRAM_LIMIT, "a message to the console may have %d bytes",
              CONSOLE_MESSAGE_MAX);
    if (type == FE_COPY_DATA || con->skip_to_sync)
        return;
    console_report(con, &err, NULL);
    if (type == FE_QUERY || type == FE_FUNCTION_CALL)
        say_ready(con);
    else
        con->skip_to_sync = true;
}

static void take_piece(struct console *con, const struct request *r)
{
    if (r->first)
        con->too_long = r->body_len > CONSOLE_MESSAGE_MAX;
    if (!con->too_long)
        buf_append(&con->message, r->bytes.p, r->bytes.n);
    if (!r->last)
        return;
    struct buf whole = con->message;
    con->message = (struct buf){0};
    if (con->too_long)
        refuse_long(con, r->type);
    else
        take_message(con, r->type,
                     span_of(buf_span(&whole).p + FRAME_HEADER, buf_len(&whole) - FRAME_HEADER));
    con->too_long = false;
    buf_reset(&whole);
}

static enum request_verdict on_request(struct client *c, const struct request *r)
{
    struct console *con = client_data(c);
    if (r->first && (!has_room(con) || !may_take(con)))
        return REQUEST_HOLD;
    counter_add(&inspect_console_stats(con->relay)->received, r->bytes.n);
    if (r->first && r->last && r->body_len <= CONSOLE_MESSAGE_MAX)
        take_message(con, r->type, span_of(r->bytes.p + FRAME_HEADER, r->bytes.n - FRAME_HEADER));
    else
        take_piece(con, r);
    return REQUEST_TAKEN;
}

static void on_input_done(struct client *c)
{
    flush(client_data(c));
}

static void on_drained(struct client *c)
{
    struct console *con = client_data(c);
    timer_clear(&con->stalled);
    if (con->script_held) {
        run_script(con);
        flush(con);
    }
    if (may_take(con))
        client_continue(c);
}

/* ---- life ------------------------------------------------------------------------------ */

static void build_reports(struct buf *b)
{
    static const char *const reports[][2] = {
        {"server_version", PACKAGE_VERSION "/bouncer"},
        {"client_encoding", "UTF8"},
        {"server_encoding", "UTF8"},
        {"DateStyle", "ISO"},
        {"TimeZone", "GMT"},
        {"standard_conforming_strings", "on"},
        {"is_superuser", "on"},
    };
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++)
        backend_build_parameter_status(b, span_str(reports[i][0]), span_str(reports[i][1]));
}

static void on_login(struct client *c)
{
    struct console *con = xcalloc(1, sizeof *con);
    struct relay *relay = client_owner(c);
    con->client = c;
    con->relay = relay;
    con->session = client_data(c);
    con->may_admin = client_setup_login(c)->may_admin;
    command_timer_init(con);
    timer_init(&con->stalled, relay_loop(relay), on_stalled, con);
    client_set_data(c, con);
    counter_add(&inspect_console_stats(relay)->client_login, 1);
    struct buf reports = {0};
    struct param_set *none = param_set_empty();
    struct span key = span_of(command_cancel_key(relay, client_id(c)), CANCEL_KEY_SIZE);
    build_reports(&reports);
    client_welcome(c, buf_span(&reports), none, key);
    buf_reset(&reports);
    param_set_unref(&none);
}

static void on_cancel(struct client *c, struct span key)
{
    client_context_of(c)->relay_ops->on_cancel(c, key);
}

/* Who could still end a SUSPEND, but for a signal? */
static void resume_if_last(struct relay *r)
{
    struct error err;
    if (command_has_consoles(r) || !command_is_suspended(r) || !command_resume(r, NULL, &err))
        return;
    log_info("admin disappeared when suspended, doing RESUME");
    command_resume_everywhere(r);
}

static void on_gone(struct client *c)
{
    struct console *con = client_data(c);
    struct relay *relay = con->relay;
    timer_fini(&con->timer);
    timer_fini(&con->stalled);
    (void)command_was_canceled(con->relay, client_id(c));
    console_extended_fini(con);
    outcome_fini(&con->outcome);
    buf_reset(&con->message);
    outgoing_fini(&con->out);
    free(con->script);
    client_set_data(c, con->session);
    free(con);
    /* The relay keeps every client in its lists. */
    client_context_of(c)->relay_ops->on_gone(c);
    resume_if_last(relay);
}

const struct client_ops console_ops = {
    .on_login = on_login,
    .on_request = on_request,
    .on_input_done = on_input_done,
    .on_drained = on_drained,
    .on_cancel = on_cancel,
    .on_gone = on_gone,
};
