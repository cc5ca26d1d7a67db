/* SPDX-License-Identifier: PostgreSQL */
/* client_who.h - who a client is: its names, and what they amount to in a setup.
 *
 * Many clients are the same user at the same database. They share one of these, immutable and
 * counted, as long as they log in at one worker: it is looked up once and kept once. No locks, all
 * in the thread of that worker.
 *
 * Most of them even say the same in their startup packets, so what the last one amounted to is kept
 * here, too. */
#ifndef CLIENT_CLIENT_WHO_H
#define CLIENT_CLIENT_WHO_H

#include "base/span.h"
#include "setup/setup.h"

struct client_said;
struct param_set;

struct client_who {
    unsigned refs;
    struct client_known *known; /* where it may be found; NULL: it is nobody else's */
    struct setup *setup;        /* counted: what the login was looked up in */
    struct setup_login login;
    const struct secret *found; /* counted: what auth_query or the login said; else NULL */
    struct client_said *said;   /* what the last one said, and what that means; may be NULL */
    const char *database;
    char user[]; /* then the database's name */
};

/* Those of one worker that clients share. */
struct client_known *client_known_new(void);
/* When no client is left. */
void client_known_free(struct client_known **known);

/* Finds or makes it; a reference for the caller. `known` may be NULL: it is made. */
struct client_who *client_who_get(struct client_known *known, struct setup *setup, struct span user,
                                  struct span database);
/* auth_query knows him, by this name, with this secret: exchanges *who, one reference for another,
 * unless it says so already. With `known` NULL it is for this client only: what a password was
 * found right by is no secret that another login could be measured by. */
void client_who_found(struct client_known *known, struct client_who **who, struct span user,
                      const struct secret *secret);
/* The parameters that a startup packet with these (name, value) pairs asks for, counted for the
 * caller; NULL: the last one that was kept had others. */
struct param_set *client_who_recall(const struct client_who *who, struct span pairs);
/* Keeps them for the next, unless the packet was an unusually long one. */
void client_who_keep(struct client_who *who, struct span pairs, struct param_set *params);
/* Gives it back; NULL inside is fine. */
void client_who_unref(struct client_who **who);

#endif
