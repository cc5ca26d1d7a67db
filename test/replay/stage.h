/* SPDX-License-Identifier: PostgreSQL */
/* stage.h - the program under test: a setup and one relay for each worker, in one thread, on the
 * fake network. */
#ifndef REPLAY_STAGE_H
#define REPLAY_STAGE_H

#include "conf/config.h"
#include "relay/relay.h"

struct fake_wire;

#define STAGE_WORKERS_MAX 4

struct stage {
    /* Until it starts. */
    struct config *config;
    unsigned n_databases;
    char *users; /* what stands in auth_file; NULL: nothing */

    /* Since it has started. */
    struct setup *setup;
    struct loop *loops[STAGE_WORKERS_MAX];
    struct relay *relays[STAGE_WORKERS_MAX];
    struct relay_shared shared;
};

void stage_init(struct stage *s);
/* One setting, beside the program's own the pseudo-setting profile=url|ini (first of all). */
bool stage_set(struct stage *s, struct span name, const char *value, struct error *err);
/* A line of [databases]. Without any there is `* = host=127.0.0.1`. */
bool stage_database(struct stage *s, const char *name, const char *text, struct error *err);
/* Somebody who may log in by password. */
void stage_user(struct stage *s, const char *name, const char *password);

/* Does nothing if it has started. */
bool stage_start(struct stage *s, struct error *err);
/* Closes everything; frees it too. Fine if it never started. */
void stage_stop(struct stage *s);

/* Gives the program a connection of an application; worker from 0. */
void stage_accept(struct stage *s, unsigned worker, struct fake_wire *w);

#endif
