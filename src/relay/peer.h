/* SPDX-License-Identifier: PostgreSQL */
/* peer.h - cancel requests for clients of other processes.
 *
 * Behind one port (so_reuseport) or one address (a balancer) a cancel request arrives anywhere. The
 * key says whose client it is about (cancel_key.h); it is passed on to that peer as it came, one
 * hop less. The requester's connection ends when the peer's has ended, which is when the peer has
 * done what it could.
 *
 * After -R the key may be that of a client that stays with the old process: what is unknown here is
 * passed on to that, as it came. */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H

#include "base/span.h"
#include "relay/cancel_key.h"

#include <stdbool.h>

struct client;
struct relay;
struct relay_shared;
struct setup;

/* The key is none of ours. False if it is not one of a peer that we know, or has been passed on too
 * often, and there is no old process. Else the
 * requester is closed when it is over; the request goes on if it leaves before. */
bool peer_forward(struct relay *r, const struct client *requester, struct span key);
/* After a reload. */
void peer_refit(struct relay_shared *shared, struct setup *setup);
/* Frees requests that are over; at the end of a turn. */
void peer_reap(struct relay *r);
/* The worker ends: gives up all of them. */
void peer_shutdown(struct relay *r);

#endif
