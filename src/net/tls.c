/* SPDX-License-Identifier: PostgreSQL */
/* tls.c - OpenSSL over memory that is ours.
 *
 * OpenSSL's error queue belongs to the thread: it is empty before each call, and SSL_get_error
 * follows the call with nothing in between. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_context_impl.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL reserves what a ClientHello claims to need, up to 128 KiB, before it has come. Real ones,
 * with post-quantum keys and a ticket, stay below 4 KiB. */
#define HELLO_MAX 16384
/* Record header (5 bytes) and handshake header (4), RFC 8446 sections 5.1 and 4. */
#define HELLO_HEAD 9
#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1

struct tls {
    SSL *ssl;
    struct tls_context *context;
    char *host;        /* client role: for messages */
    char *session_key; /* client role: host and port */
    struct buf fed;    /* came before TLS was started; read first */
    struct span in;    /* borrowed: what the BIO reads */
    struct buf *out;   /* borrowed during a call: what the BIO writes to */
    uint8_t head[HELLO_HEAD];
    uint8_t head_len;
    bool is_up;
    bool is_started; /* client role: the hello was sent */
    bool is_ended;   /* close_notify came */
    bool is_broken;  /* a call failed: OpenSSL allows no other */
};

/* ---- the BIO --------------------------------------------------------------------------- */

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int bio_read(BIO *b, char *to, int size)
{
    struct tls *t = BIO_get_data(b);
    struct span from = buf_is_empty(&t->fed) ? t->in : buf_span(&t->fed);
    BIO_clear_retry_flags(b);
    if (size <= 0)
        return 0;
    if (!from.n) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t n = from.n < (size_t)size ? from.n : (size_t)size;
    memcpy(to, from.p, n);
    if (buf_is_empty(&t->fed)) {
        t->in = span_of(t->in.p + n, t->in.n - n);
    } else {
        buf_consume(&t->fed, n);
        if (buf_is_empty(&t->fed))
            buf_reset(&t->fed);
    }
    return (int)n;
}

/* Never refuses. */
static int bio_write(BIO *b, const char *p, int n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0 || !t->out)
        return n;
    buf_append(t->out, p, (size_t)n);
    return n;
}

static long bio_ctrl(BIO *b, int command, long number, void *p)
{
    (void)b;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "staging");
    if (!bio_method || !BIO_meth_set_read(bio_method, bio_read) ||
        !BIO_meth_set_write(bio_method, bio_write) || !BIO_meth_set_ctrl(bio_method, bio_ctrl) ||
        !BIO_meth_set_create(bio_method, bio_create))
        abort(); /* no memory */
}

/* ---- life ------------------------------------------------------------------------------ */

static struct tls *tls_new(struct tls_context *c)
{
    struct tls *t = xcalloc(1, sizeof *t);
    pthread_once(&bio_once, make_bio_method);
    tls_clear_errors();
    t->context = tls_context_ref(c);
    t->ssl = SSL_new(c->ctx);
    BIO *bio = BIO_new(bio_method);
    if (!t->ssl || !bio)
        abort(); /* no memory */
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    return t;
}

void tls_free(struct tls **tp)
{
    struct tls *t = *tp;
    if (!t)
        return;
    tls_clear_errors();
    SSL_free(t->ssl);
    tls_clear_errors();
    tls_context_unref(&t->context);
    buf_reset(&t->fed);
    free(t->host);
    free(t->session_key);
    free(t);
    *tp = NULL;
}

struct tls *tls_new_server(struct tls_context *c, struct span hello, struct error *err)
{
    if (!c->is_server) {
        error_set(err, "", "TLS context is for the other role");
        return NULL;
    }
    struct tls *t = tls_new(c);
    SSL_set_accept_state(t->ssl);
    buf_append(&t->fed, hello.p, hello.n);
    return t;
}

static bool is_address(const char *host)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* RFC 6066, section 3: the name without a trailing dot, and never an address. */
static bool name_peer(struct tls *t, struct error *err)
{
    bool address = is_address(t->host);
    bool full = t->context->verify == TLS_VERIFY_FULL;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    bool ok = true;
    size_t n = strlen(t->host);
    if (!address && n && t->host[n - 1] == '.')
        t->host[n - 1] = '\0';
    if (!t->host[0])
        return !full || error_set(err, "", "verify-full needs a host name");
    if (!address)
        ok = SSL_set_tlsext_host_name(t->ssl, t->host);
    if (ok && full && address) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, t->host);
    } else if (ok && full) {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(t->ssl, t->host);
    }
    if (ok)
        return true;
    tls_clear_errors();
    return error_set(err, "", "host name \"%.100s\" cannot be used for TLS", t->host);
}

