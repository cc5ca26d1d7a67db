/* SPDX-License-Identifier: PostgreSQL */
/* frontend.c - messages that clients send. */
#include "proto/frontend.h"

#include <assert.h>

#include "proto/message.h"
#include "proto/reader.h"
#include "proto/writer.h"

/* ---- parsers --------------------------------------------------------------------------------- */

/* A body that is one String. */
static bool parse_string(struct span body, struct span *out)
{
    struct reader r = reader_of(body);
    *out = reader_cstr(&r);
    return reader_done(&r);
}

bool frontend_parse_query(struct span body, struct span *text_out)
{
    return parse_string(body, text_out);
}

bool frontend_parse_parse(struct span body, struct frontend_parse *out)
{
    struct reader r = reader_of(body);
    out->name = reader_cstr(&r);
    out->query = reader_cstr(&r);
    out->n_oids = reader_u16(&r);
    out->oids = reader_bytes(&r, 4 * (size_t)out->n_oids);
    return reader_done(&r);
}

enum frame_result frontend_parse_bind_head(struct span present, uint32_t body_len,
                                           struct frontend_bind_head *out)
{
    struct reader r = reader_of(present);
    out->portal = reader_cstr(&r);
    out->statement = reader_cstr(&r);
    if (r.bad)
        return present.n < body_len ? FRAME_MORE : FRAME_BAD;
    out->len = present.n - r.left;
    return FRAME_OK;
}

static bool is_object_kind(char kind)
{
    return kind == 'S' || kind == 'P';
}

bool frontend_parse_object(struct span body, struct frontend_object *out)
{
    struct reader r = reader_of(body);
    out->kind = (char)reader_u8(&r);
    out->name = reader_cstr(&r);
    return reader_done(&r) && is_object_kind(out->kind);
}

bool frontend_parse_execute(struct span body, struct frontend_execute *out)
{
    struct reader r = reader_of(body);
    out->portal = reader_cstr(&r);
    out->max_rows = reader_i32(&r);
    return reader_done(&r);
}

bool frontend_parse_copy_fail(struct span body, struct span *reason_out)
{
    return parse_string(body, reason_out);
}

bool frontend_parse_password(struct span body, struct span *password_out)
{
    return parse_string(body, password_out);
}

bool frontend_parse_sasl_initial(struct span body, struct frontend_sasl_initial *out)
{
    struct reader r = reader_of(body);
    out->mechanism = reader_cstr(&r);
    int32_t n = reader_i32(&r);
    out->has_data = n >= 0;
    out->data = reader_bytes(&r, n > 0 ? (size_t)n : 0);
    return reader_done(&r) && n >= -1;
}

/* ---- builders -------------------------------------------------------------------------------- */

static void build_string(struct buf *b, uint8_t type, struct span s)
{
    size_t mark = writer_begin(b, type);
    writer_cstr(b, s);
    writer_end(b, mark);
}

static void build_bytes(struct buf *b, uint8_t type, struct span s)
{
    size_t mark = writer_begin(b, type);
    writer_bytes(b, s);
    writer_end(b, mark);
}

static void build_object(struct buf *b, uint8_t type, char kind, struct span name)
{
    assert(is_object_kind(kind));
    size_t mark = writer_begin(b, type);
    writer_u8(b, (uint8_t)kind);
    writer_cstr(b, name);
    writer_end(b, mark);
}

void frontend_build_query(struct buf *b, struct span text)
{
    build_string(b, FE_QUERY, text);
}

void frontend_build_parse(struct buf *b, struct span name, struct span query, struct span oids,
                          uint16_t n_oids)
{
    assert(oids.n == 4 * (size_t)n_oids);
    size_t mark = writer_begin(b, FE_PARSE);
    writer_cstr(b, name);
    writer_cstr(b, query);
    writer_u16(b, n_oids);
    writer_bytes(b, oids);
    writer_end(b, mark);
}

