/* SPDX-License-Identifier: PostgreSQL */
/* cancel.h - cancel requests: from clients by our own keys, to servers by theirs.
 *
 * Keys (cancel_key.h) map to (worker, client) through one locked table. A request is posted to the
 * owner of the client, or passed on if it is for one of another process (peer.h): a queued
 * statement is cancelled by us at once; a running one by a CancelRequest to the very address of its
 * server, over TLS if the server is. Until it is known that the cancel can no longer hit (57014
 * came, or the cancel connection ended) that server is not lent to anybody else. */
#ifndef RELAY_CANCEL_H
#define RELAY_CANCEL_H

#include "base/span.h"
#include "relay/cancel_key.h"

#include <stdint.h>

struct cancel_keys;
struct client;
struct lent;
struct relay;
struct session;

struct cancel_keys *cancel_keys_new(void);
void cancel_keys_free(struct cancel_keys **k);

/* Draws a key for the session and enters it; cancel_forget takes it out. */
void cancel_enter_key(struct session *ses);
void cancel_forget_key(struct session *ses);

/* A CancelRequest came on a connection of its own, which is closed when the request has done what
 * it can: as in PostgreSQL the requester learns nothing. */
void cancel_requested(struct relay *r, struct client *requester, struct span key);

/* How far the request of a client for the server of `l` has come. */
enum cancel_asked {
    CANCEL_ASKED_NOT,
    CANCEL_ASKED_WAITING, /* its connection is being opened */
    CANCEL_ASKED_SENT,    /* the server has it */
};
enum cancel_asked cancel_asked(const struct lent *l);

/* Sends a CancelRequest to the server of `l`; false if one is already on its way. */
bool cancel_server(struct lent *l);
/* 57014 came: the cancel has hit. */
void cancel_has_hit(struct lent *l);
/* The server may be lent again as far as cancels are concerned. */
bool cancel_is_over(const struct lent *l);
/* Frees requests that are over; at the end of a turn. */
void cancel_reap(struct relay *r);
/* The server goes away: give up. */
void cancel_abandon(struct lent *l);

#endif
