/* SPDX-License-Identifier: PostgreSQL */
/* relay.c - a TCP relay that looks at no byte: the floor below every pooler.
 *
 * One thread, a server connection for each client, level-triggered epoll, one recv and one send per
 * readiness, nothing registered anew but under back-pressure. TLS towards the server is negotiated
 * by SSLRequest before the client is read; TLS from clients is answered where they ask for it. */
#include "conn.h"
#include "wire.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum side_state {
    SIDE_CONNECTING, /* server: connect is under way */
    SIDE_ASKING,     /* server: SSLRequest is sent; client: its SSLRequest is awaited */
    SIDE_SHAKING,    /* handshake */
    SIDE_OPEN,
};

struct side {
    struct conn conn;
    enum side_state state;
    bool is_watched;
    uint32_t events; /* watched for, with is_watched */
    struct pair *pair;
};

/* Clients and servers meet when both are open; until then the client is not read beyond its
 * SSLRequest. */
struct pair {
    struct side client, server;
    bool is_dead;
    struct pair *next_dead;
};

struct relay {
    int epoll, listener;
    uint16_t server_port;
    SSL_CTX *client_context; /* NULL: clients are plain */
    SSL_CTX *server_context; /* NULL: servers are plain */
    struct pair *dead;       /* freed after the batch of events that may still name them */
};

static void set_events(struct relay *r, struct side *s, uint32_t events)
{
    if (!s->is_watched)
        watch(r->epoll, s->conn.fd, events, s);
    else if (s->events != events)
        watch_change(r->epoll, s->conn.fd, events, s);
    s->is_watched = true;
    s->events = events;
}

static void drop(struct relay *r, struct pair *p)
{
    if (p->is_dead)
        return;
    p->is_dead = true;
    conn_close(&p->client.conn);
    conn_close(&p->server.conn);
    p->next_dead = r->dead;
    r->dead = p;
}

static void bury(struct relay *r)
{
    while (r->dead != NULL) {
        struct pair *p = r->dead;
        r->dead = p->next_dead;
        free(p);
    }
}

static struct side *peer_of(struct side *s)
{
    return s == &s->pair->client ? &s->pair->server : &s->pair->client;
}

static void accept_all(struct relay *r)
{
    int fd;

    while ((fd = accept_local(r->listener)) >= 0) {
        struct pair *p = calloc(1, sizeof(*p));
        if (p == NULL)
            die("out of memory");
        int server = connect_local(r->server_port);
        if (server < 0)
            die("cannot connect to port %u: %s", r->server_port, strerror(errno));
        conn_init(&p->client.conn, fd);
        conn_init(&p->server.conn, server);
        p->client.pair = p->server.pair = p;
        p->client.state = r->client_context != NULL ? SIDE_ASKING : SIDE_OPEN;
        p->server.state = SIDE_CONNECTING;
        set_events(r, &p->server, EPOLLIN | EPOLLOUT);
    }
}

/* The server side is as far as it gets by itself: the client may speak. */
static void server_is_open(struct relay *r, struct pair *p)
{
    p->server.state = SIDE_OPEN;
    set_events(r, &p->server, EPOLLIN);
    set_events(r, &p->client, EPOLLIN);
}

static void server_connected(struct relay *r, struct pair *p)
{
    struct bytes request = {0};

    if (!connect_succeeded(p->server.conn.fd)) {
        drop(r, p);
        return;
    }
    if (r->server_context == NULL) {
        server_is_open(r, p);
        return;
    }
    p->server.state = SIDE_ASKING;
    set_events(r, &p->server, EPOLLIN);
    wire_put_request(&request, WIRE_SSL_REQUEST);
    if (!conn_write(&p->server.conn, request.data, bytes_len(&request)))
        drop(r, p);
    bytes_free(&request);
}

/* The server's one byte, or the client's SSLRequest; either comes in one piece on the loopback. */
static bool answer_is_tls(struct side *s, const uint8_t *data, size_t len)
{
    if (s == &s->pair->server)
        return len == 1 && data[0] == 'S';
    return len == 8 && wire_get32(data + 4) == WIRE_SSL_REQUEST;
}

