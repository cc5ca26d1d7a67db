/* SPDX-License-Identifier: PostgreSQL */
/* refit.h - a reload: the new setup takes the place of the old one.
 *
 * First each worker swaps its setup, in its own thread; when all have, the main thread goes over
 * the pools. In that order, because a worker that still has the old setup could make a pool by it.
 */
#ifndef RELAY_REFIT_H
#define RELAY_REFIT_H

#include "upstream/target.h"

#include <stdint.h>

struct config;
struct relay;
struct relay_shared;
struct setup;

/* The worker's own thread; takes a reference. Clients look their names up anew; those whose
 * database is gone, or whose pool would be another one, are sent away. */
void refit_worker(struct relay *r, struct setup *setup);

/* What the configuration allows towards each target. */
struct target_limits refit_target_limits(const struct config *cfg);

/* Main thread: terms and limits of all pools and targets. */
void refit_pools(struct relay_shared *shared, struct setup *setup, uint64_t now_us);

/* The worker's own thread, after refit_pools: limits may leave room for clients that wait. */
void refit_serve(struct relay *r);

#endif
