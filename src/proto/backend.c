/* SPDX-License-Identifier: PostgreSQL */
/* backend.c - messages that servers send. */
#include "proto/backend.h"

#include <assert.h>

#include "proto/message.h"
#include "proto/reader.h"
#include "proto/startup.h"
#include "proto/writer.h"

/* ---- authentication -------------------------------------------------------------------------- */

/* String names, at least one, and an empty one that ends the message. */
static bool is_mechanism_list(struct span list)
{
    struct span name;
    if (!backend_mechanism_next(&list, &name))
        return false;
    while (backend_mechanism_next(&list, &name))
        ;
    return list.n == 1 && list.p[0] == 0;
}

bool backend_mechanism_next(struct span *list, struct span *name_out)
{
    struct reader r = reader_of(*list);
    struct span name = reader_cstr(&r);
    if (r.bad || !name.n)
        return false;
    *name_out = name;
    *list = reader_rest(&r);
    return true;
}

bool backend_parse_authentication(struct span body, struct backend_authentication *out)
{
    struct reader r = reader_of(body);
    *out = (struct backend_authentication){.code = reader_u32(&r)};
    if (r.bad)
        return false;
    switch (out->code) {
    case AUTHENTICATION_OK:
    case AUTHENTICATION_KERBEROS_V5:
    case AUTHENTICATION_CLEARTEXT:
    case AUTHENTICATION_GSS:
    case AUTHENTICATION_SSPI:
        return reader_done(&r);
    case AUTHENTICATION_MD5: {
        struct span salt = reader_bytes(&r, sizeof out->salt);
        if (salt.n)
            memcpy(out->salt, salt.p, sizeof out->salt);
        return reader_done(&r);
    }
    case AUTHENTICATION_SASL:
        out->data = reader_rest(&r);
        return is_mechanism_list(out->data);
    default:
        out->data = reader_rest(&r);
        return true;
    }
}

size_t backend_begin_authentication(struct buf *b, enum authentication_code code)
{
    size_t mark = writer_begin(b, BE_AUTHENTICATION);
    writer_u32(b, (uint32_t)code);
    return mark;
}

static void build_authentication(struct buf *b, enum authentication_code code, struct span data)
{
    size_t mark = backend_begin_authentication(b, code);
    writer_bytes(b, data);
    writer_end(b, mark);
}

void backend_build_authentication_ok(struct buf *b)
{
    build_authentication(b, AUTHENTICATION_OK, span_of(NULL, 0));
}

void backend_build_authentication_cleartext(struct buf *b)
{
    build_authentication(b, AUTHENTICATION_CLEARTEXT, span_of(NULL, 0));
}

void backend_build_authentication_md5(struct buf *b, const uint8_t salt[4])
{
    build_authentication(b, AUTHENTICATION_MD5, span_of(salt, 4));
}

void backend_build_authentication_sasl(struct buf *b, const char *const *names, size_t n)
{
    size_t mark = backend_begin_authentication(b, AUTHENTICATION_SASL);
    for (size_t i = 0; i < n; i++)
        writer_cstr(b, span_str(names[i]));
    writer_u8(b, 0);
    writer_end(b, mark);
}

void backend_build_authentication_sasl_continue(struct buf *b, struct span data)
{
    build_authentication(b, AUTHENTICATION_SASL_CONTINUE, data);
}

void backend_build_authentication_sasl_final(struct buf *b, struct span data)
{
    build_authentication(b, AUTHENTICATION_SASL_FINAL, data);
}

/* ---- session --------------------------------------------------------------------------------- */

bool backend_parse_parameter_status(struct span body, struct span *name_out, struct span *value_out)
{
    struct reader r = reader_of(body);
    *name_out = reader_cstr(&r);
    *value_out = reader_cstr(&r);
    return reader_done(&r);
}

void backend_build_parameter_status(struct buf *b, struct span name, struct span value)
{
    size_t mark = writer_begin(b, BE_PARAMETER_STATUS);
    writer_cstr(b, name);
    writer_cstr(b, value);
    writer_end(b, mark);
}

static bool is_key(struct span key)
{
    return key.n >= STARTUP_KEY_MIN && key.n <= STARTUP_KEY_MAX;
}

bool backend_parse_key_data(struct span body, struct span *key_out)
{
    *key_out = body;
    return is_key(body);
}

void backend_build_key_data(struct buf *b, struct span key)
{
    assert(is_key(key));
    size_t mark = writer_begin(b, BE_BACKEND_KEY_DATA);
    writer_bytes(b, key);
    writer_end(b, mark);
}

static bool is_status(char status)
{
    return status == 'I' || status == 'T' || status == 'E';
}

bool backend_parse_ready_for_query(struct span body, char *status_out)
{
    if (body.n != 1 || !is_status((char)body.p[0]))
        return false;
    *status_out = (char)body.p[0];
    return true;
}

void backend_build_ready_for_query(struct buf *b, char status)
{
    assert(is_status(status));
    size_t mark = writer_begin(b, BE_READY_FOR_QUERY);
    writer_u8(b, (uint8_t)status);
    writer_end(b, mark);
}

