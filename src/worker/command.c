/* SPDX-License-Identifier: PostgreSQL */
/* command.c - the operator's orders about databases. The texts are PgBouncer's where it has some.
 */
#include "worker/command.h"

#include "net/listener.h"
#include "pool/registry.h"
#include "relay/broker.h"
#include "relay/control.h"
#include "relay/lookups.h"
#include "relay/order.h"
#include "relay/relay.h"
#include "relay/suspend.h"
#include "setup/setup.h"
#include "worker/visit.h"

#include <string.h>

/* PostgreSQL's class for "not now, in this state". */
#define SQLSTATE_OBJECT_NOT_IN_STATE "55000"

static struct control *control_of(struct relay *r)
{
    return relay_shared_of(r)->control;
}

static bool no_such_database(const char *database, struct error *err)
{
    return error_set(err, SQLSTATE_UNDEFINED_DATABASE, "no such database: %s", database);
}

/* All databases, or one that is not the console and exists, be it by the fallback entry. */
static bool may_order(struct relay *r, const char *verb, const char *database, struct error *err)
{
    if (!database)
        return true;
    if (config_is_console(database))
        return error_set(err, SQLSTATE_FEATURE_NOT_SUPPORTED, "cannot %s admin db: %s", verb,
                         database);
    return config_find_database(setup_config(relay_setup(r)), database) ||
           no_such_database(database, err);
}

/* ---- for each pool of a database ------------------------------------------------------- */

struct pools_run {
    struct relay *relay;
    const char *database; /* NULL: all */
    void (*fn)(struct relay *r, struct pool *p, void *arg);
    void *arg;
};

static void each_pool(struct pool *p, void *arg)
{
    const struct pools_run *run = arg;
    if (!run->database || strcmp(pool_database(p), run->database) == 0)
        run->fn(run->relay, p, run->arg);
}

static void for_pools(struct relay *r, const char *database,
                      void (*fn)(struct relay *r, struct pool *p, void *arg), void *arg)
{
    struct pools_run run = {.relay = r, .database = database, .fn = fn, .arg = arg};
    registry_each(relay_shared_of(r)->registry, each_pool, &run);
}

static void count_pool(struct relay *r, struct pool *p, void *arg)
{
    (void)r;
    (void)p;
    ++*(unsigned *)arg;
}

static void compare_name(struct control *c, const char *database, void *arg)
{
    const char **wanted = arg;
    (void)c;
    if (*wanted && strcmp(database, *wanted) == 0)
        *wanted = NULL;
}

/* Whether there is anything to take back: the fallback entry alone has made nothing yet. Between
 * control_enter and control_leave. */
static bool was_seen(struct relay *r, const char *database)
{
    const struct config *cfg = setup_config(relay_setup(r));
    const char *wanted = database;
    unsigned n_pools = 0;
    if (config_find_database(cfg, database) != cfg->fallback)
        return true;
    control_each(control_of(r), compare_name, &wanted);
    for_pools(r, database, count_pool, &n_pools);
    return !wanted || n_pools;
}

/* ---- pause and resume ------------------------------------------------------------------ */

static void pause_pool(struct relay *r, struct pool *p, void *arg)
{
    (void)arg;
    broker_post_sweeps(r, p, pool_pause(p, POOL_PAUSE_CLOSE));
}

bool command_pause(struct relay *r, const char *database, bool *began_out, struct error *err)
{
    struct control *control = control_of(r);
    if (!may_order(r, "pause", database, err))
        return false;
    control_enter(control);
    bool already = control_has(control, NULL, CONTROL_SUSPENDED) ||
                   (!database && control_has(control, NULL, CONTROL_PAUSED));
    if (began_out)
        *began_out = !control_has(control, database, CONTROL_PAUSED);
    if (!already) {
        control_set(control, database, CONTROL_PAUSED, true);
        control_set(control, database, CONTROL_KILLED, false);
        for_pools(r, database, pause_pool, NULL);
    }
    control_leave(control);
    return !already || error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "already suspended/paused");
}

static void look_for_servers(struct relay *r, struct pool *p, void *arg)
{
    bool *quiet = arg;
    struct pool_numbers n;
    (void)r;
    pool_inspect(p, 0, &n);
    /* One that is being opened is closed by the ledger as soon as it is ready. */
    if (n.active + n.moving + n.idle + n.closing > 0)
        *quiet = false;
}

enum command_pausing command_pause_state(struct relay *r, const char *database)
{
    bool quiet = true;
    struct control *control = control_of(r);
    control_enter(control);
    bool paused = database ? control_is_paused(control, database)
                           : control_has(control, NULL, CONTROL_PAUSED);
    control_leave(control);
    if (!paused)
        return COMMAND_LIFTED;
    for_pools(r, database, look_for_servers, &quiet);
    return quiet ? COMMAND_PAUSED : COMMAND_PAUSING;
}

