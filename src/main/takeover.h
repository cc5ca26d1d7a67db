/* SPDX-License-Identifier: PostgreSQL */
/* takeover.h - -R: a new process takes the place of one that runs, whose clients stay with it until
 * they leave.
 *
 * The old one is found by its Unix socket, asked over its console to let nobody in any more
 * (SHUTDOWN WAIT_FOR_CLIENTS), and loses socket file and pid file to the new one. With so_reuseport
 * both listen for a moment and no connection is refused; without, the port is free for a moment.
 * Talks to the old process in blocking mode, from the main thread, before it has anything else to
 * do; no answer within 10 s is a failure. */
#ifndef MAIN_TAKEOVER_H
#define MAIN_TAKEOVER_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct config;
struct takeover;

/* False: somebody is there from whom we cannot take over; *err says why. *out is NULL if nobody
 * is. Logs whom it has found. */
bool takeover_find(const struct config *cfg, struct takeover **out, struct error *err);
/* 0 without one. */
pid_t takeover_predecessor(const struct takeover *t);
/* When this returns true, the old process accepts nobody by TCP. Ends the conversation. */
bool takeover_finish(struct takeover **t, struct error *err);
/* Leaves the old process as it is. NULL inside is fine. */
void takeover_abandon(struct takeover **t);

#endif
