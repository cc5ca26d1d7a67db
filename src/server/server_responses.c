/* SPDX-License-Identifier: PostgreSQL */
/* server_responses.c - what a logged-in server says, held against what it was asked.
 *
 * Messages are walked in place in the loop's staging buffer. Runs of bytes that go to the client
 * unchanged are handed on in one piece; only a message whose content matters here (an error, a
 * report, ReadyForQuery) is looked into, and only such a message is ever gathered when it came in
 * pieces. Everything else streams. */
#include "server/server_impl.h"

#include "base/str.h"
#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/report.h"

/* ReadyForQuery: a header and the status. */
#define READY_BYTES (FRAME_HEADER + 1)

/* The walk over one input. `from` .. `at` is a run that will be forwarded in one piece. */
struct walk {
    struct server *s;
    const uint8_t *from;
    const uint8_t *at;
    const uint8_t *end;
};

static void run_flush(struct walk *w)
{
    if (w->at > w->from)
        w->s->ops->on_forward(w->s, span_of(w->from, (size_t)(w->at - w->from)));
    w->from = w->at;
}

/* Steps over n bytes: they join the run, or end it. */
static void step(struct walk *w, size_t n, bool forward)
{
    if (forward) {
        w->at += n;
        return;
    }
    run_flush(w);
    w->at += n;
    w->from = w->at;
}

/* The same for a message of which only a part is there: the rest goes the same way. */
static void step_partly(struct walk *w, const struct frame *f, size_t present, bool forward)
{
    step(w, present, forward);
    if (present < f->total) {
        w->s->body_left = (uint32_t)(f->total - present);
        w->s->body_forward = forward;
    }
}

static void inject_due(struct walk *w)
{
    struct expect entry;
    while (expect_take_inject(&w->s->expects, &entry)) {
        run_flush(w);
        w->s->ops->on_inject(w->s, &entry);
    }
}

/* What came before is forwarded first: it may end a message that is half sent. */
__attribute__((noinline, cold)) static void violation(struct walk *w, uint8_t type)
{
    const struct message_row *row = message_backend(type);
    struct error err;
    run_flush(w);
    error_set(&err, SQLSTATE_CONNECTION_FAILURE, "server sent an unexpected %s message",
              row ? row->name : "unknown");
    server_fail(w->s, &err);
}

/* The server is well, but what it says is not wanted: no reason to doubt the connection. */
__attribute__((noinline, cold)) static void refuse_length(struct walk *w, const struct frame *f)
{
    struct error err;
    run_flush(w);
    error_set(&err, SQLSTATE_PROGRAM_LIMIT,
              "bad pkt header: message of %zu bytes from the server is longer than "
              "max_packet_size (%u)",
              f->total, (unsigned)w->s->context->max_message_len + 1);
    server_fail(w->s, &err);
}

static bool take_parameter(struct walk *w, const struct frame *f)
{
    struct server *s = w->s;
    struct span name, value;
    if (!backend_parse_parameter_status(f->body, &name, &value))
        return false;
    struct param_set *next = params_with_report(s->params, name, value);
    if (next)
        server_set_params(s, next);
    param_set_unref(&next);
    run_flush(w);
    s->ops->on_parameter(s, name, value, span_of(w->at, f->total));
    step(w, f->total, false);
    return true;
}

/* A server that is not asked anything says goodbye this way (57P01 and its like). */
bool server_keep_last_words(struct server *s, struct span body)
{
    struct report r;
    char state[6];
    if (!report_parse(body, &r))
        return false;
    if (!span_to_str(r.sqlstate, state, sizeof state) || !state[0])
        memcpy(state, SQLSTATE_CONNECTION_FAILURE, sizeof state);
    error_set(
        &s->last_words, state, "%.*s",
        (int)(r.message.n < sizeof s->last_words.text ? r.message.n : sizeof s->last_words.text),
        (const char *)r.message.p);
    report_keep(&s->last_report, body);
    return true;
}

static bool is_fatal(const struct frame *f)
{
    struct report r;
    if (!report_parse(f->body, &r))
        return false;
    return report_is_fatal(&r);
}

/* A FATAL ends the connection. It is not forwarded: what it means for the client, whose connection
 * may go on, is decided where the end is told. */
static bool take_fatal(struct walk *w, const struct frame *f, size_t present)
{
    (void)server_keep_last_words(w->s, f->body);
    w->s->end_phrase = "server conn crashed?";
    run_flush(w);
    step(w, present, false);
    server_fail(w->s, &w->s->last_words);
    return true;
}

