/* SPDX-License-Identifier: PostgreSQL */
/* tick.h - the deadlines of one relay. */
#ifndef RELAY_TICK_H
#define RELAY_TICK_H

#include <stdint.h>

struct relay;

void tick_init(struct relay *r);
/* A deadline below a second has begun to run. */
void relay_tick_soon(struct relay *r);
/* A dial is to be tried again at that time. */
void relay_dial_at(struct relay *r, uint64_t at_us);

#endif
