/* SPDX-License-Identifier: PostgreSQL */
/* rand.h - unpredictable bytes (getrandom) for keys and nonces, and cheap jitter. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fills p from the kernel's generator; ends the program if that fails. Small requests are served
 * from a stock of the calling thread: no byte is handed out twice, also not across a fork, and none
 * stays behind where it was kept. */
void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);

/* A small deterministic generator for jitter and tests: *state is advanced, never 0. */
uint64_t rand_next(uint64_t *state);

#endif
