/* SPDX-License-Identifier: PostgreSQL */
/* buf.c - a growing run of owned bytes. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdlib.h>

#define BUF_FIRST 256

uint8_t *buf_grow(struct buf *b, size_t n)
{
    size_t len = buf_len(b);
    if (b->data && b->cap - len >= n && b->start >= b->cap / 2) {
        memmove(b->data, b->data + b->start, len);
    } else {
        size_t cap = b->cap ? b->cap : BUF_FIRST;
        while (cap - len < n)
            cap *= 2;
        uint8_t *data = xmalloc(cap);
        if (len)
            memcpy(data, b->data + b->start, len);
        free(b->data);
        b->data = data;
        b->cap = cap;
    }
    b->start = 0;
    b->end = len;
    return b->data + len;
}

void buf_consume(struct buf *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_reset(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
