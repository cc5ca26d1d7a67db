/* SPDX-License-Identifier: PostgreSQL */
/* wake.h - connect to databases that sleep or were never contacted, because somebody asks for it:
 * nothing else in the program does so without a client's statement. */
#ifndef WORKER_WAKE_H
#define WORKER_WAKE_H

struct relay_shared;

/* Begins to open a server in each pool whose target is not awake. Where no pool exists yet, one is
 * made for each database whose user is known without a client: that of the URL, or a forced one.
 * Back-off and breaker of the target are respected. The outcome shows in the state of the target.
 * Any thread, while the workers exist. */
void wake_databases(struct relay_shared *shared);

#endif
