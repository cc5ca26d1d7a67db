/* SPDX-License-Identifier: PostgreSQL */
/* writer.c - append messages to a buffer. */
#include "proto/writer.h"

#include <assert.h>

#include "proto/message.h"

static void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

size_t writer_begin(struct buf *b, uint8_t type)
{
    writer_u8(b, type);
    return writer_begin_untyped(b);
}

/* The mark is the length word's distance from the buffer's start: that survives a move. */
size_t writer_begin_untyped(struct buf *b)
{
    size_t mark = buf_len(b);
    writer_u32(b, 0);
    return mark;
}

void writer_end(struct buf *b, size_t mark)
{
    size_t len = buf_len(b) - mark;
    assert(len >= 4 && len <= MESSAGE_LEN_MAX);
    put_u32(b->data + b->start + mark, (uint32_t)len);
}

void writer_u8(struct buf *b, uint8_t v)
{
    *buf_reserve(b, 1) = v;
    buf_commit(b, 1);
}

void writer_u16(struct buf *b, uint16_t v)
{
    uint8_t *p = buf_reserve(b, 2);
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    buf_commit(b, 2);
}

void writer_u32(struct buf *b, uint32_t v)
{
    put_u32(buf_reserve(b, 4), v);
    buf_commit(b, 4);
}

void writer_cstr(struct buf *b, struct span s)
{
    assert(s.n == 0 || !memchr(s.p, 0, s.n));
    uint8_t *p = buf_reserve(b, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    buf_commit(b, s.n + 1);
}

void writer_bytes(struct buf *b, struct span s)
{
    buf_append(b, s.p, s.n);
}

void writer_empty(struct buf *b, uint8_t type)
{
    uint8_t *p = buf_reserve(b, 5);
    p[0] = type;
    put_u32(p + 1, 4);
    buf_commit(b, 5);
}
