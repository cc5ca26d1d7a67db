/* SPDX-License-Identifier: PostgreSQL */
/* relay.c - the context of one worker: its connections by id, its dead, its mailbox. */
#include "relay/relay.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "client/client_who.h"
#include "relay/auth_query.h"
#include "relay/broker.h"
#include "relay/cancel.h"
#include "relay/leave.h"
#include "relay/link.h"
#include "relay/own.h"
#include "relay/peer.h"
#include "relay/pids.h"
#include "relay/places.h"
#include "relay/relay_impl.h"
#include "relay/tick.h"
#include "relay/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- look-up --------------------------------------------------------------------------- */

struct session *relay_find_session(struct relay *r, uint64_t id)
{
    struct id_link *link = id_table_find(&r->by_client_id, id);
    return link ? container_of(link, struct session, by_id) : NULL;
}

struct lent *relay_find_lent(struct relay *r, uint64_t id)
{
    struct lent *l;
    HASH_FIND(hh, r->by_server_id, &id, sizeof id, l);
    return l;
}

void relay_add_lent(struct relay *r, struct lent *l)
{
    l->relay = r;
    l->stats = figures_row(l->place->figures, (unsigned)r->worker);
    TAILQ_INSERT_TAIL(&r->servers, l, link);
    HASH_ADD(hh, r->by_server_id, id, sizeof l->id, l);
}

void relay_remove_lent(struct lent *l)
{
    TAILQ_REMOVE(&l->relay->servers, l, link);
    HASH_DEL(l->relay->by_server_id, l);
}

uint64_t relay_next_id(struct relay *r)
{
    return atomic_fetch_add_explicit(&r->shared->next_id, 1, memory_order_relaxed) + 1;
}

void lent_log(const struct lent *l, int level, const char *fmt, ...)
{
    char text[1024], address[ADDR_TEXT], place[ADDR_TEXT + 256];
    const struct addr *to = server_address(l->server);
    const struct target *target = l->terms->targets[l->host];
    if (!log_wants((enum log_level)level))
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Where it is, as soon as that is known: a name may stand for several addresses. */
    if (to->len && !addr_is_unix(to))
        snprintf(place, sizeof place, "%s", addr_text(to, address, sizeof address));
    else
        snprintf(place, sizeof place, "%s:%u", to->len ? "unix" : target_host(target),
                 target_port(target));
    log_line((enum log_level)level, "S-0x%llx: %s/%s@%s %s", (unsigned long long)l->id,
             pool_database(l->pool), pool_user(l->pool), place, text);
}

/* ---- the dead -------------------------------------------------------------------------- */