/* Its own pause may be over while that of all is not, and the other way round. */
static void resume_pool(struct relay *r, struct pool *p, void *arg)
{
    (void)arg;
    if (!control_is_paused(control_of(r), pool_database(p)))
        (void)pool_resume(p);
}

static void lift_kill(struct control *c, const char *database, void *arg)
{
    bool *found = arg;
    if (!control_has(c, database, CONTROL_KILLED))
        return;
    *found = true;
    control_set(c, database, CONTROL_PAUSED, false);
    control_set(c, database, CONTROL_KILLED, false);
}

/* False if there was none. */
static bool lift_pause(struct control *c, const char *database)
{
    bool found = control_has(c, database, CONTROL_PAUSED);
    control_set(c, database, CONTROL_PAUSED, false);
    control_set(c, database, CONTROL_KILLED, false);
    if (database)
        return found;
    found |= control_has(c, NULL, CONTROL_SUSPENDED);
    control_set(c, NULL, CONTROL_SUSPENDED, false);
    control_each(c, lift_kill, &found);
    return found;
}

enum resuming { RESUME_DONE, RESUME_ENDING, RESUME_UNKNOWN, RESUME_NOT_PAUSED };

static enum resuming resume(struct relay *r, const char *database)
{
    struct control *control = control_of(r);
    if (control_is_ending(control))
        return RESUME_ENDING;
    if (database && !config_is_console(database) && !was_seen(r, database))
        return RESUME_UNKNOWN;
    if (!lift_pause(control, database))
        return RESUME_NOT_PAUSED;
    for_pools(r, database, resume_pool, NULL);
    return RESUME_DONE;
}

bool command_resume(struct relay *r, const char *database, struct error *err)
{
    bool console = database && config_is_console(database);
    if (!console && !may_order(r, "resume", database, err))
        return false;
    control_enter(control_of(r));
    enum resuming result = resume(r, database);
    control_leave(control_of(r));
    switch (result) {
    case RESUME_DONE:
        return true;
    case RESUME_ENDING:
        return error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "pooler is shutting down");
    case RESUME_UNKNOWN:
        return no_such_database(database, err);
    case RESUME_NOT_PAUSED:
        break;
    }
    if (!database)
        return error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "pooler is not paused/suspended");
    return error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "database %s is not paused", database);
}

static void resume_here(struct relay *r, struct pool *p, void *arg)
{
    (void)arg;
    order_resume(r, p);
}

void command_resume_here(struct relay *r, const char *database)
{
    if (!database) {
        suspend_end(r);
        if (relay_worker(r) == 0)
            listeners_resume(relay_shared_of(r)->listeners);
    }
    for_pools(r, database, resume_here, NULL);
}

static void visit_resume(struct relay *r, void *arg)
{
    (void)arg;
    command_resume_here(r, NULL);
}

static void visited_resume(struct client *c, void *arg)
{
    (void)c;
    (void)arg;
}

void command_resume_everywhere(struct relay *r)
{
    visit_workers(r, 0, visit_resume, visited_resume, NULL);
}

/* ---- suspend --------------------------------------------------------------------------- */

static void hold_pool(struct relay *r, struct pool *p, void *arg)
{
    (void)arg;
    broker_post_sweeps(r, p, pool_pause(p, POOL_PAUSE_KEEP));
}

static void look_for_pause(struct control *c, const char *database, void *arg)
{
    bool *found = arg;
    *found |= control_has(c, database, CONTROL_PAUSED);
}

/* What is in its way; NULL: nothing, and it has begun. */
static const char *suspend(struct relay *r)
{
    struct control *control = control_of(r);
    bool paused = false;
    if (control_has(control, NULL, CONTROL_SUSPENDED) || control_has(control, NULL, CONTROL_PAUSED))
        return "already suspended/paused";
    control_each(control, look_for_pause, &paused);
    if (paused)
        return "cannot suspend with paused databases";
    if (control_is_ending(control))
        return "pooler is shutting down";
    control_set(control, NULL, CONTROL_SUSPENDED, true);
    for_pools(r, NULL, hold_pool, NULL);
    return NULL;
}

bool command_suspend(struct relay *r, struct error *err)
{
    control_enter(control_of(r));
    const char *refusal = suspend(r);
    control_leave(control_of(r));
    return !refusal || error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "%s", refusal);
}

void command_suspend_here(struct relay *r, struct command_suspension *s)
{
    struct error why;
    if (s->begins) {
        suspend_begin(r);
        if (relay_worker(r) == 0)
            listeners_pause(relay_shared_of(r)->listeners);
    }
    error_set(&why, SQLSTATE_ADMIN_SHUTDOWN, "suspend_timeout");
    if (s->drops)
        suspend_drop_unflushed(r, &why);
    s->unflushed += suspend_unflushed(r);
}