static void offer_session(struct tls *t)
{
    SSL_SESSION *session = session_cache_take(&t->context->sessions, t->session_key);
    if (!session)
        return;
    if (!SSL_set_session(t->ssl, session))
        tls_clear_errors();
    SSL_SESSION_free(session);
}

struct tls *tls_new_client(struct tls_context *c, const char *host, uint16_t port, bool direct,
                           struct error *err)
{
    if (c->is_server) {
        error_set(err, "", "TLS context is for the other role");
        return NULL;
    }
    struct tls *t = tls_new(c);
    t->host = xstrdup(host ? host : "");
    SSL_set_connect_state(t->ssl);
    if (!name_peer(t, err)) {
        tls_free(&t);
        return NULL;
    }
    if ((direct || c->alpn) &&
        SSL_set_alpn_protos(t->ssl, (const unsigned char *)TLS_ALPN, TLS_ALPN_LEN) != 0)
        abort(); /* no memory */
    t->session_key = xasprintf("%s:%u", t->host, (unsigned)port);
    offer_session(t);
    return t;
}

int tls_on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    if (SSL_SESSION_is_resumable(session))
        session_cache_put(&t->context->sessions, t->session_key, session);
    return 0; /* we took no reference */
}

/* ---- handshake ------------------------------------------------------------------------- */

bool tls_is_up(const struct tls *t)
{
    return t->is_up;
}

bool tls_can_start(const struct tls *t)
{
    return t->context->is_server ? !buf_is_empty(&t->fed) : !t->is_started;
}

static void look_at(struct tls *t, struct span bytes)
{
    size_t room = HELLO_HEAD - t->head_len;
    size_t n = bytes.n < room ? bytes.n : room;
    if (n)
        memcpy(t->head + t->head_len, bytes.p, n);
    t->head_len += (uint8_t)n;
}

/* Server role: the client's first record must hold the handshake header whole (no client cuts it),
 * and that must not claim too much. Everything else is OpenSSL's to judge. */
static bool hello_is_bearable(struct tls *t, struct span in, struct error *err)
{
    if (!t->context->is_server || t->head_len == HELLO_HEAD)
        return true;
    look_at(t, buf_span(&t->fed));
    look_at(t, in);
    if (t->head_len < HELLO_HEAD || t->head[0] != RECORD_HANDSHAKE)
        return true;
    unsigned record = (unsigned)t->head[3] << 8 | t->head[4];
    unsigned long claimed =
        (unsigned long)t->head[6] << 16 | (unsigned long)t->head[7] << 8 | t->head[8];
    if (record < HELLO_HEAD - 5 || t->head[5] != CLIENT_HELLO)
        return error_set(err, "", "TLS handshake failed: it does not begin with a ClientHello");
    if (claimed > HELLO_MAX)
        return error_set(err, "", "TLS handshake failed: ClientHello of %lu bytes is too long",
                         claimed);
    return true;
}

static void explain_handshake(struct tls *t, struct error *err)
{
    long verdict = SSL_get_verify_result(t->ssl);
    unsigned long e = ERR_peek_error();
    char reason[128];
    if (e && ERR_GET_LIB(e) == ERR_LIB_SSL &&
        ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        bool name =
            verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
        ERR_clear_error();
        if (name)
            error_set(err, "", "certificate verify failed: %s: it is not for \"%.100s\"",
                      X509_verify_cert_error_string(verdict), t->host);
        else
            error_set(err, "", "certificate verify failed: %s",
                      X509_verify_cert_error_string(verdict));
        return;
    }
    error_set(err, "", "TLS handshake failed: %s", tls_reason(reason, sizeof reason));
}

enum tls_step tls_handshake(struct tls *t, struct span in, struct buf *out, struct error *err)
{
    if (!hello_is_bearable(t, in, err)) {
        t->is_broken = true;
        return TLS_STEP_FAILED;
    }
    t->in = in;
    t->out = out;
    t->is_started = true;
    tls_clear_errors();
    int r = SSL_do_handshake(t->ssl);
    int why = r == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, r);
    t->out = NULL;
    if (r == 1) {
        t->is_up = true;
        return TLS_STEP_DONE;
    }
    if (why == SSL_ERROR_WANT_READ)
        return TLS_STEP_MORE;
    t->is_broken = true;
    explain_handshake(t, err);
    return TLS_STEP_FAILED;
}

