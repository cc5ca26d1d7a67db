/* SPDX-License-Identifier: PostgreSQL */
/* dial.c - open connections to servers.
 *
 * Three judges: the pool's ledger (does anybody wait for one, is there room), the place (was this
 * user or database refused a moment ago), the target (is another attempt allowed now). Names are
 * resolved on the main loop; the answer comes as a message and finds its server by id. */
#include "relay/dial.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "conf/effective.h"
#include "conf/url_profile.h"
#include "net/addr_list.h"
#include "net/dialer.h"
#include "net/resolver.h"
#include "pool/registry.h"
#include "relay/broker.h"
#include "relay/own.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdlib.h>
#include <string.h>

static struct target *target_of(const struct lent *l)
{
    return l->terms->targets[l->host];
}

/* ---- one dial -------------------------------------------------------------------------- */

static void on_resolved(void *receiver, uint64_t tag, struct addr_list *addresses,
                        const struct error *err)
{
    struct relay *r = receiver;
    struct lent *l = relay_find_lent(r, tag);
    struct dialer_options options;
    if (!l || !l->dialing)
        return;
    if (!addresses) {
        struct server_end end = {
            .phase = SERVER_PHASE_NETWORK, .error = *err, .phrase = "server DNS lookup failed"};
        broker_server_ended(l->server, &end);
        return;
    }
    terms_dialer_options(l->terms, &options);
    server_connect(l->server, addresses, &options);
}

static void resolve(struct relay *r, struct lent *l, const struct config_host *host)
{
    const char *name = host->address ? host->address : host->name;
    struct dialer_options options;
    char *path = NULL;
    if (config_host_is_socket(host)) {
        path = xasprintf("%s/.s.PGSQL.%u", host->name, (unsigned)host->port);
        name = path;
    }
    struct addr_list *list = addr_list_from_literal(name, host->port);
    free(path);
    if (!list) {
        resolver_ask(r->shared->resolver, name, host->port, &r->mailbox, on_resolved, l->id);
        return;
    }
    terms_dialer_options(l->terms, &options);
    server_connect(l->server, list, &options);
    addr_list_unref(&list);
}

/* Takes t. `one` is the client that the server is for, NULL: whoever waits. */
static struct lent *dial(struct relay *r, struct pool *p, struct terms *t, size_t host,
                         uint32_t generation, struct session *one)
{
    struct server_login login;
    struct lent *l = xcalloc(1, sizeof *l);
    terms_login(t, host, r->shared->keycache, &login);
    if (one)
        own_login(one, &login);
    l->id = relay_next_id(r);
    l->relay = r;
    l->pool = pool_ref(p);
    l->place = pool_owner(p);
    l->terms = t;
    l->host = host;
    l->dialing = true;
    pool_server_init(&l->ledger, l->id, (unsigned)r->worker, generation);
    l->ledger.own = one != NULL;
    l->server = server_new(&r->server_context, l->id, &respond_ops, l, &login);
    relay_add_lent(r, l);
    relay_tick_soon(r);
    resolve(r, l, &t->db->hosts[host]);
    return l;
}

/* Asks the targets of the hosts, from the one whose turn it is. One that is left alone for a while
 * is passed over; in the order written (load_balance_hosts=disable) one that is being tried is not,
 * and the one that answered is stayed with until it fails. */
static enum target_answer begin(struct relay *r, struct place *place, const struct terms *t,
                                size_t *host_out, struct error *err)
{
    bool in_turn = t->db->load_balance_hosts == LOAD_BALANCE_ROUND_ROBIN;
    unsigned at = place->host_at;
    uint64_t until = 0, earliest = 0;
    enum target_answer all = TARGET_REFUSE, one = TARGET_REFUSE;
    for (unsigned i = 0; i < t->n_targets; i++) {
        *host_out = (at + i) % t->n_targets;
        one = target_begin(t->targets[*host_out], loop_now(r->loop), &until, err);
        if (one == TARGET_GO) {
            place->host_at = in_turn ? at + i + 1 : at + i;
            return TARGET_GO;
        }
        if (one == TARGET_WAIT)
            all = TARGET_WAIT;
        if (until && (!earliest || until < earliest))
            earliest = until;
        if (one == TARGET_WAIT && !until && !in_turn)
            break;
    }
    if (all == TARGET_WAIT && earliest)
        relay_dial_at(r, earliest);
    return all;
}

/* ---- for whom -------------------------------------------------------------------------- */

