/* SPDX-License-Identifier: PostgreSQL */
/* leave.h - end what a client left behind, and keep its server. */
#ifndef RELAY_LEAVE_H
#define RELAY_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct lent;

/* The client is unlinked already. `mid_message`: it left a message half sent. */
void leave_begin(struct lent *l, bool mid_message);
bool leave_is_running(const struct lent *l);
/* The server has come to rest. */
void leave_step(struct lent *l);
/* Deadlines. */
void leave_sweep(struct lent *l, uint64_t now_us);

#endif
