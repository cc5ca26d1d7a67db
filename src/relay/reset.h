/* SPDX-License-Identifier: PostgreSQL */
/* reset.h - RESET and DISCARD ALL go back to the session's own start.
 *
 * RESET gives a setting the value that it had when the session began. On the server that is the
 * value after its own login, for the client that of its startup packet. */
#ifndef RELAY_RESET_H
#define RELAY_RESET_H

#include "base/span.h"

#include <stdbool.h>

struct lent;

enum reset_text {
    RESET_TEXT_SINGLE,
    RESET_TEXT_SEVERAL, /* statements, or what a single one does cannot be seen */
    RESET_TEXT_CUT,     /* there is more of it */
};

/* The client sends a statement that may change settings. */
void reset_note_sent(struct lent *l, struct span text, enum reset_text kind);
/* A command was run. */
void reset_note_run(struct lent *l, struct span tag);
/* Outside of a transaction: what client and server then have. False if nothing was reset. */
bool reset_settle(struct lent *l);
void reset_forget(struct lent *l);

#endif
