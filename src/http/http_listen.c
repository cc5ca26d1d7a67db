/* SPDX-License-Identifier: PostgreSQL */
/* http_listen.c - the listening sockets of the HTTP server. */
#include "http/http_listen.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/value.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX 16
/* Accepted in one go at most, before anything else of the main loop has its turn. */
#define BACKLOG 64
/* Long enough for connections to end, too short for a health check to notice. */
#define REST_MS 10

struct http_listen {
    struct event_base *base;
    struct evhttp *server;
    struct evconnlistener *sockets[SOCKETS_MAX]; /* evhttp's */
    size_t n;
    struct event resume; /* set while resting */
};

/* ---- resting --------------------------------------------------------------------------- */

void http_listen_rest(struct http_listen *l)
{
    const struct timeval pause = {.tv_usec = REST_MS * 1000};
    if (event_pending(&l->resume, EV_TIMEOUT, NULL))
        return;
    for (size_t i = 0; i < l->n; i++)
        evconnlistener_disable(l->sockets[i]);
    event_add(&l->resume, &pause);
}

void http_listen_resume(struct http_listen *l)
{
    event_del(&l->resume);
    for (size_t i = 0; i < l->n; i++)
        evconnlistener_enable(l->sockets[i]);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    http_listen_resume(arg);
}

/* Descriptors have run out: trying again at once would spin. `arg` is evhttp's. */
static void on_trouble(struct evconnlistener *socket, void *arg)
{
    (void)arg;
    evconnlistener_disable(socket);
}

/* ---- opening --------------------------------------------------------------------------- */

enum opened { OPENED, OPEN_NO_FAMILY, OPEN_FAILED };

static enum opened could_not(const struct addr *a, struct error *err)
{
    char text[ADDR_TEXT];
    int number = errno;
    error_set(err, "", "could not listen on %s for HTTP: %s", addr_text(a, text, sizeof text),
              strerror(number));
    return number == EADDRNOTAVAIL || number == EAFNOSUPPORT ? OPEN_NO_FAMILY : OPEN_FAILED;
}

static int bound_socket(const struct addr *a)
{
    const int one = 1;
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Inherited by what is accepted. evhttp sends header and body one after the other: the second
     * would wait for the acknowledgement of the first, 40 ms on a connection that is kept. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* "*" opens one socket per family. */
    if (a->u.sa.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, &a->u.sa, a->len) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static enum opened open_socket(struct http_listen *l, const struct addr *a, struct error *err)
{
    const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
    char text[ADDR_TEXT];
    int fd = bound_socket(a);
    if (fd < 0)
        return could_not(a, err);
    struct evconnlistener *socket = evconnlistener_new(l->base, NULL, NULL, flags, BACKLOG, fd);
    if (!socket || !evhttp_bind_listener(l->server, socket)) {
        enum opened why = could_not(a, err);
        if (socket)
            evconnlistener_free(socket);
        else
            close(fd);
        return why;
    }
    evconnlistener_set_error_cb(socket, on_trouble);
    l->sockets[l->n++] = socket;
    log_info("listening on %s for HTTP", addr_text(a, text, sizeof text));
    return OPENED;
}

static struct addrinfo *resolve(const char *host, uint16_t port, struct error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int rc = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, service, &hints, &list);
    if (rc != 0) {
        error_set(err, "", "could not listen on \"%s\" for HTTP: %s", host, gai_strerror(rc));
        return NULL;
    }
    return list;
}

static bool open_host(struct http_listen *l, const char *host, uint16_t port, struct error *err)
{
    struct addrinfo *list = resolve(host, port, err);
    size_t before = l->n;
    bool failed = false;
    for (struct addrinfo *i = list; i && !failed && l->n < SOCKETS_MAX; i = i->ai_next) {
        struct addr a = {.len = i->ai_addrlen};
        memcpy(&a.u, i->ai_addr, i->ai_addrlen);
        failed = open_socket(l, &a, err) == OPEN_FAILED;
    }
    if (list)
        freeaddrinfo(list);
    return !failed && l->n > before;
}

static bool open_all(struct http_listen *l, const char *addrs, uint16_t port, struct error *err)
{
    struct span word;
    error_set(err, "", "http_addr names no address");
    while (value_list_next(&addrs, &word)) {
        char *host = xstrndup(word.p, word.n);
        bool ok = open_host(l, host, port, err);
        free(host);
        if (!ok)
            return false;
    }
    return l->n > 0;
}

struct http_listen *http_listen_new(struct event_base *base, struct evhttp *server,
                                    const char *addrs, uint16_t port, struct error *err)
{
    struct http_listen *l = xcalloc(1, sizeof *l);
    l->base = base;
    l->server = server;
    event_assign(&l->resume, base, -1, 0, on_resume, l);
    if (!open_all(l, addrs, port, err))
        http_listen_free(&l);
    return l;
}

void http_listen_free(struct http_listen **l)
{
    if (!*l)
        return;
    event_del(&(*l)->resume);
    free(*l);
    *l = NULL;
}
