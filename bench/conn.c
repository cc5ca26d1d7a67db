/* SPDX-License-Identifier: PostgreSQL */
/* conn.c - a non-blocking connection, plain or TLS.
 *
 * The staging buffers belong to the program, not to a connection: every pass through them ends
 * before another connection is touched. OpenSSL keeps half a record to itself, so the incoming
 * one is always used up, and the plaintext one has room for what that half completes. */
#include "conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_RECORD_MAX (16 * 1024)

static uint8_t incoming[CONN_READ_MAX];
static size_t incoming_start, incoming_end;
static uint8_t plaintext[CONN_READ_MAX + TLS_RECORD_MAX];
static struct bytes outgoing;

static int transport_read(BIO *bio, char *out, int size)
{
    size_t n = incoming_end - incoming_start;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n > (size_t)size)
        n = (size_t)size;
    memcpy(out, incoming + incoming_start, n);
    incoming_start += n;
    return (int)n;
}

static int transport_write(BIO *bio, const char *data, int size)
{
    BIO_clear_retry_flags(bio);
    bytes_add(&outgoing, data, (size_t)size);
    return size;
}

static long transport_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *transport(void)
{
    static BIO_METHOD *method;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "staging");
        if (method == NULL || !BIO_meth_set_read(method, transport_read) ||
            !BIO_meth_set_write(method, transport_write) ||
            !BIO_meth_set_ctrl(method, transport_control))
            die("cannot set up the transport of TLS");
    }
    return method;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION))
        die("cannot set up TLS");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

SSL_CTX *tls_server_context(const char *cert_file, const char *key_file)
{
    SSL_CTX *context = new_context(TLS_server_method());

    /* As PostgreSQL: no tickets, each handshake is a full one. */
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        die("cannot use the certificate %s", cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        die("cannot use the key %s", key_file);
    return context;
}

SSL_CTX *tls_client_context(void)
{
    return new_context(TLS_client_method());
}

void conn_init(struct conn *c, int fd)
{
    *c = (struct conn){.fd = fd};
}

/* Sends from `data`; what does not fit now is kept. */
static bool send_or_keep(struct conn *c, const uint8_t *data, size_t len)
{
    size_t sent = 0;

    while (sent < len && !conn_is_stuck(c)) {
        ssize_t n = send(c->fd, data + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return false;
    }
    bytes_add(&c->unsent, data + sent, len - sent);
    return true;
}

/* Sends the ciphertext that OpenSSL has produced. */
static bool send_outgoing(struct conn *c)
{
    bool ok = send_or_keep(c, outgoing.data + outgoing.start, bytes_len(&outgoing));

    bytes_clear(&outgoing);
    return ok;
}

/* CONN_DATA means: agreed, go on reading. */
static enum conn_result shake_hands(struct conn *c)
{
    ERR_clear_error();
    int status = SSL_do_handshake(c->ssl);
    bool waits = status != 1 && SSL_get_error(c->ssl, status) == SSL_ERROR_WANT_READ;

    if (!send_outgoing(c) || (status != 1 && !waits))
        return CONN_END;
    return waits ? CONN_AGAIN : CONN_DATA;
}

void conn_start_tls(struct conn *c, SSL_CTX *context, bool is_server)
{
    BIO *bio = BIO_new(transport());

    c->ssl = SSL_new(context);
    if (c->ssl == NULL || bio == NULL)
        die("out of memory for TLS");
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    if (is_server) {
        SSL_set_accept_state(c->ssl);
        return;
    }
    SSL_set_connect_state(c->ssl);
    incoming_start = incoming_end = 0;
    /* A failure shows in the next conn_read. */
    shake_hands(c);
}

bool conn_is_open(const struct conn *c)
{
    return c->ssl == NULL || SSL_is_init_finished(c->ssl);
}

/* Decrypts everything in `incoming`. */
static enum conn_result decrypt(struct conn *c, size_t *len_out)
{
    size_t len = 0, n;
    int status;

    if (ERR_peek_error() != 0)
        ERR_clear_error();
    while ((status = SSL_read_ex(c->ssl, plaintext + len, sizeof(plaintext) - len, &n)) == 1)
        len += n;
    if (SSL_get_error(c->ssl, status) != SSL_ERROR_WANT_READ && len == 0)
        return CONN_END;
    /* A KeyUpdate may have asked for an answer. */
    if (bytes_len(&outgoing) > 0 && !send_outgoing(c))
        return CONN_END;
    *len_out = len;
    return len > 0 ? CONN_DATA : CONN_AGAIN;
}

enum conn_result conn_read(struct conn *c, const uint8_t **data_out, size_t *len_out)
{
    ssize_t n = recv(c->fd, incoming, sizeof(incoming), 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return CONN_AGAIN;
    if (n <= 0)
        return CONN_END;
    if (c->ssl == NULL) {
        *data_out = incoming;
        *len_out = (size_t)n;
        return CONN_DATA;
    }
    incoming_start = 0;
    incoming_end = (size_t)n;
    if (!SSL_is_init_finished(c->ssl)) {
        enum conn_result step = shake_hands(c);
        if (step != CONN_DATA)
            return step;
    }
    *data_out = plaintext;
    return decrypt(c, len_out);
}

bool conn_write(struct conn *c, const void *data, size_t len)
{
    size_t written;

    if (c->ssl == NULL)
        return send_or_keep(c, data, len);
    if (len == 0)
        return true;
    if (ERR_peek_error() != 0)
        ERR_clear_error();
    /* The transport takes everything, so this is all or an error. */
    if (SSL_write_ex(c->ssl, data, len, &written) != 1)
        return false;
    return send_outgoing(c);
}

bool conn_flush(struct conn *c)
{
    while (conn_is_stuck(c)) {
        ssize_t n =
            send(c->fd, c->unsent.data + c->unsent.start, bytes_len(&c->unsent), MSG_NOSIGNAL);
        if (n > 0)
            bytes_consume(&c->unsent, (size_t)n);
        else if (errno == EAGAIN)
            return true;
        else if (errno != EINTR)
            return false;
    }
    bytes_free(&c->unsent);
    return true;
}

void conn_close(struct conn *c)
{
    if (c->fd < 0)
        return;
    SSL_free(c->ssl);
    c->ssl = NULL;
    bytes_free(&c->unsent);
    close(c->fd);
    c->fd = -1;
}
