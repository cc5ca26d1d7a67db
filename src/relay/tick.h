/* SPDX-License-Identifier: PostgreSQL */
/* tick.h - the deadlines of one relay. */
#ifndef RELAY_TICK_H
#define RELAY_TICK_H

#include <stdint.h>

struct relay;
struct session;

void tick_init(struct relay *r);
/* A deadline below a second has begun to run. */
void relay_tick_soon(struct relay *r);
/* A message has come from a client that was not watched: a deadline may begin with it. */
void tick_watch(struct session *ses);
/* A dial is to be tried again at that time. */
void relay_dial_at(struct relay *r, uint64_t at_us);

#endif
