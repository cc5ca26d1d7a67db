/* SPDX-License-Identifier: PostgreSQL */
/* tick.c - every time-out of clients that have logged in, of statements, of servers.
 *
 *   setting                   starts                      stops            what happens
 *   client_login_timeout      accept                      welcomed         FATAL (client.c)
 *   client_idle_timeout       last message, no server     next message     FATAL (client.c)
 *   query_wait_notify         queued                      served           NOTICE, once
 *   query_wait_timeout        queued                      served           ERROR, or FATAL (ini)
 *   query_timeout             first message of a query    ReadyForQuery    cancel, then close
 *                             queued, ini               served           FATAL
 *   transaction_timeout       first message               status idle      FATAL, rolled back
 *   idle_transaction_timeout  ReadyForQuery in a          next message     FATAL, rolled back
 *                             transaction
 *   cancel_wait_timeout       cancel sent                 it ended         server closed
 *   server_connect_timeout …  dial                        ready            server.c
 *   server_idle_timeout, server_lifetime                                   pool_take_expired
 *
 * Stamps are written as things happen; this looks at them: every 100 ms while something with a
 * short deadline runs, else once a second, and not at all in a worker that has no connection.
 *
 * Thousands of clients that do nothing are not looked at: who has nothing that can become due goes
 * to the end of relay->sessions, unwatched, and its next message brings it back to the front. */
#include "base/clock.h"
#include "base/log.h"
#include "pool/registry.h"
#include "proto/report.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/care.h"
#include "relay/control.h"
#include "relay/dial.h"
#include "relay/leave.h"
#include "relay/places.h"
#include "relay/relay_impl.h"
#include "relay/tick.h"

#define TICK_SHORT_US (100 * US_PER_MS)
#define TICK_LONG_US US_PER_S
/* Pools that never had a server (the name was wrong) are let go after this. */
#define KEEP_UNKNOWN_US (60 * US_PER_S)
/* auth_query makes one for whatever name is asked for, before anything is proven: when there are
 * more than this, they are let go at the next look. */
#define UNKNOWN_MANY 256

/* ---- waiting clients ------------------------------------------------------------------- */

static bool exceeded(uint64_t since_us, uint64_t now_us, uint64_t limit_us)
{
    return limit_us && since_us && now_us - since_us >= limit_us;
}

static void notify_waiting(struct session *ses)
{
    struct error what;
    struct buf *b = outgoing_buf(&ses->relay->to_client);
    ses->wait_noticed = true;
    error_set(&what, "00000",
              "No server connection available in postgres backend, client being queued");
    report_notice(b, "NOTICE", &what, NULL, NULL);
    client_send(ses->client, &ses->relay->to_client);
}

/* Who asks for its secret may have named a database that does not exist, or the console. */
static uint64_t wait_limit_us(const struct session *ses)
{
    const struct config *cfg = setup_config(ses->relay->setup);
    const struct setup_login *login = client_setup_login(ses->client);
    return login->db ? effective_query_wait_timeout_us(cfg, login->db, login->user)
                     : cfg->query_wait_timeout_us;
}

static void waited_too_long(struct session *ses, uint64_t limit_us)
{
    unsigned long long ms = (unsigned long long)(limit_us / US_PER_MS);
    struct error err, why;
    if (ses->pool && dial_is_in_vain(ses->pool, &why))
        error_set(&err, why.sqlstate,
                  "query_wait_timeout: no server could be reached within %llu ms: %s", ms,
                  why.text);
    else
        error_set(&err, SQLSTATE_TOO_MANY_CONNECTIONS,
                  "query_wait_timeout: no server connection became free within %llu ms", ms);
    if (ses->asking) /* that this one has waited for too long says nothing about others */
        client_fail(ses->client, &err);
    else
        broker_fail_waiting(ses, &err, setup_config(ses->relay->setup)->profile == CONFIG_INI);
}

