/* SPDX-License-Identifier: PostgreSQL */
/* forward_extended.h - Parse, Bind, Describe, Execute, Close: names of prepared statements. */
#ifndef RELAY_FORWARD_EXTENDED_H
#define RELAY_FORWARD_EXTENDED_H

#include "client/client.h"
#include "track/sql_traits.h"

struct session;

/* The client is linked, and the message is what the function is called after. */
enum request_verdict extended_parse(struct session *ses, const struct request *r);
enum request_verdict extended_bind(struct session *ses, const struct request *r);
enum request_verdict extended_describe(struct session *ses, const struct request *r);
enum request_verdict extended_execute(struct session *ses, const struct request *r);
enum request_verdict extended_close(struct session *ses, const struct request *r);

/* The same for any of them inside of a COPY FROM STDIN, which it ends: PostgreSQL does not care
 * what it says. */
enum request_verdict extended_break_copy(struct session *ses, const struct request *r);

/* A Parse while no server is linked, of a statement that a server of the pool has parsed before:
 * gives the name, so that the client can be told ParseComplete at once. False: it needs a server.
 */
bool extended_parse_alone(struct session *ses, const struct request *r);

/* A Close while no server is linked: forgets the name. False if the message is malformed or about
 * something that only a server knows. */
bool extended_forget(struct session *ses, const struct request *r);

/* A Query that is exactly DEALLOCATE or DISCARD ALL: the names it takes away go, *serial_out is for
 * its entry. What names one statement is sent with the server's name for it: *rewritten_out. False:
 * it has to wait until it is known what has the name. */
bool extended_drop_names(struct session *ses, const struct request *r, enum sql_drops drops,
                         uint32_t *serial_out, bool *rewritten_out);

#endif
