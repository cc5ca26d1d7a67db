/* SPDX-License-Identifier: PostgreSQL */
/* clock.h - the clocks. Only net/loop (and the log, for wall time) read them; everybody else is
 * handed `now_us`. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS 1000ULL
#define US_PER_S 1000000ULL

/* Monotonic microseconds since an arbitrary start; never 0. */
uint64_t clock_monotonic_us(void);
/* Microseconds since 1970, for what people read. */
uint64_t clock_wall_us(void);

#endif