static bool take_error(struct walk *w, const struct frame *f, size_t present)
{
    struct server *s = w->s;
    if (is_fatal(f))
        return take_fatal(w, f, present);
    if (expect_is_empty(&s->expects))
        return false;
    struct expect_result r = expect_answer(&s->expects, BE_ERROR);
    run_flush(w);
    bool forward = s->ops->on_error(s, &r.entry, span_of(w->at, present));
    step_partly(w, f, present, forward);
    if (r.error_in_group) {
        struct expect dropped;
        run_flush(w); /* the error comes before what is said for the entries behind it */
        while (expect_drop_group(&s->expects, &dropped))
            s->ops->on_dropped(s, &dropped);
    }
    return true;
}

/* A whole ReadyForQuery, which ends `e`. */
__attribute__((always_inline)) static inline void end_unit(struct walk *w, char status,
                                                           const struct expect *e)
{
    struct server *s = w->s;
    s->status = status;
    enum server_ready ready = s->ops->on_ready_for_query(s, e);
    bool forward = ready == SERVER_READY_FORWARD;
    if (ready == SERVER_READY_TELL) {
        run_flush(w);
        forward = s->ops->on_tell(s);
    }
    step(w, READY_BYTES, forward);
}

static bool take_ready(struct walk *w, struct span body)
{
    char status;
    if (!backend_parse_ready_for_query(body, &status))
        return false;
    struct expect_result r = expect_answer(&w->s->expects, BE_READY_FOR_QUERY);
    if (r.verdict == EXPECT_VIOLATION)
        return false;
    end_unit(w, status, &r.entry);
    return true;
}

static bool take_answer(struct walk *w, const struct frame *f, size_t present)
{
    struct server *s = w->s;
    struct expect_result r = expect_answer(&s->expects, f->type);
    if (r.verdict == EXPECT_VIOLATION)
        return false;
    bool forward = r.verdict == EXPECT_FORWARD;
    if (f->type == BE_COMMAND_COMPLETE && forward) {
        struct span tag;
        if (!backend_parse_command_complete(f->body, &tag))
            return false;
        s->ops->on_complete(s, &r.entry, tag);
    }
    step_partly(w, f, present, forward);
    if (!r.popped)
        return true;
    if (r.entry.owner != EXPECT_CLIENT || r.entry.arg)
        s->ops->on_answered(s, &r.entry);
    return true;
}

/* Notices and notifications answer nothing; without a client there is nobody to tell. */
static void take_async(struct walk *w, const struct frame *f, size_t present)
{
    step_partly(w, f, present, w->s->state == SERVER_LINKED);
}

static void take_notification(struct walk *w, const struct frame *f, size_t present)
{
    if (!f->whole || f->body.n < 4 || w->s->state != SERVER_LINKED) {
        take_async(w, f, present);
        return;
    }
    run_flush(w);
    w->s->ops->on_notification(w->s, span_of(w->at, f->total));
    step(w, f->total, false);
}

/* One message whose needed part is there. False: out of step, or malformed. */
static bool take_message(struct walk *w, const struct frame *f, size_t present)
{
    switch (f->type) {
    case BE_PARAMETER_STATUS:
        return f->whole && take_parameter(w, f);
    case BE_ERROR:
        return take_error(w, f, present);
    case BE_READY_FOR_QUERY:
        return take_ready(w, f->body);
    case BE_NOTICE:
        take_async(w, f, present);
        return true;
    case BE_NOTIFICATION:
        take_notification(w, f, present);
        return true;
    default:
        return take_answer(w, f, present);
    }
}

static bool is_row(uint8_t type)
{
    return type == BE_DATA_ROW || type == BE_COPY_DATA;
}

/* Rows for the client are stepped over in one go: how many bytes of whole ones begin here. */
static size_t skip_rows(struct server *s, struct span rest)
{
    if (!s->expects.count || expect_at(&s->expects, 0)->owner != EXPECT_CLIENT ||
        expect_answer(&s->expects, rest.p[0]).verdict != EXPECT_FORWARD)
        return 0;
    return frame_skip_rows(rest, s->context->max_message_len);
}

/* False: malformed. */
static inline bool note_complete(struct server *s, struct span body)
{
    struct span tag;
    if (backend_counts_rows(body))
        return true;
    if (!backend_parse_command_complete(body, &tag))
        return false;
    s->ops->on_complete(s, expect_at(&s->expects, 0), tag);
    return true;
}

