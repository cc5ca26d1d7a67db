/* SPDX-License-Identifier: PostgreSQL */
/* startup.c - the packets that open a connection. */
#include "proto/startup.h"

#include <assert.h>
#include <stdio.h>

#include "base/str.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/reader.h"
#include "proto/writer.h"

/* Codes where a version would stand (PostgreSQL's pqcomm.h). */
#define CODE(major, minor) ((uint32_t)(major) << 16 | (minor))
#define CODE_CANCEL CODE(1234, 5678)
#define CODE_SSL CODE(1234, 5679)
#define CODE_GSS CODE(1234, 5680)

/* ERRCODE_INVALID_PARAMETER_VALUE */
#define SQLSTATE_INVALID_VALUE "22023"

static const char protocol_option[] = "_pq_.";

static uint32_t major_of(uint32_t code)
{
    return code >> 16;
}

static enum startup_kind bad(struct startup *m, struct error *err, const char *sqlstate,
                             const char *text)
{
    error_set(err, sqlstate, "%s", text);
    m->kind = STARTUP_BAD;
    return STARTUP_BAD;
}

/* ---- header ---------------------------------------------------------------------------------- */

static enum startup_kind bad_header(struct span in, const char *sqlstate, struct startup *m,
                                    struct error *err)
{
    char hex[2 * 8 + 1] = "";
    for (size_t i = 0; i < in.n && i < 8; i++)
        snprintf(hex + 2 * i, 3, "%02x", in.p[i]);
    error_set(err, sqlstate, "bad packet header: '%s'", hex);
    m->kind = STARTUP_BAD;
    return STARTUP_BAD;
}

/* Which packet this is by its code, if a packet of that code can have that length. */
static enum startup_kind kind_of(uint32_t code, uint32_t len)
{
    switch (code) {
    case CODE_SSL:
        return len == 8 ? STARTUP_SSL : STARTUP_BAD;
    case CODE_GSS:
        return len == 8 ? STARTUP_GSS : STARTUP_BAD;
    case CODE_CANCEL:
        return len >= 8 + STARTUP_KEY_MIN && len <= 8 + STARTUP_KEY_MAX ? STARTUP_CANCEL
                                                                        : STARTUP_BAD;
    default:
        return major_of(code) == 3 ? STARTUP_START : STARTUP_BAD;
    }
}

/* ---- StartupMessage -------------------------------------------------------------------------- */

/* PostgreSQL's parse_bool: any beginning of a word that is not ambiguous. */
static bool begins_word(struct span s, const char *word, size_t min)
{
    char text[8];
    size_t n = strlen(word);
    if (s.n < min || s.n > n || n >= sizeof text)
        return false;
    memcpy(text, word, s.n);
    text[s.n] = '\0';
    return span_is_nocase(s, text);
}

static bool read_replication(struct span value, enum replication *out)
{
    bool logical = span_is(value, "database");
    bool physical = begins_word(value, "true", 1) || begins_word(value, "yes", 1) ||
                    begins_word(value, "on", 2) || span_is(value, "1");
    bool none = begins_word(value, "false", 1) || begins_word(value, "no", 1) ||
                begins_word(value, "off", 2) || span_is(value, "0");
    *out = logical ? REPLICATION_LOGICAL : physical ? REPLICATION_PHYSICAL : REPLICATION_NONE;
    return value.n && (logical || physical || none);
}

static void take_pair(struct startup *m, struct span name, struct span value)
{
    if (span_is(name, "user"))
        m->user = value;
    else if (span_is(name, "database"))
        m->database = value;
    else if (span_is(name, "options"))
        m->options = value;
    else if (span_is(name, "replication"))
        m->replication = value;
    else if (startup_is_protocol_option(name))
        m->n_unknown++;
}

/* (String name, String value)*, NUL; the terminator is an empty name and the last byte. */
static bool take_pairs(struct startup *m, struct span rest)
{
    struct reader r = reader_of(rest);
    for (;;) {
        struct span name = reader_cstr(&r);
        if (r.bad)
            return false;
        if (!name.n)
            break;
        struct span value = reader_cstr(&r);
        if (r.bad)
            return false;
        take_pair(m, name, value);
    }
    m->parameters = span_of(rest.p, rest.n - 1);
    return reader_at_end(&r);
}

