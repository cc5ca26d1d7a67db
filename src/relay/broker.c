/* SPDX-License-Identifier: PostgreSQL */
/* broker.c - clients and servers meet: acquire, wait, release, as the pool's ledger decides. */
#include "relay/broker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/url_profile.h"
#include "relay/auth_query.h"
#include "relay/cancel.h"
#include "relay/care.h"
#include "relay/dial.h"
#include "relay/forward.h"
#include "relay/handover.h"
#include "relay/leave.h"
#include "relay/own.h"
#include "relay/relay_impl.h"
#include "relay/terms.h"

#include <stdlib.h>

/* A server that was idle for longer is read once before anything is written to it: if its end has
 * arrived, nothing was sent and another one is taken. */
#define STALE_US US_PER_S

/* ---- waiting --------------------------------------------------------------------------- */

static inline void begin_wait(struct session *ses)
{
    struct relay *r = ses->relay;
    if (!ses->wait_since_us)
        ses->wait_since_us = loop_now(r->loop);
    ses->wait_noticed = false;
    if (client_get_state(ses->client) == CLIENT_IDLE)
        client_enter(ses->client, CLIENT_WAITING);
    r->n_waiting++;
    relay_tick_soon(r);
}

static inline void wait_is_over(struct session *ses)
{
    if (!ses->wait_since_us)
        return;
    stats_note(ses->stats, LATENCY_WAIT, loop_now(ses->relay->loop) - ses->wait_since_us);
    ses->wait_since_us = 0;
    ses->relay->n_waiting--;
}

void broker_wait_is_over(struct session *ses)
{
    wait_is_over(ses);
}

void broker_stop_waiting(struct session *ses)
{
    if (!ses->wait_since_us)
        return;
    care_forget_session(ses);
    own_stop_dialing(ses);
    pool_cancel_wait(ses->pool, &ses->waiter);
    broker_wait_is_over(ses);
}

static void fail_waiting(struct session *ses, const struct error *err, struct span report,
                         bool fatal)
{
    struct client *c = ses->client;
    broker_stop_waiting(ses);
    counter_add(&ses->stats->refused, 1);
    if (client_get_state(c) == CLIENT_LOOKUP) {
        auth_query_failed(ses, err);
        return;
    }
    if (fatal || client_get_state(c) != CLIENT_WAITING) {
        client_fail_report(c, err, report);
        return;
    }
    if (setup_config(ses->relay->setup)->log_pooler_errors)
        client_log(c, LOG_WARNING_LEVEL, "pooler error: %s", err->text);
    client_enter(c, CLIENT_IDLE);
    forward_refuse_next(ses, err, report);
    client_continue(c);
}

void broker_fail_waiting(struct session *ses, const struct error *err, bool fatal)
{
    fail_waiting(ses, err, span_of(NULL, 0), fatal);
}

void broker_fail_all(struct relay *r, struct pool *p, const struct error *err, struct span report,
                     bool logins_only)
{
    bool fatal = setup_config(r->setup)->profile == CONFIG_INI;
    struct session *ses, *next;
    TAILQ_FOREACH_SAFE(ses, &r->sessions, link, next)
    {
        bool spared = logins_only && client_get_state(ses->client) == CLIENT_WAITING;
        if (ses->pool == p && ses->wait_since_us && !spared)
            fail_waiting(ses, err, report, fatal);
    }
}

/* ---- acquiring ------------------------------------------------------------------------- */

/* True if the server that was taken is fit for use. */
static bool take_is_alive(struct relay *r, struct lent *l)
{
    if (loop_now(r->loop) - l->idle_since_us < STALE_US)
        return true;
    uint64_t id = l->id;
    server_pull(l->server);
    return relay_find_lent(r, id) == l && server_is_open(l->server);
}

static enum acquired carry_out_again(struct session *ses, struct pool_decision *d,
                                     struct error *err);

/* The server that was taken had died; the client keeps its place in the queue. */
__attribute__((noinline, cold)) static enum acquired
acquire_again(struct session *ses, struct pool_decision *d, struct error *err)
{
    pool_acquire_again(ses->pool, &ses->waiter, loop_now(ses->relay->loop), d);
    return carry_out_again(ses, d, err);
}

/* Carries out TAKE, ASK, WAIT, REFUSE. Compiled into broker_acquire, which each transaction calls;
 * the others share carry_out_again. */
