/* SPDX-License-Identifier: PostgreSQL */
/* frontend.h - what clients send after the startup packet: take it apart, and say it ourselves.
 *
 * Source: PostgreSQL manual, "Message Formats". Parsers get the body (without type and length) and
 * return false if it is not exactly what the format says; all spans point into it. Strings come
 * without their NUL. Builders append one whole message to *b; see writer.h for what they assert. */
#ifndef PROTO_FRONTEND_H
#define PROTO_FRONTEND_H

#include "base/buf.h"
#include "base/span.h"
#include "proto/frame.h"

/* ---- parsers --------------------------------------------------------------------------------- */

/* Query: String. */
bool frontend_parse_query(struct span body, struct span *text_out)
    __attribute__((warn_unused_result));

/* Parse: String name, String query, Int16 n, Int32[n] type OIDs. */
struct frontend_parse {
    struct span name, query;
    uint16_t n_oids;
    struct span oids; /* 4 * n_oids bytes, big-endian */
};
bool frontend_parse_parse(struct span body, struct frontend_parse *out)
    __attribute__((warn_unused_result));

/* Bind begins with String portal, String statement. The rest may be a gigabyte. */
struct frontend_bind_head {
    struct span portal, statement;
    size_t len; /* bytes of body that the two names take, NULs included */
};
/* `present` is the part of a body of body_len bytes that has arrived. FRAME_MORE: the names do not
 * end in it, but could in what is still to come. */
enum frame_result frontend_parse_bind_head(struct span present, uint32_t body_len,
                                           struct frontend_bind_head *out)
    __attribute__((warn_unused_result));

/* Describe and Close: Byte1 kind, String name. */
struct frontend_object {
    char kind; /* 'S' statement or 'P' portal; nothing else passes */
    struct span name;
};
bool frontend_parse_object(struct span body, struct frontend_object *out)
    __attribute__((warn_unused_result));

/* Execute: String portal, Int32 max_rows (0: all). */
struct frontend_execute {
    struct span portal;
    int32_t max_rows;
};
bool frontend_parse_execute(struct span body, struct frontend_execute *out)
    __attribute__((warn_unused_result));

/* CopyFail: String. */
bool frontend_parse_copy_fail(struct span body, struct span *reason_out)
    __attribute__((warn_unused_result));

/* PasswordMessage: String. The span may hold a secret: it is the caller's to wipe. */
bool frontend_parse_password(struct span body, struct span *password_out)
    __attribute__((warn_unused_result));

/* SASLInitialResponse: String mechanism, Int32 length or -1, Byte[length]. (The body of a
 * SASLResponse is the mechanism's data as it is.) */
struct frontend_sasl_initial {
    struct span mechanism;
    bool has_data; /* false: length was -1 */
    struct span data;
};
bool frontend_parse_sasl_initial(struct span body, struct frontend_sasl_initial *out)
    __attribute__((warn_unused_result));

/* ---- builders -------------------------------------------------------------------------------- */

void frontend_build_query(struct buf *b, struct span text);
/* `oids`: 4 * n_oids bytes, big-endian, as frontend_parse_parse gives them. */
void frontend_build_parse(struct buf *b, struct span name, struct span query, struct span oids,
                          uint16_t n_oids);
/* A Bind with text parameters and text results. A value whose pointer is NULL is SQL's NULL. */
void frontend_build_bind(struct buf *b, struct span portal, struct span statement,
                         const struct span *values, uint16_t n_values);
/* kind: 'S' statement or 'P' portal. */
void frontend_build_describe(struct buf *b, char kind, struct span name);
void frontend_build_close(struct buf *b, char kind, struct span name);
void frontend_build_execute(struct buf *b, struct span portal, int32_t max_rows);
void frontend_build_sync(struct buf *b);
void frontend_build_flush(struct buf *b);
void frontend_build_terminate(struct buf *b);
void frontend_build_copy_data(struct buf *b, struct span data);
void frontend_build_copy_done(struct buf *b);
void frontend_build_copy_fail(struct buf *b, struct span reason);
void frontend_build_password(struct buf *b, struct span password);
void frontend_build_sasl_initial(struct buf *b, struct span mechanism, struct span data);
void frontend_build_sasl_response(struct buf *b, struct span data);

/* Parse, Bind and Execute of one command without parameters and without Sync: it runs inside the
 * group of messages that follow, and its failure makes the server skip them up to their Sync. The
 * names are used up: a statement or portal of that name is replaced if it is unnamed, and an error
 * if it is not. */
void frontend_build_run(struct buf *b, struct span statement, struct span portal,
                        struct span command);

/* Appends the beginning of a Bind message, up to and including the statement's name, which is
 * replaced by `statement`. `head` and `body_len` are those of the original message. The length that
 * is written counts on the original's body following from byte head->len on, unchanged. */
void frontend_rewrite_bind_head(struct buf *b, const struct frontend_bind_head *head,
                                uint32_t body_len, struct span statement);

#endif
