/* SPDX-License-Identifier: PostgreSQL */
/* listen.c - open the sockets that the configuration names, or take those that the service manager
 * hands over, and deal what they accept. */
#include "main/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/value.h"
#include "http/http.h"
#include "main/holder.h"
#include "main/systemd.h"
#include "net/loop.h"
#include "worker/worker.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- the configuration's --------------------------------------------------------------- */

/* As in PgBouncer an address that fails is a warning, as long as one works; of those that nobody
 * has asked for, a machine without IPv6 has but one. But a port that is taken is an error for
 * whoever gave us a URL: the application would reach somebody else there. */
static bool could_not_listen(const struct config *cfg, const char *host, const struct error *err)
{
    char holder[HOLDER_TEXT] = "";
    bool taken = strcmp(err->sqlstate, SQLSTATE_OBJECT_IN_USE) == 0 &&
                 holder_of_port((uint16_t)cfg->listen_port, holder);
    bool fatal = taken && cfg->profile == CONFIG_URL;
    enum log_level level = LOG_INFO_LEVEL;
    if (fatal)
        level = LOG_FATAL_LEVEL;
    else if (taken || cfg->origins[SETTING_listen_addr])
        level = LOG_WARNING_LEVEL;
    log_line(level, "failed to listen on %s port %d: %s%s%s%s", host, cfg->listen_port, err->text,
             holder[0] ? " (taken by " : "", holder, holder[0] ? ")" : "");
    if (fatal)
        log_info("another port: PGBALLAST_LISTEN_PORT=%d", cfg->listen_port + 1000);
    return !fatal;
}

/* Whoever names addresses wants to be reached there, not by the Unix socket alone. */
static bool some_tcp(const struct listeners *ls, const struct config *cfg, bool wanted)
{
    if (!wanted || listeners_count(ls) > 0)
        return true;
    log_fatal("failed to listen on any address in listen_addr list: %s", cfg->listen_addr);
    return false;
}

static bool add_tcp(struct listeners *ls, const struct config *cfg)
{
    const char *rest = cfg->listen_addr;
    struct span word;
    struct error err;
    bool ok = true, wanted = false;
    while (ok && value_list_next(&rest, &word)) {
        wanted = true;
        char *host = xstrndup(word.p, word.n);
        if (!listeners_add_tcp(ls, host, (uint16_t)cfg->listen_port, &err))
            ok = could_not_listen(cfg, host, &err);
        free(host);
    }
    return ok && some_tcp(ls, cfg, wanted);
}

/* By name or number. */
static bool give_to_group(const char *path, const char *group)
{
    int64_t gid;
    if (!str_to_i64(group, 0, INT32_MAX, &gid)) {
        const struct group *g = getgrnam(group);
        if (!g) {
            log_fatal("unix_socket_group: there is no group \"%s\"", group);
            return false;
        }
        gid = g->gr_gid;
    }
    if (chown(path, (uid_t)-1, (gid_t)gid) == 0)
        return true;
    log_fatal("unix_socket_group: could not give \"%s\" to group %s: %s", path, group,
              strerror(errno));
    return false;
}

char *listen_unix_path(const struct config *cfg)
{
    return xasprintf("%s/.s.PGSQL.%d", cfg->unix_socket_dir, cfg->listen_port);
}

static bool add_unix(struct listeners *ls, const struct config *cfg)
{
    struct error err;
    const char *group = cfg->unix_socket_group;
    if (!cfg->unix_socket_dir[0])
        return true;
    char *path = listen_unix_path(cfg);
    bool ok = listeners_add_unix(ls, path, (mode_t)cfg->unix_socket_mode, &err);
    bool optional = cfg->profile == CONFIG_URL;
    if (!ok)
        log_line(optional ? LOG_WARNING_LEVEL : LOG_FATAL_LEVEL, "failed to listen on %s: %s", path,
                 err.text);
    else if (group[0] && path[0] != '@')
        ok = give_to_group(path, group);
    free(path);
    return ok || optional;
}

/* ---- the service manager's ------------------------------------------------------------- */

static bool add_inherited(struct listeners *ls, const struct config *cfg, int n)
{
    struct error err;
    static const enum setting_id ignored[] = {SETTING_listen_addr, SETTING_unix_socket_dir};
    for (int i = 0; i < n; i++) {
        if (!listeners_add_inherited(ls, SYSTEMD_FIRST_FD + i, &err)) {
            log_fatal("%s", err.text);
            return false;
        }
    }
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (cfg->origins[ignored[i]])
            log_warning("%s is ignored: the service manager has opened the sockets",
                        setting_at(ignored[i])->name);
    }
    return true;
}

/* ---- all of them ----------------------------------------------------------------------- */

static bool add_all(struct listeners *ls, const struct config *cfg)
{
    int inherited = systemd_listen_fds();
    if (inherited > 0)
        return add_inherited(ls, cfg, inherited);
    struct error err;
    if (cfg->so_reuseport && !listeners_can_reuse_port(&err)) {
        log_fatal("so_reuseport: %s", err.text);
        return false;
    }
    return add_tcp(ls, cfg) && add_unix(ls, cfg);
}

void listen_tcp_options(const struct config *cfg, struct tcp_options *out)
{
    *out = (struct tcp_options){.keepalive = cfg->tcp_keepalive,
                                .keepidle_s = (int)(cfg->tcp_keepidle_us / US_PER_S),
                                .keepintvl_s = (int)(cfg->tcp_keepintvl_us / US_PER_S),
                                .keepcnt = cfg->tcp_keepcnt,
                                .user_timeout_ms = (unsigned)(cfg->tcp_user_timeout_us / US_PER_MS),
                                .buffer_bytes = (int)cfg->tcp_socket_buffer_bytes};
}

struct listeners *listen_start(struct loop *loop, const struct config *cfg, struct workers *w,
                               bool replaces)
{
    char text[ADDR_TEXT];
    struct listener_options options = {
        .backlog = cfg->listen_backlog,
        .reuse_port = cfg->so_reuseport,
        .replace_unix = replaces,
        .defer_accept = cfg->tcp_defer_accept,
    };
    listen_tcp_options(cfg, &options.tcp);
    struct listeners *ls = listeners_new(loop, &options, &ops, w);
    bool ok = add_all(ls, cfg);
    for (size_t i = 0; ok && i < listeners_count(ls); i++)
        log_info("listening on %s", addr_text(listeners_addr(ls, i), text, sizeof text));
    if (ok && listeners_count(ls) == 0) {
        log_fatal("nowhere to listen on");
        ok = false;
    }
    if (!ok)
        listeners_free(&ls);
    return ls;
}

bool listen_is_here(struct relay *r)
{
    return relay_worker(r) == 0;
}

bool listen_http(struct http **http_out, struct loop *loop, const struct config *cfg,
                 struct relay_shared *shared, struct error *err)
{
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
    *http_out = http_start(&options, err);
    return *http_out != NULL;
}