void relay_bury_session(struct session *ses)
{
    struct relay *r = ses->relay;
    if (ses->gone)
        return;
    ses->gone = true;
    TAILQ_REMOVE(&r->sessions, ses, link);
    id_table_remove(&r->by_client_id, &ses->by_id);
    TAILQ_INSERT_TAIL(&r->dead_sessions, ses, link);
    atomic_fetch_sub_explicit(&r->n_clients, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(ses->is_operator ? &r->shared->n_operators : &r->shared->n_clients, 1,
                              memory_order_relaxed);
    if (ses->unproven)
        atomic_fetch_sub_explicit(&r->shared->n_unauthenticated, 1, memory_order_relaxed);
}

void relay_bury_lent(struct lent *l)
{
    struct relay *r = l->relay;
    relay_remove_lent(l);
    TAILQ_INSERT_TAIL(&r->dead_servers, l, link);
}

static void free_lent(struct lent *l)
{
    link_forget(l);
    pids_remove(&l->pid);
    server_free(&l->server);
    terms_unref(&l->terms);
    pool_unref(&l->pool);
    free(l);
}

static void free_session(struct session *ses)
{
    own_free(ses);
    client_free(&ses->client);
    buf_reset(&ses->refusal);
    param_set_unref(&ses->told);
    if (ses->pool)
        pool_unref(&ses->pool);
    free(ses);
}

void relay_discard_lent(struct lent *l)
{
    server_close(l->server);
    pool_closed(l->pool, &l->ledger, 0);
    free_lent(l);
}

static void reap(void *arg)
{
    struct relay *r = arg;
    struct session *ses;
    struct lent *l;
    while ((ses = TAILQ_FIRST(&r->dead_sessions)) != NULL) {
        TAILQ_REMOVE(&r->dead_sessions, ses, link);
        free_session(ses);
    }
    while ((l = TAILQ_FIRST(&r->dead_servers)) != NULL) {
        TAILQ_REMOVE(&r->dead_servers, l, link);
        free_lent(l);
    }
    cancel_reap(r);
    peer_reap(r);
}

struct client *relay_find_client(struct relay *r, uint64_t id)
{
    struct session *ses = relay_find_session(r, id);
    return ses ? ses->client : NULL;
}

/* ---- accepting ------------------------------------------------------------------------- */

static bool is_turned_away(struct relay_shared *shared, const struct client *c)
{
    return atomic_load_explicit(&shared->is_stopping, memory_order_relaxed) &&
           !(client_peer(c) &&
             atomic_load_explicit(&shared->serves_accepted, memory_order_relaxed));
}

static bool may_login(void *owner, struct client *c, struct error *err)
{
    struct relay *r = owner;
    unsigned max = (unsigned)setup_config(r->setup)->max_client_conn;
    if (!max)
        max = r->shared->max_by_descriptors;
    /* The operator gets in when nobody else does, and takes nobody's place. */
    if (client_setup_login(c)->is_console) {
        struct session *ses = client_data(c);
        ses->is_operator = true;
        atomic_fetch_sub_explicit(&r->shared->n_clients, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&r->shared->n_operators, 1, memory_order_relaxed);
        return true;
    }
    if (is_turned_away(r->shared, c))
        return error_set(err, SQLSTATE_ADMIN_SHUTDOWN, "pooler is shutting down");
    if (!max || atomic_load_explicit(&r->shared->n_clients, memory_order_relaxed) <= max)
        return true;
    return error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS,
                     "no more connections allowed (max_client_conn)");
}

static void login_done(void *owner, struct client *c)
{
    struct relay *r = owner;
    struct session *ses = client_data(c);
    ses->unproven = false;
    atomic_fetch_sub_explicit(&r->shared->n_unauthenticated, 1, memory_order_relaxed);
}

/* An operator is never shut out by who only looks, nor by the limit of his own name. */
static bool admit_console(void *owner, struct client *c, struct error *err)
{
    struct relay *r = owner;
    struct session *ses = client_data(c);
    return client_setup_login(c)->may_admin ||
           places_admit_console(r->shared->places, setup_config(r->setup), client_user(c),
                                &ses->admission, err);
}

void relay_expect_client(struct relay *r)
{
    atomic_fetch_add_explicit(&r->n_clients, 1, memory_order_relaxed);
}

/* When strangers have all places, the operator still gets in: so many more by Unix socket. */
#define PLACES_BY_UNIX_SOCKET 16

