/* SPDX-License-Identifier: PostgreSQL */
/* forward.h - client -> server. */
#ifndef RELAY_FORWARD_H
#define RELAY_FORWARD_H

#include "base/error.h"
#include "client/client.h"

struct session;

enum request_verdict forward_request(struct client *c, const struct request *r);
void forward_input_done(struct client *c);

/* The statement that comes next (or is held) fails with this error, in the words of the server's
 * report if that is not empty. */
void forward_refuse_next(struct session *ses, const struct error *err, struct span report);

/* The SQL text that the message will run, as far as it is there; p is NULL if it runs none. */
struct span forward_statement_text(struct session *ses, const struct request *r);

#endif
