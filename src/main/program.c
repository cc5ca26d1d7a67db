/* SPDX-License-Identifier: PostgreSQL */
/* program.c - all that runs. */
#include "main/program.h"

#include "admin/console.h"
#include "auth/blocking.h"
#include "auth/keycache.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config_copy.h"
#include "conf/validate.h"
#include "http/http.h"
#include "main/daemon.h"
#include "main/greeting.h"
#include "main/listen.h"
#include "main/logging.h"
#include "main/options.h"
#include "main/reload.h"
#include "main/signals.h"
#include "main/takeover.h"
#include "net/resolver.h"
#include "net/tls_context.h"
#include "pool/registry.h"
#include "relay/cancel.h"
#include "relay/lookups.h"
#include "relay/peer_ledger.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "relay/refit.h"
#include "relay/vanish.h"
#include "worker/history.h"
#include "worker/process.h"
#include "worker/worker.h"

#include <limits.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the configuration ----------------------------------------------------------------- */

/* Findings are kept until it is known in which form the log wants its lines. */
struct finding {
    enum log_level level;
    char *text;
};

struct findings_run {
    struct error *first; /* may be NULL */
    bool has_first;
    struct finding *all;
    size_t n;
    const struct options *start; /* NULL: a reload, or nothing is to be started */
};

static void report(void *owner, enum config_severity severity, const char *origin, const char *text)
{
    static const enum log_level levels[] = {
        [CONFIG_NOTE] = LOG_INFO_LEVEL,
        [CONFIG_WARNING] = LOG_WARNING_LEVEL,
        [CONFIG_ERROR] = LOG_ERROR_LEVEL,
    };
    struct findings_run *run = owner;
    run->all = xrealloc(run->all, (run->n + 1) * sizeof run->all[0]);
    run->all[run->n++] = (struct finding){
        .level = levels[severity],
        .text = xasprintf("%s%s%s", origin, origin[0] ? ": " : "", text),
    };
    if (severity != CONFIG_ERROR || run->has_first)
        return;
    run->has_first = true;
    error_set(run->first, "F0000", "%s%s%s", origin, origin[0] ? ": " : "", text);
}

static void log_findings(struct findings_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        log_line(run->all[i].level, "%s", run->all[i].text);
        free(run->all[i].text);
    }
    free(run->all);
}

/* Who starts us with -q looks for the reason in the log file. Not as root: another account writes
 * there later. */
static void open_log_of_refused(void *owner, const struct config *cfg)
{
    const struct findings_run *run = owner;
    struct error unused;
    if (run->start && geteuid() != 0)
        (void)logging_apply(cfg, run->start, &unused);
}

struct setup *program_load(const struct options *o, const struct setup *before, struct error *err)
{
    struct findings_run run = {.first = err};
    struct config_sink sink = {.report = report, .owner = &run, .refused = open_log_of_refused};
    struct config *cfg = NULL;
    struct setup *s = NULL;
    run.start = !before && o->action == OPTIONS_RUN ? o : NULL;
    if (config_load(&o->request, &cfg, &sink)) {
        /* A reload goes on in the form it began in: it may still be refused. */
        if (!before)
            log_set_json(cfg->log_format == LOG_FORMAT_JSON);
        s = setup_build(cfg, before, &sink);
    }
    log_findings(&run);
    return s;
}

struct setup *program_change(const struct setup *before, const char *name, const char *value,
                             struct error *err)
{
    static const char origin[] = "console";
    struct findings_run run = {.first = err};
    struct config_sink sink = {.report = report, .owner = &run};
    struct config *cfg = config_copy(setup_config(before));
    struct setup *s = NULL;
    struct error why;
    bool ok = config_set(cfg, span_str(name), value, origin, &why);
    if (!ok)
        config_report(&sink, CONFIG_ERROR, origin, "%s", why.text);
    if (ok && config_validate(cfg, &sink))
        s = setup_change(cfg, before, name, &sink);
    else
        config_free(&cfg);
    log_findings(&run);
    return s;
}

/* ---- start ----------------------------------------------------------------------------- */

/* Listening sockets, log, event loops, a few of everything. */
#define OWN_DESCRIPTORS 64

