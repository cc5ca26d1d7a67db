/* SPDX-License-Identifier: PostgreSQL */
/* command.h - the operator's orders about databases.
 *
 * `database` names one, or is NULL for all. An order is given to the ledgers at once, for all
 * workers; what each worker must do with its own clients and servers is done in a visit (visit.h)
 * with the function that the order names. On failure *err says why and nothing has changed. */
#ifndef WORKER_COMMAND_H
#define WORKER_COMMAND_H

#include "base/error.h"
#include "relay/control.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay;

/* Clients wait, servers are closed as soon as they are free. */
/* *began_out (may be NULL): false if the database was paused already. */
bool command_pause(struct relay *r, const char *database, bool *began_out, struct error *err);

enum command_pausing {
    COMMAND_PAUSING, /* servers are still at work: ask again */
    COMMAND_PAUSED,  /* every server has gone */
    COMMAND_LIFTED,  /* somebody has resumed it meanwhile */
};
enum command_pausing command_pause_state(struct relay *r, const char *database);

/* Of all: ends the pause of all, and those that a kill of all has left. The visit:
 * command_resume_here. */
bool command_resume(struct relay *r, const char *database, struct error *err);
void command_resume_here(struct relay *r, const char *database);
/* That visit, after command_resume for all, where nobody waits for it. */
void command_resume_everywhere(struct relay *r);

/* Nothing is read and nobody is accepted any more, but for consoles; what is to be sent is sent.
 * The visit: command_suspend_here. command_resume for all takes it back. */
bool command_suspend(struct relay *r, struct error *err);
bool command_is_suspended(struct relay *r);

/* A round of visits. */
struct command_suspension {
    bool begins;      /* the first round */
    bool drops;       /* time is up: what is not sent is closed */
    size_t unflushed; /* so many connections have something that is not sent */
};
void command_suspend_here(struct relay *r, struct command_suspension *s);

bool command_has_consoles(struct relay *r);

/* Pauses, then the visit closes all clients and servers: command_kill_here. */
bool command_kill(struct relay *r, const char *database, struct error *err);
void command_kill_here(struct relay *r, const char *database);
/* In a visit; false if the client is not of this worker. */
bool command_kill_client_here(struct relay *r, uint64_t id);

/* The cancel key of a client of the console, of 8 bytes and for life: whoever shows it on a
 * connection of its own makes command_was_canceled true, once. */
const uint8_t *command_cancel_key(struct relay *r, uint64_t client_id);
bool command_was_canceled(struct relay *r, uint64_t client_id);

/* Servers are replaced as they become free. */
bool command_reconnect(struct relay *r, const char *database, struct error *err);
/* For WAIT_CLOSE, which is about servers that command_reconnect has marked. */
bool command_may_wait_close(struct relay *r, const char *database, struct error *err);

/* Nobody may log in to a disabled database; who is in, stays. */
bool command_disable(struct relay *r, const char *database, struct error *err);
bool command_enable(struct relay *r, const char *database, struct error *err);

/* Server connections of all pools, those that are being opened included. Any thread. */
uint64_t command_server_count(struct relay *r);
void command_shutdown(struct relay *r, enum shutdown_mode mode);
/* Nobody can connect by TCP any more: one that waits has begun. */
bool command_is_closed(struct relay *r);

#endif
