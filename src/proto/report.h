/* SPDX-License-Identifier: PostgreSQL */
/* report.h - the fields of ErrorResponse and NoticeResponse.
 *
 *      (Byte1 field, String value)*, NUL
 *
 * Source: PostgreSQL manual, "Error and Notice Message Fields". A body is taken as well-formed if
 * it is such a list and the NUL is its last byte. Unknown fields are ignored, as the manual
 * demands; a field that is absent is an empty span (Neon's proxy sends S, C and M only). */
#ifndef PROTO_REPORT_H
#define PROTO_REPORT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum report_field {
    REPORT_SEVERITY = 'S',
    REPORT_SEVERITY_NONLOCALIZED = 'V',
    REPORT_SQLSTATE = 'C',
    REPORT_MESSAGE = 'M',
    REPORT_DETAIL = 'D',
    REPORT_HINT = 'H',
    REPORT_POSITION = 'P',
    REPORT_INTERNAL_POSITION = 'p',
    REPORT_INTERNAL_QUERY = 'q',
    REPORT_WHERE = 'W',
    REPORT_SCHEMA = 's',
    REPORT_TABLE = 't',
    REPORT_COLUMN = 'c',
    REPORT_DATA_TYPE = 'd',
    REPORT_CONSTRAINT = 'n',
    REPORT_FILE = 'F',
    REPORT_LINE = 'L',
    REPORT_ROUTINE = 'R',
};

/* Spans point into the body. */
struct report {
    struct span severity;              /* in the language of the server's lc_messages */
    struct span severity_nonlocalized; /* since 9.6; absent from some proxies */
    struct span sqlstate, message, detail, hint;
    struct span position, internal_position, internal_query, where;
    struct span schema, table, column, data_type, constraint;
    struct span file, line, routine;
};

bool report_parse(struct span body, struct report *out) __attribute__((warn_unused_result));
/* True for FATAL and PANIC: the server closes the connection behind it. */
bool report_is_fatal(const struct report *r);

/* Append one whole ErrorResponse or NoticeResponse: S, V, C, M and, where not NULL, D and H.
 * An error that has no SQLSTATE is sent as XX000, a notice as 00000. */
void report_error(struct buf *b, const char *severity, const struct error *err, const char *detail,
                  const char *hint);
void report_notice(struct buf *b, const char *severity, const struct error *what,
                   const char *detail, const char *hint);

/* What of a report is kept for those who were not there: all of it, or its fields cut so that it
 * takes no more than this. */
#define REPORT_KEPT_MAX 8192
/* Replaces *kept by the body, bounded so; empties it if the body is malformed. */
void report_keep(struct buf *kept, struct span body);
/* Appends an ErrorResponse in the words of the kept report, with all of its fields but severity and
 * SQLSTATE, which are replaced; `hint` (may be NULL) is for a report that has none. An empty report
 * gives err's own text. */
void report_relay(struct buf *b, const char *severity, const struct error *err, struct span kept,
                  const char *hint);

/* Appends the report `body` again as a message of type BE_ERROR or BE_NOTICE, with the given field
 * replaced, or added in front if there was none. False, and nothing is appended, if the body is
 * malformed. `value` must hold no NUL. */
bool report_rewrite(struct buf *b, uint8_t type, struct span body, enum report_field field,
                    struct span value) __attribute__((warn_unused_result));

#endif
