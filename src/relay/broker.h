/* SPDX-License-Identifier: PostgreSQL */
/* broker.h - carry out what the ledgers of pools and the states of targets decide. */
#ifndef RELAY_BROKER_H
#define RELAY_BROKER_H

#include "base/error.h"
#include "server/server.h"

#include <stdbool.h>

struct lent;
struct place;
struct pool;
struct pool_decision;
struct relay;
struct session;

enum acquired {
    ACQUIRED,        /* ses->given is the server, ready to be linked */
    ACQUIRE_WAIT,    /* in the queue; the client is WAITING */
    ACQUIRE_REFUSED, /* *err says why */
};

/* The client has a request and no server. */
enum acquired broker_acquire(struct session *ses, struct error *err);
/* A pool that has never been seen: its first client waits for a server to be welcomed. */
void broker_want_first(struct session *ses);
/* It has its server. */
void broker_wait_is_over(struct session *ses);
/* The client leaves, or its wait is over for another reason. */
void broker_stop_waiting(struct session *ses);
/* Ends the wait with an error: the statement fails, or the connection if `fatal`. */
void broker_fail_waiting(struct session *ses, const struct error *err, bool fatal);

/* All clients of this worker that wait for the pool, or only those that wait to be welcomed;
 * `report` is the server's own, or empty. */
void broker_fail_all(struct relay *r, struct pool *p, const struct error *err, struct span report,
                     bool logins_only);

/* The server has no client and is at rest. */
void broker_release(struct lent *l);
/* A server is here for this session (from the queue, or handed over). */
void broker_got_server(struct session *ses, struct lent *l);
/* Carries out a decision that came for a waiting session later on. */
void broker_decided(struct session *ses, const struct pool_decision *d);

/* Opens as many connections as the queue justifies and the target permits. */
void broker_dial_more(struct relay *r, struct pool *p);
/* The server that the session was to get is of no use: it wants another, at its old place. */
void broker_acquire_again(struct session *ses);
/* A server has logged in, and its connect_query is over. */
void broker_server_opened(struct lent *l);
/* A dialled server is ready. */
void broker_opened(struct lent *l);
/* It is closed: out of the ledger, and its place to whoever wants it. */
void broker_forget(struct lent *l);
/* "closing because: …" */
void broker_log_closing(const struct lent *l, const char *reason);
/* Closes it for our own reasons. */
void broker_close_server(struct lent *l, const char *reason);
/* A cancel request that kept the server from its pool has ended. */
void broker_cancel_over(struct lent *l);
/* Closes what the ledger says is too old, too idle or too many; keeps min_pool_size. */
void broker_sweep_pool(struct relay *r, struct pool *p);
/* After pool_resume: this worker's idle servers go to those who waited. */
void broker_serve(struct relay *r, struct pool *p);
/* Asks the workers of the bit set to sweep the pool. */
void broker_post_sweeps(struct relay *r, struct pool *p, uint64_t workers);

/* Events of servers (struct server_ops). */
void broker_server_ready(struct server *s);
void broker_server_ended(struct server *s, const struct server_end *end);

#endif