static void evict_for(struct relay *r, struct pool *p, enum pool_cap cap)
{
    struct pool *victim;
    unsigned worker = 0;
    if (!registry_evict(r->shared->registry, p, cap, &victim, &worker))
        return;
    broker_post_sweeps(r, victim, 1ULL << worker);
    pool_unref(&victim);
}

static void not_reserved(struct relay *r, struct pool *p, const struct pool_dial_answer *a)
{
    broker_post_sweeps(r, p, a->sweep);
    if (a->what == POOL_DIAL_FULL && a->retry_us)
        relay_dial_at(r, a->retry_us);
    if (a->what == POOL_DIAL_CAP_FULL && !a->sweep)
        evict_for(r, p, a->cap);
}

/* A place in the ledger is reserved. The terms are looked up after that: a reload replaces them
 * before it begins another generation, so that a server of the new one is never opened under the
 * old. */
static enum target_answer dial_reserved(struct relay *r, struct pool *p, uint32_t generation,
                                        struct error *err)
{
    struct place *place = pool_owner(p);
    struct terms *t = place_terms(place);
    size_t host;
    enum target_answer answer = begin(r, place, t, &host, err);
    if (answer == TARGET_GO) {
        (void)dial(r, p, t, host, generation, NULL);
        return answer;
    }
    terms_unref(&t);
    pool_unreserve_dial(p, loop_now(r->loop));
    return answer;
}

enum target_answer dial_for_one(struct session *ses, uint32_t generation, struct lent **l_out,
                                struct error *err)
{
    struct relay *r = ses->relay;
    struct terms *t = place_terms(ses->place);
    size_t host;
    enum target_answer answer = begin(r, ses->place, t, &host, err);
    if (answer == TARGET_GO)
        *l_out = dial(r, ses->pool, t, host, generation, ses);
    else
        terms_unref(&t);
    return answer;
}

static bool may_dial(struct pool *p, uint64_t now_us, struct error *err)
{
    struct terms *t = place_terms(pool_owner(p));
    bool may = findings_may_dial(t->findings, now_us, err);
    terms_unref(&t);
    return may;
}

static bool dial_pool(struct relay *r, struct pool *p, struct error *err)
{
    for (;;) {
        uint64_t now = loop_now(r->loop);
        struct pool_dial_answer a;
        if (!may_dial(p, now, err)) {
            pool_decline(p);
            return false;
        }
        if (!pool_reserve_dial(p, now, &a)) {
            not_reserved(r, p, &a);
            return true;
        }
        if (a.from_reserve)
            log_warning("%s/%s: taking connection from reserve_pool", pool_database(p),
                        pool_user(p));
        if (a.own) {
            own_granted(r, p, &a);
            continue;
        }
        switch (dial_reserved(r, p, a.generation, err)) {
        case TARGET_GO:
            continue;
        case TARGET_WAIT:
            return true;
        case TARGET_REFUSE:
            return false;
        }
    }
}

bool dial_for_waiters(struct relay *r, struct pool *p, struct error *err)
{
    bool ok = dial_pool(r, p, err);
    dial_for_hungry(r, p);
    return ok;
}

bool dial_keeps_min(const struct config *cfg, const struct config_database *db)
{
    if (cfg->profile != CONFIG_INI || !db->user || effective_min_pool_size(cfg, db) <= 0)
        return false;
    for (size_t i = 0; i < db->n_hosts; i++)
        if (url_host_is_neon(db->hosts[i].name))
            return false;
    return true;
}

static bool has_clients(const struct pool *p)
{
    struct pool_numbers n;
    const uint32_t ours = 1; /* of registry_each */
    pool_inspect((struct pool *)p, 0, &n);
    return pool_ref_count(p) > ours + n.opening + n.idle + n.active + n.moving + n.closing;
}

/* PgBouncer's rule with an ini file, where the operator has asked for it: while there are clients,
 * or always for a forced user. Ours for the rest, and where compute time is paid for: as long as
 * the pool was in use within warm_window, so that a database that nobody uses may sleep. */
static bool min_is_wanted(struct relay *r, struct pool *p, uint64_t now)
{
    const struct config *cfg = setup_config(r->setup);
    struct place *place = pool_owner(p);
    uint64_t active = atomic_load_explicit(&place->active_us, memory_order_relaxed);
    if (atomic_load_explicit(&r->shared->is_stopping, memory_order_relaxed))
        return false;
    if (active && now - active <= cfg->warm_window_us)
        return true;
    const struct config_database *db = config_find_database(cfg, pool_database(p));
    if (cfg->profile != CONFIG_INI || !db || url_host_is_neon(db->hosts[0].name))
        return false;
    return dial_keeps_min(cfg, db) || has_clients(p);
}