/* ---- data ------------------------------------------------------------------------------ */

void tls_give(struct tls *t, struct span in)
{
    t->in = in;
}

static enum tls_read why_not_read(struct tls *t, int r, struct error *err)
{
    char reason[128];
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return TLS_READ_ALL;
    case SSL_ERROR_ZERO_RETURN:
        t->is_ended = true;
        return TLS_READ_END;
    default:
        t->is_broken = true;
        error_set(err, "", "TLS failed: %s", tls_reason(reason, sizeof reason));
        return TLS_READ_FAILED;
    }
}

enum tls_read tls_read(struct tls *t, uint8_t *plain, size_t size, size_t *n_out, struct buf *out,
                       struct error *err)
{
    enum tls_read result = TLS_READ_FULL;
    size_t fill = 0, n;
    t->out = out;
    tls_clear_errors();
    while (result == TLS_READ_FULL && fill < size) {
        size_t room = size - fill;
        int r = SSL_read_ex(t->ssl, plain + fill, room, &n);
        if (r != 1) {
            result = why_not_read(t, r, err);
            break;
        }
        fill += n;
        /* That was the last record: spares the read that would only say so. */
        if (n < room && !t->in.n && buf_is_empty(&t->fed))
            result = TLS_READ_ALL;
    }
    t->out = NULL;
    if (result != TLS_READ_FULL)
        t->in = span_of(NULL, 0);
    *n_out = fill;
    return result;
}

bool tls_write(struct tls *t, const void *p, size_t n, struct buf *out)
{
    const uint8_t *at = p;
    bool ok = !t->is_broken;
    t->out = out;
    tls_clear_errors();
    while (ok && n) {
        size_t done = 0;
        ok = SSL_write_ex(t->ssl, at, n, &done) == 1;
        at += done;
        n -= done;
    }
    t->out = NULL;
    if (!ok) {
        t->is_broken = true;
        tls_clear_errors();
    }
    return ok;
}

void tls_goodbye(struct tls *t, struct buf *out)
{
    if (!t->is_up || t->is_broken)
        return;
    t->out = out;
    tls_clear_errors();
    SSL_shutdown(t->ssl);
    tls_clear_errors();
    t->out = NULL;
    t->is_broken = true; /* nothing may follow it */
}

bool tls_is_quiet(const struct tls *t)
{
    return t->is_up && !t->is_ended && !t->is_broken && !t->in.n && buf_is_empty(&t->fed) &&
           !SSL_has_pending(t->ssl);
}

/* ---- about the session ----------------------------------------------------------------- */

const char *tls_version(const struct tls *t)
{
    return t->is_up ? SSL_get_version(t->ssl) : "";
}

const char *tls_cipher(const struct tls *t)
{
    return t->is_up ? SSL_get_cipher_name(t->ssl) : "";
}

struct span tls_alpn(const struct tls *t)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    if (t->is_up)
        SSL_get0_alpn_selected(t->ssl, &name, &n);
    return span_of(name, n);
}

bool tls_is_resumed(const struct tls *t)
{
    return t->is_up && SSL_session_reused(t->ssl);
}

bool tls_peer_verified(const struct tls *t)
{
    return t->is_up && t->context->verifies && SSL_get0_peer_certificate(t->ssl) &&
           SSL_get_verify_result(t->ssl) == X509_V_OK;
}

bool tls_peer_name(const struct tls *t, char *out, size_t size)
{
    X509 *cert = t->is_up ? SSL_get0_peer_certificate(t->ssl) : NULL;
    return cert && tls_cert_common_name(cert, out, size);
}

bool tls_binding(const struct tls *t, enum stream_cert which, uint8_t out[STREAM_BINDING_MAX],
                 size_t *len_out)
{
    X509 *cert = NULL;
    if (t->is_up)
        cert = which == STREAM_OWN_CERT ? SSL_get_certificate(t->ssl)
                                        : SSL_get0_peer_certificate(t->ssl);
    return cert && tls_cert_binding(cert, out, len_out);
}
