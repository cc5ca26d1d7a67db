/* SPDX-License-Identifier: PostgreSQL */
/* load_client.c - one client of the load generator: its states, its requests. */
#include "load_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATEMENT_NAME "P_0"
/* What a COPY sends at a time; the socket is then asked whether it takes more. */
#define COPY_PIECE_BYTES (32 * 1024)

/* AuthenticationRequest codes. */
enum { AUTH_OK = 0, AUTH_SASL = 10, AUTH_SASL_CONTINUE = 11, AUTH_SASL_FINAL = 12 };

static void connect_client(struct load *l, struct client *c);

/* ---- ends ---- */

static void count_error(struct load *l, const char *text)
{
    if (l->errors++ == 0)
        snprintf(l->first_error, sizeof(l->first_error), "%s", text);
}

/* The connection ended against our will. One that reconnects tries again, for its next transaction.
 */
static void lose(struct load *l, struct client *c, const char *why)
{
    count_error(l, why);
    conn_close(&c->conn);
    wire_reader_free(&c->reader);
    c->state = CLIENT_NONE;
    if (l->options.reconnects && c->was_ready && !l->is_stopping) {
        connect_client(l, c);
        return;
    }
    l->n_lost++;
    if (!c->was_ready) {
        l->n_logging_in--;
        load_start_clients(l);
    }
}

/* ---- requests ---- */

static void send_request(struct load *l, struct client *c)
{
    bool ok = conn_write(&c->conn, l->request.data + l->request.start, bytes_len(&l->request));

    bytes_clear(&l->request);
    if (!ok) {
        lose(l, c, "the connection broke while writing");
        return;
    }
    if (conn_is_stuck(&c->conn) && !c->waits_for_write) {
        c->waits_for_write = true;
        watch_change(l->epoll, c->conn.fd, EPOLLIN | EPOLLOUT, c);
    }
}

static void put_query(struct bytes *b, const char *text)
{
    size_t begin = wire_begin(b, 'Q');

    wire_put_string(b, text);
    wire_end(b, begin);
}

static void put_parse(struct bytes *b, const char *name)
{
    size_t begin = wire_begin(b, 'P');

    wire_put_string(b, name);
    wire_put_string(b, "SELECT abalance FROM pgbench_accounts WHERE aid = $1;");
    wire_put16(b, 0); /* no types given */
    wire_end(b, begin);
}

/* As libpq does for one text parameter and a text result. */
static void put_execution(struct bytes *b, const char *statement, uint32_t account)
{
    char number[16];
    int digits = snprintf(number, sizeof(number), "%u", account);

    size_t begin = wire_begin(b, 'B');
    wire_put_string(b, "");
    wire_put_string(b, statement);
    wire_put16(b, 1); /* one format code: */
    wire_put16(b, 0); /* text */
    wire_put16(b, 1);
    wire_put32(b, (uint32_t)digits);
    bytes_add(b, number, (size_t)digits);
    wire_put16(b, 1);
    wire_put16(b, 0);
    wire_end(b, begin);

    begin = wire_begin(b, 'D');
    bytes_add(b, "P", 1);
    wire_put_string(b, "");
    wire_end(b, begin);

    begin = wire_begin(b, 'E');
    wire_put_string(b, "");
    wire_put32(b, 0);
    wire_end(b, begin);
    wire_put_empty(b, 'S');
}

/* xorshift64*: cheap, and the account numbers need no more. */
static uint32_t random_account(struct load *l)
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return 1 + (uint32_t)((l->random * 0x2545F4914F6CDD1DULL) >> 33) % l->options.accounts;
}

static void start_transaction(struct load *l, struct client *c)
{
    char text[96];

    c->state = CLIENT_BUSY;
    if (!l->options.reconnects)
        c->started_ns = l->now;
    if (l->options.query != NULL) {
        put_query(&l->request, l->options.query);
    } else if (l->options.protocol == LOAD_SIMPLE) {
        snprintf(text, sizeof(text), "SELECT abalance FROM pgbench_accounts WHERE aid = %u;",
                 random_account(l));
        put_query(&l->request, text);
    } else {
        const char *name = l->options.protocol == LOAD_PREPARED ? STATEMENT_NAME : "";
        if (l->options.protocol == LOAD_EXTENDED)
            put_parse(&l->request, name);
        put_execution(&l->request, name, random_account(l));
    }
    send_request(l, c);
}

