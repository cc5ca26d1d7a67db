/* SPDX-License-Identifier: PostgreSQL */
/* reload.h - another configuration takes the place of the one in force, or nothing changes.
 *
 *   1. main thread: everything is read and built anew; any error: all are logged, and that was it
 *   2. each worker, one after the other: swaps its setup
 *   3. main thread: terms and limits of pools and targets
 *   4. each worker: serves those who wait where limits have grown
 *
 * A SET of the console goes the same way with the configuration in force and one setting changed:
 * it reads no file but one that this setting is about. A reload forgets those that were set, but
 * for conffile, which says what it reads. The service manager is told of those that a signal has
 * asked for.
 *
 * One runs at a time. Who asks meanwhile is answered by one more after it: the files may have
 * changed since they were read. */
#ifndef MAIN_RELOAD_H
#define MAIN_RELOAD_H

#include "net/mailbox.h"
#include "net/resolver.h"
#include "worker/process.h"

struct config;
struct program;
struct reload;

struct reload *reload_new(struct program *p);
/* When no other thread is left. */
void reload_free(struct reload **r);

/* What the configuration says about names of hosts. */
struct resolver_times reload_resolver_times(const struct config *cfg);

/* `request` is answered when it is over; NULL for a signal. Takes it. Main thread. */
void reload_begin(struct reload *r, struct process_reload *request);

#endif
