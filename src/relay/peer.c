/* SPDX-License-Identifier: PostgreSQL */
/* peer.c - cancel requests for clients of other processes. */
#include "relay/peer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/addr_list.h"
#include "net/dialer.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "proto/startup.h"
#include "relay/peer_ledger.h"
#include "relay/relay_impl.h"
#include "relay/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct peer_run {
    TAILQ_ENTRY(peer_run) link; /* relay->peer_runs, then relay->dead_peer_runs */
    struct relay *relay;
    int peer;
    char *where;           /* "host:port", for the log */
    uint64_t requester_id; /* a client of the same worker; it may have left */
    uint8_t key[CANCEL_KEY];
    struct peer_place place;
    uint64_t born_us;
    struct timer deadline; /* cancel_wait_timeout: once until it is sent, once until it is over */
    struct dialer *dialer;
    struct stream stream;
    bool over;
};

static void run_log(const struct peer_run *run, enum log_level level, const char *text)
{
    unsigned long long age = (loop_now(run->relay->loop) - run->born_us) / US_PER_S;
    log_line(level, "peer-%d@%s closing because: %s (age=%llus)", run->peer, run->where, text, age);
}

static void run_connect(struct peer_run *run);

/* ---- the queue ------------------------------------------------------------------------- */

struct served_message {
    struct message message;
    uint64_t run_id;
};

static struct peer_run *find_run(struct relay *r, uint64_t id)
{
    struct peer_run *run;
    TAILQ_FOREACH(run, &r->peer_runs, link)
    {
        if (run->place.id == id)
            return run;
    }
    return NULL;
}

static void deliver_served(struct message *m, void *receiver)
{
    struct served_message *s = container_of(m, struct served_message, message);
    struct peer_run *run = receiver ? find_run(receiver, s->run_id) : NULL;
    free(s);
    if (run)
        run_connect(run);
}

/* Those whose turn has come; one that is over meanwhile has given its place back. */
static void serve_queues(struct relay_shared *shared)
{
    uint64_t id;
    int worker;
    while (peer_ledger_serve(shared->peers, &id, &worker)) {
        struct served_message *s = xcalloc(1, sizeof *s);
        s->message.deliver = deliver_served;
        s->run_id = id;
        mailbox_post(relay_mailbox(shared->relays[worker]), &s->message);
    }
}

/* ---- the end --------------------------------------------------------------------------- */

/* `reason` is what went wrong, or NULL. */
static void run_end(struct peer_run *run, const char *reason)
{
    struct relay *r = run->relay;
    if (run->over)
        return;
    run->over = true;
    if (reason)
        run_log(run, LOG_WARNING_LEVEL, reason);
    else if (setup_config(r->setup)->log_disconnections)
        run_log(run, LOG_INFO_LEVEL, "successfully sent cancel request");
    if (run->dialer)
        dialer_cancel(&run->dialer);
    if (stream_is_open(&run->stream))
        stream_close(&run->stream);
    timer_fini(&run->deadline);
    peer_ledger_leave(r->shared->peers, &run->place);
    TAILQ_REMOVE(&r->peer_runs, run, link);
    TAILQ_INSERT_TAIL(&r->dead_peer_runs, run, link);
    serve_queues(r->shared);
    struct session *requester = relay_find_session(r, run->requester_id);
    if (requester)
        client_close(requester->client, NULL);
}

void peer_reap(struct relay *r)
{
    struct peer_run *run;
    while ((run = TAILQ_FIRST(&r->dead_peer_runs)) != NULL) {
        TAILQ_REMOVE(&r->dead_peer_runs, run, link);
        free(run->where);
        free(run);
    }
}

void peer_shutdown(struct relay *r)
{
    struct peer_run *run;
    while ((run = TAILQ_FIRST(&r->peer_runs)) != NULL)
        run_end(run, "exiting");
}

static void on_deadline(void *arg)
{
    run_end(arg, "cancel_wait_timeout");
}

static void set_deadline(struct peer_run *run)
{
    uint64_t patience = setup_config(run->relay->setup)->cancel_wait_timeout_us;
    if (patience)
        timer_set(&run->deadline, loop_now(run->relay->loop) + patience);
}

/* ---- the connection -------------------------------------------------------------------- */

/* The peer has nothing to say. */
static void on_input(void *owner, struct span bytes)
{
    (void)bytes;
    run_end(owner, "unexpected data from the peer");
}

static void on_end(void *owner, enum stream_end how, const struct error *err)
{
    run_end(owner, how == STREAM_FAILED ? err->text : NULL);
}

static const struct stream_ops run_ops = {.on_input = on_input, .on_end = on_end};

/* It cannot come back. */
static void predecessor_has_left(struct relay_shared *shared)
{
    if (!atomic_exchange_explicit(&shared->predecessor_has_left, true, memory_order_relaxed))
        (void)unlink(shared->predecessor);
}

static bool has_predecessor(const struct relay_shared *shared)
{
    return shared->predecessor &&
           !atomic_load_explicit(&shared->predecessor_has_left, memory_order_relaxed);
}

static void on_dialed(void *owner, const struct dialer_result *result)
{
    struct peer_run *run = owner;
    struct buf b = {0};
    run->dialer = NULL;
    if (result->fd < 0) {
        char *reason = xasprintf("connect failed: %s", result->error.text);
        if (run->peer == PEER_PREDECESSOR)
            predecessor_has_left(run->relay->shared);
        run_end(run, reason);
        free(reason);
        return;
    }
    stream_open(&run->stream, run->relay->loop, result->fd);
    if (setup_config(run->relay->setup)->log_connections)
        log_info("peer-%d@%s new connection to server", run->peer, run->where);
    startup_build_cancel(&b, span_of(run->key, sizeof run->key));
    stream_write(&run->stream, buf_span(&b).p, buf_len(&b));
    buf_reset(&b);
    peer_ledger_sent(run->relay->shared->peers, &run->place);
    set_deadline(run);
}

