/* SPDX-License-Identifier: PostgreSQL */
/* client_requests.c - cut what a logged-in client says into messages and offer them, in order.
 *
 * Messages are walked in place in the loop's staging buffer and offered as borrowed spans. Only a
 * message that must be seen whole, or the head of a Bind, is ever gathered when it came in pieces
 * (in `held`); bodies of Query, CopyData, FunctionCall and large Binds pass through in pieces.
 * While the client waits for a server, `held` takes what arrives, up to a bound, then reading
 * stops. */
#include "client/client_impl.h"

#include "base/log.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <string.h>
#include <strings.h>

/* A client on hold that sends more than this is not read until it goes on. */
#define HELD_ON_HOLD_MAX 65536
/* A client that waits in each transaction keeps this much for the next one; one that falls idle
 * gives it back (client_requests_trim). */
#define HELD_KEPT 256
/* Names of portal and statement in a Bind must end within this. */
#define HEAD_MAX 16384

/* Up to the end of so many strings, if they end within HEAD_MAX. */
static size_t wanted_strings(struct frame f, struct span in, size_t strings)
{
    size_t n = in.n < f.total ? in.n : f.total;
    if (n > HEAD_MAX)
        n = HEAD_MAX;
    for (size_t at = FRAME_HEADER; at < n; at++) {
        if (in.p[at] == 0 && --strings == 0)
            return at + 1;
    }
    return f.total <= HEAD_MAX || in.n < HEAD_MAX ? f.total : FRAME_HEADER;
}

/* How much of a message must be there before it can be offered, if not all of it is. */
static size_t wanted(const struct message_row *row, struct frame f, struct span in)
{
    switch (row->take) {
    case MESSAGE_STREAM:
        return FRAME_HEADER;
    case MESSAGE_WHOLE:
        /* A longer Parse streams, but the name that it begins with must be seen. */
        return f.total <= row->max_len + 1 ? f.total : wanted_strings(f, in, 1);
    case MESSAGE_HEAD:
        return wanted_strings(f, in, 2); /* the portal's and the statement's name */
    }
    return 0;
}

static void protocol_error(struct client *c, const char *what)
{
    struct error err;
    error_set(&err, SQLSTATE_PROTOCOL_VIOLATION, "%s", what);
    client_fail(c, &err);
}

static bool is_bare(uint8_t type)
{
    return type == FE_SYNC || type == FE_FLUSH || type == FE_COPY_DONE;
}

/* ALTER ROLE … PASSWORD 'secret', the ldapbindpasswd of a SET on the console, and whatever else has
 * that word. */
static bool names_a_password(const char *text, int n)
{
    static const char word[] = "passw";
    const int length = sizeof word - 1;
    for (int i = 0; i + length <= n; i++)
        if (strncasecmp(text + i, word, (size_t)length) == 0)
            return true;
    return false;
}

/* log_statements: what came of the message with its first piece, which client_log cuts. */
static void log_statement(const struct client *c, const struct request *r)
{
    static const char *const words[] = {
        [FE_QUERY] = "statement", [FE_PARSE] = "prepare", [FE_BIND] = "execute"};
    if (r->type >= sizeof words / sizeof words[0] || !words[r->type])
        return;
    const char *p = (const char *)r->bytes.p + FRAME_HEADER, *end = p + r->bytes.n - FRAME_HEADER;
    /* Bind: portal, statement. Parse: statement, text. */
    if (r->type == FE_BIND)
        p += strnlen(p, (size_t)(end - p)) + 1;
    const char *text = p;
    if (r->type == FE_PARSE)
        text += strnlen(p, (size_t)(end - p)) + 1;
    if (text > end)
        return;
    int n = (int)strnlen(text, (size_t)(end - text));
    if (names_a_password(text, n)) {
        text = "(not shown: it names a password)";
        n = (int)strlen(text);
    }
    if (r->type == FE_PARSE)
        client_log(c, LOG_INFO_LEVEL, "%s \"%s\": %.*s", words[r->type], p, n, text);
    else
        client_log(c, LOG_INFO_LEVEL, "%s: %.*s", words[r->type], n, text);
}

/* max_packet_size; disable_pqexec, which does not reach the console: it could not be used then. */
static bool is_allowed(struct client *c, struct frame f)
{
    struct error err;
    if (f.total > c->context->max_message_bytes) {
        error_set(&err, SQLSTATE_PROGRAM_LIMIT,
                  "bad pkt header: message of %llu bytes is longer than max_packet_size (%llu)",
                  (unsigned long long)f.total, (unsigned long long)c->context->max_message_bytes);
        client_fail(c, &err);
        return false;
    }
    if (f.type == FE_QUERY && c->context->refuses_simple_query && c->ops == c->context->relay_ops) {
        protocol_error(c, "PQexec disallowed");
        return false;
    }
    return true;
}

__attribute__((noinline, cold)) static void refuse_frame(struct client *c, enum frame_result got)
{
    protocol_error(c, got == FRAME_OK ? "unknown pkt: message type is not known"
                                      : "bad pkt header: message length is out of range");
}

