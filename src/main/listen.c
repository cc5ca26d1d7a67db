/* SPDX-License-Identifier: PostgreSQL */
/* listen.c - open the sockets that the configuration names and deal what they accept. */
#include "main/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/value.h"
#include "http/http.h"
#include "net/loop.h"
#include "worker/worker.h"

#include <stdlib.h>

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    workers_deal(owner, fd, peer);
}

static void on_trouble(void *owner, const struct error *err)
{
    (void)owner;
    log_warning("accepting connections is in trouble: %s", err->text);
}

static const struct listener_ops ops = {.on_accept = on_accept, .on_trouble = on_trouble};

/* As in PgBouncer an address that fails is a warning, as long as one works. */
static void add_tcp(struct listeners *ls, const struct config *cfg)
{
    const char *rest = cfg->listen_addr;
    struct span word;
    struct error err;
    while (value_list_next(&rest, &word)) {
        char *host = xstrndup(word.p, word.n);
        if (!listeners_add_tcp(ls, host, (uint16_t)cfg->listen_port, &err))
            log_warning("failed to listen on %s port %d: %s", host, cfg->listen_port, err.text);
        free(host);
    }
}

static void add_unix(struct listeners *ls, const struct config *cfg)
{
    struct error err;
    if (!cfg->unix_socket_dir[0])
        return;
    char *path = xasprintf("%s/.s.PGSQL.%d", cfg->unix_socket_dir, cfg->listen_port);
    if (!listeners_add_unix(ls, path, (mode_t)cfg->unix_socket_mode, &err))
        log_warning("failed to listen on %s: %s", path, err.text);
    free(path);
}

struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w)
{
    char text[ADDR_TEXT];
    struct listener_options options = {
        .backlog = cfg->listen_backlog,
        .defer_accept = cfg->tcp_defer_accept,
        .tcp = {.keepalive = cfg->tcp_keepalive,
                .keepidle_s = (int)(cfg->tcp_keepidle_us / US_PER_S),
                .keepintvl_s = (int)(cfg->tcp_keepintvl_us / US_PER_S),
                .keepcnt = cfg->tcp_keepcnt},
    };
    struct listeners *ls = listeners_new(loop, &options, &ops, w);
    add_tcp(ls, cfg);
    add_unix(ls, cfg);
    for (size_t i = 0; i < listeners_count(ls); i++)
        log_info("listening on %s", addr_text(listeners_addr(ls, i), text, sizeof text));
    if (listeners_count(ls) == 0) {
        log_fatal("nowhere to listen on");
        listeners_free(&ls);
    }
    return ls;
}

bool listen_http(struct http **http_out, struct loop *loop, const struct config *cfg,
                 struct relay_shared *shared)
{
    struct error err;
    struct http_options options = {
        .base = loop_event_base(loop),
        .loop = loop,
        .now = loop_now,
        .shared = shared,
        .addr = cfg->http_addr,
        .port = (uint16_t)cfg->http_port,
    };
    *http_out = NULL;
    if (cfg->http_port == 0)
        return true;
    *http_out = http_start(&options, &err);
    if (*http_out)
        return true;
    if (cfg->profile == CONFIG_URL) {
        log_warning("%s; going on without health and metrics", err.text);
        return true;
    }
    log_fatal("%s", err.text);
    return false;
}