/* Sends CopyData until the socket is full, then CopyDone. */
static void send_copy(struct load *l, struct client *c)
{
    const struct load_options *o = &l->options;

    while (c->copy_left > 0 && !conn_is_stuck(&c->conn)) {
        while (c->copy_left > 0 && bytes_len(&l->request) < COPY_PIECE_BYTES) {
            uint32_t n = o->copy_row_bytes;
            if (c->copy_left < n)
                n = (uint32_t)c->copy_left;
            bytes_add(&l->request, l->copy_data.data, bytes_len(&l->copy_data));
            l->bytes += o->copy_row_bytes;
            c->copy_left -= n;
        }
        if (c->copy_left == 0)
            wire_put_empty(&l->request, 'c');
        send_request(l, c);
        if (c->state != CLIENT_BUSY)
            return;
    }
}

/* ---- login ---- */

static void send_startup(struct load *l, struct client *c)
{
    size_t begin = wire_begin(&l->request, 0);

    c->state = CLIENT_LOGIN;
    wire_put32(&l->request, WIRE_PROTOCOL_3_0);
    wire_put_string(&l->request, "user");
    wire_put_string(&l->request, l->options.user);
    wire_put_string(&l->request, "database");
    wire_put_string(&l->request, l->options.database);
    wire_put_string(&l->request, "application_name");
    wire_put_string(&l->request, "bench");
    bytes_add(&l->request, "", 1);
    wire_end(&l->request, begin);
    send_request(l, c);
}

static void connect_client(struct load *l, struct client *c)
{
    int fd = connect_local(l->options.port);

    if (fd < 0)
        die("cannot connect to port %u: %s", l->options.port, strerror(errno));
    conn_init(&c->conn, fd);
    c->reader = (struct wire_reader){0};
    c->state = CLIENT_CONNECTING;
    c->started_ns = l->now;
    c->waits_for_write = true;
    watch(l->epoll, fd, EPOLLIN | EPOLLOUT, c);
}

void load_start_clients(struct load *l)
{
    while (l->n_started < l->options.clients && l->n_logging_in < l->options.ramp) {
        l->n_logging_in++;
        connect_client(l, &l->clients[l->n_started++]);
    }
}

static void connected(struct load *l, struct client *c)
{
    if (!connect_succeeded(c->conn.fd)) {
        lose(l, c, strerror(errno));
        return;
    }
    c->waits_for_write = false;
    watch_change(l->epoll, c->conn.fd, EPOLLIN, c);
    if (l->options.context != NULL) {
        c->state = CLIENT_ASKING;
        wire_put_request(&l->request, WIRE_SSL_REQUEST);
        send_request(l, c);
    } else {
        send_startup(l, c);
    }
}

/* One answer of ours in the exchange of passwords; false: it cannot be given. */
static bool answer_authentication(struct load *l, struct client *c, const struct message *m)
{
    size_t begin, inner;

    if (m->body == NULL || m->len < 4)
        return false;
    switch (wire_get32(m->body)) {
    case AUTH_OK:
        return true;
    case AUTH_SASL:
        begin = wire_begin(&l->request, 'p');
        wire_put_string(&l->request, SCRAM_MECHANISM);
        inner = bytes_len(&l->request);
        wire_put32(&l->request, 0);
        scram_first(&c->scram, &l->request);
        /* The length of the response alone, itself not included. */
        uint32_t n = (uint32_t)(bytes_len(&l->request) - inner - 4);
        uint8_t *p = l->request.data + l->request.start + inner;
        p[2] = (uint8_t)(n >> 8);
        p[3] = (uint8_t)n;
        break;
    case AUTH_SASL_CONTINUE:
        begin = wire_begin(&l->request, 'p');
        if (!scram_final(&c->scram, l->options.password, m->body + 4, m->len - 4, &l->request)) {
            bytes_clear(&l->request);
            return false;
        }
        break;
    case AUTH_SASL_FINAL:
        return scram_verify(&c->scram, m->body + 4, m->len - 4);
    default:
        return false;
    }
    wire_end(&l->request, begin);
    send_request(l, c);
    return true;
}

/* Logged in and set up: the first transaction, or rest. */
static void ready(struct load *l, struct client *c)
{
    c->state = CLIENT_RESTING;
    if (!c->was_ready) {
        c->was_ready = true;
        l->n_ready++;
        l->n_logging_in--;
        load_start_clients(l);
    }
    if (l->options.end == LOAD_RUNS && !l->is_stopping)
        start_transaction(l, c);
}

static void logged_in(struct load *l, struct client *c)
{
    if (l->options.end == LOAD_HOLDS) {
        put_query(&l->request, "BEGIN");
    } else if (l->options.protocol == LOAD_PREPARED) {
        put_parse(&l->request, STATEMENT_NAME);
        wire_put_empty(&l->request, 'S');
    } else {
        ready(l, c);
        return;
    }
    c->state = CLIENT_SETUP;
    send_request(l, c);
}

/* ---- transactions ---- */

