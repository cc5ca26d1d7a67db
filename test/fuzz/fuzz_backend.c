/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_backend: a stream of backend messages; what can be parsed, built again, is the same. */
#include <stdlib.h>

#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MANY = 64 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The body of the one message in *b. */
static struct span body_of(const struct buf *b)
{
    struct frame f = {0};
    check(frame_next(buf_span(b), &f) == FRAME_OK && f.total == buf_len(b));
    return f.body;
}

/* ---- formats with one way to write them: the same bytes come out ----------------------------- */

static void build_sasl(struct span list, struct buf *b)
{
    char *names[MANY];
    struct span name;
    size_t n = 0;
    while (n < MANY && backend_mechanism_next(&list, &name))
        names[n++] = strndup((const char *)name.p, name.n);
    if (n < MANY)
        backend_build_authentication_sasl(b, (const char *const *)names, n);
    while (n)
        free(names[--n]);
}

static void build_authentication(struct span body, struct buf *b)
{
    struct backend_authentication a;
    if (!backend_parse_authentication(body, &a))
        return;
    switch (a.code) {
    case AUTHENTICATION_OK:
        backend_build_authentication_ok(b);
        break;
    case AUTHENTICATION_CLEARTEXT:
        backend_build_authentication_cleartext(b);
        break;
    case AUTHENTICATION_MD5:
        backend_build_authentication_md5(b, a.salt);
        break;
    case AUTHENTICATION_SASL:
        build_sasl(a.data, b);
        break;
    case AUTHENTICATION_SASL_CONTINUE:
        backend_build_authentication_sasl_continue(b, a.data);
        break;
    case AUTHENTICATION_SASL_FINAL:
        backend_build_authentication_sasl_final(b, a.data);
        break;
    default:
        break;
    }
}

static void build_session(uint8_t type, struct span body, struct buf *b)
{
    struct backend_notification n;
    struct span first, second;
    char status;
    if (type == BE_PARAMETER_STATUS && backend_parse_parameter_status(body, &first, &second))
        backend_build_parameter_status(b, first, second);
    if (type == BE_BACKEND_KEY_DATA && backend_parse_key_data(body, &first))
        backend_build_key_data(b, first);
    if (type == BE_READY_FOR_QUERY && backend_parse_ready_for_query(body, &status))
        backend_build_ready_for_query(b, status);
    if (type == BE_NOTIFICATION && backend_parse_notification(body, &n))
        backend_build_notification(b, &n);
    if (type == BE_COMMAND_COMPLETE && backend_parse_command_complete(body, &first))
        backend_build_command_complete(b, first);
}

static void build_data_row(struct span body, struct buf *b)
{
    struct span values[MANY];
    size_t n;
    if (backend_parse_data_row(body, values, MANY, &n) && n <= MANY)
        backend_build_data_row(b, values, (uint16_t)n);
}

/* ---- formats of which we keep a part: the part comes out ------------------------------------- */

static void check_row_description(struct span body)
{
    struct backend_column columns[MANY], again[MANY];
    size_t n, m;
    if (!backend_parse_row_description(body, columns, MANY, &n) || n > MANY)
        return;
    struct buf b = {0};
    backend_build_row_description(&b, columns, (uint16_t)n);
    check(backend_parse_row_description(body_of(&b), again, MANY, &m) && m == n);
    for (size_t i = 0; i < n; i++)
        check(span_equal(columns[i].name, again[i].name) &&
              columns[i].type_oid == again[i].type_oid && columns[i].type_len == again[i].type_len);
    buf_reset(&b);
}

static void check_negotiation(struct span body)
{
    struct backend_negotiate n;
    if (backend_parse_negotiate_version(body, &n))
        check(n.names.n == body.n - 8 && n.names.n >= n.n_names);
}

/* What is kept of a report fits, and can be told on with another severity and SQLSTATE. */
static void check_relay(struct span body, const struct report *r)
{
    static const struct error err = {"57P01", "ours"};
    struct buf kept = {0}, b = {0};
    struct report again;
    report_keep(&kept, body);
    check(buf_len(&kept) > 0 && buf_len(&kept) <= REPORT_KEPT_MAX);
    report_relay(&b, "FATAL", &err, buf_span(&kept), NULL);
    check(report_parse(body_of(&b), &again) && report_is_fatal(&again));
    check(span_is(again.sqlstate, "57P01"));
    check(body.n > REPORT_KEPT_MAX || span_equal(again.message, r->message));
    buf_reset(&b);
    buf_reset(&kept);
}

static void check_report(uint8_t type, struct span body)
{
    struct report r, again;
    struct buf b = {0};
    if (!report_parse(body, &r)) {
        check(!report_rewrite(&b, type, body, REPORT_MESSAGE, span_str("new")));
        check(buf_is_empty(&b));
        return;
    }
    check(report_rewrite(&b, type, body, REPORT_MESSAGE, span_str("new")));
    check(report_parse(body_of(&b), &again) && span_is(again.message, "new"));
    check(span_equal(r.sqlstate, again.sqlstate) && span_equal(r.severity, again.severity));
    check(span_equal(r.detail, again.detail) && span_equal(r.routine, again.routine));
    check(report_is_fatal(&r) == report_is_fatal(&again));
    buf_reset(&b);
    check_relay(body, &r);
}

static void check_message(const struct frame *f, struct span message)
{
    struct buf b = {0};
    switch (f->type) {
    case BE_AUTHENTICATION:
        build_authentication(f->body, &b);
        break;
    case BE_DATA_ROW:
        build_data_row(f->body, &b);
        break;
    case BE_ROW_DESCRIPTION:
        check_row_description(f->body);
        break;
    case BE_NEGOTIATE_VERSION:
        check_negotiation(f->body);
        break;
    case BE_ERROR:
    case BE_NOTICE:
        check_report(f->type, f->body);
        break;
    default:
        build_session(f->type, f->body, &b);
        break;
    }
    check(buf_is_empty(&b) || span_equal(buf_span(&b), message));
    buf_reset(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct frame f = {0};
    while (frame_next(in, &f) == FRAME_OK && f.whole) {
        check_message(&f, span_of(in.p, f.total));
        in = span_of(in.p + f.total, in.n - f.total);
    }
    return 0;
}
