/* SPDX-License-Identifier: PostgreSQL */
/* auth_query.h - ask a server for a user's secret.
 *
 * A client whose user is not in auth_file is LOOKUP while this runs. It acquires a server of the
 * pool (auth database, auth_user) like any client would: its session waits in that pool's queue,
 * with the same limits and time-outs, and stops when it leaves. What was said lately needs no
 * server, and of many clients that want to know the same one asks for all (lookups.h).
 *
 * The question goes in one write and costs one round trip:
 *
 *   set_config      for this transaction: auth_user's own role and search_path, whatever a client
 *                   of that pool has left set, and in that pg_catalog first and pg_temp last, so
 *                   that nothing that a user has made stands in for what the system has
 *   auth_query      with the user's name as its only parameter, never as a part of the text
 *   Sync
 *
 * No trace of it is left on the server. The two columns of its row are the name that the user has
 * from now on (NULL: as he called himself) and his secret (NULL: he exists, but cannot log in by
 * password); both NULL is no row. Of several rows the last counts, as in PgBouncer. */
#ifndef RELAY_AUTH_QUERY_H
#define RELAY_AUTH_QUERY_H

#include "base/error.h"

struct client;
struct lent;
struct session;

/* struct client_context. */
void auth_query_look_up(void *owner, struct client *c);
void auth_query_doubt(void *owner, struct client *c);

/* From the broker, for a session that leads: a server is here, or there will be none. */
void auth_query_got_server(struct session *ses, struct lent *l);
void auth_query_failed(struct session *ses, const struct error *err);

/* The client leaves. A server that it asks is left to session.c, as one in the middle of a query.
 */
void auth_query_gone(struct session *ses);

#endif
