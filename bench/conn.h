/* SPDX-License-Identifier: PostgreSQL */
/* conn.h - a non-blocking connection, plain or TLS, read and written at the least cost we know.
 *
 * One recv per readiness into a buffer that all connections share; with TLS all records that came
 * are decrypted in one go and all that are written leave in one send (a BIO of our own over shared
 * staging buffers). So the relay that is built on it is the floor that a proxy can reach. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "common.h"

#include <openssl/ssl.h>

/* The most that one conn_read brings, before decryption. */
#define CONN_READ_MAX (64 * 1024)

enum conn_result {
    CONN_DATA,
    CONN_AGAIN, /* nothing for the caller: no bytes, half a record, or a step of the handshake */
    CONN_END,   /* closed by the peer, or broken */
};

struct conn {
    int fd;              /* -1: closed */
    SSL *ssl;            /* NULL: plain */
    struct bytes unsent; /* what the socket did not take; owned memory only while that is so */
};

/* The context of a TLS server; dies if the files do not serve. RSA and ECDSA alike. */
SSL_CTX *tls_server_context(const char *cert_file, const char *key_file);
/* The context of a TLS client that verifies nothing, as sslmode=require does. */
SSL_CTX *tls_client_context(void);

void conn_init(struct conn *c, int fd);
/* From here on the bytes are TLS. A client's first flight goes out at once; a server waits. */
void conn_start_tls(struct conn *c, SSL_CTX *context, bool is_server);
/* Whether TLS is agreed on, or was never asked for. */
bool conn_is_open(const struct conn *c);
/* On CONN_DATA, *data_out and *len_out are the bytes, valid until the next conn_read of any. */
enum conn_result conn_read(struct conn *c, const uint8_t **data_out, size_t *len_out);
/* Sends now what the socket takes and keeps the rest in `unsent`; false: broken. */
bool conn_write(struct conn *c, const void *data, size_t len);
/* Sends what was kept; call when writable. False: broken. */
bool conn_flush(struct conn *c);
static inline bool conn_is_stuck(const struct conn *c)
{
    return bytes_len(&c->unsent) > 0;
}
/* Closes without a farewell of TLS. Does nothing if closed. */
void conn_close(struct conn *c);

#endif