__attribute__((always_inline)) static inline enum acquired
carry_out(struct session *ses, struct pool_decision *d, struct error *err)
{
    struct relay *r = ses->relay;
    struct lent *l;
    switch (d->what) {
    case POOL_TAKE:
        l = container_of(d->server, struct lent, ledger);
        if (!take_is_alive(r, l))
            return acquire_again(ses, d, err);
        if (care_begin_check(l, ses)) {
            begin_wait(ses);
            return ACQUIRE_WAIT;
        }
        ses->given = l;
        wait_is_over(ses);
        return ACQUIRED;
    case POOL_ASK:
        begin_wait(ses);
        handover_want(ses, d->server_id, d->server_worker);
        return ACQUIRE_WAIT;
    case POOL_WAIT:
        begin_wait(ses);
        if (!d->dial || dial_for_waiters(r, ses->pool, err))
            return ACQUIRE_WAIT;
        broker_stop_waiting(ses);
        return ACQUIRE_REFUSED;
    case POOL_REFUSE:
        *err = d->error;
        break;
    }
    return ACQUIRE_REFUSED;
}

static enum acquired carry_out_again(struct session *ses, struct pool_decision *d,
                                     struct error *err)
{
    return carry_out(ses, d, err);
}

enum acquired broker_acquire(struct session *ses, struct error *err)
{
    struct pool_decision d;
    pool_acquire(ses->pool, &ses->waiter, loop_now(ses->relay->loop), &d);
    enum acquired got = carry_out(ses, &d, err);
    if (got == ACQUIRE_REFUSED && client_get_state(ses->client) == CLIENT_WAITING)
        client_enter(ses->client, CLIENT_IDLE);
    return got;
}

void broker_decided(struct session *ses, const struct pool_decision *decision)
{
    struct pool_decision d = *decision;
    struct error err;
    /* The wait goes on, or ends: it was counted when it began. */
    uint64_t since = ses->wait_since_us;
    broker_wait_is_over(ses);
    ses->wait_since_us = 0;
    switch (carry_out_again(ses, &d, &err)) {
    case ACQUIRED: {
        struct lent *l = ses->given;
        ses->given = NULL;
        broker_got_server(ses, l);
        return;
    }
    case ACQUIRE_WAIT:
        ses->wait_since_us = since;
        return;
    case ACQUIRE_REFUSED:
        broker_fail_waiting(ses, &err, false);
        return;
    }
}

void broker_acquire_again(struct session *ses)
{
    struct pool_decision d;
    pool_acquire_again(ses->pool, &ses->waiter, loop_now(ses->relay->loop), &d);
    broker_decided(ses, &d);
}

void broker_want_first(struct session *ses)
{
    struct error err;
    switch (broker_acquire(ses, &err)) {
    case ACQUIRED: {
        struct lent *l = ses->given;
        ses->given = NULL;
        broker_got_server(ses, l);
        return;
    }
    case ACQUIRE_WAIT:
        return;
    case ACQUIRE_REFUSED:
        client_fail(ses->client, &err);
        return;
    }
}

/* ---- releasing ------------------------------------------------------------------------- */

__attribute__((always_inline)) static inline void got_server(struct session *ses, struct lent *l)
{
    wait_is_over(ses);
    if (client_get_state(ses->client) == CLIENT_LOOKUP) {
        auth_query_got_server(ses, l);
        return;
    }
    if (client_get_state(ses->client) != CLIENT_WAITING) {
        /* It waited to be welcomed; it asks for a server when it has something to ask. */
        broker_release(l);
        return;
    }
    ses->given = l;
    client_continue(ses->client);
    if (ses->given == l) {
        /* What was held needed no server after all, or the client closed over it. */
        ses->given = NULL;
        if (client_get_state(ses->client) == CLIENT_WAITING)
            client_enter(ses->client, CLIENT_IDLE);
        broker_release(l);
    }
}

void broker_got_server(struct session *ses, struct lent *l)
{
    got_server(ses, l);
}

/* May it be lent to somebody else now? False: it was closed, or a cancel is still on its way. */
__attribute__((noinline, cold)) static bool doubt_is_over(struct lent *l)
{
    if (l->vanished) {
        broker_close_server(l, "close_needed");
        return false;
    }
    if (l->close_when_idle) {
        broker_close_server(l, "session state could not be restored");
        return false;
    }
    if (l->cancel == CANCEL_NONE)
        return true;
    if (!cancel_is_over(l)) {
        l->release_waits = true;
        return false;
    }
    /* Neon's proxy ends the connection of a request before it has carried it out. */
    const char *host = l->terms->db->hosts[l->host].name;
    if (l->cancel == CANCEL_OVER && !l->cancel_hit && url_host_is_neon(host)) {
        broker_close_server(l, "a cancel request may still be on its way");
        return false;
    }
    l->cancel = CANCEL_NONE;
    return true;
}

static inline bool is_lendable(struct lent *l)
{
    bool doubtful = l->vanished || l->close_when_idle || l->cancel != CANCEL_NONE;
    return !doubtful || doubt_is_over(l);
}

