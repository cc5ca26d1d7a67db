/* SPDX-License-Identifier: PostgreSQL */
/* cancel_key.h - the eight bytes by which a client is known to whoever wants to cancel it.
 *
 * As a whole random, unless the process is one of several peers. Then a few bits say whose client
 * it is, in PgBouncer's layout, so that processes of both kinds can be peers of one another:
 *
 *   byte 0, high bit   0, because some clients print the first word as a signed number
 *   byte 1, byte 2     number of the peer, low and high byte
 *   byte 7, low bits   how many more times the key may be passed on: 3 at first
 */
#ifndef RELAY_CANCEL_KEY_H
#define RELAY_CANCEL_KEY_H

#include <stdbool.h>
#include <stdint.h>

#define CANCEL_KEY 8

/* `peer` is our own number; 0: we have no peers. */
void cancel_key_draw(uint8_t key[CANCEL_KEY], int peer);
/* The number in the key. What it says means something only if peers drew it. */
int cancel_key_peer(const uint8_t *key);
/* For the next one on its way; false if it has been passed on too often. */
bool cancel_key_spend_hop(uint8_t key[CANCEL_KEY]);
/* It has arrived: as it was drawn. */
void cancel_key_restore_hops(uint8_t key[CANCEL_KEY]);

#endif
