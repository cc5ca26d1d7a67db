/* SPDX-License-Identifier: PostgreSQL */
/* tls.h - a TLS session as bytes in, bytes out; included by net/ only.
 *
 * The BIO under OpenSSL reads from a borrowed span and appends to a buffer: no descriptor, no copy
 * beside OpenSSL's own. Encrypted input is given whole and used up in one go, so that nothing is
 * ever hidden between the kernel and OpenSSL; output never has to wait, so OpenSSL never asks for a
 * write to be repeated. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/error.h"
#include "net/stream.h"

struct tls;

/* Take a reference of the context. NULL and *err if the host name is unusable. */
struct tls *tls_new_server(struct tls_context *c, struct span hello, struct error *err);
struct tls *tls_new_client(struct tls_context *c, const char *host, uint16_t port, bool direct,
                           struct error *err);
void tls_free(struct tls **t);

bool tls_is_up(const struct tls *t);
/* A step can be made without input: the client's first, or with the client's hello at hand. */
bool tls_can_start(const struct tls *t);

enum tls_step { TLS_STEP_MORE, TLS_STEP_DONE, TLS_STEP_FAILED };

/* What may be left of `in` after TLS_STEP_DONE is application data: tls_read continues with it.
 * `in` is borrowed until then. An alert may be in *out after a failure. */
enum tls_step tls_handshake(struct tls *t, struct span in, struct buf *out, struct error *err);

/* Makes `in` what tls_read reads from. */
void tls_give(struct tls *t, struct span in);

enum tls_read { TLS_READ_ALL, TLS_READ_FULL, TLS_READ_END, TLS_READ_FAILED };

/* Decrypts what was given. ALL: it is used up. FULL: *plain is, call again. END: the peer has said
 * close_notify. *n_out bytes are in plain in each case. */
enum tls_read tls_read(struct tls *t, uint8_t *plain, size_t size, size_t *n_out, struct buf *out,
                       struct error *err);
bool tls_write(struct tls *t, const void *p, size_t n, struct buf *out);
/* Appends a close_notify, if one can be said. */
void tls_goodbye(struct tls *t, struct buf *out);
/* Nothing half-read: may move to another thread. */
bool tls_is_quiet(const struct tls *t);

/* Of an established session. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
struct span tls_alpn(const struct tls *t);
bool tls_is_resumed(const struct tls *t);
bool tls_peer_verified(const struct tls *t);
bool tls_peer_name(const struct tls *t, char *out, size_t size);
bool tls_binding(const struct tls *t, enum stream_cert which, uint8_t out[STREAM_BINDING_MAX],
                 size_t *len_out);

#endif
