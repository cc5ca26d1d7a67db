/* SPDX-License-Identifier: PostgreSQL */
/* wire.h - messages of the PostgreSQL protocol 3.0: cut them out of a byte stream, build them.
 * (PostgreSQL manual, chapter "Frontend/Backend Protocol", "Message Formats".) */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "common.h"

#define WIRE_PROTOCOL_3_0 (3U << 16)
#define WIRE_SSL_REQUEST 80877103U
#define WIRE_GSSENC_REQUEST 80877104U
#define WIRE_CANCEL_REQUEST 80877102U

/* Bodies that arrive in pieces are put together up to this size. */
#define WIRE_KEEP_MAX (16 * 1024)

struct message {
    char letter;
    uint32_t len;        /* of the body */
    const uint8_t *body; /* NULL if the body came in pieces and is longer than WIRE_KEEP_MAX */
};

enum wire_result {
    WIRE_MESSAGE,
    WIRE_MORE, /* all bytes are used up */
    WIRE_BAD,  /* a length that no message has */
};

/* Where in a stream of messages we are. All zero is the start. */
struct wire_reader {
    uint8_t head[5];
    uint8_t head_len;
    uint32_t left;     /* bytes of the body still to come, while head_len is 5 */
    struct bytes body; /* the pieces so far */
};

/* Takes bytes from *data up to the end of the next message. The body is valid until the next call
 * and as long as the data. */
enum wire_result wire_next(struct wire_reader *r, const uint8_t **data, size_t *len,
                           struct message *out);
void wire_reader_free(struct wire_reader *r);

uint32_t wire_get32(const uint8_t *p);

/* Appending to a byte string. wire_begin returns what wire_end needs to fill the length in; letter
 * 0 starts a start-up packet, which has none. */
size_t wire_begin(struct bytes *b, char letter);
void wire_end(struct bytes *b, size_t begin);
void wire_put16(struct bytes *b, uint16_t value);
void wire_put32(struct bytes *b, uint32_t value);
/* With its terminating NUL. */
void wire_put_string(struct bytes *b, const char *text);
/* A message without a body. */
void wire_put_empty(struct bytes *b, char letter);
/* A start-up packet of eight bytes: SSLRequest and the like. */
void wire_put_request(struct bytes *b, uint32_t code);

#endif
