/* SPDX-License-Identifier: PostgreSQL */
/* writer.h - append messages to a buffer.
 *
 *      size_t mark = writer_begin(b, BE_PARAMETER_STATUS);
 *      writer_cstr(b, name);
 *      writer_cstr(b, value);
 *      writer_end(b, mark);
 *
 * Between begin and end nothing may be consumed from the buffer. Spans that are written must not
 * lie in the same buffer, which may move. What is written here is ours or has been parsed, so a NUL
 * inside a string or a message above MESSAGE_LEN_MAX is a broken rule of ours: an assertion. */
#ifndef PROTO_WRITER_H
#define PROTO_WRITER_H

#include "base/buf.h"

/* Writes the type and room for the length; returns the mark that writer_end wants. */
size_t writer_begin(struct buf *b, uint8_t type);
/* The same for a startup packet, which has no type. */
size_t writer_begin_untyped(struct buf *b);
/* Puts the length where it belongs. */
void writer_end(struct buf *b, size_t mark);

void writer_u8(struct buf *b, uint8_t v);
void writer_u16(struct buf *b, uint16_t v);
void writer_u32(struct buf *b, uint32_t v);
/* The bytes and a NUL behind them. */
void writer_cstr(struct buf *b, struct span s);
/* The bytes alone. */
void writer_bytes(struct buf *b, struct span s);
/* A message that is only a type and a length. */
void writer_empty(struct buf *b, uint8_t type);

#endif