/* Compiled into broker_release, which each transaction calls; the others share the next one. */
__attribute__((always_inline)) static inline void act_on_release(struct lent *l,
                                                                 const struct pool_release *d)
{
    switch (d->what) {
    case POOL_KEEP:
        l->checked = false;
        return;
    case POOL_GIVE_LOCAL: {
        struct session *ses = container_of(d->waiter, struct session, waiter);
        if (!care_begin_check(l, ses))
            got_server(ses, l);
        return;
    }
    case POOL_GIVE_AWAY:
        handover_give(l, d->client_id, d->client_worker);
        return;
    case POOL_CLOSE:
        broker_close_server(l, pool_close_text(d->reason));
        return;
    }
}

static void act_on_offer(struct lent *l, const struct pool_release *d)
{
    act_on_release(l, d);
}

void broker_release(struct lent *l)
{
    struct pool_release d;
    l->session = NULL;
    if (server_get_state(l->server) != SERVER_IDLE)
        server_enter(l->server, SERVER_IDLE);
    if (!is_lendable(l))
        return;
    l->idle_since_us = loop_now(l->relay->loop);
    l->checked = false;
    pool_release(l->pool, &l->ledger, l->idle_since_us, &d);
    act_on_release(l, &d);
}

void broker_serve(struct relay *r, struct pool *p)
{
    struct pool_server *s;
    struct pool_release d;
    while (pool_serve(p, (unsigned)r->worker, loop_now(r->loop), &s, &d))
        act_on_offer(container_of(s, struct lent, ledger), &d);
}

void broker_cancel_over(struct lent *l)
{
    if (l->leaving) {
        if (server_is_at_rest(l->server))
            leave_step(l);
        return;
    }
    if (!l->release_waits)
        return;
    l->release_waits = false;
    broker_release(l);
}

void broker_opened(struct lent *l)
{
    struct pool_release d;
    l->idle_since_us = loop_now(l->relay->loop);
    l->checked = true;
    pool_opened(l->pool, &l->ledger, l->idle_since_us, &d);
    act_on_offer(l, &d);
}

void broker_dial_more(struct relay *r, struct pool *p)
{
    struct error err;
    /* Who waits is told by dial_failed, when it is decided; here it is only too early. */
    (void)dial_for_waiters(r, p, &err);
}

/* ---- closing --------------------------------------------------------------------------- */

/* Out of the ledger, and its place to whoever wants it. */
void broker_forget(struct lent *l)
{
    struct relay *r = l->relay;
    struct pool *pool = pool_ref(l->pool);
    bool dial = pool_closed(pool, &l->ledger, loop_now(r->loop));
    relay_bury_lent(l);
    if (dial)
        broker_dial_more(r, pool);
    dial_for_hungry(r, pool);
    pool_unref(&pool);
}

void broker_log_closing(const struct lent *l, const char *reason)
{
    uint64_t age_us = loop_now(l->relay->loop) - server_connected_us(l->server);
    if (setup_config(l->relay->setup)->log_disconnections)
        lent_log(l, LOG_INFO_LEVEL, "closing because: %s (age=%llus)", reason,
                 (unsigned long long)(age_us / US_PER_S));
}

void broker_close_server(struct lent *l, const char *reason)
{
    if (server_get_state(l->server) == SERVER_CLOSING)
        return;
    broker_log_closing(l, reason);
    cancel_abandon(l);
    server_close(l->server);
    broker_forget(l);
    care_forget_server(l);
}

void broker_sweep_pool(struct relay *r, struct pool *p)
{
    struct pool_server *s;
    while ((s = pool_take_expired(p, (unsigned)r->worker, loop_now(r->loop))) != NULL) {
        struct lent *l = container_of(s, struct lent, ledger);
        broker_close_server(l, pool_close_text(s->reason));
    }
}

/* ---- sweeps of other workers ----------------------------------------------------------- */

struct sweep_message {
    struct message message;
    struct pool *pool;
};

static void deliver_sweep(struct message *m, void *receiver)
{
    struct sweep_message *s = container_of(m, struct sweep_message, message);
    if (receiver) {
        broker_sweep_pool(receiver, s->pool);
        own_close_obsolete(receiver, s->pool);
    }
    pool_unref(&s->pool);
    free(s);
}

void broker_post_sweeps(struct relay *r, struct pool *p, uint64_t workers)
{
    for (int i = 0; i < r->shared->n_workers; i++) {
        if (!(workers & (1ULL << i)))
            continue;
        struct sweep_message *s = xcalloc(1, sizeof *s);
        s->message.deliver = deliver_sweep;
        s->pool = pool_ref(p);
        mailbox_post(relay_mailbox(r->shared->relays[i]), &s->message);
    }
}
