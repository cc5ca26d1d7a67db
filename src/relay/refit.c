/* SPDX-License-Identifier: PostgreSQL */
/* refit.c - a reload: the new setup takes the place of the old one. */
#include "relay/refit.h"

#include "conf/effective.h"
#include "pool/registry.h"
#include "relay/broker.h"
#include "relay/control.h"
#include "relay/lookups.h"
#include "relay/peer.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <string.h>

/* ---- clients --------------------------------------------------------------------------- */

/* Would it be in another pool if it logged in now? */
static bool has_moved(const struct session *ses)
{
    const struct setup_login *login = client_setup_login(ses->client);
    const char *user = login->pool_user ? login->pool_user : client_user(ses->client);
    return strcmp(user, pool_user(ses->pool)) != 0;
}

/* Failing one client may close others: each time the list is searched anew. */
static struct session *any_misplaced(struct relay *r)
{
    struct session *ses;
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        if (ses->pool && !ses->asking && (!client_setup_login(ses->client)->db || has_moved(ses)))
            return ses;
    }
    return NULL;
}

static void send_away(struct session *ses)
{
    bool removed = !client_setup_login(ses->client)->db;
    struct error err;
    error_set(&err, SQLSTATE_ADMIN_SHUTDOWN, "%s",
              removed ? "database removed" : "database configuration changed");
    client_fail(ses->client, &err);
}

void refit_worker(struct relay *r, struct setup *setup)
{
    struct session *ses;
    struct setup *old = r->setup;
    r->setup = setup_ref(setup);
    client_context_follow(&r->client_context, r->setup);
    server_context_follow(&r->server_context, setup_config(setup));
    /* Those that are still proving who they are go on by the setup they began with; session.c has
     * them look at the newest one when they are through. */
    TAILQ_FOREACH(ses, &r->sessions, link)
    {
        ses->watched = true; /* it may have a limit now */
        if (ses->pool && !ses->asking)
            (void)client_refresh_setup(ses->client);
    }
    while ((ses = any_misplaced(r)) != NULL)
        send_away(ses);
    setup_unref(&old);
}

/* ---- pools ----------------------------------------------------------------------------- */

static uint32_t limit(int value)
{
    return value > 0 ? (uint32_t)value : POOL_UNLIMITED;
}

struct refit_run {
    struct relay_shared *shared;
    struct setup *setup;
    uint64_t now_us;
};

static void refit_pool(struct pool *p, void *arg)
{
    const struct refit_run *run = arg;
    uint64_t workers = places_renew(run->shared->places, p, run->setup, run->now_us);
    broker_post_sweeps(run->shared->relays[0], p, workers);
}

struct target_limits refit_target_limits(const struct config *cfg)
{
    return (struct target_limits){
        .max_connects = (unsigned)cfg->max_connects,
        .breaker_failures = (unsigned)cfg->breaker_failures,
        .breaker_open_us = cfg->breaker_open_time_us,
        .retry_min_us = cfg->retry_min_delay_us,
        .retry_max_us = cfg->retry_max_delay_us,
        .retry_slow_us = cfg->retry_slow_delay_us,
        .longest_us = effective_longest_pause_us(cfg),
    };
}

/* ---- orders ---------------------------------------------------------------------------- */

struct orders_run {
    struct registry *registry;
    const struct config *cfg;
    const char *database;
};

static void resume_pool(struct pool *p, void *arg)
{
    const struct orders_run *run = arg;
    if (strcmp(pool_database(p), run->database) == 0)
        (void)pool_resume(p); /* nobody waits in it: its clients have been sent away */
}

static void forget_orders(struct control *c, const char *database, void *arg)
{
    struct orders_run *run = arg;
    if (config_find_database(run->cfg, database))
        return;
    control_set(c, database, CONTROL_PAUSED, false);
    control_set(c, database, CONTROL_DISABLED, false);
    control_set(c, database, CONTROL_KILLED, false);
    run->database = database;
    if (!control_is_paused(c, database) && !control_has(c, NULL, CONTROL_SUSPENDED))
        registry_each(run->registry, resume_pool, run);
}

/* What was ordered about a database goes with it: nobody could take it back, and one of that name
 * that comes later is another. */
static void refit_orders(struct relay_shared *shared, const struct config *cfg)
{
    struct orders_run run = {.registry = shared->registry, .cfg = cfg};
    control_enter(shared->control);
    control_each(shared->control, forget_orders, &run);
    control_leave(shared->control);
}

void refit_pools(struct relay_shared *shared, struct setup *setup, uint64_t now_us)
{
    const struct config *cfg = setup_config(setup);
    struct refit_run run = {.shared = shared, .setup = setup, .now_us = now_us};
    struct target_limits targets = refit_target_limits(cfg);
    struct cap_settings total = {.max_servers = limit(cfg->max_server_connections),
                                 .max_clients = POOL_UNLIMITED};
    places_set_limits(shared->places, &targets);
    cap_set(limits_total(registry_limits(shared->registry)), &total);
    lookups_doubt_all(shared->lookups);
    refit_orders(shared, cfg);
    registry_each(shared->registry, refit_pool, &run);
    peer_refit(shared, setup);
}

static void serve_pool(struct pool *p, void *arg)
{
    struct relay *r = arg;
    broker_sweep_pool(r, p);
    broker_dial_more(r, p);
}

void refit_serve(struct relay *r)
{
    registry_each(r->shared->registry, serve_pool, r);
    relay_tick_soon(r);
}