void relay_accept(struct relay *r, int fd, const struct addr *peer)
{
    unsigned limit = (unsigned)setup_config(r->setup)->max_unauthenticated +
                     (addr_is_unix(peer) ? PLACES_BY_UNIX_SOCKET : 0);
    unsigned before =
        atomic_fetch_add_explicit(&r->shared->n_unauthenticated, 1, memory_order_relaxed);
    if (before >= limit) {
        atomic_fetch_sub_explicit(&r->shared->n_unauthenticated, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&r->n_clients, 1, memory_order_relaxed);
        log_warning("connection refused: %u connections have not logged in yet "
                    "(max_unauthenticated)",
                    before);
        close(fd);
        return;
    }
    atomic_fetch_add_explicit(&r->shared->n_clients, 1, memory_order_relaxed);
    struct session *ses = xcalloc(1, sizeof *ses);
    ses->relay = r;
    ses->id = relay_next_id(r);
    ses->unproven = true;
    ses->waiter.id = ses->id;
    ses->waiter.worker = (uint16_t)r->worker;
    ses->watched = true;
    TAILQ_INSERT_HEAD(&r->sessions, ses, link);
    id_table_add(&r->by_client_id, &ses->by_id, ses->id);
    ses->client = client_new(&r->client_context, ses->id, fd, peer);
    client_set_data(ses->client, ses);
    client_freeze(ses->client, r->is_suspended);
    if (!timer_is_set(&r->tick))
        relay_tick_soon(r);
    /* Its first packet is what made the kernel give it to us (tcp(7), TCP_DEFER_ACCEPT). */
    client_listen(ses->client, setup_config(r->setup)->tcp_defer_accept && !addr_is_unix(peer));
}

/* ---- life ------------------------------------------------------------------------------ */

struct relay *relay_new(struct relay_shared *shared, int worker, struct loop *loop,
                        struct setup *setup, const struct client_ops *console_ops)
{
    struct relay *r = xcalloc(1, sizeof *r);
    r->shared = shared;
    r->worker = worker;
    r->loop = loop;
    r->setup = setup_ref(setup);
    r->jitter = rand_u64();
    r->client_context = (struct client_context){
        .loop = loop,
        .known = client_known_new(),
        .keycache = shared->keycache,
        .relay_ops = &session_ops,
        .console_ops = console_ops,
        .owner = r,
        .may_login = may_login,
        .login_done = login_done,
        .admit_console = admit_console,
        .look_up = auth_query_look_up,
        .doubt = auth_query_doubt,
        .verify = verify_password,
    };
    client_context_follow(&r->client_context, r->setup);
    r->server_context.loop = loop;
    server_context_follow(&r->server_context, setup_config(setup));
    TAILQ_INIT(&r->sessions);
    TAILQ_INIT(&r->servers);
    TAILQ_INIT(&r->dead_sessions);
    TAILQ_INIT(&r->dead_servers);
    TAILQ_INIT(&r->peer_runs);
    TAILQ_INIT(&r->dead_peer_runs);
    mailbox_init(&r->mailbox, loop, r);
    tick_init(r);
    loop_on_turn_end(loop, reap, r);
    return r;
}

void relay_shutdown(struct relay *r)
{
    struct session *ses, *next;
    struct lent *l, *l_next;
    TAILQ_FOREACH_SAFE(ses, &r->sessions, link, next)
    client_close(ses->client, NULL);
    TAILQ_FOREACH_SAFE(l, &r->servers, link, l_next)
    {
        cancel_abandon(l);
        server_close(l->server);
        pool_closed(l->pool, &l->ledger, loop_now(r->loop));
        relay_bury_lent(l);
    }
    peer_shutdown(r);
    reap(r);
}

void relay_free(struct relay **rp)
{
    struct relay *r = *rp;
    if (!r)
        return;
    mailbox_fini(&r->mailbox);
    reap(r);
    timer_fini(&r->tick);
    id_table_fini(&r->by_client_id);
    client_known_free(&r->client_context.known);
    outgoing_fini(&r->to_client);
    outgoing_fini(&r->to_server);
    setup_unref(&r->setup);
    free(r);
    *rp = NULL;
}

struct mailbox *relay_mailbox(struct relay *r)
{
    return &r->mailbox;
}

struct loop *relay_loop(struct relay *r)
{
    return r->loop;
}

int relay_worker(const struct relay *r)
{
    return r->worker;
}

unsigned relay_client_count(const struct relay *r)
{
    return atomic_load_explicit(&r->n_clients, memory_order_relaxed);
}

struct relay_shared *relay_shared_of(struct relay *r)
{
    return r->shared;
}

struct setup *relay_setup(struct relay *r)
{
    return r->setup;
}