bool backend_parse_negotiate_version(struct span body, struct backend_negotiate *out)
{
    struct reader r = reader_of(body);
    out->version = reader_u32(&r);
    out->n_names = reader_u32(&r);
    if (r.bad)
        return false;
    out->names = span_of(r.at, r.left);
    for (uint32_t i = 0; i < out->n_names && !r.bad; i++)
        reader_cstr(&r);
    return reader_done(&r);
}

bool backend_parse_notification(struct span body, struct backend_notification *out)
{
    struct reader r = reader_of(body);
    out->pid = reader_i32(&r);
    out->channel = reader_cstr(&r);
    out->payload = reader_cstr(&r);
    return reader_done(&r);
}

void backend_build_notification(struct buf *b, const struct backend_notification *n)
{
    size_t mark = writer_begin(b, BE_NOTIFICATION);
    writer_u32(b, (uint32_t)n->pid);
    writer_cstr(b, n->channel);
    writer_cstr(b, n->payload);
    writer_end(b, mark);
}

/* ---- answers --------------------------------------------------------------------------------- */

bool backend_parse_command_complete(struct span body, struct span *tag_out)
{
    struct reader r = reader_of(body);
    *tag_out = reader_cstr(&r);
    return reader_done(&r);
}

void backend_build_command_complete(struct buf *b, struct span tag)
{
    size_t mark = writer_begin(b, BE_COMMAND_COMPLETE);
    writer_cstr(b, tag);
    writer_end(b, mark);
}

void backend_build_parse_complete(struct buf *b)
{
    writer_empty(b, BE_PARSE_COMPLETE);
}

void backend_build_bind_complete(struct buf *b)
{
    writer_empty(b, BE_BIND_COMPLETE);
}

void backend_build_close_complete(struct buf *b)
{
    writer_empty(b, BE_CLOSE_COMPLETE);
}

void backend_build_no_data(struct buf *b)
{
    writer_empty(b, BE_NO_DATA);
}

void backend_build_empty_query(struct buf *b)
{
    writer_empty(b, BE_EMPTY_QUERY);
}

void backend_build_portal_suspended(struct buf *b)
{
    writer_empty(b, BE_PORTAL_SUSPENDED);
}

void backend_build_parameter_description(struct buf *b, struct span oids, uint16_t n)
{
    assert(oids.n == 4 * (size_t)n);
    size_t mark = writer_begin(b, BE_PARAMETER_DESCRIPTION);
    writer_u16(b, n);
    writer_bytes(b, oids);
    writer_end(b, mark);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Per column: String name, Int32 table, Int16 attribute, Int32 type, Int16 type length,
 * Int32 type modifier, Int16 format. */
static struct backend_column read_column(struct reader *r)
{
    struct backend_column c;
    c.name = reader_cstr(r);
    reader_bytes(r, 4 + 2);
    c.type_oid = reader_u32(r);
    c.type_len = (int16_t)reader_u16(r);
    reader_bytes(r, 4 + 2);
    return c;
}

bool backend_parse_row_description(struct span body, struct backend_column *columns, size_t max,
                                   size_t *n_out)
{
    struct reader r = reader_of(body);
    size_t n = reader_u16(&r);
    for (size_t i = 0; i < n && !r.bad; i++) {
        struct backend_column c = read_column(&r);
        if (i < max)
            columns[i] = c;
    }
    *n_out = n;
    return reader_done(&r);
}

void backend_build_row_description(struct buf *b, const struct backend_column *columns, uint16_t n)
{
    size_t mark = writer_begin(b, BE_ROW_DESCRIPTION);
    writer_u16(b, n);
    for (uint16_t i = 0; i < n; i++) {
        writer_cstr(b, columns[i].name);
        writer_u32(b, 0); /* no table */
        writer_u16(b, 0); /* no attribute number */
        writer_u32(b, columns[i].type_oid);
        writer_u16(b, (uint16_t)columns[i].type_len);
        writer_u32(b, UINT32_MAX); /* no type modifier: -1 */
        writer_u16(b, 0);          /* text format */
    }
    writer_end(b, mark);
}

/* Int32 length, or -1 for NULL, and that many bytes. */
static struct span read_value(struct reader *r)
{
    int32_t n = reader_i32(r);
    if (n == -1)
        return backend_null();
    if (n < 0)
        r->bad = true;
    return reader_bytes(r, n > 0 ? (size_t)n : 0);
}

bool backend_parse_data_row(struct span body, struct span *values, size_t max, size_t *n_out)
{
    struct reader r = reader_of(body);
    size_t n = reader_u16(&r);
    for (size_t i = 0; i < n && !r.bad; i++) {
        struct span v = read_value(&r);
        if (i < max)
            values[i] = v;
    }
    *n_out = n;
    return reader_done(&r);
}

void backend_build_data_row(struct buf *b, const struct span *values, uint16_t n)
{
    size_t mark = writer_begin(b, BE_DATA_ROW);
    writer_u16(b, n);
    for (uint16_t i = 0; i < n; i++) {
        assert(values[i].n <= MESSAGE_LEN_MAX);
        writer_u32(b, values[i].p ? (uint32_t)values[i].n : UINT32_MAX);
        writer_bytes(b, values[i]);
    }
    writer_end(b, mark);
}
