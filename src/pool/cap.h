/* SPDX-License-Identifier: PostgreSQL */
/* cap.h - a bound that several pools share.
 *
 * A cap belongs to a database, to a user, or is the one over everything. It counts server
 * connections (max_db_connections, max_user_connections, max_server_connections) and clients
 * (max_db_client_connections, max_user_client_connections, max_client_conn).
 *
 * Clients beyond the bound are turned away, so their count is one atomic. Servers are waited for,
 * and a place must go to the pool that has starved longest, not to the one that asks most often. So
 * a pool that finds the cap full takes a seat and keeps it until it is served or needs nothing:
 *
 *   NONE -> STARVING             found the cap full; in order of since_us
 *   STARVING -> COMING           a server of another pool is being closed for it
 *   STARVING, COMING -> CALLED   a place is free: named by cap_next_hungry. The place is kept for
 *                                it until it asks, whatever others ask
 *   any -> NONE                  got its place, or needs none
 *
 * So while anybody starves each free place is spoken for, and nobody overtakes.
 *
 * Whoever counts in a cap, a client or a server, holds a reference to it (pool/limits.h); a pool's
 * servers are covered by the pool's.
 *
 * Lock order: pool, cap; several caps in the order of enum pool_cap. */
#ifndef POOL_CAP_H
#define POOL_CAP_H

#include "base/list.h"
#include "pool/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct cap_settings {
    uint32_t max_servers; /* POOL_UNLIMITED: no bound */
    uint32_t max_clients;
};

struct cap_numbers {
    uint32_t servers, max_servers;
    uint32_t clients, max_clients;
    uint32_t starving; /* pools that are not served yet */
};

struct cap *cap_new(const char *name, const struct cap_settings *settings);
/* No server, no client and no seat is left. */
void cap_free(struct cap **cap);
const char *cap_name(const struct cap *cap);

/* For a reload. After raising a bound: cap_next_hungry until NULL. After lowering one, servers are
 * closed as they are released. */
void cap_set(struct cap *cap, const struct cap_settings *settings);
void cap_inspect(struct cap *cap, struct cap_numbers *out);
uint32_t cap_max_servers(struct cap *cap);

/* A client logs in: false if the bound is reached. */
bool cap_take_client(struct cap *cap);
void cap_give_back_client(struct cap *cap);

/* A server connection outside of any pool's ledger (a listener, a cancel request). Does not starve:
 * false if no place is free that is not spoken for. After giving back: cap_next_hungry until NULL.
 */
bool cap_take_server(struct cap *cap);
void cap_give_back_server(struct cap *cap);

/* A pool whose turn it is, with a reference, or NULL: see pool_next_hungry, which is for a pool's
 * caps what this is for one. */
struct pool *cap_next_hungry(struct cap *cap);

/* ---- for the ledger of a pool, under its lock; `caps` may hold NULLs ---- */

enum cap_seat_state { CAP_SEAT_NONE, CAP_SEAT_STARVING, CAP_SEAT_COMING, CAP_SEAT_CALLED };

/* A pool's seat at one cap; every field but pool is under the cap's lock. */
struct cap_seat {
    struct pool *pool; /* set at birth */
    enum cap_seat_state state;
    uint64_t since_us; /* 0 unless it starved here and was not served yet */
    TAILQ_ENTRY(cap_seat) link;
};

enum cap_taken { CAP_TAKEN, CAP_FULL, CAP_COMING };

/* A place under each cap, or under none: then *full_out is the first that is full, at which the
 * pool is seated from now on (if now_us is not 0), and only there. */
enum cap_taken caps_take(struct cap *const caps[POOL_CAPS], struct cap_seat seats[POOL_CAPS],
                         uint64_t now_us, enum pool_cap *full_out);
/* `leaving` are the bits that caps_pass_on gave. */
void caps_give_back(struct cap *const caps[POOL_CAPS], uint8_t leaving);
/* The pool needs nothing (any more). */
void caps_leave(struct cap *const caps[POOL_CAPS], struct cap_seat seats[POOL_CAPS]);

enum cap_verdict { CAP_STAY, CAP_OVER, CAP_PASS_ON };

/* Another pool's waiter must be older by this much before it takes the place of a pool that has
 * waiters too: opening a connection costs about that. */
#define CAP_PATIENCE_US (250 * 1000ULL)

/* A server of this pool is free: must it go for the caps' sake? OVER: a cap was lowered,
 * *leaving_out gets its bit. PASS_ON: another pool starves, and this one has no waiter (oldest_us
 * 0) or only younger ones; that pool's seat is COMING now. One server is asked for each place. */
enum cap_verdict caps_pass_on(struct cap *const caps[POOL_CAPS], uint64_t oldest_us,
                              uint8_t *leaving_out);
/* An idle server is being closed for whoever starves longest: that seat is COMING now. */
void cap_promise(struct cap *cap);

#endif