static enum startup_kind take_start(struct startup *m, struct span rest, struct error *err)
{
    if (!take_pairs(m, rest))
        return bad(m, err, SQLSTATE_PROTOCOL_VIOLATION,
                   "invalid startup packet layout: expected terminator as last byte");
    if (!m->user.n)
        return bad(m, err, SQLSTATE_INVALID_AUTHORIZATION, "no username supplied");
    if (m->replication.p && !read_replication(m->replication, &m->replication_kind))
        return bad(m, err, SQLSTATE_INVALID_VALUE,
                   "invalid value for parameter \"replication\": expected a boolean or "
                   "\"database\"");
    m->negotiate = m->version != STARTUP_VERSION_3_0 || m->n_unknown;
    m->kind = STARTUP_START;
    return STARTUP_START;
}

enum startup_kind startup_parse(struct span in, struct startup *m, size_t *used_out,
                                struct error *err)
{
    *m = (struct startup){.kind = STARTUP_MORE};
    if (in.n < 4)
        return STARTUP_MORE;
    uint32_t len = frame_u32(in.p);
    if (len < 8 || len > STARTUP_LEN_MAX)
        return bad_header(in, SQLSTATE_PROTOCOL_VIOLATION, m, err);
    if (in.n < 8)
        return STARTUP_MORE;
    uint32_t code = frame_u32(in.p + 4);
    if (major_of(code) == 2)
        return bad(m, err, SQLSTATE_FEATURE_NOT_SUPPORTED, "old V2 protocol not supported");
    enum startup_kind kind = kind_of(code, len);
    if (kind == STARTUP_BAD)
        return bad_header(in, code == CODE_CANCEL ? "" : SQLSTATE_PROTOCOL_VIOLATION, m, err);
    if (in.n < len)
        return STARTUP_MORE;
    struct span rest = span_of(in.p + 8, len - 8);
    *used_out = len;
    m->kind = kind;
    if (kind == STARTUP_CANCEL)
        m->cancel_key = rest;
    if (kind != STARTUP_START)
        return kind;
    m->version = code;
    return take_start(m, rest, err);
}

struct startup_parameters startup_parameters_of(const struct startup *m)
{
    return (struct startup_parameters){.rest = m->parameters};
}

bool startup_parameters_next(struct startup_parameters *it, struct span *name_out,
                             struct span *value_out)
{
    struct reader r = reader_of(it->rest);
    struct span name = reader_cstr(&r);
    struct span value = reader_cstr(&r);
    if (r.bad)
        return false;
    *name_out = name;
    *value_out = value;
    it->rest = reader_rest(&r);
    return true;
}

bool startup_is_protocol_option(struct span name)
{
    size_t n = sizeof protocol_option - 1;
    return name.n > n && memcmp(name.p, protocol_option, n) == 0;
}

/* ---- the parameter "options" ------------------------------------------------------------------
 */

/* C's isspace() in the C locale, which is what pg_split_opts asks. */
static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum startup_options_result refuse(struct error *err)
{
    error_set(err, SQLSTATE_PROTOCOL_VIOLATION,
              "unsupported options startup parameter: only '-c config=val' and '--config=val' "
              "are allowed");
    return STARTUP_OPTIONS_BAD;
}

void startup_options_begin(struct startup_options_reader *r, struct span options)
{
    r->rest = options;
}

static void advance(struct startup_options_reader *r, size_t n)
{
    if (n)
        r->rest = span_of(r->rest.p + n, r->rest.n - n);
}

static void skip_space(struct startup_options_reader *r)
{
    size_t n = 0;
    while (n < r->rest.n && is_space(r->rest.p[n]))
        n++;
    advance(r, n);
}

/* Takes the next word into r->word, unescaped. A backslash that ends the text stands for nothing.
 * False if there is none, or if it is longer than any startup packet could hold. */
