/* SPDX-License-Identifier: PostgreSQL */
/* report.c - the fields of ErrorResponse and NoticeResponse. */
#include "proto/report.h"

#include <assert.h>

#include "proto/message.h"
#include "proto/reader.h"
#include "proto/writer.h"

/* Where a field is kept; NULL if we have no place for it. */
static struct span *place(struct report *r, uint8_t field)
{
    switch (field) {
    case REPORT_SEVERITY:
        return &r->severity;
    case REPORT_SEVERITY_NONLOCALIZED:
        return &r->severity_nonlocalized;
    case REPORT_SQLSTATE:
        return &r->sqlstate;
    case REPORT_MESSAGE:
        return &r->message;
    case REPORT_DETAIL:
        return &r->detail;
    case REPORT_HINT:
        return &r->hint;
    case REPORT_POSITION:
        return &r->position;
    case REPORT_INTERNAL_POSITION:
        return &r->internal_position;
    case REPORT_INTERNAL_QUERY:
        return &r->internal_query;
    case REPORT_WHERE:
        return &r->where;
    case REPORT_SCHEMA:
        return &r->schema;
    case REPORT_TABLE:
        return &r->table;
    case REPORT_COLUMN:
        return &r->column;
    case REPORT_DATA_TYPE:
        return &r->data_type;
    case REPORT_CONSTRAINT:
        return &r->constraint;
    case REPORT_FILE:
        return &r->file;
    case REPORT_LINE:
        return &r->line;
    case REPORT_ROUTINE:
        return &r->routine;
    default:
        return NULL;
    }
}

/* Takes one field; false at the terminator and where the list is broken (then the reader is bad).
 */
static bool next_field(struct reader *r, uint8_t *field_out, struct span *value_out)
{
    *field_out = reader_u8(r);
    if (*field_out == 0)
        return false;
    *value_out = reader_cstr(r);
    return !r->bad;
}

bool report_parse(struct span body, struct report *out)
{
    struct reader r = reader_of(body);
    uint8_t field;
    struct span value;
    *out = (struct report){0};
    while (next_field(&r, &field, &value)) {
        struct span *to = place(out, field);
        if (to)
            *to = value;
    }
    return reader_done(&r);
}

bool report_is_fatal(const struct report *r)
{
    struct span s = r->severity_nonlocalized.n ? r->severity_nonlocalized : r->severity;
    return span_is(s, "FATAL") || span_is(s, "PANIC");
}

/* ---- builders -------------------------------------------------------------------------------- */

static void put_field(struct buf *b, enum report_field field, struct span value)
{
    writer_u8(b, (uint8_t)field);
    writer_cstr(b, value);
}

static void build(struct buf *b, uint8_t type, const char *severity, const char *sqlstate,
                  const char *message, const char *detail, const char *hint)
{
    size_t mark = writer_begin(b, type);
    put_field(b, REPORT_SEVERITY, span_str(severity));
    put_field(b, REPORT_SEVERITY_NONLOCALIZED, span_str(severity));
    put_field(b, REPORT_SQLSTATE, span_str(sqlstate));
    put_field(b, REPORT_MESSAGE, span_str(message));
    if (detail)
        put_field(b, REPORT_DETAIL, span_str(detail));
    if (hint)
        put_field(b, REPORT_HINT, span_str(hint));
    writer_u8(b, 0);
    writer_end(b, mark);
}

void report_error(struct buf *b, const char *severity, const struct error *err, const char *detail,
                  const char *hint)
{
    const char *sqlstate = err->sqlstate[0] ? err->sqlstate : SQLSTATE_INTERNAL;
    build(b, BE_ERROR, severity, sqlstate, err->text, detail, hint);
}

void report_notice(struct buf *b, const char *severity, const struct error *what,
                   const char *detail, const char *hint)
{
    const char *sqlstate = what->sqlstate[0] ? what->sqlstate : "00000";
    build(b, BE_NOTICE, severity, sqlstate, what->text, detail, hint);
}

/* Half a character at the end is left away. */
static struct span cut(struct span value, size_t max)
{
    if (value.n <= max)
        return value;
    while (max && (value.p[max] & 0xc0) == 0x80)
        max--;
    return span_of(value.p, max);
}

void report_keep(struct buf *kept, struct span body)
{
    const size_t longest = REPORT_KEPT_MAX / 4, overhead = 2;
    struct report whole;
    struct reader r = reader_of(body);
    uint8_t field;
    struct span value;
    buf_clear(kept);
    if (!report_parse(body, &whole))
        return;
    if (body.n <= REPORT_KEPT_MAX) {
        buf_append(kept, body.p, body.n);
        return;
    }
    while (next_field(&r, &field, &value)) {
        value = cut(value, longest);
        if (buf_len(kept) + value.n + overhead < REPORT_KEPT_MAX)
            put_field(kept, (enum report_field)field, value);
    }
    writer_u8(kept, 0);
}

void report_relay(struct buf *b, const char *severity, const struct error *err, struct span kept,
                  const char *hint)
{
    struct report whole;
    struct reader r = reader_of(kept);
    uint8_t field;
    struct span value;
    if (!kept.n || !report_parse(kept, &whole)) {
        report_error(b, severity, err, NULL, hint);
        return;
    }
    size_t mark = writer_begin(b, BE_ERROR);
    put_field(b, REPORT_SEVERITY, span_str(severity));
    put_field(b, REPORT_SEVERITY_NONLOCALIZED, span_str(severity));
    put_field(b, REPORT_SQLSTATE, span_str(err->sqlstate[0] ? err->sqlstate : SQLSTATE_INTERNAL));
    while (next_field(&r, &field, &value)) {
        if (field != REPORT_SEVERITY && field != REPORT_SEVERITY_NONLOCALIZED &&
            field != REPORT_SQLSTATE)
            put_field(b, (enum report_field)field, value);
    }
    if (hint && !whole.hint.n)
        put_field(b, REPORT_HINT, span_str(hint));
    writer_u8(b, 0);
    writer_end(b, mark);
}

static bool has_field(struct span body, uint8_t wanted)
{
    struct reader r = reader_of(body);
    uint8_t field;
    struct span value;
    while (next_field(&r, &field, &value)) {
        if (field == wanted)
            return true;
    }
    return false;
}

bool report_rewrite(struct buf *b, uint8_t type, struct span body, enum report_field field,
                    struct span value)
{
    assert(type == BE_ERROR || type == BE_NOTICE);
    struct report whole;
    if (!report_parse(body, &whole))
        return false;
    struct reader r = reader_of(body);
    uint8_t at;
    struct span old;
    size_t mark = writer_begin(b, type);
    if (!has_field(body, (uint8_t)field))
        put_field(b, field, value);
    while (next_field(&r, &at, &old))
        put_field(b, at, at == (uint8_t)field ? value : old);
    writer_u8(b, 0);
    writer_end(b, mark);
    return true;
}