static void start_tls(struct relay *r, struct side *s)
{
    bool is_client = s == &s->pair->client;

    s->state = SIDE_SHAKING;
    if (is_client && !conn_write(&s->conn, "S", 1)) {
        drop(r, s->pair);
        return;
    }
    conn_start_tls(&s->conn, is_client ? r->client_context : r->server_context, is_client);
}

static void side_readable(struct relay *r, struct side *s)
{
    const uint8_t *data = NULL;
    size_t len = 0;

    enum conn_result result = conn_read(&s->conn, &data, &len);
    if (s->state == SIDE_SHAKING && result != CONN_END && conn_is_open(&s->conn)) {
        if (s == &s->pair->server)
            server_is_open(r, s->pair);
        s->state = SIDE_OPEN;
    }
    if (result == CONN_END) {
        drop(r, s->pair);
    } else if (result == CONN_DATA && s->state == SIDE_ASKING) {
        if (answer_is_tls(s, data, len))
            start_tls(r, s);
        else
            drop(r, s->pair);
    } else if (result == CONN_DATA) {
        struct side *peer = peer_of(s);
        if (!conn_write(&peer->conn, data, len)) {
            drop(r, s->pair);
        } else if (conn_is_stuck(&peer->conn)) {
            set_events(r, s, s->events & ~(uint32_t)EPOLLIN);
            set_events(r, peer, peer->events | EPOLLOUT);
        }
    }
}

static void side_writable(struct relay *r, struct side *s)
{
    if (s->state == SIDE_CONNECTING) {
        server_connected(r, s->pair);
        return;
    }
    if (!conn_flush(&s->conn)) {
        drop(r, s->pair);
    } else if (!conn_is_stuck(&s->conn)) {
        struct side *peer = peer_of(s);
        set_events(r, s, s->events & ~(uint32_t)EPOLLOUT);
        set_events(r, peer, peer->events | EPOLLIN);
    }
}

static void handle(struct relay *r, const struct epoll_event *event)
{
    struct side *s = event->data.ptr;

    if (s == NULL) {
        accept_all(r);
        return;
    }
    if (!s->pair->is_dead && (event->events & EPOLLOUT))
        side_writable(r, s);
    /* An error shows in the read. */
    if (!s->pair->is_dead && s->state != SIDE_CONNECTING && (event->events & ~EPOLLOUT))
        side_readable(r, s);
}

static void parse_options(struct relay *r, uint16_t *port, int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'}, {"server", required_argument, NULL, 's'},
        {"server-tls", no_argument, NULL, 't'},   {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},    {0},
    };
    const char *cert = NULL, *key = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l')
            *port = (uint16_t)parse_number("listen", optarg, 1, 65535);
        else if (option == 's')
            r->server_port = (uint16_t)parse_number("server", optarg, 1, 65535);
        else if (option == 't')
            r->server_context = tls_client_context();
        else if (option == 'c')
            cert = optarg;
        else if (option == 'k')
            key = optarg;
        else
            die("usage: relay --listen PORT --server PORT [--server-tls] [--cert FILE --key FILE]");
    }
    if (*port == 0 || r->server_port == 0)
        die("--listen and --server are needed");
    if ((cert == NULL) != (key == NULL))
        die("--cert and --key come together");
    if (cert != NULL)
        r->client_context = tls_server_context(cert, key);
}

int main(int argc, char **argv)
{
    struct relay relay = {0};
    struct epoll_event events[EVENTS_MAX];
    uint16_t port = 0;

    parse_options(&relay, &port, argc, argv);
    prepare_process();
    relay.epoll = make_epoll();
    relay.listener = listen_local(port);
    watch(relay.epoll, relay.listener, EPOLLIN, NULL);
    for (;;) {
        int n = epoll_wait(relay.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++)
            handle(&relay, &events[i]);
        bury(&relay);
    }
}
