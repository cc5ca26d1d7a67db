/* SPDX-License-Identifier: PostgreSQL */
/* care.h - queries of the operator's that run on a server before a client gets it, and servers that
 * must not stay. */
#ifndef RELAY_CARE_H
#define RELAY_CARE_H

#include "base/span.h"
#include "net/loop.h"
#include "relay/relay_impl.h"

#include <stdbool.h>
#include <stdint.h>

/* The server has logged in. True: its connect_query was sent, broker_server_opened comes later, or
 * the end of the server. */
bool care_begin_connect(struct lent *l);
/* Idle for so long that it will be checked: "used". */
static inline bool care_is_due(const struct lent *l)
{
    const struct config *cfg = setup_config(l->relay->setup);
    uint64_t idle_us = loop_now(l->relay->loop) - l->idle_since_us;
    return idle_us >= cfg->server_check_delay_us && !l->checked && cfg->server_check_query[0];
}
/* Private. */
bool care_check(struct lent *l, struct session *ses);

/* The server (LINKED in the ledger) is for this session, which has stopped to wait in the queue.
 * True: it must be checked first, and the session waits for that. */
static inline bool care_begin_check(struct lent *l, struct session *ses)
{
    return care_is_due(l) && care_check(l, ses);
}

bool care_is_running(const struct lent *l);
/* What we have asked has failed; `message` is the server's ErrorResponse. */
void care_failed(struct lent *l, struct span message);
/* The server has come to rest. */
void care_step(struct lent *l);
/* Deadlines. */
void care_sweep(struct lent *l, uint64_t now_us);
/* The session does not wait any more. */
void care_forget_session(struct session *ses);
/* The server is closed: the session that has waited for it gets another. */
void care_forget_server(struct lent *l);

/* server_fast_close: between transactions of a session that keeps its server. True: the client was
 * sent away and the server closed, because it is not what the configuration now says. */
bool care_close_outdated(struct session *ses);

#endif
