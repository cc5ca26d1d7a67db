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

/* Starts n threads (1 to 64). `shared` is filled in here (n_workers, relays) and borrowed until
 * workers_free; the other members must be set. Signals are blocked in the new threads. */
struct workers *workers_start(struct relay_shared *shared, int n, struct setup *setup,
                              const struct client_ops *console_ops);

/* Deals a connection to the worker with the fewest (ties: round robin); takes fd. Main thread. */
void workers_deal(struct workers *w, int fd, const struct addr *peer);

/* Closes all connections and joins the threads. */
void workers_stop(struct workers **w);

#endif
