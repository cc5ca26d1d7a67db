/* SPDX-License-Identifier: PostgreSQL */
/* buf.h - a growing run of owned bytes with a read end and a write end.
 *
 *      data                    start          end              cap
 *      |  already consumed     |   content    |   room         |
 *
 * An empty buf owns no memory after buf_reset. Not for the hot path: the relay forwards out of the
 * loop's staging buffer and touches a buf only when bytes are stuck. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

struct buf {
    uint8_t *data;
    size_t start, end, cap;
};

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline bool buf_is_empty(const struct buf *b)
{
    return b->end == b->start;
}

static inline struct span buf_span(const struct buf *b)
{
    return span_of(b->data ? b->data + b->start : NULL, buf_len(b));
}

/* Private: where there is no room. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* Makes room for at least n more bytes and returns where they go; commit with buf_commit.
 * The pointer is valid until the next call on this buf. */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    return b->cap - b->end >= n && b->data ? b->data + b->end : buf_grow(b, n);
}
static inline void buf_commit(struct buf *b, size_t n)
{
    b->end += n;
}
static inline void buf_append(struct buf *b, const void *p, size_t n)
{
    if (!n)
        return;
    memcpy(b->cap - b->end >= n ? b->data + b->end : buf_grow(b, n), p, n);
    b->end += n;
}
/* Drops n bytes from the front (n <= buf_len). */
void buf_consume(struct buf *b, size_t n);
/* Forgets the content, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}
/* Forgets the content and gives the memory back. */
void buf_reset(struct buf *b);

#endif
