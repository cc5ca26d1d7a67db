/* SPDX-License-Identifier: PostgreSQL */
/* actor.h - who speaks with the program in a replay: applications (named by the script), servers
 * s1, s2, … and cancel requests k1, k2, … (named in the order in which they first spoke).
 *
 * Actors log in by themselves, unless the script wants to play that too: applications answer what
 * they are asked for, servers ask as they were told to. */
#ifndef REPLAY_ACTOR_H
#define REPLAY_ACTOR_H

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_wire;
struct scram_server;

/* How servers log us in. */
enum server_manner {
    SERVERS_TRUST,
    SERVERS_PASSWORD,
    SERVERS_MD5,
    SERVERS_SCRAM,
    SERVERS_FATAL,  /* not at all: they say why and hang up */
    SERVERS_MANUAL, /* the script does */
};

struct server_terms {
    enum server_manner manner;
    char password[64];
    char sqlstate[6], text[200]; /* of SERVERS_FATAL */
};

/* 4 bytes of process number and 4 of secret. */
#define ACTOR_KEY 8

struct actor {
    TAILQ_ENTRY(actor) link;
    char name[32];
    struct fake_wire *wire;
    bool is_server; /* it speaks as a backend */
    bool is_cancel; /* k1, k2, … */

    /* Applications. */
    bool awaits_byte; /* the answer to SSLRequest or GSSENCRequest */

    /* Servers, while logging in. */
    bool is_logging_in;
    struct server_terms terms;
    struct scram_server *scram;
    char user[64];
    struct buf startup; /* the packet, until the script has looked at it */

    /* What cancels it: of a server the key it gave, of an application the one it was given. */
    uint8_t key[ACTOR_KEY];
};

TAILQ_HEAD(actor_list, actor);

struct cast {
    struct actor_list actors;
    struct server_terms terms; /* of servers to come */
    unsigned n_seen;           /* dialled connections that have a name */
    unsigned n_servers, n_cancels;
};

void cast_init(struct cast *c);
void cast_fini(struct cast *c);
struct actor *cast_find(struct cast *c, const char *name);
struct actor *cast_add(struct cast *c, const char *name, struct fake_wire *w);

/* Lets servers do what they do by themselves; true if one did. *err if one was spoken to in a way
 * it does not understand. */
bool cast_servers_act(struct cast *c, bool *ok_out, struct error *err);

/* One step of an application's log-in: answers a request for authentication. */
enum login_step {
    LOGIN_STEP_WAIT,   /* nothing has come */
    LOGIN_STEP_ACTED,  /* answered, or took a message; go on */
    LOGIN_STEP_DONE,   /* ReadyForQuery was taken */
    LOGIN_STEP_REFUSED /* an ErrorResponse stands at the front, or the connection is closed */
};

struct scram_client;
struct login_run {
    const char *user, *password; /* password may be NULL */
    struct scram_client *scram;
};
enum login_step actor_login_step(struct actor *a, struct login_run *run, struct error *err);
void login_run_fini(struct login_run *run);

/* Length of the first thing that the program said: a message, a startup packet, a byte. 0: it is
 * not there yet. */
size_t actor_next(const struct actor *a);
/* As text. */
void actor_show(const struct actor *a, size_t n, struct buf *text);
void actor_take(struct actor *a, size_t n);

#endif
