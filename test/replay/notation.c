/* SPDX-License-Identifier: PostgreSQL */
/* notation.c - messages as text, by a table of their fields. */
#include "replay/notation.h"

#include "base/mem.h"
#include "proto/backend.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/reader.h"
#include "proto/report.h"
#include "proto/startup.h"
#include "proto/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Fields of a body, one letter each; see build_field and show_field.
 *   s String      c Byte1       4 Int32       r all that is left
 *   O Int16 and that many Int32               V formats, values, formats of a Bind
 *   v Int16 and that many values              N Int16 and that many columns
 *   G format of a COPY without columns        E fields of a report */
static const char *const frontend_fields[256] = {
    [FE_BIND] = "ssV",   [FE_CLOSE] = "cs",    [FE_COPY_DATA] = "r",
    [FE_COPY_DONE] = "", [FE_COPY_FAIL] = "s", [FE_DESCRIBE] = "cs",
    [FE_EXECUTE] = "s4", [FE_FLUSH] = "",      [FE_FUNCTION_CALL] = "4r",
    [FE_PARSE] = "ssO",  [FE_PASSWORD] = "r",  [FE_QUERY] = "s",
    [FE_SYNC] = "",      [FE_TERMINATE] = "",
};

static const char *const backend_fields[256] = {
    [BE_BACKEND_KEY_DATA] = "4r",
    [BE_BIND_COMPLETE] = "",
    [BE_CLOSE_COMPLETE] = "",
    [BE_COMMAND_COMPLETE] = "s",
    [BE_COPY_BOTH] = "G",
    [BE_COPY_DATA] = "r",
    [BE_COPY_DONE] = "",
    [BE_COPY_IN] = "G",
    [BE_COPY_OUT] = "G",
    [BE_DATA_ROW] = "v",
    [BE_EMPTY_QUERY] = "",
    [BE_ERROR] = "E",
    [BE_FUNCTION_RESULT] = "r",
    [BE_NEGOTIATE_VERSION] = "r",
    [BE_NO_DATA] = "",
    [BE_NOTICE] = "E",
    [BE_NOTIFICATION] = "4ss",
    [BE_PARAMETER_DESCRIPTION] = "O",
    [BE_PARAMETER_STATUS] = "ss",
    [BE_PARSE_COMPLETE] = "",
    [BE_PORTAL_SUSPENDED] = "",
    [BE_READY_FOR_QUERY] = "c",
    [BE_ROW_DESCRIPTION] = "N",
};

static const struct authentication_row {
    uint32_t code;
    const char *name;
} authentications[] = {
    {AUTHENTICATION_OK, "AuthenticationOk"},
    {AUTHENTICATION_CLEARTEXT, "AuthenticationCleartextPassword"},
    {AUTHENTICATION_MD5, "AuthenticationMD5Password"},
    {AUTHENTICATION_SASL, "AuthenticationSASL"},
    {AUTHENTICATION_SASL_CONTINUE, "AuthenticationSASLContinue"},
    {AUTHENTICATION_SASL_FINAL, "AuthenticationSASLFinal"},
};

#define N_AUTHENTICATIONS (sizeof authentications / sizeof authentications[0])

/* ---- words to bytes -------------------------------------------------------------------- */

struct source {
    const struct word *at, *end;
    bool missing;
};

static const struct word *next_word(struct source *s)
{
    static const struct word none = {.text = (char *)""};
    if (s->at < s->end)
        return s->at++;
    s->missing = true;
    return &none;
}

static void build_values(struct buf *b, struct source *s)
{
    writer_u16(b, (uint16_t)(s->end - s->at));
    while (s->at < s->end) {
        const struct word *w = s->at++;
        if (word_is(w, "null")) {
            writer_u32(b, UINT32_MAX);
            continue;
        }
        writer_u32(b, (uint32_t)w->n);
        writer_bytes(b, word_span(w));
    }
}

static void build_columns(struct buf *b, struct source *s)
{
    static const uint8_t rest[18] = {[9] = BACKEND_OID_TEXT, [10] = 0xff, [11] = 0xff};
    writer_u16(b, (uint16_t)(s->end - s->at));
    while (s->at < s->end) {
        writer_cstr(b, word_span(s->at++));
        writer_bytes(b, span_of(rest, sizeof rest));
    }
}

