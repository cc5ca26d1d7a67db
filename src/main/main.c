/* SPDX-License-Identifier: PostgreSQL */
/* main.c - start, wait for signals, stop.
 *
 * The main thread has a loop for signals, listening sockets and names; it deals connections to the
 * workers and touches none of theirs. */
#include "admin/console.h"
#include "auth/auth.h"
#include "auth/keycache.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/http.h"
#include "main/listen.h"
#include "main/options.h"
#include "main/shutdown.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "pool/registry.h"
#include "relay/cancel.h"
#include "relay/control.h"
#include "relay/places.h"
#include "setup/setup.h"
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

/* ---- findings of the configuration ----------------------------------------------------- */

static void report(void *owner, enum config_severity severity, const char *origin,
                   const char *text)
{
    static const enum log_level levels[] = {
        [CONFIG_NOTE] = LOG_INFO_LEVEL,
        [CONFIG_WARNING] = LOG_WARNING_LEVEL,
        [CONFIG_ERROR] = LOG_ERROR_LEVEL,
    };
    (void)owner;
    log_line(levels[severity], "%s%s%s", origin, origin[0] ? ": " : "", text);
}

static struct setup *load(const struct options *o)
{
    struct config_sink sink = {.report = report};
    struct config *cfg = NULL;
    if (!config_load(&o->request, &cfg, &sink))
        return NULL;
    return setup_build(cfg, &sink);
}

/* ---- what runs ------------------------------------------------------------------------- */

struct program {
    struct setup *setup;
    struct loop *loop;
    struct listeners *listeners;
    struct http *http;
    struct workers *workers;
    struct relay_shared shared;
    struct shutdown shutdown;
};

static void on_stop_signal(void *arg)
{
    struct program *p = arg;
    log_info("got a signal to stop, shutting down");
    loop_stop(p->loop);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("could not raise the limit of open files");
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

static bool start(struct program *p)
{
    int workers = worker_count(setup_config(p->setup));
    p->loop = loop_new();
    loop_on_signal(p->loop, SIGINT, on_stop_signal, p);
    loop_on_signal(p->loop, SIGTERM, on_stop_signal, p);
    loop_on_signal(p->loop, SIGQUIT, on_stop_signal, p);
    if (!start_shared(p, workers))
        return false;
    p->workers = workers_start(&p->shared, workers, p->setup, &console_ops);
    p->listeners = listen_start(p->loop, setup_config(p->setup), p->workers);
    if (!p->listeners)
        return false;
    p->shutdown.listeners = p->listeners;
    if (!listen_http(&p->http, p->loop, setup_config(p->setup), &p->shared))
        return false;
    log_info("process up: %s, %d workers", PACKAGE_STRING, workers);
    return true;
}

static void stop(struct program *p)
{
    listeners_free(&p->listeners);
    http_free(&p->http);
    workers_stop(&p->workers);
    shutdown_fini(&p->shutdown);
    resolver_free(&p->shared.resolver);
    registry_free(&p->shared.registry);
    places_free(&p->shared.places);
    control_free(&p->shared.control);
    cancel_keys_free(&p->shared.cancel_keys);
    keycache_free(&p->shared.keycache);
    loop_free(&p->loop);
    setup_unref(&p->setup);
    auth_fini();
}

/* ---- main ------------------------------------------------------------------------------ */

static int answer_only(const struct options *o, const struct setup *s)
{
    const struct config *cfg = setup_config(s);
    const char *pem = setup_client_certificate(s);
    switch (o->action) {
    case OPTIONS_PRINT_URL:
        printf("postgresql://%s@127.0.0.1:%d/\n", cfg->url_user ? cfg->url_user : "",
               cfg->listen_port);
        return 0;
    case OPTIONS_PRINT_CA:
        if (!pem)
            return 1;
        fputs(pem, stdout);
        return 0;
    case OPTIONS_CHECK:
    case OPTIONS_RUN:
    case OPTIONS_EXIT:
        break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o;
    struct program p = {0};
    struct error err;
    options_parse(&o, argc, argv, environ);
    if (o.action == OPTIONS_EXIT)
        return o.status;
    signal(SIGPIPE, SIG_IGN);
    log_set_level((enum log_level)(LOG_INFO_LEVEL + (o.verbose > 2 ? 2 : o.verbose)));
    log_set_stderr(!o.quiet);
    if (!auth_init(&err)) {
        log_fatal("%s", err.text);
        return 1;
    }
    p.setup = load(&o);
    if (!p.setup)
        return o.request.profile == CONFIG_URL ? 2 : 1;
    if (o.action != OPTIONS_RUN) {
        int status = answer_only(&o, p.setup);
        setup_unref(&p.setup);
        return status;
    }
    raise_descriptor_limit();
    bool ok = start(&p);
    if (ok)
        loop_run(p.loop);
    stop(&p);
    return ok ? 0 : 1;
}
