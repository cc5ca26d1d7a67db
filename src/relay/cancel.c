/* SPDX-License-Identifier: PostgreSQL */
/* cancel.c - cancel requests, the clients' and ours. */
#include "relay/cancel.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "net/addr_list.h"
#include "net/dialer.h"
#include "net/stream.h"
#include "proto/startup.h"
#include "relay/broker.h"
#include "relay/control.h"
#include "relay/peer.h"
#include "relay/places.h"
#include "relay/relay_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table of keys ----------------------------------------------------------------- */

/* Sessions of all workers. Under the lock other threads may look at key, id and worker, which do
 * not change while a session is in the table, and at nothing else. */
struct cancel_keys {
    struct mutex m;
    struct id_table table;
};

struct cancel_keys *cancel_keys_new(void)
{
    struct cancel_keys *k = xcalloc(1, sizeof *k);
    mutex_init(&k->m);
    return k;
}

void cancel_keys_free(struct cancel_keys **kp)
{
    struct cancel_keys *k = *kp;
    if (!k)
        return;
    id_table_fini(&k->table);
    mutex_fini(&k->m);
    free(k);
    *kp = NULL;
}

static uint64_t key_number(const void *key)
{
    uint64_t number;
    memcpy(&number, key, sizeof number);
    return number;
}

void cancel_enter_key(struct session *ses)
{
    struct cancel_keys *k = ses->relay->shared->cancel_keys;
    int peer = (int)setup_config(ses->relay->setup)->peer_id;
    while (!ses->has_key) {
        cancel_key_draw(ses->key, peer);
        uint64_t number = key_number(ses->key);
        mutex_lock(&k->m);
        ses->has_key = !id_table_find(&k->table, number);
        if (ses->has_key)
            id_table_add(&k->table, &ses->keyed, number);
        mutex_unlock(&k->m);
    }
}

void cancel_forget_key(struct session *ses)
{
    struct cancel_keys *k = ses->relay->shared->cancel_keys;
    if (!ses->has_key)
        return;
    ses->has_key = false;
    mutex_lock(&k->m);
    id_table_remove(&k->table, &ses->keyed);
    mutex_unlock(&k->m);
}

/* One that peers have passed on is known by what it was at first. */
static struct id_link *find_locked(struct cancel_keys *k, const uint8_t *key, bool has_peers)
{
    uint8_t drawn[CANCEL_KEY];
    struct id_link *link = id_table_find(&k->table, key_number(key));
    if (link || !has_peers)
        return link;
    memcpy(drawn, key, sizeof drawn);
    cancel_key_restore_hops(drawn);
    return id_table_find(&k->table, key_number(drawn));
}

static bool find_key(struct relay *r, struct span key, int *worker_out, uint64_t *id_out)
{
    struct cancel_keys *k = r->shared->cancel_keys;
    bool has_peers = setup_config(r->setup)->peer_id != 0;
    if (key.n != CANCEL_KEY)
        return false;
    mutex_lock(&k->m);
    struct id_link *link = find_locked(k, key.p, has_peers);
    if (link) {
        const struct session *ses = container_of(link, struct session, keyed);
        *worker_out = ses->relay->worker;
        *id_out = ses->id;
    }
    mutex_unlock(&k->m);
    return link != NULL;
}

/* ---- a request finds its client -------------------------------------------------------- */

/* Who asks, by worker and id: its connection stays open until the request has done what it can, as
 * PostgreSQL's does, because the application takes its end for that. */
struct requester {
    int worker;
    uint64_t id; /* 0: nobody */
};

struct cancel_run {
    struct lent *lent; /* NULL: nobody waits for the effect any more */
    struct requester requester;
    struct relay *relay;
    struct dialer *dialer;
    struct stream stream;
    bool asked_tls;
    bool sent; /* the request itself: only its connection's end tells that it can hit no more */
    bool over;
    struct cancel_run *next; /* relay->dead_cancels */
};

struct cancel_message {
    struct message message;
    uint64_t client_id; /* of the one to be cancelled, then of the one to be closed */
    struct requester requester;
};

static void deliver_over(struct message *m, void *receiver)
{
    struct cancel_message *c = container_of(m, struct cancel_message, message);
    struct session *ses = receiver ? relay_find_session(receiver, c->client_id) : NULL;
    free(c);
    if (ses)
        client_close(ses->client, NULL);
}

static void tell_requester(struct relay *r, const struct requester *q)
{
    if (!q->id)
        return;
    struct cancel_message *m = xcalloc(1, sizeof *m);
    m->message.deliver = deliver_over;
    m->client_id = q->id;
    mailbox_post(relay_mailbox(r->shared->relays[q->worker]), &m->message);
}