/* What the configuration may come to: a guess where a limit is not set, for pools depend on who
 * logs in. */
static unsigned long long expected_descriptors(const struct config *cfg)
{
    unsigned long long databases = HASH_COUNT(cfg->databases) + (cfg->fallback ? 1 : 0);
    unsigned long long servers = cfg->max_server_connections > 0
                                     ? (unsigned long long)cfg->max_server_connections
                                     : databases * (unsigned long long)cfg->default_pool_size;
    return (unsigned long long)cfg->max_client_conn + servers + OWN_DESCRIPTORS;
}

/* Returns how many clients there may be where nothing else limits them. */
static unsigned raise_descriptor_limit(const struct config *cfg)
{
    struct rlimit limit;
    unsigned long long expected = expected_descriptors(cfg);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("could not raise the limit of open files: %s", strerror(errno));
    /* max_client_conn=0: as many as there is room for beside the rest. */
    unsigned long long room = limit.rlim_cur > expected ? limit.rlim_cur - expected : 1;
    unsigned clients = room > UINT_MAX ? UINT_MAX : (unsigned)room;
    if (cfg->max_client_conn == 0)
        expected += clients;
    log_line(expected > limit.rlim_cur ? LOG_WARNING_LEVEL : LOG_INFO_LEVEL,
             "kernel file descriptor limit: %llu; max_client_conn: %u, max expected fd use: %llu",
             (unsigned long long)limit.rlim_cur,
             cfg->max_client_conn ? (unsigned)cfg->max_client_conn : clients, expected);
    return clients;
}

static int worker_count(const struct config *cfg)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cfg->workers > 0)
        return cfg->workers;
    return cores < 1 ? 1 : cores > 4 ? 4 : (int)cores;
}

static bool start_shared(struct program *p, int workers)
{
    const struct config *cfg = setup_config(p->setup);
    struct error err;
    uint32_t servers =
        cfg->max_server_connections > 0 ? (uint32_t)cfg->max_server_connections : POOL_UNLIMITED;
    struct cap_settings total = {.max_servers = servers, .max_clients = POOL_UNLIMITED};
    struct resolver_options names = {
        .times = reload_resolver_times(cfg),
        .resolv_conf = cfg->resolv_conf[0] ? cfg->resolv_conf : NULL,
    };
    struct target_limits limits = refit_target_limits(cfg);
    p->shared.registry = registry_new((unsigned)workers, &total);
    p->shared.places =
        places_new(p->shared.registry, (unsigned)workers, &limits, loop_now(p->loop));
    p->shared.control = control_new();
    shutdown_init(&p->shutdown, p->loop, &p->shared);
    p->shared.cancel_keys = cancel_keys_new();
    p->shared.pids = pids_new();
    p->shared.peers = peer_ledger_new();
    p->shared.keycache = keycache_new(KEYCACHE_ENTRIES);
    p->shared.lookups = lookups_new();
    p->shared.blocking = blocking_new();
    p->shared.resolver = resolver_new(p->loop, &names, &err);
    if (!p->shared.resolver) {
        log_fatal("%s", err.text);
        return false;
    }
    resolver_on_vanished(p->shared.resolver, vanish_tell, &p->shared);
    return true;
}

static void on_reload(void *owner, struct process_reload *request)
{
    struct program *p = owner;
    reload_begin(p->reload, request);
}

static const struct process_ops process_ops = {.on_reload = on_reload};

/* ---- health and metrics ---------------------------------------------------------------- */

/* How often it is tried whether the old process has left. */
#define HTTP_AGAIN_US US_PER_S

static void try_http_again(void *arg)
{
    struct program *p = arg;
    struct error err;
    if (listen_http(&p->http, p->loop, p->started, &p->shared, &err))
        log_info("health and metrics are served from now on");
    else
        timer_set(&p->http_again, loop_now(p->loop) + HTTP_AGAIN_US);
}