/* The front entry has had the last part of its answer. Returns what is there of the next one. */
static inline unsigned end_plain_front(struct walk *w)
{
    struct server *s = w->s;
    struct expect e;
    expect_take_answered(&s->expects, &e);
    if (e.arg)
        s->ops->on_answered(s, &e);
    if (expect_inject_is_due(&s->expects))
        inject_due(w);
    return expect_plain_front(&s->expects);
}

/* The common case in a tight loop: whole messages of the answers to a client's messages join the
 * run. What is anything else ends the loop, and take_message looks at it. */
static void skip_passing(struct walk *w)
{
    struct server *s = w->s;
    const uint8_t *at = w->at;
    size_t left = (size_t)(w->end - at);
    const uint32_t max_len = s->context->max_message_len;
    unsigned front = expect_plain_front(&s->expects);
    while (left >= FRAME_HEADER) {
        const struct expect_part *part = &expect_parts[at[0]];
        if (!((part->more | part->last) & front))
            break;
        uint32_t len = frame_u32(at + 1);
        /* The letter is one byte more than len. */
        if (frame_len_is_bad(len, max_len) || len >= left)
            break;
        if (at[0] == BE_COMMAND_COMPLETE && !note_complete(s, span_of(at + FRAME_HEADER, len - 4)))
            break;
        at += 1 + (size_t)len;
        left -= 1 + (size_t)len;
        w->at = at;
        if (part->last & front)
            front = end_plain_front(w);
        else
            expect_begin(&s->expects);
    }
}

/* As common: a whole ReadyForQuery behind the answer to a Query. */
static bool skip_ready(struct walk *w)
{
    struct expect e;
    char status;
    if ((size_t)(w->end - w->at) < READY_BYTES || w->at[0] != BE_READY_FOR_QUERY ||
        frame_u32(w->at + 1) != READY_BYTES - 1 ||
        !backend_parse_ready_for_query(span_of(w->at + FRAME_HEADER, 1), &status) ||
        !expect_take_ready(&w->s->expects, &e))
        return false;
    end_unit(w, status, &e);
    return true;
}

/* Any message. False: it is not all there, or the server has failed over it. */
static bool walk_message(struct walk *w)
{
    struct server *s = w->s;
    struct span rest = span_of(w->at, (size_t)(w->end - w->at));
    if (is_row(rest.p[0])) {
        size_t rows = skip_rows(s, rest);
        step(w, rows, true);
        if (rows)
            return true;
    }
    struct frame f;
    enum frame_result got = frame_next(rest, &f);
    if (got == FRAME_MORE)
        return false;
    const struct message_row *row = got == FRAME_OK ? message_backend(f.type) : NULL;
    if (!row) {
        violation(w, w->at[0]);
        return false;
    }
    if (f.body_len + 4 > s->context->max_message_len) {
        refuse_length(w, &f);
        return false;
    }
    bool must_be_whole = row->take == MESSAGE_WHOLE && f.total <= SERVER_WHOLE_MAX;
    if (must_be_whole && !f.whole)
        return false;
    if (!take_message(w, &f, f.total < rest.n ? f.total : rest.n)) {
        violation(w, f.type);
        return false;
    }
    return true;
}

static void walk_body(struct walk *w)
{
    struct server *s = w->s;
    size_t n = (size_t)(w->end - w->at);
    if (n > s->body_left)
        n = s->body_left;
    s->body_left -= (uint32_t)n;
    step(w, n, s->body_forward);
}

/* Walks the input, which is not empty; returns how many bytes were dealt with (less than all only
 * if a message that must be whole is cut short). */
static size_t walk_messages(struct server *s, struct span in)
{
    struct walk w = {.s = s, .from = in.p, .at = in.p, .end = in.p + in.n};
    do {
        if (s->body_left) {
            walk_body(&w);
            continue;
        }
        skip_passing(&w);
        if (w.at == w.end || (!skip_ready(&w) && !walk_message(&w)))
            break;
        if (expect_inject_is_due(&s->expects))
            inject_due(&w);
    } while (w.at < w.end && s->state != SERVER_CLOSING);
    run_flush(&w);
    return (size_t)(w.at - in.p);
}

void server_responses_input(struct server *s, struct span bytes)
{
    bool continues = !buf_is_empty(&s->held);
    if (continues) {
        buf_append(&s->held, bytes.p, bytes.n);
        bytes = buf_span(&s->held);
    }
    size_t used = walk_messages(s, bytes);
    s->ops->on_flush(s);
    if (continues) {
        buf_consume(&s->held, used);
        if (buf_is_empty(&s->held))
            buf_reset(&s->held);
    } else if (used < bytes.n) {
        buf_append(&s->held, bytes.p + used, bytes.n - used);
    }
    s->ops->on_input_done(s);
}