static void sweep_waiting(struct session *ses, uint64_t now)
{
    const struct config *cfg = setup_config(ses->relay->setup);
    uint64_t limit = wait_limit_us(ses);
    const struct setup_login *login = client_setup_login(ses->client);
    uint64_t query_limit = effective_query_timeout_us(cfg, login->db, login->pool_user_line);
    struct error err;
    bool queued = client_get_state(ses->client) == CLIENT_WAITING;
    /* As in PgBouncer, which has this word for it. */
    if (cfg->profile == CONFIG_INI && queued && exceeded(ses->wait_since_us, now, query_limit)) {
        error_set(&err, SQLSTATE_QUERY_CANCELED, "query_timeout: waited for a server for %llu ms",
                  (unsigned long long)(query_limit / US_PER_MS));
        broker_fail_waiting(ses, &err, true);
        return;
    }
    if (exceeded(ses->wait_since_us, now, limit)) {
        waited_too_long(ses, limit);
        return;
    }
    if (queued && !ses->wait_noticed &&
        exceeded(ses->wait_since_us, now, cfg->query_wait_notify_us))
        notify_waiting(ses);
}

/* ---- running statements and transactions ----------------------------------------------- */

static void fail_session(struct session *ses, const char *sqlstate, const char *text)
{
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    client_fail(ses->client, &err);
}

static bool exempt_from_query_timeout(const struct session *ses)
{
    const struct config *cfg = setup_config(ses->relay->setup);
    struct span value;
    if (cfg->profile != CONFIG_URL)
        return false;
    if (server_expects(ses->lent->server)->copying)
        return true;
    /* A session that sets its own limit knows what it does (migrations, dumps). */
    return params_get(client_params(ses->client), span_str("statement_timeout"), &value);
}

static void sweep_linked(struct session *ses, uint64_t now)
{
    const struct config *cfg = setup_config(ses->relay->setup);
    const struct config_user *user = client_setup_login(ses->client)->pool_user_line;
    const struct config_database *db = client_setup_login(ses->client)->db;
    struct lent *l = ses->lent;
    if ((ses->pins & PIN_SESSION_MODE) && care_close_outdated(ses))
        return;
    /* An open group is a query until its Sync, and may hold locks, whether it runs or not. */
    bool owes = !expect_is_empty(server_expects(l->server)), busy = owes || l->group_open;
    /* What a cancel was to end goes on: nothing has been answered since. */
    bool in_vain = busy && l->cancel != CANCEL_NONE && l->first_unit == l->cancel_unit;
    if (in_vain && l->cancel_deadline_us && now >= l->cancel_deadline_us) {
        bool ours = ses->query_overdue;
        fail_session(ses, SQLSTATE_QUERY_CANCELED, ours ? "query timeout" : "cancel_wait_timeout");
        broker_close_server(l, ours ? "query_timeout" : "cancel_wait_timeout");
        return;
    }
    if (busy && !ses->query_overdue && !ses->own && !exempt_from_query_timeout(ses) &&
        exceeded(ses->query_since_us, now, effective_query_timeout_us(cfg, db, user))) {
        ses->query_overdue = true;
        if (cfg->log_pooler_errors)
            client_log(ses->client, LOG_WARNING_LEVEL, "query timeout: what runs is canceled");
        cancel_server(l);
        return;
    }
    if (ses->own)
        return;
    if (exceeded(ses->xact_since_us, now, effective_transaction_timeout_us(cfg, db, user))) {
        fail_session(ses, SQLSTATE_QUERY_CANCELED, "transaction timeout");
        return;
    }
    uint64_t asked = client_request_us(ses->client);
    bool idle_in_transaction = !owes && server_status(l->server) != 'I';
    if (idle_in_transaction && exceeded(asked > ses->ready_us ? asked : ses->ready_us, now,
                                        effective_idle_transaction_timeout_us(cfg, db, user)))
        fail_session(ses, "25P03", "idle transaction timeout");
}

/* ---- servers --------------------------------------------------------------------------- */

