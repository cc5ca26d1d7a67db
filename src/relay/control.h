/* SPDX-License-Identifier: PostgreSQL */
/* control.h - what the operator has ordered for all databases or for one: paused, disabled; or for
 * the process: suspended.
 *
 * The ledgers of pools carry a pause out; this remembers it for pools that are made later. An order
 * is given between control_enter and control_leave, and so is a new pool's first look at it: either
 * the order finds the pool, or the pool finds the order.
 *
 * The lock is held while all pools are walked, which no other lock of ours is: it is the operator's
 * and that of logins, never taken on the path of a query. Lock order: control, registry, pool. */
#ifndef RELAY_CONTROL_H
#define RELAY_CONTROL_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct control;
struct pool;

enum control_flag {
    CONTROL_PAUSED,
    CONTROL_DISABLED,
    CONTROL_KILLED,    /* paused by a KILL of all: a RESUME of all ends that */
    CONTROL_SUSPENDED, /* of all only */
};
#define CONTROL_FLAGS (CONTROL_SUSPENDED + 1)

struct control *control_new(void);
void control_free(struct control **c);

/* A client logs in to the pool: false if its database is disabled. A paused pool is told so. */
bool control_login(struct control *c, struct pool *p, struct error *err);

/* Any thread; the functions below are called in between. */
void control_enter(struct control *c);
void control_leave(struct control *c);

/* `database` NULL: all of them, which is a flag of its own beside those of each. */
bool control_has(const struct control *c, const char *database, enum control_flag flag);
void control_set(struct control *c, const char *database, enum control_flag flag, bool on);
/* Calls fn for each database with a flag that is on, which fn may change. */
void control_each(struct control *c, void (*fn)(struct control *c, const char *database, void *arg),
                  void *arg);
/* By its own flag or that for all. */
bool control_is_paused(const struct control *c, const char *database);

/* ---- cancel requests ---- */

/* A CancelRequest came for an operator's client. It is kept until that client's console, which
 * looks while a command of its own waits, takes it (true) or leaves. Any thread. */
void control_note_cancel(struct control *c, uint64_t client_id);
bool control_take_cancel(struct control *c, uint64_t client_id);

/* ---- the end ---- */

enum shutdown_mode {
    SHUTDOWN_NOW,
    SHUTDOWN_WAIT_FOR_SERVERS, /* until all transactions are over */
    SHUTDOWN_WAIT_FOR_CLIENTS, /* until all clients have left */
};

/* Who ends the program; before other threads know of c. fn may be called in any thread. */
void control_on_shutdown(struct control *c, void (*fn)(void *owner, enum shutdown_mode mode),
                         void *owner);
/* Any thread, not between control_enter and control_leave. */
void control_ask_shutdown(struct control *c, enum shutdown_mode mode);
/* The same without asking, by who ends it: orders that would keep it from ending are refused now.
 */
void control_begin_end(struct control *c);
/* Since one of the two. Between control_enter and control_leave. */
bool control_is_ending(const struct control *c);

#endif
