/* SPDX-License-Identifier: PostgreSQL */
/* visit.h - do something in every worker's thread, for a client that waits for the outcome. */
#ifndef WORKER_VISIT_H
#define WORKER_VISIT_H

#include <stdint.h>

struct client;
struct relay;

/* Runs each(relay, arg) in the thread of every worker, one after the other, then done(c, arg) in
 * that of `home`, from whose thread this is called. c is the client of `home` with that id, or NULL
 * if it has left meanwhile, or if the program ends (then some workers were not visited). done owns
 * arg; it is called once, never before this returns. */
void visit_workers(struct relay *home, uint64_t client_id, void (*each)(struct relay *r, void *arg),
                   void (*done)(struct client *c, void *arg), void *arg);

#endif