/* True if a request to the server is under way and tells the requester when it is over. */
static bool cancel_session(struct session *ses, const struct requester *q)
{
    struct error err;
    if (ses->is_operator) {
        control_note_cancel(ses->relay->shared->control, ses->id);
        return false;
    }
    if (ses->lent) {
        struct lent *l = ses->lent;
        bool runs = !server_is_at_rest(l->server) || server_status(l->server) != 'I';
        if (!runs || !cancel_server(l))
            return false;
        l->cancel_run->requester = *q;
        return true;
    }
    if (client_get_state(ses->client) != CLIENT_WAITING)
        return false; /* nothing is running: as in PostgreSQL, nothing happens */
    error_set(&err, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    broker_fail_waiting(ses, &err, false);
    return false;
}

static void deliver_cancel(struct message *m, void *receiver)
{
    struct cancel_message *c = container_of(m, struct cancel_message, message);
    struct session *ses = receiver ? relay_find_session(receiver, c->client_id) : NULL;
    if (receiver && !(ses && cancel_session(ses, &c->requester)))
        tell_requester(receiver, &c->requester);
    free(c);
}

void cancel_requested(struct relay *r, struct client *requester, struct span key)
{
    int worker;
    uint64_t id;
    if (!find_key(r, key, &worker, &id)) {
        if (!peer_forward(r, requester, key))
            client_close(requester, NULL);
        return;
    }
    struct cancel_message *m = xcalloc(1, sizeof *m);
    m->message.deliver = deliver_cancel;
    m->client_id = id;
    m->requester = (struct requester){r->worker, client_id(requester)};
    mailbox_post(relay_mailbox(r->shared->relays[worker]), &m->message);
}

/* ---- a request to a server ------------------------------------------------------------- */

static void run_end(struct cancel_run *run)
{
    if (run->over)
        return;
    run->over = true;
    if (run->dialer)
        dialer_cancel(&run->dialer);
    if (stream_is_open(&run->stream))
        stream_close(&run->stream);
    struct lent *l = run->lent;
    tell_requester(run->relay, &run->requester);
    run->next = run->relay->dead_cancels;
    run->relay->dead_cancels = run;
    if (!l)
        return;
    l->cancel_run = NULL;
    l->cancel = CANCEL_OVER;
    broker_cancel_over(l);
}

void cancel_reap(struct relay *r)
{
    struct cancel_run *run;
    while ((run = r->dead_cancels) != NULL) {
        r->dead_cancels = run->next;
        free(run);
    }
}

static void run_send(struct cancel_run *run)
{
    struct buf b = {0};
    run->sent = true;
    startup_build_cancel(&b, server_cancel_key(run->lent->server));
    stream_write(&run->stream, buf_span(&b).p, buf_len(&b));
    buf_reset(&b);
    /* The server reads it, signals the backend, and closes: that end is what we wait for. */
}

enum cancel_asked cancel_asked(const struct lent *l)
{
    const struct cancel_run *run = l->cancel_run;
    if (!run || !run->requester.id)
        return CANCEL_ASKED_NOT;
    return run->sent ? CANCEL_ASKED_SENT : CANCEL_ASKED_WAITING;
}

static void run_input(void *owner, struct span bytes)
{
    struct cancel_run *run = owner;
    struct error err;
    const struct terms *t = run->lent ? run->lent->terms : NULL;
    if (!t || !run->asked_tls || bytes.n != 1 || bytes.p[0] != 'S') {
        run_end(run);
        return;
    }
    run->asked_tls = false;
    if (!stream_start_tls_client(&run->stream, t->tls, t->db->hosts[run->lent->host].name, false,
                                 &err))
        run_end(run);
}

static void run_handshake(void *owner)
{
    struct cancel_run *run = owner;
    if (run->lent)
        run_send(run);
    else
        run_end(run);
}

static void run_stream_end(void *owner, enum stream_end how, const struct error *err)
{
    (void)how;
    (void)err;
    run_end(owner);
}

static const struct stream_ops run_ops = {
    .on_input = run_input,
    .on_handshake = run_handshake,
    .on_end = run_stream_end,
};

static void run_dialed(void *owner, const struct dialer_result *result)
{
    struct cancel_run *run = owner;
    run->dialer = NULL;
    if (result->fd < 0) {
        log_warning("cancel request not sent: %s", result->error.text);
        run_end(run);
        return;
    }
    stream_open(&run->stream, run->relay->loop, result->fd);
    if (!run->lent) {
        run_end(run);
        return;
    }
    if (!server_is_tls(run->lent->server) || addr_is_unix(server_address(run->lent->server))) {
        run_send(run);
        return;
    }
    struct buf b = {0};
    startup_build_ssl_request(&b);
    run->asked_tls = true;
    stream_write(&run->stream, buf_span(&b).p, buf_len(&b));
    buf_reset(&b);
}

bool cancel_server(struct lent *l)
{
    struct relay *r = l->relay;
    if (l->cancel == CANCEL_SENT || !server_cancel_key(l->server).n)
        return false;
    struct cancel_run *run = xcalloc(1, sizeof *run);
    run->lent = l;
    run->relay = r;
    stream_init(&run->stream, &run_ops, run);
    l->cancel = CANCEL_SENT;
    l->cancel_run = run;
    l->cancel_unit = l->first_unit;
    l->cancel_hit = false;
    uint64_t patience = setup_config(r->setup)->cancel_wait_timeout_us;
    l->cancel_deadline_us = patience ? loop_now(r->loop) + patience : 0;
    counter_add(&l->stats->canceled, 1);
    struct dialer_options options;
    struct addr_list *to = addr_list_new(server_address(l->server), 1);
    terms_dialer_options(l->terms, &options);
    run->dialer = dialer_start(r->loop, to, &options, run_dialed, run);
    addr_list_unref(&to);
    return true;
}

void cancel_has_hit(struct lent *l)
{
    l->cancel_hit = true;
    /* Once sent it may hit yet: 57014 is also what a statement_timeout says, and PostgreSQL up to
     * version 16 signals twice for one request, the process and then its group. */
    if (l->cancel != CANCEL_SENT || (l->cancel_run && l->cancel_run->sent))
        return;
    if (l->cancel_run)
        l->cancel_run->lent = NULL;
    l->cancel_run = NULL;
    l->cancel = CANCEL_OVER;
}

bool cancel_is_over(const struct lent *l)
{
    return l->cancel != CANCEL_SENT;
}

void cancel_abandon(struct lent *l)
{
    struct cancel_run *run = l->cancel_run;
    l->cancel = CANCEL_NONE;
    l->cancel_run = NULL;
    if (!run)
        return;
    run->lent = NULL;
    run_end(run);
}