static void transaction_done(struct load *l, struct client *c)
{
    c->transactions++;
    histogram_add(&l->latency, l->now - c->started_ns);
    if (!l->options.reconnects) {
        c->state = CLIENT_RESTING;
        if (!l->is_stopping)
            start_transaction(l, c);
        return;
    }
    wire_put_empty(&l->request, 'X');
    conn_write(&c->conn, l->request.data + l->request.start, bytes_len(&l->request));
    bytes_clear(&l->request);
    conn_close(&c->conn);
    wire_reader_free(&c->reader);
    c->state = CLIENT_NONE;
    if (!l->is_stopping)
        connect_client(l, c);
}

static void on_ready_for_query(struct load *l, struct client *c)
{
    switch (c->state) {
    case CLIENT_LOGIN:
        logged_in(l, c);
        break;
    case CLIENT_SETUP:
        ready(l, c);
        break;
    case CLIENT_BUSY:
        transaction_done(l, c);
        break;
    case CLIENT_NONE:
    case CLIENT_CONNECTING:
    case CLIENT_ASKING:
    case CLIENT_SHAKING:
    case CLIENT_RESTING:
        lose(l, c, "an answer to nothing");
        break;
    }
}

/* Counts an ErrorResponse and remembers the first one's field M. */
static void on_error(struct load *l, const struct message *m)
{
    const char *text = "an error too long to be kept";

    if (m->body != NULL && m->len > 0 && m->body[m->len - 1] == '\0') {
        const char *end = (const char *)m->body + m->len;
        text = "an error without a message";
        for (const char *p = (const char *)m->body; p < end && *p != '\0'; p += strlen(p) + 1) {
            if (*p == 'M')
                text = p + 1;
        }
    }
    count_error(l, text);
}

static void handle_message(struct load *l, struct client *c, const struct message *m)
{
    switch (m->letter) {
    case 'Z':
        on_ready_for_query(l, c);
        break;
    case 'D':
    case 'd':
        l->bytes += m->len;
        break;
    case 'E':
        on_error(l, m);
        break;
    case 'R':
        if (!answer_authentication(l, c, m))
            lose(l, c, "the login failed: an exchange that the load does not know");
        break;
    case 'G':
        c->copy_left = l->options.copy_bytes;
        if (c->copy_left == 0)
            lose(l, c, "the server wants a COPY, and --copy-bytes is not given");
        else
            send_copy(l, c);
        break;
    default: /* answers of which only the end matters */
        break;
    }
}

static void handle_bytes(struct load *l, struct client *c, const uint8_t *data, size_t len)
{
    struct message m;
    int fd = c->conn.fd;

    if (c->state == CLIENT_ASKING) {
        if (len != 1 || data[0] != 'S') {
            lose(l, c, "TLS is refused");
            return;
        }
        c->state = CLIENT_SHAKING;
        conn_start_tls(&c->conn, l->options.context, false);
        return;
    }
    /* A message may end this connection, and with it the bytes behind. */
    while (len > 0 && c->conn.fd == fd && c->state != CLIENT_CONNECTING) {
        enum wire_result result = wire_next(&c->reader, &data, &len, &m);
        if (result == WIRE_MORE)
            return;
        if (result == WIRE_BAD)
            lose(l, c, "a message with an impossible length");
        else
            handle_message(l, c, &m);
    }
}

static void readable(struct load *l, struct client *c)
{
    const uint8_t *data = NULL;
    size_t len = 0;

    enum conn_result result = conn_read(&c->conn, &data, &len);
    if (result == CONN_END) {
        lose(l, c, "the connection was closed");
        return;
    }
    if (c->state == CLIENT_SHAKING && conn_is_open(&c->conn))
        send_startup(l, c);
    if (result == CONN_DATA && c->conn.fd >= 0)
        handle_bytes(l, c, data, len);
}

static void writable(struct load *l, struct client *c)
{
    if (c->state == CLIENT_CONNECTING) {
        connected(l, c);
        return;
    }
    if (!conn_flush(&c->conn)) {
        lose(l, c, "the connection broke while writing");
        return;
    }
    if (!conn_is_stuck(&c->conn) && c->copy_left > 0)
        send_copy(l, c);
    if (c->conn.fd >= 0 && c->state != CLIENT_CONNECTING && !conn_is_stuck(&c->conn)) {
        c->waits_for_write = false;
        watch_change(l->epoll, c->conn.fd, EPOLLIN, c);
    }
}

void client_handle_event(struct load *l, struct client *c, uint32_t events)
{
    l->now = now_ns();
    /* A client has one descriptor at a time, and one event of a batch is about it. */
    if (c->conn.fd >= 0 && c->waits_for_write && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        writable(l, c);
    if (c->conn.fd >= 0 && c->state != CLIENT_CONNECTING && (events & ~(uint32_t)EPOLLOUT))
        readable(l, c);
}
