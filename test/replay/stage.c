/* SPDX-License-Identifier: PostgreSQL */
/* stage.c - builds the program under test, and takes it down. */
#include "replay/stage.h"

#include "admin/console.h"
#include "auth/auth.h"
#include "auth/keycache.h"
#include "base/mem.h"
#include "conf/conf_pairs.h"
#include "conf/validate.h"
#include "net/loop.h"
#include "pool/registry.h"
#include "relay/cancel.h"
#include "relay/control.h"
#include "relay/lookups.h"
#include "relay/peer_ledger.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "setup/setup.h"
#include "support/fake_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the configuration ----------------------------------------------------------------- */

/* No TLS, and nobody is asked for a password, unless the script says so. */
static void new_config(struct stage *s, enum config_profile profile)
{
    static const char *const ours[][2] = {
        {"client_tls_sslmode", "disable"},
        {"server_tls_sslmode", "disable"},
        {"auth_type", "any"},
    };
    struct error err;
    config_free(&s->config);
    s->config = config_new(profile);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (!config_set(s->config, span_str(ours[i][0]), ours[i][1], "replay", &err))
            abort();
    }
}

void stage_init(struct stage *s)
{
    *s = (struct stage){0};
    new_config(s, CONFIG_INI);
}

bool stage_set(struct stage *s, struct span name, const char *value, struct error *err)
{
    if (s->setup)
        return error_set(err, "", "the program has started already");
    if (span_is(name, "profile")) {
        new_config(s, strcmp(value, "url") == 0 ? CONFIG_URL : CONFIG_INI);
        return true;
    }
    return config_set(s->config, name, value, "replay", err);
}

static void collect(void *owner, enum config_severity severity, const char *origin,
                    const char *text)
{
    (void)origin;
    if (severity == CONFIG_ERROR)
        error_set(owner, "", "%s", text);
}

bool stage_database(struct stage *s, const char *name, const char *text, struct error *err)
{
    struct config_sink sink = {.report = collect, .owner = err};
    s->n_databases++;
    return conf_pairs_database(s->config, name, text, "replay", &sink);
}

void stage_user(struct stage *s, const char *name, const char *password)
{
    char *before = s->users;
    s->users = xasprintf("%s\"%s\" \"%s\"\n", before ? before : "", name, password);
    free(before);
}

/* The program reads users from a file only. */
static bool write_users(struct stage *s, char *path, struct error *err)
{
    size_t n = strlen(s->users);
    int fd = mkstemp(path);
    if (fd < 0)
        return error_set(err, "", "could not make a file for users");
    bool ok = write(fd, s->users, n) == (ssize_t)n;
    close(fd);
    return ok && config_set(s->config, span_str("auth_file"), path, "replay", err);
}

static bool build_setup(struct stage *s, struct error *err)
{
    char path[] = "/tmp/replay-users-XXXXXX";
    struct config_sink sink = {.report = collect, .owner = err};
    if (!s->n_databases && !stage_database(s, "*", "host=127.0.0.1", err))
        return false;
    if (s->users && !write_users(s, path, err))
        return false;
    s->setup = setup_build(s->config, NULL, &sink);
    s->config = NULL;
    if (s->users)
        unlink(path);
    return s->setup != NULL;
}

/* ---- running --------------------------------------------------------------------------- */

static void start_shared(struct stage *s, unsigned workers)
{
    const struct config *cfg = setup_config(s->setup);
    uint32_t servers =
        cfg->max_server_connections > 0 ? (uint32_t)cfg->max_server_connections : POOL_UNLIMITED;
    struct cap_settings total = {.max_servers = servers, .max_clients = POOL_UNLIMITED};
    struct target_limits limits = {
        .max_connects = (unsigned)cfg->max_connects,
        .breaker_failures = (unsigned)cfg->breaker_failures,
        .breaker_open_us = cfg->breaker_open_time_us,
    };
    s->shared.registry = registry_new(workers, &total);
    s->shared.places = places_new(s->shared.registry, workers, &limits, fake_now());
    s->shared.control = control_new();
    s->shared.cancel_keys = cancel_keys_new();
    s->shared.pids = pids_new();
    s->shared.peers = peer_ledger_new();
    s->shared.keycache = keycache_new(KEYCACHE_ENTRIES);
    s->shared.lookups = lookups_new();
    s->shared.n_workers = (int)workers;
    s->shared.relays = s->relays;
}

bool stage_start(struct stage *s, struct error *err)
{
    if (s->setup)
        return true;
    if (!auth_init(err) || !build_setup(s, err))
        return false;
    int wanted = setup_config(s->setup)->workers;
    unsigned workers = wanted < 1                   ? 1
                       : wanted > STAGE_WORKERS_MAX ? STAGE_WORKERS_MAX
                                                    : (unsigned)wanted;
    start_shared(s, workers);
    for (unsigned i = 0; i < workers; i++) {
        s->loops[i] = loop_new();
        s->relays[i] = relay_new(&s->shared, (int)i, s->loops[i], s->setup, &console_ops);
    }
    return true;
}

void stage_stop(struct stage *s)
{
    for (int i = 0; i < s->shared.n_workers; i++)
        relay_shutdown(s->relays[i]);
    for (int i = 0; i < s->shared.n_workers; i++)
        relay_free(&s->relays[i]);
    for (int i = 0; i < s->shared.n_workers; i++)
        loop_free(&s->loops[i]);
    if (s->shared.registry) {
        registry_free(&s->shared.registry);
        places_free(&s->shared.places);
        control_free(&s->shared.control);
        cancel_keys_free(&s->shared.cancel_keys);
        lookups_free(&s->shared.lookups);
        pids_free(&s->shared.pids);
        peer_ledger_free(&s->shared.peers);
        keycache_free(&s->shared.keycache);
    }
    setup_unref(&s->setup);
    config_free(&s->config);
    free(s->users);
    auth_fini();
}

void stage_accept(struct stage *s, unsigned worker, struct fake_wire *w)
{
    relay_expect_client(s->relays[worker]);
    relay_accept(s->relays[worker], w->fd, &w->peer);
}