/* Messages that do not stream: is one there and fit to be offered? */
static inline bool is_offerable(struct client *c, const struct message_row *row, struct frame f,
                                struct span in)
{
    if (f.type == FE_TERMINATE) {
        client_close(c, "client close request");
        return false;
    }
    if (f.type == FE_PASSWORD) {
        protocol_error(c, "unexpected password message after authentication");
        return false;
    }
    if (f.body_len && is_bare(f.type)) {
        protocol_error(c, "invalid message format: this message has no body");
        return false;
    }
    /* The server would not read it, and end the connection that others use as well. */
    if (row->max_len == MESSAGE_LEN_SMALL && f.total > MESSAGE_LEN_SMALL + 1) {
        refuse_frame(c, FRAME_BAD);
        return false;
    }
    return f.whole || in.n >= wanted(row, f, in);
}

/* Offers one message, or the part of it that is there. Returns the bytes dealt with: 0 to stop. */
__attribute__((always_inline)) static inline size_t offer(struct client *c, struct span in)
{
    struct frame f;
    enum frame_result got = frame_next(in, &f);
    if (got == FRAME_MORE)
        return 0;
    const struct message_row *row = got == FRAME_OK ? message_frontend(f.type) : NULL;
    if (!row) {
        refuse_frame(c, got);
        return 0;
    }
    if (c->context->watches && !is_allowed(c, f))
        return 0;
    if (row->take != MESSAGE_STREAM && !is_offerable(c, row, f, in))
        return 0;
    size_t n = f.whole ? f.total : in.n;
    struct request r = {.type = f.type,
                        .first = true,
                        .last = f.whole,
                        .body_len = f.body_len,
                        .bytes = span_of(in.p, n)};
    switch (c->ops->on_request(c, &r)) {
    case REQUEST_TAKEN:
        if (c->context->watches && c->context->log_statements)
            log_statement(c, &r);
        if (!r.last) {
            c->body_left = (uint32_t)(f.total - n);
            c->body_type = f.type;
        }
        return n;
    case REQUEST_HOLD:
        c->on_hold = true;
        break;
    case REQUEST_CLOSED:
        break;
    }
    return 0;
}

__attribute__((noinline)) static size_t offer_rest(struct client *c, struct span in)
{
    size_t n = in.n < c->body_left ? in.n : c->body_left;
    struct request r = {.type = c->body_type, .last = n == c->body_left, .bytes = span_of(in.p, n)};
    if (c->ops->on_request(c, &r) != REQUEST_TAKEN)
        return 0;
    c->body_left -= (uint32_t)n;
    return n;
}

/* There is input, and the client is not on hold. */
__attribute__((always_inline)) static inline size_t walk_requests(struct client *c, struct span in)
{
    const uint8_t *at = in.p, *end = in.p + in.n;
    size_t n;
    do {
        struct span rest = span_of(at, (size_t)(end - at));
        n = c->body_left ? offer_rest(c, rest) : offer(c, rest);
        at += n;
    } while (n && at < end && c->state != CLIENT_CLOSING);
    return (size_t)(at - in.p);
}

/* Walks what is held; the bytes stay in place until on_input_done has sent them. */
static void walk_held(struct client *c)
{
    size_t used = walk_requests(c, buf_span(&c->held));
    if (c->state == CLIENT_CLOSING)
        return;
    c->ops->on_input_done(c);
    if (c->state == CLIENT_CLOSING)
        return;
    buf_consume(&c->held, used);
    if (buf_is_empty(&c->held) && c->held.cap > HELD_KEPT)
        buf_reset(&c->held);
}

void client_requests_trim(struct client *c)
{
    if (buf_is_empty(&c->held) && c->held.data)
        buf_reset(&c->held);
}

void client_requests_input(struct client *c, struct span bytes)
{
    c->request_us = loop_now(c->context->loop);
    if (c->on_hold) {
        buf_append(&c->held, bytes.p, bytes.n);
        if (buf_len(&c->held) > HELD_ON_HOLD_MAX)
            stream_pause(&c->stream);
        return;
    }
    if (!buf_is_empty(&c->held)) {
        buf_append(&c->held, bytes.p, bytes.n);
        walk_held(c);
        return;
    }
    size_t used = walk_requests(c, bytes);
    if (c->state == CLIENT_CLOSING)
        return;
    /* The client waits for a server: nothing has been composed. */
    bool waits = !used && c->state == CLIENT_WAITING;
    if (!waits)
        c->ops->on_input_done(c);
    if (c->state != CLIENT_CLOSING && used < bytes.n)
        buf_append(&c->held, bytes.p + used, bytes.n - used);
}

void client_continue(struct client *c)
{
    if (c->state == CLIENT_CLOSING)
        return;
    c->on_hold = false;
    if (buf_len(&c->held) > HELD_ON_HOLD_MAX)
        stream_resume(&c->stream);
    if (!buf_is_empty(&c->held))
        walk_held(c);
}
