/* SPDX-License-Identifier: PostgreSQL */
/* dial.h - open connections to servers: as many as clients wait for, as fast as the target bears.
 */
#ifndef RELAY_DIAL_H
#define RELAY_DIAL_H

#include "base/error.h"
#include "server/server.h"
#include "upstream/target.h"

#include <stdbool.h>

struct config;
struct config_database;
struct lent;
struct pool;
struct relay;
struct session;
struct target;

/* Opens what the queue of the pool justifies. False: the target refuses for now, *err says why and
 * when the next try is; who waits should be told. */
bool dial_for_waiters(struct relay *r, struct pool *p, struct error *err);
/* One for this client alone, under a place that was granted (own.h); TARGET_GO: *l_out is on its
 * way. */
enum target_answer dial_for_one(struct session *ses, uint32_t generation, struct lent **l_out,
                                struct error *err);
/* The pool of the database's forced user has its min_pool_size also without clients. */
bool dial_keeps_min(const struct config *cfg, const struct config_database *db);
/* What clients of the pool wait for in vain: it has no server, and the last attempt at each of its
 * hosts has failed. *why is what clients are told of such a failure. */
bool dial_is_in_vain(struct pool *p, struct error *why);
/* Opens towards min_pool_size. */
void dial_for_min(struct relay *r, struct pool *p);
/* Opens one if there is none: the operator wants to know whether the database can be reached. */
void dial_to_wake(struct relay *r, struct pool *p);
/* Pools that starved for a place under a cap that `p` shares. */
void dial_for_hungry(struct relay *r, struct pool *p);
/* After a dial has ended: other pools of the same target may go on. */
void dial_next_on_target(struct relay *r, struct target *target);

/* The dial of l ended. */
void dial_succeeded(struct lent *l);
void dial_failed(struct lent *l, const struct server_end *end);

#endif
