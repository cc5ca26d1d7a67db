/* SPDX-License-Identifier: PostgreSQL */
/* program.c - all that runs. */
#include "main/program.h"

#include "admin/console.h"
#include "auth/keycache.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/http.h"
#include "main/greeting.h"
#include "main/listen.h"
#include "main/options.h"
#include "main/reload.h"
#include "main/signals.h"
#include "net/resolver.h"
#include "pool/registry.h"
#include "relay/cancel.h"
#include "relay/places.h"
#include "worker/process.h"
#include "worker/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- the configuration ----------------------------------------------------------------- */

struct findings_run {
    struct error *first; /* may be NULL */
    bool has_first;
};

static void report(void *owner, enum config_severity severity, const char *origin, const char *text)
{
    static const enum log_level levels[] = {
        [CONFIG_NOTE] = LOG_INFO_LEVEL,
        [CONFIG_WARNING] = LOG_WARNING_LEVEL,
        [CONFIG_ERROR] = LOG_ERROR_LEVEL,
    };
    struct findings_run *run = owner;
    log_line(levels[severity], "%s%s%s", origin, origin[0] ? ": " : "", text);
    if (severity != CONFIG_ERROR || run->has_first)
        return;
    run->has_first = true;
    error_set(run->first, "F0000", "%s%s%s", origin, origin[0] ? ": " : "", text);
}

struct setup *program_load(const struct options *o, const struct setup *before, struct error *err)
{
    struct findings_run run = {.first = err};
    struct config_sink sink = {.report = report, .owner = &run};
    struct config *cfg = NULL;
    if (!config_load(&o->request, &cfg, &sink))
        return NULL;
    return setup_build(cfg, before, &sink);
}

/* ---- start ----------------------------------------------------------------------------- */

static void raise_descriptor_limit(const struct config *cfg)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("could not raise the limit of open files: %s", strerror(errno));
    log_debug("kernel file descriptor limit: %llu; max_client_conn: %d",
              (unsigned long long)limit.rlim_cur, cfg->max_client_conn);
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
    struct resolver_options names = {.max_ttl_us = cfg->dns_max_ttl_us};
    struct target_limits limits = {
        .max_connects = (unsigned)cfg->max_connects,
        .breaker_failures = (unsigned)cfg->breaker_failures,
        .breaker_open_us = cfg->breaker_open_time_us,
    };
    p->shared.registry = registry_new((unsigned)workers, &total);
    p->shared.places =
        places_new(p->shared.registry, (unsigned)workers, &limits, loop_now(p->loop));
    p->shared.control = control_new();
    shutdown_init(&p->shutdown, p->loop, &p->shared);
    p->shared.cancel_keys = cancel_keys_new();
    p->shared.keycache = keycache_new(KEYCACHE_ENTRIES);
    p->shared.resolver = resolver_new(p->loop, &names, &err);
    if (!p->shared.resolver)
        log_fatal("%s", err.text);
    return p->shared.resolver != NULL;
}

static void on_reload(void *owner, struct process_reload *request)
{
    struct program *p = owner;
    log_info("RELOAD command issued");
    reload_begin(p->reload, request);
}

static const struct process_ops process_ops = {.on_reload = on_reload};

bool program_start(struct program *p)
{
    const struct config *cfg = setup_config(p->setup);
    int workers = worker_count(cfg);
    raise_descriptor_limit(cfg);
    p->loop = loop_new();
    if (!start_shared(p, workers))
        return false;
    p->reload = reload_new(p);
    p->shared.process = process_new(p->loop, &process_ops, p);
    p->workers = workers_start(&p->shared, workers, p->setup, &console_ops);
    stats_line_init(&p->stats_line, p->loop, &p->shared, cfg);
    signals_watch(p);
    p->listeners = listen_start(p->loop, cfg, p->workers);
    if (!p->listeners)
        return false;
    p->shutdown.listeners = p->listeners;
    if (!listen_http(&p->http, p->loop, cfg, &p->shared))
        return false;
    greeting_log(cfg);
    log_info("process up: %s, %d workers", PACKAGE_STRING, workers);
    return true;
}

void program_stop(struct program *p)
{
    listeners_free(&p->listeners);
    http_free(&p->http);
    workers_stop(&p->workers);
    stats_line_fini(&p->stats_line);
    process_free(&p->shared.process);
    reload_free(&p->reload);
    shutdown_fini(&p->shutdown);
    resolver_free(&p->shared.resolver);
    registry_free(&p->shared.registry);
    places_free(&p->shared.places);
    control_free(&p->shared.control);
    cancel_keys_free(&p->shared.cancel_keys);
    keycache_free(&p->shared.keycache);
    loop_free(&p->loop);
    setup_unref(&p->setup);
}