/* In one sweep, which comes once a second: as often as PgBouncer's. */
#define MIN_DIALS 3

void dial_for_min(struct relay *r, struct pool *p)
{
    struct pool_dial_answer a;
    struct error err;
    uint64_t now = loop_now(r->loop);
    if (!min_is_wanted(r, p, now))
        return;
    for (int i = 0; i < MIN_DIALS; i++) {
        if (!may_dial(p, now, &err) || !pool_reserve_min(p, now, &a) ||
            dial_reserved(r, p, a.generation, &err) != TARGET_GO)
            return;
    }
}

void dial_to_wake(struct relay *r, struct pool *p)
{
    struct pool_dial_answer a;
    struct error err;
    uint64_t now = loop_now(r->loop);
    if (may_dial(p, now, &err) && pool_reserve_wake(p, now, &a))
        (void)dial_reserved(r, p, a.generation, &err);
}

void dial_for_hungry(struct relay *r, struct pool *p)
{
    struct pool *hungry;
    struct error err;
    while ((hungry = pool_next_hungry(p)) != NULL) {
        (void)dial_pool(r, hungry, &err);
        pool_unref(&hungry);
    }
}

struct next_run {
    struct relay *relay;
    struct target *target;
};

static void next_on_target(struct pool *p, void *arg)
{
    struct next_run *run = arg;
    struct terms *t = place_terms(pool_owner(p));
    bool here = false;
    for (size_t i = 0; i < t->n_targets; i++)
        here = here || t->targets[i] == run->target;
    terms_unref(&t);
    if (here)
        broker_dial_more(run->relay, p);
}

void dial_next_on_target(struct relay *r, struct target *target)
{
    struct next_run run = {.relay = r, .target = target};
    registry_each(r->shared->registry, next_on_target, &run);
}

/* ---- how it ended ---------------------------------------------------------------------- */

void dial_succeeded(struct lent *l)
{
    struct relay *r = l->relay;
    l->dialing = false;
    counter_add(&l->stats->server_opened, 1);
    target_succeeded(target_of(l), loop_now(r->loop), server_used_scram(l->server));
}

static enum failure_phase phase_of(const struct server_end *end)
{
    switch (end->phase) {
    case SERVER_PHASE_NETWORK:
        return FAILURE_IN_NETWORK;
    case SERVER_PHASE_TLS:
        return FAILURE_IN_TLS;
    case SERVER_PHASE_AUTH:
    case SERVER_PHASE_WAKE:
    case SERVER_PHASE_READY:
        break;
    }
    return FAILURE_IN_LOGIN;
}

/* Clients that wait for this pool anywhere are told. */
struct fail_message {
    struct message message;
    struct pool *pool;
    struct error error;
    struct buf report;
    bool logins_only;
};

static void deliver_fail(struct message *m, void *receiver)
{
    struct fail_message *f = container_of(m, struct fail_message, message);
    if (receiver)
        broker_fail_all(receiver, f->pool, &f->error, buf_span(&f->report), f->logins_only);
    buf_reset(&f->report);
    pool_unref(&f->pool);
    free(f);
}

/* What the server says of this one log-in: of the target it says that it can be reached. */
static void refused_to_one(struct lent *l, const struct error *tell, struct span report,
                           uint64_t jitter)
{
    struct session *ses = l->own_of;
    l->own_of = NULL;
    target_failed(target_of(l), loop_now(l->relay->loop), FAILURE_PERMANENT, tell, jitter);
    own_refused(ses, tell, report);
}

static void fail_waiters(struct relay *r, struct pool *p, const struct error *err,
                         struct span report, bool logins_only)
{
    for (int i = 0; i < r->shared->n_workers; i++) {
        struct fail_message *f = xcalloc(1, sizeof *f);
        f->message.deliver = deliver_fail;
        f->pool = pool_ref(p);
        f->error = *err;
        f->logins_only = logins_only;
        if (report.n)
            buf_append(&f->report, report.p, report.n);
        mailbox_post(relay_mailbox(r->shared->relays[i]), &f->message);
    }
}