static void build_oids(struct buf *b, struct source *s)
{
    writer_u16(b, (uint16_t)(s->end - s->at));
    while (s->at < s->end)
        writer_u32(b, (uint32_t)strtoul((s->at++)->text, NULL, 10));
}

static void build_report(struct buf *b, struct source *s)
{
    const struct word *code = next_word(s), *text = next_word(s);
    const char *severity = s->at < s->end ? (s->at++)->text : "ERROR";
    const char *detail = s->at < s->end ? (s->at++)->text : NULL;
    const char *hint = s->at < s->end ? (s->at++)->text : NULL;
    const struct {
        char field;
        const char *value;
    } fields[] = {{'S', severity},   {'V', severity}, {'C', code->text},
                  {'M', text->text}, {'D', detail},   {'H', hint}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && fields[i].value; i++) {
        writer_u8(b, (uint8_t)fields[i].field);
        writer_cstr(b, span_str(fields[i].value));
    }
    writer_u8(b, 0);
}

static void build_field(struct buf *b, char field, struct source *s)
{
    switch (field) {
    case 's':
        writer_cstr(b, word_span(next_word(s)));
        return;
    case 'c':
        writer_u8(b, (uint8_t)next_word(s)->text[0]);
        return;
    case '4':
        writer_u32(b, s->at < s->end ? (uint32_t)strtoul((s->at++)->text, NULL, 10) : 0);
        return;
    case 'r':
        if (s->at < s->end)
            writer_bytes(b, word_span(s->at++));
        return;
    case 'O':
        build_oids(b, s);
        return;
    case 'V':
        writer_u16(b, 0);
        build_values(b, s);
        writer_u16(b, 0);
        return;
    case 'v':
        build_values(b, s);
        return;
    case 'N':
        build_columns(b, s);
        return;
    case 'G':
        writer_u8(b, 0);
        writer_u16(b, 0);
        return;
    case 'E':
        build_report(b, s);
        return;
    default:
        abort();
    }
}

static bool build_message(struct buf *out, uint8_t type, const char *fields, struct source *s,
                          const struct word *name, struct error *err)
{
    size_t mark = writer_begin(out, type);
    for (; *fields; fields++)
        build_field(out, *fields, s);
    writer_end(out, mark);
    if (s->missing)
        return error_set(err, "", "%s lacks a field", name->text);
    if (s->at < s->end)
        return error_set(err, "", "%s has a field too many: %s", name->text, s->at->text);
    return true;
}

static bool build_authentication(struct buf *out, const struct word *w, size_t n)
{
    for (size_t i = 0; i < N_AUTHENTICATIONS; i++) {
        if (!word_is(w, authentications[i].name))
            continue;
        size_t mark = writer_begin(out, BE_AUTHENTICATION);
        writer_u32(out, authentications[i].code);
        if (n > 1)
            writer_bytes(out, word_span(&w[1]));
        writer_end(out, mark);
        return true;
    }
    return false;
}

static bool build_bytes(struct buf *out, const struct word *w, size_t n, struct error *err)
{
    for (size_t i = 1; i < n; i++) {
        if (w[i].is_quoted) {
            buf_append(out, w[i].text, w[i].n);
            continue;
        }
        for (size_t at = 0; at < w[i].n; at += 2) {
            char digits[3] = {w[i].text[at], w[i].text[at + 1], 0};
            char *end;
            uint8_t byte = (uint8_t)strtoul(digits, &end, 16);
            if (end != digits + 2)
                return error_set(err, "", "not hexadecimal: %s", w[i].text);
            buf_append(out, &byte, 1);
        }
    }
    return true;
}

#define STARTUP_PAIRS 16

static bool build_untyped(struct buf *out, const struct word *w, size_t n)
{
    struct startup_pair pairs[STARTUP_PAIRS];
    size_t n_pairs = 0;
    if (word_is(w, "StartupMessage")) {
        for (size_t i = 1; i + 1 < n && n_pairs < STARTUP_PAIRS; i += 2)
            pairs[n_pairs++] = (struct startup_pair){word_span(&w[i]), word_span(&w[i + 1])};
        startup_build(out, pairs, n_pairs);
    } else if (word_is(w, "SSLRequest")) {
        startup_build_ssl_request(out);
    } else if (word_is(w, "GSSENCRequest")) {
        startup_build_gss_request(out);
    } else if (word_is(w, "CancelRequest") && n == 2) {
        startup_build_cancel(out, word_span(&w[1]));
    } else {
        return false;
    }
    return true;
}

