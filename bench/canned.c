/* SPDX-License-Identifier: PostgreSQL */
/* canned.c - a PostgreSQL server that answers at once, so that the pooler in front of it is the
 * bottleneck. One thread, no passwords, TLS for who asks for it; canned_session.h says what it
 * understands.
 *
 * Streams leave in one send for each --record bytes (default 8192, the size of PostgreSQL's output
 * buffer), which is also the size of their TLS records. */
#include "canned_session.h"
#include "conn.h"

#include <getopt.h>
#include <stdlib.h>

#define RECORD_BYTES_DEFAULT 8192U
#define RECORD_BYTES_MAX 16384U

struct peer {
    struct conn conn;
    struct session session;
    bool is_dead;
    bool waits_for_write; /* nothing is read meanwhile */
    struct peer *next_dead;
};

struct canned {
    int epoll, listener;
    size_t record_bytes;
    SSL_CTX *context;  /* NULL: no TLS */
    struct peer *dead; /* freed after the batch of events that may still name them */
};

static void drop(struct canned *b, struct peer *p)
{
    p->is_dead = true;
    conn_close(&p->conn);
    p->next_dead = b->dead;
    b->dead = p;
}

static void bury(struct canned *b)
{
    while (b->dead != NULL) {
        struct peer *p = b->dead;
        b->dead = p->next_dead;
        session_free(&p->session);
        free(p);
    }
}

/* Answers an SSLRequest. */
static bool start_tls(struct canned *b, struct peer *p)
{
    if (!conn_write(&p->conn, b->context != NULL ? "S" : "N", 1))
        return false;
    if (b->context != NULL)
        conn_start_tls(&p->conn, b->context, true);
    return true;
}

/* Sends the replies: whole records while a stream runs (its rows cross their borders, as they do in
 * PostgreSQL's output buffer), else what there is. */
static bool send_replies(struct canned *b, struct peer *p)
{
    struct bytes *replies = &p->session.replies;
    size_t n = bytes_len(replies);

    if (n > b->record_bytes && (p->session.stream_left > 0 || n > RECORD_BYTES_MAX))
        n = b->record_bytes;
    if (!conn_write(&p->conn, replies->data + replies->start, n))
        return false;
    bytes_consume(replies, n);
    return true;
}

/* Answers and sends until the socket is full or nothing is left to do; false: over. */
static bool work(struct canned *b, struct peer *p)
{
    struct session *s = &p->session;

    while (!conn_is_stuck(&p->conn) && (bytes_len(&s->replies) > 0 || session_has_more(s))) {
        if (session_has_more(s) && bytes_len(&s->replies) < b->record_bytes &&
            !session_make_more(s, b->record_bytes))
            return false;
        if (bytes_len(&s->replies) > 0 && !send_replies(b, p))
            return false;
    }
    return true;
}

static void settle(struct canned *b, struct peer *p)
{
    bool stuck = conn_is_stuck(&p->conn);

    if (stuck != p->waits_for_write) {
        p->waits_for_write = stuck;
        watch_change(b->epoll, p->conn.fd, stuck ? EPOLLOUT : EPOLLIN, p);
    }
}

static bool read_requests(struct canned *b, struct peer *p)
{
    const uint8_t *data = NULL;
    size_t len = 0;

    switch (conn_read(&p->conn, &data, &len)) {
    case CONN_AGAIN:
        return true;
    case CONN_END:
        return false;
    case CONN_DATA:
        break;
    }
    switch (session_take(&p->session, data, len)) {
    case SESSION_GOES_ON:
        return work(b, p);
    case SESSION_WANTS_TLS:
        return start_tls(b, p);
    case SESSION_ENDS:
        /* The last words, if there are any and they fit. */
        (void)work(b, p);
        return false;
    }
    return false;
}

static void handle(struct canned *b, struct peer *p)
{
    bool goes_on;

    if (p->waits_for_write)
        goes_on = conn_flush(&p->conn) && work(b, p);
    else
        goes_on = read_requests(b, p);
    if (goes_on)
        settle(b, p);
    else
        drop(b, p);
}

static void accept_all(struct canned *b)
{
    int fd;

    while ((fd = accept_local(b->listener)) >= 0) {
        struct peer *p = calloc(1, sizeof(*p));
        if (p == NULL)
            die("out of memory");
        conn_init(&p->conn, fd);
        watch(b->epoll, fd, EPOLLIN, p);
    }
}

static void parse_options(struct canned *b, uint16_t *port, int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},
        {"record", required_argument, NULL, 'r'},
        {0},
    };
    const char *cert = NULL, *key = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'l')
            *port = (uint16_t)parse_number("listen", optarg, 1, 65535);
        else if (option == 'c')
            cert = optarg;
        else if (option == 'k')
            key = optarg;
        else if (option == 'r')
            b->record_bytes = parse_number("record", optarg, 64, RECORD_BYTES_MAX);
        else
            die("usage: canned --listen PORT [--cert FILE --key FILE] [--record BYTES]");
    }
    if (*port == 0)
        die("--listen is needed");
    if ((cert == NULL) != (key == NULL))
        die("--cert and --key come together");
    if (cert != NULL)
        b->context = tls_server_context(cert, key);
}

int main(int argc, char **argv)
{
    struct canned canned = {.record_bytes = RECORD_BYTES_DEFAULT};
    struct epoll_event events[EVENTS_MAX];
    uint16_t port = 0;

    parse_options(&canned, &port, argc, argv);
    prepare_process();
    canned.epoll = make_epoll();
    canned.listener = listen_local(port);
    watch(canned.epoll, canned.listener, EPOLLIN, NULL);
    for (;;) {
        int n = epoll_wait(canned.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (p == NULL)
                accept_all(&canned);
            else if (!p->is_dead)
                handle(&canned, p);
        }
        bury(&canned);
    }
}
