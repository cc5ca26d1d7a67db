/* SPDX-License-Identifier: PostgreSQL */
/* backend.h - what servers send: take it apart, and say it to clients ourselves.
 *
 * Source: PostgreSQL manual, "Message Formats". Parsers get the body (without type and length) and
 * return false if it is not exactly what the format says; all spans point into it. Strings come
 * without their NUL. Builders append one whole message to *b; see writer.h for what they assert.
 * ErrorResponse and NoticeResponse are in report.h. */
#ifndef PROTO_BACKEND_H
#define PROTO_BACKEND_H

#include "base/buf.h"
#include "base/span.h"

/* ---- authentication -------------------------------------------------------------------------- */

enum authentication_code {
    AUTHENTICATION_OK = 0,
    AUTHENTICATION_KERBEROS_V5 = 2,
    AUTHENTICATION_CLEARTEXT = 3,
    AUTHENTICATION_MD5 = 5,
    AUTHENTICATION_GSS = 7,
    AUTHENTICATION_GSS_CONTINUE = 8,
    AUTHENTICATION_SSPI = 9,
    AUTHENTICATION_SASL = 10,
    AUTHENTICATION_SASL_CONTINUE = 11,
    AUTHENTICATION_SASL_FINAL = 12,
};

struct backend_authentication {
    uint32_t code;    /* enum authentication_code, or something newer: then data is the rest */
    uint8_t salt[4];  /* of AUTHENTICATION_MD5 */
    struct span data; /* SASL: the list of mechanisms (backend_mechanism_next). SASL_CONTINUE,
                       * SASL_FINAL, GSS_CONTINUE: the exchange's own bytes. Else empty */
};
bool backend_parse_authentication(struct span body, struct backend_authentication *out)
    __attribute__((warn_unused_result));
/* Takes the next name from the list of AUTHENTICATION_SASL; false at its end. */
bool backend_mechanism_next(struct span *list, struct span *name_out);

void backend_build_authentication_ok(struct buf *b);
void backend_build_authentication_cleartext(struct buf *b);
void backend_build_authentication_md5(struct buf *b, const uint8_t salt[4]);
/* The mechanisms in order of preference. */
void backend_build_authentication_sasl(struct buf *b, const char *const *names, size_t n);
/* The rest of the message is appended by the caller, who ends it with writer_end. */
size_t backend_begin_authentication(struct buf *b, enum authentication_code code);
void backend_build_authentication_sasl_continue(struct buf *b, struct span data);
void backend_build_authentication_sasl_final(struct buf *b, struct span data);

/* ---- session --------------------------------------------------------------------------------- */

bool backend_parse_parameter_status(struct span body, struct span *name_out, struct span *value_out)
    __attribute__((warn_unused_result));
void backend_build_parameter_status(struct buf *b, struct span name, struct span value);

/* The key is the whole body, Int32 process and Byte4..256 secret, as CancelRequest repeats it. */
bool backend_parse_key_data(struct span body, struct span *key_out)
    __attribute__((warn_unused_result));
/* `key`: STARTUP_KEY_MIN to STARTUP_KEY_MAX bytes. */
void backend_build_key_data(struct buf *b, struct span key);

/* 'I' idle, 'T' in a transaction, 'E' in a failed one; nothing else passes. */
bool backend_parse_ready_for_query(struct span body, char *status_out)
    __attribute__((warn_unused_result));
void backend_build_ready_for_query(struct buf *b, char status);

/* NegotiateProtocolVersion: Int32 version, Int32 n, String[n] names not understood. */
struct backend_negotiate {
    uint32_t version; /* newest that the server speaks: major << 16 | minor */
    uint32_t n_names;
    struct span names; /* NUL-terminated, one behind the other */
};
bool backend_parse_negotiate_version(struct span body, struct backend_negotiate *out)
    __attribute__((warn_unused_result));

struct backend_notification {
    int32_t pid; /* of the session that raised it */
    struct span channel, payload;
};
bool backend_parse_notification(struct span body, struct backend_notification *out)
    __attribute__((warn_unused_result));
void backend_build_notification(struct buf *b, const struct backend_notification *n);

/* ---- answers --------------------------------------------------------------------------------- */

bool backend_parse_command_complete(struct span body, struct span *tag_out)
    __attribute__((warn_unused_result));
void backend_build_command_complete(struct buf *b, struct span tag);
/* One look at the body of a CommandComplete: "SELECT 1", "INSERT 0 1" and their like end in a
 * count, and what they did is no matter of the session. */
static inline bool backend_counts_rows(struct span body)
{
    return body.n > 1 && body.p[body.n - 1] == '\0' && body.p[body.n - 2] >= '0' &&
           body.p[body.n - 2] <= '9';
}

void backend_build_parse_complete(struct buf *b);
void backend_build_bind_complete(struct buf *b);
void backend_build_close_complete(struct buf *b);
void backend_build_no_data(struct buf *b);
void backend_build_empty_query(struct buf *b);
void backend_build_portal_suspended(struct buf *b);
/* ParameterDescription: 4 * n bytes of type OIDs, big-endian. */
void backend_build_parameter_description(struct buf *b, struct span oids, uint16_t n);

/* A column of an answer of our own: text, of no table. */
struct backend_column {
    struct span name;
    uint32_t type_oid;
    int16_t type_len; /* bytes; -1: varies */
};

enum backend_oid {
    BACKEND_OID_BOOL = 16,
    BACKEND_OID_BYTEA = 17,
    BACKEND_OID_INT8 = 20,
    BACKEND_OID_INT4 = 23,
    BACKEND_OID_TEXT = 25,
    BACKEND_OID_FLOAT8 = 701,
    BACKEND_OID_NUMERIC = 1700,
};

/* Fills at most `max` columns; *n_out is how many the message has. */
bool backend_parse_row_description(struct span body, struct backend_column *columns, size_t max,
                                   size_t *n_out) __attribute__((warn_unused_result));
void backend_build_row_description(struct buf *b, const struct backend_column *columns, uint16_t n);

/* SQL's NULL is a span whose pointer is NULL; an empty text has a pointer. */
static inline struct span backend_null(void)
{
    return span_of(NULL, 0);
}

/* Fills at most `max` values; *n_out is how many the message has. */
bool backend_parse_data_row(struct span body, struct span *values, size_t max, size_t *n_out)
    __attribute__((warn_unused_result));
void backend_build_data_row(struct buf *b, const struct span *values, uint16_t n);

#endif