bool notation_build(struct buf *out, enum speaker who, const struct word *w, size_t n,
                    struct error *err)
{
    const struct message_row *rows =
        who == SPEAKER_FRONTEND ? message_frontend_rows : message_backend_rows;
    const char *const *fields = who == SPEAKER_FRONTEND ? frontend_fields : backend_fields;
    if (n && word_is(w, "Bytes"))
        return build_bytes(out, w, n, err);
    if (n && (build_untyped(out, w, n) || build_authentication(out, w, n)))
        return true;
    for (int type = 0; n && type < 256; type++) {
        if (!rows[type].name || !fields[type] || !word_is(w, rows[type].name))
            continue;
        struct source s = {.at = w + 1, .end = w + n};
        return build_message(out, (uint8_t)type, fields[type], &s, w, err);
    }
    return error_set(err, "", "there is no message %s", n ? w->text : "here");
}

/* ---- bytes to words -------------------------------------------------------------------- */

static void show(struct buf *text, const char *s)
{
    buf_append(text, s, strlen(s));
}

static void show_number(struct buf *text, uint32_t v)
{
    char digits[16];
    snprintf(digits, sizeof digits, " %" PRIu32, v);
    show(text, digits);
}

static void show_quoted(struct buf *text, struct span s)
{
    show(text, " \"");
    for (size_t i = 0; i < s.n; i++) {
        char escaped[8];
        if (s.p[i] == '"' || s.p[i] == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", s.p[i]);
        else if (s.p[i] == 0)
            snprintf(escaped, sizeof escaped, "\\0");
        else if (s.p[i] < 0x20 || s.p[i] >= 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", s.p[i]);
        else
            snprintf(escaped, sizeof escaped, "%c", s.p[i]);
        show(text, escaped);
    }
    show(text, "\"");
}

static void show_values(struct buf *text, struct reader *r)
{
    for (uint16_t n = reader_u16(r); n && !r->bad; n--) {
        uint32_t len = reader_u32(r);
        if (len == UINT32_MAX)
            show(text, " null");
        else
            show_quoted(text, reader_bytes(r, len));
    }
}

static void show_report(struct buf *text, struct reader *r)
{
    struct report report;
    if (!report_parse(reader_rest(r), &report)) {
        r->bad = true;
        return;
    }
    show_quoted(text, report.sqlstate);
    show_quoted(text, report.message);
    show(text, " ");
    buf_append(text, report.severity.p, report.severity.n);
    if (report.detail.n || report.hint.n)
        show_quoted(text, report.detail);
    if (report.hint.n)
        show_quoted(text, report.hint);
}

static void show_formats(struct reader *r)
{
    for (uint16_t n = reader_u16(r); n && !r->bad; n--)
        reader_u16(r);
}

static void show_columns(struct buf *text, struct reader *r)
{
    for (uint16_t n = reader_u16(r); n && !r->bad; n--) {
        show_quoted(text, reader_cstr(r));
        reader_bytes(r, 18);
    }
}

static void show_field(struct buf *text, char field, struct reader *r)
{
    char letter[3] = " ";
    switch (field) {
    case 's':
        show_quoted(text, reader_cstr(r));
        return;
    case 'c':
        letter[1] = (char)reader_u8(r);
        show(text, letter);
        return;
    case '4':
        show_number(text, reader_u32(r));
        return;
    case 'r':
        show_quoted(text, reader_rest(r));
        return;
    case 'O':
        for (uint16_t n = reader_u16(r); n && !r->bad; n--)
            show_number(text, reader_u32(r));
        return;
    case 'V':
        show_formats(r);
        show_values(text, r);
        show_formats(r);
        return;
    case 'v':
        show_values(text, r);
        return;
    case 'N':
        show_columns(text, r);
        return;
    case 'G':
        reader_u8(r);
        show_formats(r);
        return;
    case 'E':
        show_report(text, r);
        return;
    default:
        abort();
    }
}

static bool show_authentication(struct buf *text, struct reader *r)
{
    uint32_t code = reader_u32(r);
    for (size_t i = 0; i < N_AUTHENTICATIONS; i++) {
        if (authentications[i].code != code)
            continue;
        show(text, authentications[i].name);
        struct span rest = reader_rest(r);
        if (rest.n)
            show_quoted(text, rest);
        return true;
    }
    return false;
}

static bool show_body(struct buf *text, enum speaker who, uint8_t type, struct span body)
{
    struct reader r = reader_of(body);
    const struct message_row *row =
        who == SPEAKER_FRONTEND ? message_frontend(type) : message_backend(type);
    const char *fields = (who == SPEAKER_FRONTEND ? frontend_fields : backend_fields)[type];
    if (who == SPEAKER_BACKEND && type == BE_AUTHENTICATION)
        return show_authentication(text, &r);
    if (!row || !fields)
        return false;
    show(text, row->name);
    for (; *fields; fields++)
        show_field(text, *fields, &r);
    return reader_done(&r);
}

void notation_show(struct buf *text, enum speaker who, struct span message)
{
    size_t before = buf_len(text);
    if (show_body(text, who, message.p[0],
                  span_of(message.p + FRAME_HEADER, message.n - FRAME_HEADER)))
        return;
    text->end = text->start + before;
    show(text, "Malformed");
    show_quoted(text, message);
}

void notation_show_startup(struct buf *text, struct span packet)
{
    struct startup m;
    struct error err;
    size_t used;
    struct span name, value;
    switch (startup_parse(packet, &m, &used, &err)) {
    case STARTUP_SSL:
        show(text, "SSLRequest");
        return;
    case STARTUP_GSS:
        show(text, "GSSENCRequest");
        return;
    case STARTUP_CANCEL:
        show(text, "CancelRequest");
        show_quoted(text, m.cancel_key);
        return;
    case STARTUP_START:
        show(text, "StartupMessage");
        for (struct startup_parameters it = startup_parameters_of(&m);
             startup_parameters_next(&it, &name, &value);) {
            show_quoted(text, name);
            show_quoted(text, value);
        }
        return;
    case STARTUP_MORE:
    case STARTUP_BAD:
        show(text, "Malformed");
        show_quoted(text, packet);
        return;
    }
}

void notation_show_words(struct buf *text, const struct word *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i].is_quoted) {
            show_quoted(text, word_span(&w[i]));
        } else {
            show(text, i ? " " : "");
            show(text, w[i].text);
        }
        show(text, w[i].is_prefix ? "..." : "");
    }
}