static void dial(struct peer_run *run, struct addr_list *to)
{
    struct dialer_options options;
    terms_config_dialer_options(setup_config(run->relay->setup), &options);
    run->dialer = dialer_start(run->relay->loop, to, &options, on_dialed, run);
}

static void on_resolved(void *receiver, uint64_t tag, struct addr_list *addresses,
                        const struct error *err)
{
    struct peer_run *run = find_run(receiver, tag);
    if (!run)
        return;
    if (addresses)
        dial(run, addresses);
    else
        run_end(run, err->text);
}

static const struct config_peer *find_peer(struct setup *setup, int id)
{
    const struct config_peer *peer;
    HASH_FIND_INT(setup_config(setup)->peers, &id, peer);
    return peer;
}

static void connect_to_predecessor(struct peer_run *run)
{
    struct addr_list *to = addr_list_from_literal(run->where, 0);
    if (to)
        dial(run, to);
    else
        run_end(run, "its path is too long");
    addr_list_unref(&to);
}

/* It has a place. What the peer is now counts, not what it was when the request came. */
static void run_connect(struct peer_run *run)
{
    struct relay *r = run->relay;
    const struct config_peer *peer = find_peer(r->setup, run->peer);
    if (run->peer == PEER_PREDECESSOR) {
        connect_to_predecessor(run);
        return;
    }
    if (!peer) {
        run_end(run, "peer removed");
        return;
    }
    const struct config_host *host = &peer->host;
    char *path = NULL;
    if (config_host_is_socket(host))
        path = xasprintf("%s/.s.PGSQL.%u", host->name, (unsigned)host->port);
    struct addr_list *to = addr_list_from_literal(path ? path : host->name, host->port);
    free(path);
    if (to)
        dial(run, to);
    else
        resolver_ask(r->shared->resolver, host->name, host->port, &r->mailbox, on_resolved,
                     run->place.id);
    addr_list_unref(&to);
}

/* ---- a request ------------------------------------------------------------------------- */

static unsigned limit_of(const struct config *cfg, const struct config_peer *peer)
{
    return (unsigned)(peer->pool_size == CONFIG_INHERIT ? cfg->default_pool_size : peer->pool_size);
}

/* Takes where. */
static struct peer_run *run_new(struct relay *r, int peer, char *where, uint64_t requester_id)
{
    struct peer_run *run = xcalloc(1, sizeof *run);
    run->relay = r;
    run->peer = peer;
    run->where = where;
    run->requester_id = requester_id;
    run->born_us = loop_now(r->loop);
    run->place.id = relay_next_id(r);
    run->place.worker = r->worker;
    stream_init(&run->stream, &run_ops, run);
    timer_init(&run->deadline, r->loop, on_deadline, run);
    TAILQ_INSERT_TAIL(&r->peer_runs, run, link);
    return run;
}

static void run_begin(struct peer_run *run, const uint8_t *key, unsigned limit)
{
    struct relay *r = run->relay;
    unsigned max_queue = (unsigned)setup_config(r->setup)->max_unauthenticated;
    memcpy(run->key, key, CANCEL_KEY);
    set_deadline(run);
    switch (peer_ledger_enter(r->shared->peers, &run->place, run->peer, limit, max_queue)) {
    case PEER_OUT:
        run_end(run, "too many cancel requests wait for this peer");
        break;
    case PEER_CONNECTING:
        run_connect(run);
        break;
    case PEER_QUEUED:
    case PEER_SENT:
        break;
    }
}

/* The peer that the key names; NULL: it is none, or may not be passed on to it. */
static const struct config_peer *peer_of(struct relay *r, uint8_t key[CANCEL_KEY])
{
    int id = cancel_key_peer(key), ours = (int)setup_config(r->setup)->peer_id;
    const struct config_peer *peer = ours && id != ours ? find_peer(r->setup, id) : NULL;
    return peer && cancel_key_spend_hop(key) ? peer : NULL;
}

bool peer_forward(struct relay *r, const struct client *requester, struct span key)
{
    const struct config *cfg = setup_config(r->setup);
    uint8_t onward[CANCEL_KEY];
    if (key.n != CANCEL_KEY)
        return false;
    memcpy(onward, key.p, CANCEL_KEY);
    const struct config_peer *peer = peer_of(r, onward);
    if (!peer && !has_predecessor(r->shared))
        return false;
    char *where = peer ? xasprintf("%s:%u", peer->host.name, (unsigned)peer->host.port)
                       : xstrdup(r->shared->predecessor);
    struct peer_run *run =
        run_new(r, peer ? peer->id : PEER_PREDECESSOR, where, client_id(requester));
    run_begin(run, onward, peer ? limit_of(cfg, peer) : (unsigned)cfg->default_pool_size);
    return true;
}

/* ---- reload ---------------------------------------------------------------------------- */

static bool new_limit(int id, unsigned *out, void *arg)
{
    struct setup *setup = arg;
    const struct config_peer *peer = find_peer(setup, id);
    if (peer)
        *out = limit_of(setup_config(setup), peer);
    return peer || id == PEER_PREDECESSOR;
}

void peer_refit(struct relay_shared *shared, struct setup *setup)
{
    peer_ledger_follow(shared->peers, new_limit, setup);
    serve_queues(shared);
}
