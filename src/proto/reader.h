/* SPDX-License-Identifier: PostgreSQL */
/* reader.h - a bounded cursor over the body of a message.
 *
 * The first read that does not fit sets `bad`, which stays; from then on every read gives zero or
 * an empty span. So a parser reads all its fields and looks at reader_done() once, at the end.
 * Spans point into the body. */
#ifndef PROTO_READER_H
#define PROTO_READER_H

#include "proto/frame.h"

struct reader {
    const uint8_t *at;
    size_t left; /* bytes behind `at` */
    bool bad;
};

static inline struct reader reader_of(struct span body)
{
    return (struct reader){.at = body.p, .left = body.n};
}

/* n bytes as they are. */
static inline struct span reader_bytes(struct reader *r, size_t n)
{
    if (r->bad || n > r->left) {
        r->bad = true;
        return span_of(NULL, 0);
    }
    struct span s = span_of(r->at, n);
    if (n) {
        r->at += n;
        r->left -= n;
    }
    return s;
}

static inline uint8_t reader_u8(struct reader *r)
{
    struct span s = reader_bytes(r, 1);
    return s.n ? s.p[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    struct span s = reader_bytes(r, 2);
    return s.n ? frame_u16(s.p) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    struct span s = reader_bytes(r, 4);
    return s.n ? frame_u32(s.p) : 0;
}

static inline int32_t reader_i32(struct reader *r)
{
    return (int32_t)reader_u32(r);
}

/* A String of the manual: up to the NUL, which is stepped over and not part of the span. Many names
 * are empty: without a call. */
static inline struct span reader_cstr(struct reader *r)
{
    if (r->bad || !r->left) {
        r->bad = true;
        return span_of(NULL, 0);
    }
    const uint8_t *nul = *r->at ? memchr(r->at, 0, r->left) : r->at;
    if (!nul) {
        r->bad = true;
        return span_of(NULL, 0);
    }
    struct span s = span_of(r->at, (size_t)(nul - r->at));
    r->at += s.n + 1;
    r->left -= s.n + 1;
    return s;
}

/* Everything that is left. */
static inline struct span reader_rest(struct reader *r)
{
    return reader_bytes(r, r->left);
}

static inline bool reader_at_end(const struct reader *r)
{
    return r->left == 0;
}

/* Every read fitted and nothing is left over: the body was what it should be. */
static inline bool reader_done(const struct reader *r)
{
    return !r->bad && r->left == 0;
}

#endif