static void sweep_server(struct lent *l, uint64_t now)
{
    if (care_is_running(l)) {
        care_sweep(l, now);
        return;
    }
    if (l->dialing) {
        server_sweep(l->server, now);
        return;
    }
    if (l->cancel == CANCEL_SENT && l->cancel_deadline_us && now >= l->cancel_deadline_us) {
        struct session *ses = l->session;
        if (ses && l->first_unit != l->cancel_unit) {
            /* What it was for is over; where the request is, nobody knows. */
            l->close_when_idle = true;
            cancel_abandon(l);
            return;
        }
        if (ses)
            fail_session(ses, SQLSTATE_QUERY_CANCELED,
                         ses->query_overdue ? "query timeout" : "cancel_wait_timeout");
        broker_close_server(l, "cancel_wait_timeout");
        return;
    }
    leave_sweep(l, now);
}

static bool has_short_deadlines(const struct relay *r, uint64_t now)
{
    const struct lent *l;
    if (r->n_waiting || (r->dial_at_us && r->dial_at_us < now + TICK_LONG_US))
        return true;
    TAILQ_FOREACH(l, &r->servers, link)
    {
        if (l->dialing || l->leaving || care_is_running(l) || l->cancel == CANCEL_SENT)
            return true;
    }
    return false;
}

/* ---- pools ----------------------------------------------------------------------------- */

static void dial_waiting(struct pool *p, void *arg)
{
    broker_dial_more(arg, p);
}

static void sweep_pool(struct pool *p, void *arg)
{
    struct relay *r = arg;
    struct place *place = pool_owner(p);
    figures_roll(place->figures, loop_now(r->loop), setup_config(r->setup)->stats_period_us);
    broker_sweep_pool(r, p);
    if (r->worker == 0)
        dial_for_min(r, p);
    broker_dial_more(r, p);
}

/* ---- pools that nobody uses ------------------------------------------------------------- */

struct reap_run {
    struct relay *relay;
    unsigned n_unknown; /* pools that never had a server */
};

/* 0 is for ever. */
static uint64_t or_ever(uint64_t us)
{
    return us ? us : UINT64_MAX;
}

/* pool_idle_timeout; autodb_idle_timeout for names that only the fallback entry knows; not at all
 * if a reload has taken the database away. */
static uint64_t keep_us(const struct pool *p, void *arg)
{
    struct reap_run *run = arg;
    const struct config *cfg = setup_config(run->relay->setup);
    uint64_t us = or_ever(cfg->pool_idle_timeout_us);
    if (!places_may_use(cfg, p))
        return 0;
    struct place *place = pool_owner(p);
    const struct config_database *db = config_find_database(cfg, pool_database(p));
    if (db && dial_keeps_min(cfg, db))
        return UINT64_MAX;
    if (db == cfg->fallback && or_ever(cfg->autodb_idle_timeout_us) < us)
        us = cfg->autodb_idle_timeout_us;
    if (place_is_known(place))
        return us;
    uint64_t most = ++run->n_unknown > UNKNOWN_MANY ? TICK_LONG_US : KEEP_UNKNOWN_US;
    return us < most ? us : most;
}

/* A pool refers to the cap of its database twice: by its place, and by its row in the registry. */
#define CAPS_OF_A_POOL 2

/* Nothing remains of a database without a line when its last pool ends. */
static void tell_of_database(struct relay *r, const char *name)
{
    const struct config *cfg = setup_config(r->setup);
    const struct config_database *db = config_find_database(cfg, name);
    struct limits *limits = registry_limits(r->shared->registry);
    if ((!db || db == cfg->fallback) &&
        limits_count(limits, POOL_CAP_DATABASE, name) == CAPS_OF_A_POOL)
        log_warning("dropping database '%s' as it does not exist anymore or inactive auto-database",
                    name);
}

static void on_pool_end(const struct pool *p, uint64_t unused_us, void *arg)
{
    struct reap_run *run = arg;
    tell_of_database(run->relay, pool_database(p));
    log_info("cleaning up idle pool for user %s on db %s because: pool idle timeout (age=%llus)",
             pool_user(p), pool_database(p), (unsigned long long)(unused_us / US_PER_S));
}