bool command_is_suspended(struct relay *r)
{
    struct control *control = control_of(r);
    control_enter(control);
    bool suspended = control_has(control, NULL, CONTROL_SUSPENDED);
    control_leave(control);
    return suspended;
}

bool command_has_consoles(struct relay *r)
{
    return atomic_load_explicit(&relay_shared_of(r)->n_operators, memory_order_relaxed) > 0;
}

/* ---- kill ------------------------------------------------------------------------------ */

/* A database that was paused before stays so when all are resumed. */
static void pause_for_kill(struct relay *r, struct pool *p, void *arg)
{
    struct control *control = control_of(r);
    const bool *all = arg;
    if (*all && !control_has(control, pool_database(p), CONTROL_PAUSED))
        control_set(control, pool_database(p), CONTROL_KILLED, true);
    control_set(control, pool_database(p), CONTROL_PAUSED, true);
    pause_pool(r, p, NULL);
}

bool command_kill(struct relay *r, const char *database, struct error *err)
{
    struct control *control = control_of(r);
    if (!may_order(r, "kill", database, err))
        return false;
    control_enter(control);
    bool already =
        control_has(control, NULL, CONTROL_PAUSED) || control_has(control, NULL, CONTROL_SUSPENDED);
    if (!already) {
        if (database)
            control_set(control, database, CONTROL_PAUSED, true);
        bool all = !database;
        for_pools(r, database, pause_for_kill, &all);
    }
    control_leave(control);
    return !already || error_set(err, SQLSTATE_OBJECT_NOT_IN_STATE, "already suspended/paused");
}

static void kill_here(struct relay *r, struct pool *p, void *arg)
{
    order_kill_pool(r, p, arg);
}

void command_kill_here(struct relay *r, const char *database)
{
    struct error why;
    error_set(&why, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
    for_pools(r, database, kill_here, &why);
}

bool command_kill_client_here(struct relay *r, uint64_t id)
{
    struct error why;
    error_set(&why, SQLSTATE_ADMIN_SHUTDOWN, "admin forced disconnect");
    return order_kill_client(r, id, &why);
}

/* ---- cancel requests ------------------------------------------------------------------- */

const uint8_t *command_cancel_key(struct relay *r, uint64_t client_id)
{
    return order_cancel_key(r, client_id);
}

bool command_was_canceled(struct relay *r, uint64_t client_id)
{
    return control_take_cancel(control_of(r), client_id);
}

/* ---- reconnect ------------------------------------------------------------------------- */

static void recycle_pool(struct relay *r, struct pool *p, void *arg)
{
    (void)arg;
    broker_post_sweeps(r, p, pool_recycle(p));
}

bool command_reconnect(struct relay *r, const char *database, struct error *err)
{
    if (!may_order(r, "reconnect", database, err))
        return false;
    for_pools(r, database, recycle_pool, NULL);
    /* Whatever is the reason: what the servers have said before counts no more. */
    lookups_doubt_all(relay_shared_of(r)->lookups);
    return true;
}

bool command_may_wait_close(struct relay *r, const char *database, struct error *err)
{
    return may_order(r, "wait in", database, err);
}

/* ---- disable and enable ---------------------------------------------------------------- */

bool command_disable(struct relay *r, const char *database, struct error *err)
{
    if (!may_order(r, "disable", database, err))
        return false;
    control_enter(control_of(r));
    control_set(control_of(r), database, CONTROL_DISABLED, true);
    control_leave(control_of(r));
    return true;
}

bool command_enable(struct relay *r, const char *database, struct error *err)
{
    if (!may_order(r, "enable", database, err))
        return false;
    control_enter(control_of(r));
    bool known = was_seen(r, database);
    control_set(control_of(r), database, CONTROL_DISABLED, false);
    control_leave(control_of(r));
    return known || no_such_database(database, err);
}

/* ---- the end --------------------------------------------------------------------------- */

static void count_servers(struct relay *r, struct pool *p, void *arg)
{
    struct pool_numbers n;
    (void)r;
    pool_inspect(p, 0, &n);
    *(uint64_t *)arg += n.opening + n.idle + n.active + n.moving + n.closing;
}

uint64_t command_server_count(struct relay *r)
{
    uint64_t count = 0;
    for_pools(r, NULL, count_servers, &count);
    return count;
}

void command_shutdown(struct relay *r, enum shutdown_mode mode)
{
    control_ask_shutdown(control_of(r), mode);
}

bool command_is_closed(struct relay *r)
{
    return atomic_load_explicit(&relay_shared_of(r)->is_closed, memory_order_acquire);
}
