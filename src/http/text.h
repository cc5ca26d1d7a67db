/* SPDX-License-Identifier: PostgreSQL */
/* text.h - append to a page: plain text, JSON strings, values of OpenMetrics labels. */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include "base/buf.h"

void text_add(struct buf *page, const char *s);
void text_addf(struct buf *page, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));

/* A JSON string (RFC 8259, section 7) with its quotes; NULL is null. What is not UTF-8 becomes '?'.
 */
void text_add_json(struct buf *page, const char *s);

/* The value of a label with its quotes; UTF-8. OpenMetrics 1.0: `\`, `"` and newline are escaped,
 * everything else stands for itself. */
void text_add_label(struct buf *page, const char *s);

/* Microseconds as seconds, to the microsecond. */
void text_add_seconds(struct buf *page, uint64_t us);

#endif