/* ---- comparing ------------------------------------------------------------------------- */

void bindings_free(struct bindings *b)
{
    words_free(&b->names);
    words_free(&b->values);
}

static void append_copy(struct words *to, const struct word *w)
{
    to->each = xrealloc(to->each, (to->n + 1) * sizeof to->each[0]);
    to->each[to->n] = *w;
    to->each[to->n++].text = xstrndup(w->text, w->n);
}

static bool matches_bound(struct bindings *b, const struct word *name, const struct word *got)
{
    for (size_t i = 0; i < b->names.n; i++) {
        if (strcmp(b->names.each[i].text, name->text) == 0)
            return span_equal(word_span(&b->values.each[i]), word_span(got));
    }
    append_copy(&b->names, name);
    append_copy(&b->values, got);
    return true;
}

static bool word_matches(struct bindings *b, const struct word *want, const struct word *got)
{
    if (word_is(want, "*"))
        return true;
    if (!want->is_quoted && want->text[0] == '$')
        return matches_bound(b, want, got);
    if (want->is_quoted != got->is_quoted)
        return false;
    if (want->is_prefix)
        return got->n >= want->n && memcmp(got->text, want->text, want->n) == 0;
    return span_equal(word_span(want), word_span(got));
}

bool notation_matches(struct bindings *b, const struct word *want, size_t n_want,
                      const struct word *got, size_t n_got)
{
    bool is_report = n_got && (word_is(got, "ErrorResponse") || word_is(got, "NoticeResponse"));
    for (size_t i = 0; i < n_want; i++) {
        if (word_is(&want[i], "..."))
            return true;
        if (i == n_got || !word_matches(b, &want[i], &got[i]))
            return false;
    }
    return n_want == n_got || (is_report && n_want > 0);
}
