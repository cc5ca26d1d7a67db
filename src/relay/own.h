/* SPDX-License-Identifier: PostgreSQL */
/* own.h - clients that need a server of their own: replication.
 *
 * What such a client asks for in its startup packet (replication, options of any kind) cannot be
 * asked for later, so no server of the pool will do, and its server will do for nobody else. It is
 * counted in the pool of the same database and user, waits in the same queue (pool.h), and is
 * opened with the client's own parameters. It is linked for life and closed when the client leaves.
 *
 * What the server refuses at its log-in concerns this client alone, which gets the server's words.
 * PAUSE waits for such pairs as for others; whatever makes servers obsolete closes them at once,
 * since there is no release to wait for: who replicates connects again by itself. */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>

struct lent;
struct pool;
struct pool_dial_answer;
struct relay;
struct server_login;
struct session;

/* The client has proven who it is: if it replicates, remembers what its server is asked for. */
void own_begin(struct session *ses);
void own_free(struct session *ses);
/* Its wait ends: closes the server that is being opened for it, if one is. */
void own_stop_dialing(struct session *ses);

/* A place for one was reserved: its client's worker goes on. */
void own_granted(struct relay *r, struct pool *p, const struct pool_dial_answer *a);
/* What the server of the client is asked for, on top of the terms. */
void own_login(struct session *ses, struct server_login *login);

/* It could not be opened: its client, if it has one, waits on or will be refused. */
void own_dial_failed(struct lent *l);
/* The server is ready: links the two. */
void own_ready(struct lent *l);
/* It refuses the client, which is told so; `report` is the server's (report_keep), or empty. */
void own_refused(struct session *ses, const struct error *tell, struct span report);

/* After an order or a reload: closes the pairs of this worker whose server is obsolete. */
void own_close_obsolete(struct relay *r, struct pool *p);
/* All of this worker. */
void own_close_all(struct relay *r, const struct error *err);

#endif
