/* SPDX-License-Identifier: PostgreSQL */
/* order.h - the operator's orders, carried out for the clients and servers of one worker, in its
 * thread. */
#ifndef RELAY_ORDER_H
#define RELAY_ORDER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct relay;

/* Closes all clients of the pool, which are told *err as FATAL, and all its servers, whatever they
 * are doing. The pool must be paused, or it would open new ones. */
void order_kill_pool(struct relay *r, struct pool *p, const struct error *err);
/* False if no client of this worker has that id. */
bool order_kill_client(struct relay *r, uint64_t id, const struct error *err);
/* The cancel key by which an operator's client of this worker is known from now on until it leaves:
 * CANCEL_KEY bytes, borrowed. (What a cancel then does: control.h.) */
const uint8_t *order_cancel_key(struct relay *r, uint64_t client_id);
/* Clients that wait for a server are told *err as FATAL. */
void order_dismiss_waiting(struct relay *r, const struct error *err);
/* Closes the pairs of this worker that replicate: nothing else ends them. */
void order_end_replication(struct relay *r, const struct error *err);
/* Opens a server if the pool has none and its target permits. */
void order_wake(struct relay *r, struct pool *p);
/* After pool_resume: gives idle servers to those who waited, and opens more. */
void order_resume(struct relay *r, struct pool *p);

#endif
