/* SPDX-License-Identifier: PostgreSQL */
/* holder.h - who listens on a TCP port of this machine, to say so when we cannot. */
#ifndef MAIN_HOLDER_H
#define MAIN_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLDER_TEXT 96

/* True if somebody listens. `out` then names the process ("postgres, pid 4711"), or is empty if it
 * belongs to an account that we may not look at. Reads /proc; slow. */
bool holder_of_port(uint16_t port, char out[HOLDER_TEXT]);

#endif
