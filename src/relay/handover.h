/* SPDX-License-Identifier: PostgreSQL */
/* handover.h - a server moves from one worker to another.
 *
 *   B (has the client)                      A (has the server)
 *   ASK: post WANTED(server, client) ---->  healthy: detach, post HANDED(server, client)
 *                                           dead: close, post GONE(server, client)
 *   HANDED: attach, link  <-------------    (or: released while B's client is the oldest waiter)
 *   GONE: acquire again, at the old place
 *
 * A message owns the server it carries; clients are named by id, they may have left. */
#ifndef RELAY_HANDOVER_H
#define RELAY_HANDOVER_H

#include <stdint.h>

struct lent;
struct session;

void handover_want(struct session *ses, uint64_t server_id, unsigned owner);
/* The ledger has it MOVING to that client. */
void handover_give(struct lent *l, uint64_t client_id, unsigned worker);

#endif
