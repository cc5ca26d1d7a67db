/* SPDX-License-Identifier: PostgreSQL */
/* leave.h - end what a client left behind, and keep its server. */
#ifndef RELAY_LEAVE_H
#define RELAY_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct expect;
struct lent;
struct report;

/* The client is unlinked already. `mid_message`: it left a message half sent. */
void leave_begin(struct lent *l, bool mid_message);
bool leave_is_running(const struct lent *l);
/* What we have asked of it, or what the client had, is refused. */
void leave_failed(struct lent *l, const struct expect *e, const struct report *r);
/* The server has come to rest. */
void leave_step(struct lent *l);
/* Deadlines. */
void leave_sweep(struct lent *l, uint64_t now_us);

#endif
