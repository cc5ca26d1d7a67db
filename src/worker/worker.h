/* SPDX-License-Identifier: PostgreSQL */
/* worker.h - a thread with its loop, its clients and its servers; and all of them together. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/addr.h"
#include "relay/relay.h"

#include <stdbool.h>

struct client_ops;
struct setup;
struct workers;

/* Makes n workers (1 to 64) without threads. `shared` is filled in here (n_workers, relays) and
 * borrowed until workers_free; the other members must be set. */
struct workers *workers_new(struct relay_shared *shared, int n, struct setup *setup,
                            const struct client_ops *console_ops);
/* The loop of the worker that accepts (the first): what listens is put there before the threads
 * run, and belongs to that worker's thread while they do. */
struct loop *workers_accept_loop(struct workers *w);
/* Starts the threads. Signals are blocked in them. */
void workers_start(struct workers *w);

/* Deals a connection to the worker with the fewest (ties: round robin); takes fd. In the thread of
 * the worker that accepts. */
void workers_deal(struct workers *w, int fd, const struct addr *peer);

/* Joins the threads, if they were started. */
void workers_stop(struct workers *w);
/* After workers_stop: closes all connections. */
void workers_free(struct workers **w);

#endif
