/* SPDX-License-Identifier: PostgreSQL */
/* http.c - the HTTP server: its bounds, its paths, its replies.
 *
 * evhttp by itself accepts headers of any length, bodies of any length and any number of
 * connections, and spins when descriptors run out. */
#include "http/http.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/crowd.h"
#include "http/events.h"
#include "http/health.h"
#include "http/http_listen.h"
#include "http/metrics.h"
#include "http/pool_list.h"
#include "http/status.h"
#include "http/text.h"
#include "http/wait.h"
#include "worker/snapshot.h"
#include "worker/wake.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS_SIZE 8192
#define MAX_BODY_SIZE 4096
#define IO_TIMEOUT_S 5
/* How old a page may be. */
#define PAGE_AGE_US (200 * US_PER_MS)

#define TYPE_JSON "application/json"
#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"

/* All methods that evhttp knows: those that it is not told of get 501, where 405 is meant. */
#define ALL_METHODS                                                                                \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |     \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

/* ---- pages ----------------------------------------------------------------------------- */

enum page_id {
    PAGE_STATUS,
    PAGE_HEALTH,
    PAGE_LIVE,
    PAGE_READY,
    PAGE_DB,
    PAGE_POOLS,
    PAGE_EVENTS,
    PAGE_METRICS
};
#define PAGES (PAGE_METRICS + 1)

/* As last built. */
struct page {
    struct buf text;
    int code;
    uint64_t built_us; /* 0: never */
};

struct http {
    struct http_options options;
    struct evhttp *server;
    struct http_listen *listen;
    struct crowd *crowd;
    struct waits *waits;
    struct event sweep;
    struct page pages[PAGES];
    struct snapshot *snapshot;
    uint64_t snapshot_us;
};

static uint64_t now_of(const struct http *h)
{
    return h->options.now(h->options.loop);
}

static const struct snapshot *look(struct http *h)
{
    uint64_t now = now_of(h);
    if (!h->snapshot || now - h->snapshot_us >= PAGE_AGE_US) {
        snapshot_free(&h->snapshot);
        h->snapshot = snapshot_take(h->options.shared, now);
        h->snapshot_us = now;
    }
    return h->snapshot;
}

static int build_status(struct http *h, struct buf *text)
{
    (void)h;
    status_write(text);
    return 200;
}

static int build_health(struct http *h, struct buf *text)
{
    (void)h;
    text_add(text, "{\"status\":\"healthy\"}\n");
    return 200;
}

static int build_live(struct http *h, struct buf *text)
{
    (void)h;
    text_add(text, "alive\n");
    return 200;
}

static int build_ready(struct http *h, struct buf *text)
{
    bool draining = look(h)->draining;
    text_add(text, draining ? "draining\n" : "ready\n");
    return draining ? 503 : 200;
}

static int build_db(struct http *h, struct buf *text)
{
    const struct snapshot *s = look(h);
    const char *error;
    health_write(text, s);
    return health_is_good(health_of(s, &error)) ? 200 : 503;
}

static int build_pools(struct http *h, struct buf *text)
{
    pool_list_write(text, look(h));
    return 200;
}

static int build_events(struct http *h, struct buf *text)
{
    events_write(text, snapshot_history(h->options.shared));
    return 200;
}

static int build_metrics(struct http *h, struct buf *text)
{
    metrics_write(text, look(h));
    return 200;
}

static const struct page_row {
    const char *path, *type;
    int (*build)(struct http *h, struct buf *text); /* returns the status code */
} page_rows[PAGES] = {
    [PAGE_STATUS] = {"/", TYPE_HTML, build_status},
    [PAGE_HEALTH] = {"/health", TYPE_JSON, build_health},
    [PAGE_LIVE] = {"/livez", TYPE_TEXT, build_live},
    [PAGE_READY] = {"/readyz", TYPE_TEXT, build_ready},
    [PAGE_DB] = {"/health/db", TYPE_JSON, build_db},
    [PAGE_POOLS] = {"/pools", TYPE_JSON, build_pools},
    [PAGE_EVENTS] = {"/events", TYPE_JSON, build_events},
    [PAGE_METRICS] = {"/metrics", METRICS_CONTENT_TYPE, build_metrics},
};

static const struct page *fresh(struct http *h, size_t id)
{
    struct page *page = &h->pages[id];
    uint64_t now = now_of(h);
    if (!page->built_us || now - page->built_us >= PAGE_AGE_US) {
        buf_clear(&page->text);
        page->code = page_rows[id].build(h, &page->text);
        page->built_us = now;
    }
    return page;
}

/* ---- replies --------------------------------------------------------------------------- */

static const char *reason(int code)
{
    switch (code) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 503:
        return "Service Unavailable";
    }
    return "Internal Server Error";
}

