/* SPDX-License-Identifier: PostgreSQL */
/* frame.h - cut a stream of bytes into messages.
 *
 *      type      length               body
 *      +-----+-----+-----+-----+-----+---------- - - -
 *      |  Q  | 00    00    00    2a  | 38 bytes
 *      +-----+-----+-----+-----+-----+---------- - - -
 *      '---------- FRAME_HEADER ----'
 *
 * The length counts itself and the body, not the type. Nothing here knows which types exist
 * (message.h) or gathers anything: a message whose body is not all there is reported as such. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/span.h"
#include "proto/message.h"

#define FRAME_HEADER 5

enum frame_result {
    FRAME_OK,   /* a header, and the body or the beginning of it */
    FRAME_MORE, /* too little to tell; come back with more */
    FRAME_BAD,  /* no protocol: the stream can't be followed any further */
};

struct frame {
    uint8_t type;
    bool whole;        /* the body is all there */
    uint32_t body_len; /* bytes of body that the header announces */
    size_t total;      /* FRAME_HEADER + body_len */
    struct span body;  /* the part of the body that is present; points into the input */
};

/* Big-endian numbers at any address. */
static inline uint16_t frame_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t frame_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Looks at the message that begins at the start of `in`. Sets *out only with FRAME_OK. */
static inline enum frame_result frame_next(struct span in, struct frame *out)
{
    if (in.n < FRAME_HEADER)
        return FRAME_MORE;
    uint32_t len = frame_u32(in.p + 1);
    if (len < 4 || len > MESSAGE_LEN_MAX)
        return FRAME_BAD;
    size_t present = in.n - FRAME_HEADER;
    uint32_t body_len = len - 4;
    out->type = in.p[0];
    out->whole = present >= body_len;
    out->body_len = body_len;
    out->total = FRAME_HEADER + (size_t)body_len;
    out->body = span_of(in.p + FRAME_HEADER, out->whole ? body_len : present);
    return FRAME_OK;
}

/* Whether a length word is none, or above max_len: one comparison. */
static inline bool frame_len_is_bad(uint32_t len, uint32_t max_len)
{
    return len - 4 > max_len - 4;
}

/* How many bytes at the start of `in` are whole DataRow messages, or whole CopyData messages: a run
 * of one of the two, never mixed, so that one look at its first letter is enough for the caller. 0
 * if `in` begins with anything else. What ends the run (another type, a part of a message, a length
 * word below 4 or above max_len) is left for frame_next. */
size_t frame_skip_rows(struct span in, uint32_t max_len);

#endif