static void reap_pools(struct relay *r, uint64_t now)
{
    struct reap_run run = {.relay = r};
    const struct registry_keeper keeper = {
        .keep_us = keep_us,
        .on_end = on_pool_end,
        .arg = &run,
    };
    registry_reap(r->shared->registry, now, &keeper);
}

/* Pools that are there before anybody asks for them. True: there are some. */
static bool make_pools(struct relay *r)
{
    const struct config *cfg = setup_config(r->setup);
    const struct config_database *db;
    bool any = false;
    if (atomic_load_explicit(&r->shared->is_stopping, memory_order_relaxed))
        return false;
    for (db = cfg->databases; db; db = db->hh.next) {
        struct setup_login login;
        struct error err;
        if (!dial_keeps_min(cfg, db))
            continue;
        setup_find_login(r->setup, db->name, db->user, &login);
        struct pool *p = places_find(r->shared->places, r->setup, &login, db->name, db->user);
        (void)control_login(r->shared->control, p, &err); /* it may be paused */
        pool_unref(&p);
        any = true;
    }
    return any;
}

static void sweep_pools(struct relay *r, uint64_t now)
{
    if (r->dial_at_us && now >= r->dial_at_us) {
        r->dial_at_us = 0;
        registry_each(r->shared->registry, dial_waiting, r);
    }
    if (now - r->last_sweep_us < TICK_LONG_US)
        return;
    r->last_sweep_us = now;
    r->keeps_pools = r->worker == 0 && make_pools(r);
    registry_each(r->shared->registry, sweep_pool, r);
    figures_roll(places_console_figures(r->shared->places), now,
                 setup_config(r->setup)->stats_period_us);
    if (r->worker == 0)
        reap_pools(r, now);
}

/* ---- the tick -------------------------------------------------------------------------- */

void tick_watch(struct session *ses)
{
    ses->watched = true;
    TAILQ_REMOVE(&ses->relay->sessions, ses, link);
    TAILQ_INSERT_HEAD(&ses->relay->sessions, ses, link);
}

static void unwatch(struct session *ses)
{
    ses->watched = false;
    TAILQ_REMOVE(&ses->relay->sessions, ses, link);
    TAILQ_INSERT_TAIL(&ses->relay->sessions, ses, link);
}

static void sweep_sessions(struct relay *r, uint64_t now, bool all)
{
    struct session *ses, *next;
    TAILQ_FOREACH_SAFE(ses, &r->sessions, link, next)
    {
        if (!ses->watched)
            break;
        if (ses->wait_since_us)
            sweep_waiting(ses, now);
        else if (ses->lent)
            sweep_linked(ses, now);
        if (all && !ses->gone && !client_sweep(ses->client, now, ses->ready_us) && !ses->lent)
            unwatch(ses);
    }
}

static void tick(void *arg)
{
    struct relay *r = arg;
    struct lent *l, *next;
    uint64_t now = loop_now(r->loop);
    bool all = now - r->last_sweep_us >= TICK_LONG_US;
    if (all || r->n_waiting)
        sweep_sessions(r, now, all);
    TAILQ_FOREACH_SAFE(l, &r->servers, link, next)
    sweep_server(l, now);
    sweep_pools(r, now);
    if (!TAILQ_EMPTY(&r->sessions) || !TAILQ_EMPTY(&r->servers) || r->keeps_pools)
        timer_set(&r->tick, now + (has_short_deadlines(r, now) ? TICK_SHORT_US : TICK_LONG_US));
}

void tick_init(struct relay *r)
{
    timer_init(&r->tick, r->loop, tick, r);
    if (r->worker == 0)
        relay_tick_soon(r);
}

void relay_tick_soon(struct relay *r)
{
    uint64_t at = loop_now(r->loop) + TICK_SHORT_US;
    if (!timer_is_set(&r->tick) || r->tick.at_us > at)
        timer_set(&r->tick, at);
}

void relay_dial_at(struct relay *r, uint64_t at_us)
{
    if (!r->dial_at_us || at_us < r->dial_at_us)
        r->dial_at_us = at_us;
    relay_tick_soon(r);
}