/* The name may stand for another address by now. */
static void doubt_name(const struct lent *l, const struct server_end *end)
{
    const struct config_host *host = &l->terms->db->hosts[l->host];
    if (end->phase == SERVER_PHASE_NETWORK && !host->address && !config_host_is_socket(host))
        resolver_doubt(l->relay->shared->resolver, host->name);
}

/* PgBouncer's rule: whatever a server says to refuse us is for the clients that wait, if the pool
 * has nothing else for them, but that it is only starting. In the url profile the target's breaker
 * decides. */
static bool told_at_once(const struct lent *l, const struct server_end *end, struct error *tell)
{
    struct pool_numbers n;
    if (setup_config(l->relay->setup)->profile != CONFIG_INI || !end->said_goodbye ||
        strcmp(end->error.sqlstate, SQLSTATE_CANNOT_CONNECT_NOW) == 0)
        return false;
    if (strcmp(end->error.sqlstate, SQLSTATE_INTERNAL) != 0)
        *tell = end->error;
    pool_inspect(l->pool, 0, &n);
    return n.idle + n.active + n.moving == 0;
}

/* With an ini file, statements that wait already outlast a restart of the database, as with
 * PgBouncer, for as long as query_wait_timeout lets them. */
static bool outlasts(const struct lent *l, const struct server_end *end, enum failure_class class)
{
    return setup_config(l->relay->setup)->profile == CONFIG_INI && !end->said_goodbye &&
           class != FAILURE_PERMANENT;
}

/* No host is tried before its time. */
static bool breakers_are_open(const struct terms *t)
{
    struct target_numbers numbers;
    for (size_t i = 0; i < t->n_targets; i++) {
        target_inspect(t->targets[i], &numbers);
        if (numbers.breaker != BREAKER_OPEN)
            return false;
    }
    return true;
}

bool dial_is_in_vain(struct pool *p, struct error *why)
{
    struct pool_numbers n;
    struct target_numbers target;
    pool_inspect(p, 0, &n);
    if (n.idle + n.active + n.moving)
        return false;
    struct terms *t = place_terms(pool_owner(p));
    bool in_vain = t->n_targets > 0;
    for (size_t i = 0; in_vain && i < t->n_targets; i++) {
        target_inspect(t->targets[i], &target);
        in_vain = target.failures > 0;
        *why = target.last_error;
    }
    terms_unref(&t);
    return in_vain;
}

/* Some of our own reasons begin so: clients read them as they are. */
static void log_failure(const struct lent *l, const struct server_end *end,
                        enum failure_class class)
{
    static const char words[] = "server login failed: ";
    bool said = strncmp(end->error.text, words, strlen(words)) == 0;
    lent_log(l, LOG_WARNING_LEVEL, "%s%s%s (%s)", said ? "" : words,
             end->said_goodbye ? "FATAL " : "", end->error.text, failure_class_name(class));
}

void dial_failed(struct lent *l, const struct server_end *end)
{
    struct relay *r = l->relay;
    struct error tell;
    uint64_t now = loop_now(r->loop), jitter = rand_next(&r->jitter);
    enum failure_class class = failure_classify(phase_of(end), &end->error, &tell);
    bool at_once = told_at_once(l, end, &tell);
    /* What one host shows for a certificate says nothing about the next. */
    if (class == FAILURE_PERMANENT && end->phase == SERVER_PHASE_TLS && l->terms->n_targets > 1)
        class = FAILURE_FAST;
    l->dialing = false;
    doubt_name(l, end);
    counter_add(&l->stats->server_failed, 1);
    log_failure(l, end, class);
    if (l->own_of && (class == FAILURE_PERMANENT || class == FAILURE_SLOTS || at_once)) {
        refused_to_one(l, &tell, end->report, jitter);
        return;
    }
    target_failed(target_of(l), now, class, &tell, jitter);
    if (l->terms->db->load_balance_hosts == LOAD_BALANCE_DISABLE)
        l->place->host_at++;
    switch (class) {
    case FAILURE_PERMANENT:
        findings_refused(l->terms->findings, now, &tell, jitter,
                         effective_longest_pause_us(setup_config(r->setup)));
        at_once = true;
        break;
    case FAILURE_SLOTS:
        pool_shrink(l->pool, now);
        break;
    case FAILURE_SLOW:
    case FAILURE_FAST:
    case FAILURE_LIMITER:
        at_once = at_once || breakers_are_open(l->terms);
        break;
    }
    if (at_once)
        fail_waiters(r, l->pool, &tell, end->report, outlasts(l, end, class));
}