/* In the url profile the port is a default: nobody may have asked for it. */
static bool start_http(struct program *p, const struct config *cfg, bool replaces)
{
    struct error err;
    timer_init(&p->http_again, p->loop, try_http_again, p);
    if (listen_http(&p->http, p->loop, cfg, &p->shared, &err))
        return true;
    if (!replaces && cfg->profile != CONFIG_URL) {
        log_fatal("%s", err.text);
        return false;
    }
    log_warning("%s; going on without health and metrics", err.text);
    if (replaces)
        timer_set(&p->http_again, loop_now(p->loop) + HTTP_AGAIN_US);
    return true;
}

/* ---- start ----------------------------------------------------------------------------- */

/* -R: the old process gives up the port, which ours may share until then. */
static bool make_room(struct program *p)
{
    struct error err;
    if (!p->takeover || takeover_finish(&p->takeover, &err))
        return true;
    log_fatal("%s", err.text);
    return false;
}

static char *predecessor_path(const struct config *cfg)
{
    char *path = listen_unix_path(cfg);
    char *old = xasprintf("%s" LISTENER_OLD, path);
    free(path);
    return old;
}

/* The old process may have left, and removed it, meanwhile. */
static bool replace_pidfile(const char *path, pid_t old)
{
    struct error err;
    if (!path[0] || daemon_replace_pidfile(path, old, &err))
        return true;
    log_fatal("%s", err.text);
    return false;
}

/* The shape is PgBouncer's. */
static void log_up(const struct loop *l, int workers)
{
    char events[64], names[64];
    log_info("process up: %s, %s, adns: %s, tls: %s, %d workers", PACKAGE_STRING,
             loop_library(l, events, sizeof events), resolver_library(names, sizeof names),
             tls_library(), workers);
}

bool program_start(struct program *p)
{
    const struct config *cfg = setup_config(p->setup);
    int workers = worker_count(cfg);
    p->shared.max_by_descriptors = raise_descriptor_limit(cfg);
    p->loop = loop_new();
    if (!start_shared(p, workers))
        return false;
    p->reload = reload_new(p);
    p->shared.history = history_new();
    log_observe(history_observe, p->shared.history);
    p->shared.process = process_new(p->loop, &process_ops, p);
    p->workers = workers_new(&p->shared, workers, p->setup, &console_ops);
    stats_line_init(&p->stats_line, p->loop, &p->shared, cfg);
    signals_watch(p);
    pid_t old = takeover_predecessor(p->takeover);
    bool replaces = old != 0;
    if (!cfg->so_reuseport && !make_room(p))
        return false;
    p->listeners = listen_start(workers_accept_loop(p->workers), cfg, p->workers, replaces);
    if (!p->listeners)
        return false;
    p->shutdown.listeners = p->shared.listeners = p->listeners;
    if (replaces)
        p->shared.predecessor = predecessor_path(cfg);
    workers_start(p->workers);
    if (!start_http(p, cfg, replaces) || !make_room(p))
        return false;
    if (replaces && !replace_pidfile(cfg->pidfile, old))
        return false;
    greeting_log(cfg, p->http != NULL);
    log_up(p->loop, workers);
    return true;
}

void program_stop(struct program *p)
{
    takeover_abandon(&p->takeover);
    timer_fini(&p->http_again);
    http_free(&p->http);
    workers_stop(p->workers);
    p->left_thread = !blocking_free(&p->shared.blocking);
    listeners_free(&p->listeners);
    workers_free(&p->workers);
    stats_line_fini(&p->stats_line);
    process_free(&p->shared.process);
    reload_free(&p->reload);
    shutdown_fini(&p->shutdown);
    log_observe(NULL, NULL);
    history_free(&p->shared.history);
    resolver_free(&p->shared.resolver);
    registry_free(&p->shared.registry);
    places_free(&p->shared.places);
    control_free(&p->shared.control);
    cancel_keys_free(&p->shared.cancel_keys);
    lookups_free(&p->shared.lookups);
    pids_free(&p->shared.pids);
    peer_ledger_free(&p->shared.peers);
    if (p->shared.predecessor)
        (void)unlink(p->shared.predecessor);
    free(p->shared.predecessor);
    p->shared.predecessor = NULL;
    keycache_free(&p->shared.keycache);
    loop_free(&p->loop);
    setup_unref(&p->setup);
}
