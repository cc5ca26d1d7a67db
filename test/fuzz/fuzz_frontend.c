/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_frontend: a stream of frontend messages; what can be parsed, built again, is the same. */
#include <stdlib.h>

#include "proto/frontend.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void build_parse(struct span body, struct buf *b)
{
    struct frontend_parse m;
    if (frontend_parse_parse(body, &m))
        frontend_build_parse(b, m.name, m.query, m.oids, m.n_oids);
}

static void build_object(uint8_t type, struct span body, struct buf *b)
{
    struct frontend_object m;
    if (!frontend_parse_object(body, &m))
        return;
    if (type == FE_DESCRIBE)
        frontend_build_describe(b, m.kind, m.name);
    else
        frontend_build_close(b, m.kind, m.name);
}

static void build_execute(struct span body, struct buf *b)
{
    struct frontend_execute m;
    if (frontend_parse_execute(body, &m))
        frontend_build_execute(b, m.portal, m.max_rows);
}

static void build_strings(uint8_t type, struct span body, struct buf *b)
{
    struct span text;
    if (type == FE_QUERY && frontend_parse_query(body, &text))
        frontend_build_query(b, text);
    if (type == FE_COPY_FAIL && frontend_parse_copy_fail(body, &text))
        frontend_build_copy_fail(b, text);
}

/* Renamed and renamed back, a Bind is what it was; however little of it is there, the names are
 * found as soon as they are complete. */
static void build_bind(struct span body, struct buf *b)
{
    struct frontend_bind_head head, again;
    struct buf other = {0};
    struct frame f = {0};
    uint32_t len = (uint32_t)body.n;
    enum frame_result got = frontend_parse_bind_head(body, len, &head);
    check(got != FRAME_MORE);
    if (got == FRAME_BAD)
        return;
    check(frontend_parse_bind_head(span_of(body.p, head.len), len, &again) == FRAME_OK);
    check(again.len == head.len && span_equal(again.statement, head.statement));
    got = frontend_parse_bind_head(span_of(body.p, head.len - 1), len, &again);
    check(got == FRAME_MORE);
    frontend_rewrite_bind_head(&other, &head, len, span_str("PGBALLAST_1"));
    buf_append(&other, body.p + head.len, body.n - head.len);
    check(frame_next(buf_span(&other), &f) == FRAME_OK && f.total == buf_len(&other));
    check(frontend_parse_bind_head(f.body, f.body_len, &again) == FRAME_OK);
    check(span_equal(again.portal, head.portal) && span_is(again.statement, "PGBALLAST_1"));
    frontend_rewrite_bind_head(b, &again, f.body_len, head.statement);
    buf_append(b, f.body.p + again.len, f.body.n - again.len);
    buf_reset(&other);
}

static void check_same(const struct buf *b, struct span message)
{
    check(buf_is_empty(b) || span_equal(buf_span(b), message));
}

static void check_password(struct span body, struct span message)
{
    struct frontend_sasl_initial m;
    struct span password;
    struct buf b = {0};
    if (frontend_parse_password(body, &password))
        frontend_build_password(&b, password);
    check_same(&b, message);
    buf_clear(&b);
    if (frontend_parse_sasl_initial(body, &m) && m.has_data)
        frontend_build_sasl_initial(&b, m.mechanism, m.data);
    check_same(&b, message);
    buf_clear(&b);
    frontend_build_sasl_response(&b, body);
    check_same(&b, message);
    buf_reset(&b);
}

static void check_message(const struct frame *f, struct span message)
{
    struct buf b = {0};
    switch (f->type) {
    case FE_PARSE:
        build_parse(f->body, &b);
        break;
    case FE_BIND:
        build_bind(f->body, &b);
        break;
    case FE_DESCRIBE:
    case FE_CLOSE:
        build_object(f->type, f->body, &b);
        break;
    case FE_EXECUTE:
        build_execute(f->body, &b);
        break;
    case FE_QUERY:
    case FE_COPY_FAIL:
        build_strings(f->type, f->body, &b);
        break;
    case FE_PASSWORD:
        check_password(f->body, message);
        break;
    default:
        break;
    }
    check_same(&b, message);
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