static void add_header(struct evhttp_request *req, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

/* A HEAD request gets the headers of the GET (RFC 9110, section 9.3.2). evhttp would send the body
 * along, so it is not given one, and the length is said here. */
static void reply(struct evhttp_request *req, int code, const char *type, struct span text)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", text.n);
    add_header(req, "Content-Type", type);
    add_header(req, "Content-Length", length);
    add_header(req, "Cache-Control", "no-store");
    add_header(req, "X-Content-Type-Options", "nosniff");
    if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
        evbuffer_add(evhttp_request_get_output_buffer(req), text.p, text.n);
    evhttp_send_reply(req, code, reason(code), NULL);
}

static void reply_error(struct evhttp_request *req, int code, const char *text)
{
    reply(req, code, TYPE_TEXT, span_str(text));
}

static void reply_page(struct http *h, struct evhttp_request *req, size_t id)
{
    const struct page *page = fresh(h, id);
    if (id == PAGE_STATUS)
        add_header(req, "Content-Security-Policy", STATUS_POLICY);
    reply(req, page->code, page_rows[id].type, buf_span(&page->text));
}

/* ---- waking ---------------------------------------------------------------------------- */

static uint64_t waits_now(void *owner)
{
    return now_of(owner);
}

static bool is_settled(void *owner)
{
    const char *error;
    enum health health = health_of(look(owner), &error);
    return health != HEALTH_ASLEEP && health != HEALTH_WAKING && health != HEALTH_NEVER_CONTACTED;
}

static void reply_health(void *owner, struct evhttp_request *req)
{
    reply_page(owner, req, PAGE_DB);
}

static const struct waits_ops waits_ops = {waits_now, is_settled, reply_health};

static bool asks_to_wake(const struct evhttp_uri *uri)
{
    const char *query = evhttp_uri_get_query(uri);
    return query && strcmp(query, "wake=1") == 0;
}

/* PAGES if there is none. */
static size_t find_page(const char *path)
{
    size_t id = 0;
    while (id < PAGES && strcmp(page_rows[id].path, path) != 0)
        id++;
    return id;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct http *h = arg;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    crowd_heard(h->crowd, evhttp_request_get_connection(req), now_of(h));
    size_t id = path ? find_page(path) : PAGES;
    if (!path) {
        reply_error(req, 400, "bad request\n");
    } else if (id == PAGES) {
        reply_error(req, 404, "no such page; / has them all\n");
    } else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        add_header(req, "Allow", "GET, HEAD");
        reply_error(req, 405, "only GET and HEAD\n");
    } else if (id == PAGE_DB && asks_to_wake(uri)) {
        wake_databases(h->options.shared);
        waits_add(h->waits, req);
    } else {
        reply_page(h, req, id);
    }
}

/* ---- connections ----------------------------------------------------------------------- */

/* Called by evhttp for each connection that it accepts; it owns what is returned (the descriptor is
 * not the bufferevent's). On NULL it makes one of its own, which is then not counted. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct http *h = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);
    if (!bev)
        return NULL;
    crowd_add(h->crowd, bev, now_of(h));
    if (crowd_is_pressing(h->crowd))
        http_listen_rest(h->listen);
    return bev;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct http *h = arg;
    (void)fd;
    (void)what;
    crowd_sweep(h->crowd, now_of(h));
    http_listen_resume(h->listen);
}

/* ---- life ------------------------------------------------------------------------------ */

static bool set_up(struct http *h)
{
    const struct timeval second = {.tv_sec = 1};
    h->server = evhttp_new(h->options.base);
    if (!h->server)
        return false;
    evhttp_set_max_headers_size(h->server, MAX_HEADERS_SIZE);
    evhttp_set_max_body_size(h->server, MAX_BODY_SIZE);
    evhttp_set_timeout(h->server, IO_TIMEOUT_S);
    evhttp_set_allowed_methods(h->server, ALL_METHODS);
    evhttp_set_bevcb(h->server, on_connection, h);
    evhttp_set_gencb(h->server, on_request, h);
    h->waits = waits_new(h->options.base, h->crowd, &waits_ops, h);
    event_assign(&h->sweep, h->options.base, -1, EV_PERSIST, on_sweep, h);
    return event_add(&h->sweep, &second) == 0;
}

struct http *http_start(const struct http_options *o, struct error *err)
{
    struct http *h = xcalloc(1, sizeof *h);
    h->options = *o;
    h->options.addr = NULL;
    h->crowd = crowd_new(o->base);
    if (!set_up(h)) {
        error_set(err, "", "could not make an HTTP server");
        http_free(&h);
        return NULL;
    }
    h->listen = http_listen_new(o->base, h->server, o->addr, o->port, err);
    if (!h->listen)
        http_free(&h);
    return h;
}

void http_free(struct http **hp)
{
    struct http *h = *hp;
    if (!h)
        return;
    http_listen_free(&h->listen);
    if (event_initialized(&h->sweep))
        event_del(&h->sweep);
    waits_free(&h->waits);
    if (h->server)
        evhttp_free(h->server);
    crowd_free(&h->crowd);
    for (size_t i = 0; i < PAGES; i++)
        buf_reset(&h->pages[i].text);
    snapshot_free(&h->snapshot);
    free(h);
    *hp = NULL;
}