static bool next_word(struct startup_options_reader *r, size_t *n_out)
{
    skip_space(r);
    if (!r->rest.n)
        return false;
    size_t at = 0, n = 0;
    for (; at < r->rest.n; at++) {
        uint8_t c = r->rest.p[at];
        if (is_space(c))
            break;
        if (c == '\\') {
            if (++at == r->rest.n)
                break;
            c = r->rest.p[at];
        }
        if (n == sizeof r->word)
            return false;
        r->word[n++] = c;
    }
    advance(r, at);
    *n_out = n;
    return true;
}

static bool begins(const uint8_t *p, size_t n, const char *prefix)
{
    size_t len = strlen(prefix);
    return n >= len && memcmp(p, prefix, len) == 0;
}

/* name=value in place; false without a name or without '='. */
static bool split(uint8_t *p, size_t n, uint8_t mark, struct startup_option *out)
{
    uint8_t *at = n ? memchr(p, mark, n) : NULL;
    if (!at || at == p)
        return false;
    size_t name_len = (size_t)(at - p);
    out->name = span_of(p, name_len);
    out->value = span_of(at + 1, n - name_len - 1);
    return true;
}

static enum startup_options_result setting(uint8_t *p, size_t n, struct startup_option *out,
                                           struct error *err)
{
    if (!split(p, n, '=', out))
        return refuse(err);
    for (size_t i = 0; i < out->name.n; i++) {
        if (p[i] == '-')
            p[i] = '_';
    }
    return STARTUP_OPTIONS_SETTING;
}

static bool is_neon_word(uint8_t *p, size_t n, struct startup_option *out)
{
    if (begins(p, n, "endpoint=") || begins(p, n, "project="))
        return split(p, n, '=', out);
    /* neon_<name>:<value>, and the name is not empty. */
    return begins(p, n, "neon_") && split(p, n, ':', out) && out->name.n > strlen("neon_");
}

enum startup_options_result startup_options_next(struct startup_options_reader *r,
                                                 struct startup_option *out, struct error *err)
{
    size_t n;
    if (!next_word(r, &n))
        return r->rest.n ? refuse(err) : STARTUP_OPTIONS_END;
    if (n == 2 && begins(r->word, n, "-c"))
        return next_word(r, &n) ? setting(r->word, n, out, err) : refuse(err);
    if (begins(r->word, n, "-c") || begins(r->word, n, "--"))
        return setting(r->word + 2, n - 2, out, err);
    if (is_neon_word(r->word, n, out))
        return STARTUP_OPTIONS_NEON;
    return refuse(err);
}

/* ---- builders -------------------------------------------------------------------------------- */

void startup_build(struct buf *b, const struct startup_pair *pairs, size_t n)
{
    size_t mark = writer_begin_untyped(b);
    writer_u32(b, STARTUP_VERSION_3_0);
    for (size_t i = 0; i < n; i++) {
        assert(pairs[i].name.n); /* an empty name would be read as the terminator */
        writer_cstr(b, pairs[i].name);
        writer_cstr(b, pairs[i].value);
    }
    writer_u8(b, 0);
    writer_end(b, mark);
}

static void build_code(struct buf *b, uint32_t code, struct span rest)
{
    size_t mark = writer_begin_untyped(b);
    writer_u32(b, code);
    writer_bytes(b, rest);
    writer_end(b, mark);
}

void startup_build_ssl_request(struct buf *b)
{
    build_code(b, CODE_SSL, span_of(NULL, 0));
}

void startup_build_gss_request(struct buf *b)
{
    build_code(b, CODE_GSS, span_of(NULL, 0));
}

void startup_build_cancel(struct buf *b, struct span key)
{
    assert(key.n >= STARTUP_KEY_MIN && key.n <= STARTUP_KEY_MAX);
    build_code(b, CODE_CANCEL, key);
}

void startup_build_negotiate(struct buf *b, const struct startup *m)
{
    struct startup_parameters it = startup_parameters_of(m);
    struct span name, value;
    size_t mark = writer_begin(b, BE_NEGOTIATE_VERSION);
    writer_u32(b, STARTUP_VERSION_3_0);
    writer_u32(b, m->n_unknown);
    while (startup_parameters_next(&it, &name, &value)) {
        if (startup_is_protocol_option(name))
            writer_cstr(b, name);
    }
    writer_end(b, mark);
}
