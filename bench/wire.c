/* SPDX-License-Identifier: PostgreSQL */
/* wire.c - cut messages out of a byte stream, build them. */
#include "wire.h"

#include <string.h>

/* Int32 length, itself included. */
#define LENGTH_BYTES 4U
#define HEAD_BYTES (1 + LENGTH_BYTES)
/* PostgreSQL's own limit for a message. */
#define LENGTH_MAX 0x3fffffffU

uint32_t wire_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Completes the head; false if there are not enough bytes. */
static bool take_head(struct wire_reader *r, const uint8_t **data, size_t *len)
{
    size_t n = HEAD_BYTES - r->head_len;

    if (n > *len)
        n = *len;
    memcpy(r->head + r->head_len, *data, n);
    r->head_len = (uint8_t)(r->head_len + n);
    *data += n;
    *len -= n;
    return r->head_len == HEAD_BYTES;
}

/* Takes what is there of a body that did not come whole. */
static void take_piece(struct wire_reader *r, const uint8_t **data, size_t *len, bool keeps)
{
    size_t n = r->left < *len ? r->left : *len;

    if (keeps)
        bytes_add(&r->body, *data, n);
    r->left -= (uint32_t)n;
    *data += n;
    *len -= n;
}

enum wire_result wire_next(struct wire_reader *r, const uint8_t **data, size_t *len,
                           struct message *out)
{
    if (r->head_len < HEAD_BYTES) {
        if (!take_head(r, data, len))
            return WIRE_MORE;
        r->left = wire_get32(r->head + 1) - LENGTH_BYTES;
        if (r->left > LENGTH_MAX)
            return WIRE_BAD;
        bytes_clear(&r->body);
    }

    out->letter = (char)r->head[0];
    out->len = wire_get32(r->head + 1) - LENGTH_BYTES;
    if (r->left == out->len && r->left <= *len) {
        out->body = *data;
        *data += r->left;
        *len -= r->left;
    } else {
        bool keeps = out->len <= WIRE_KEEP_MAX;
        take_piece(r, data, len, keeps);
        if (r->left > 0)
            return WIRE_MORE;
        out->body = keeps ? r->body.data + r->body.start : NULL;
    }
    r->head_len = 0;
    return WIRE_MESSAGE;
}

void wire_reader_free(struct wire_reader *r)
{
    bytes_free(&r->body);
    *r = (struct wire_reader){0};
}

size_t wire_begin(struct bytes *b, char letter)
{
    if (letter != 0)
        bytes_add(b, &letter, 1);
    /* An offset from `start`: appending may move the content. */
    size_t begin = bytes_len(b);
    wire_put32(b, 0);
    return begin;
}

void wire_end(struct bytes *b, size_t begin)
{
    uint8_t *p = b->data + b->start + begin;
    uint32_t len = (uint32_t)(bytes_len(b) - begin);

    p[0] = (uint8_t)(len >> 24);
    p[1] = (uint8_t)(len >> 16);
    p[2] = (uint8_t)(len >> 8);
    p[3] = (uint8_t)len;
}

void wire_put16(struct bytes *b, uint16_t value)
{
    uint8_t p[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    bytes_add(b, p, sizeof(p));
}

void wire_put32(struct bytes *b, uint32_t value)
{
    wire_put16(b, (uint16_t)(value >> 16));
    wire_put16(b, (uint16_t)value);
}

void wire_put_string(struct bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text) + 1);
}

void wire_put_empty(struct bytes *b, char letter)
{
    wire_end(b, wire_begin(b, letter));
}

void wire_put_request(struct bytes *b, uint32_t code)
{
    size_t begin = wire_begin(b, 0);

    wire_put32(b, code);
    wire_end(b, begin);
}