void frontend_build_bind(struct buf *b, struct span portal, struct span statement,
                         const struct span *values, uint16_t n_values)
{
    size_t mark = writer_begin(b, FE_BIND);
    writer_cstr(b, portal);
    writer_cstr(b, statement);
    writer_u16(b, 0); /* no parameter formats: all are text */
    writer_u16(b, n_values);
    for (uint16_t i = 0; i < n_values; i++) {
        assert(values[i].n <= MESSAGE_LEN_MAX);
        writer_u32(b, values[i].p ? (uint32_t)values[i].n : UINT32_MAX);
        writer_bytes(b, values[i]);
    }
    writer_u16(b, 0); /* no result formats: all are text */
    writer_end(b, mark);
}

void frontend_build_describe(struct buf *b, char kind, struct span name)
{
    build_object(b, FE_DESCRIBE, kind, name);
}

void frontend_build_close(struct buf *b, char kind, struct span name)
{
    build_object(b, FE_CLOSE, kind, name);
}

void frontend_build_execute(struct buf *b, struct span portal, int32_t max_rows)
{
    size_t mark = writer_begin(b, FE_EXECUTE);
    writer_cstr(b, portal);
    writer_u32(b, (uint32_t)max_rows);
    writer_end(b, mark);
}

void frontend_build_sync(struct buf *b)
{
    writer_empty(b, FE_SYNC);
}

void frontend_build_flush(struct buf *b)
{
    writer_empty(b, FE_FLUSH);
}

void frontend_build_terminate(struct buf *b)
{
    writer_empty(b, FE_TERMINATE);
}

void frontend_build_copy_data(struct buf *b, struct span data)
{
    build_bytes(b, FE_COPY_DATA, data);
}

void frontend_build_copy_done(struct buf *b)
{
    writer_empty(b, FE_COPY_DONE);
}

void frontend_build_copy_fail(struct buf *b, struct span reason)
{
    build_string(b, FE_COPY_FAIL, reason);
}

void frontend_build_password(struct buf *b, struct span password)
{
    build_string(b, FE_PASSWORD, password);
}

void frontend_build_sasl_initial(struct buf *b, struct span mechanism, struct span data)
{
    assert(data.n <= MESSAGE_LEN_MAX);
    size_t mark = writer_begin(b, FE_PASSWORD);
    writer_cstr(b, mechanism);
    writer_u32(b, (uint32_t)data.n);
    writer_bytes(b, data);
    writer_end(b, mark);
}

void frontend_build_sasl_response(struct buf *b, struct span data)
{
    build_bytes(b, FE_PASSWORD, data);
}

void frontend_build_run(struct buf *b, struct span statement, struct span portal,
                        struct span command)
{
    frontend_build_parse(b, statement, command, span_of(NULL, 0), 0);
    frontend_build_bind(b, portal, statement, NULL, 0);
    frontend_build_execute(b, portal, 0);
}

static uint8_t *put_header(uint8_t *at, uint8_t type, uint32_t len)
{
    at[0] = type;
    at[1] = (uint8_t)(len >> 24);
    at[2] = (uint8_t)(len >> 16);
    at[3] = (uint8_t)(len >> 8);
    at[4] = (uint8_t)len;
    return at + FRAME_HEADER;
}

static uint8_t *put_cstr(uint8_t *at, struct span s)
{
    if (s.n)
        memcpy(at, s.p, s.n);
    at[s.n] = '\0';
    return at + s.n + 1;
}

/* For each Bind of a named statement: its size is known, so it is written in one go. */
void frontend_rewrite_bind_head(struct buf *b, const struct frontend_bind_head *head,
                                uint32_t body_len, struct span statement)
{
    assert(head->len <= body_len);
    size_t names = head->portal.n + 1 + statement.n + 1;
    uint8_t *at = buf_reserve(b, FRAME_HEADER + names);
    at = put_header(at, FE_BIND, (uint32_t)(4 + names + (body_len - head->len)));
    at = put_cstr(at, head->portal);
    put_cstr(at, statement);
    buf_commit(b, FRAME_HEADER + names);
}
