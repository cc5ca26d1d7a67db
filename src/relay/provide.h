/* SPDX-License-Identifier: PostgreSQL */
/* provide.h - what the server must have before a message of the client may use it. */
#ifndef RELAY_PROVIDE_H
#define RELAY_PROVIDE_H

#include "relay/relay_impl.h"

static inline struct server_statements *provide_have(struct session *ses)
{
    return server_statements_of(ses->lent->server);
}

static inline struct client_statements *provide_names(struct session *ses)
{
    return client_statements_of(ses->client);
}

static inline struct buf *provide_out(struct session *ses)
{
    return outgoing_buf(&ses->relay->to_server);
}

/* Notes the answer to what is composed (names_expect). */
void provide_expect(struct session *ses, enum expect_kind kind, enum expect_owner owner,
                    uint64_t arg, uint32_t serial);

/* What a Parse that is sent now is parsed under. Within a transaction that is not yet the
 * session's: a SET may still be rolled back, SET LOCAL will be gone. Borrowed until the next
 * answer. */
struct param_set *provide_params(struct session *ses);

/* The server has the statement then. False: the message that uses it has to wait. */
bool provide_statement(struct session *ses, struct statement *st);
/* The same for the client's unnamed statement; if it has none, neither has the server. */
void provide_unnamed(struct session *ses);
/* Composes the Parse of the client's unnamed statement. */
bool provide_compose_unnamed(struct session *ses);

/* Will the server have it for what is sent now, whatever becomes of earlier units? */
bool provide_is_there(struct session *ses, uint64_t id);
/* Composes its Parse; of which the answer is `owner`'s, `serial` as in struct expect. If it is
 * there, or that is not known, it is closed first, which is no error if it is not there. */
void provide_parse(struct session *ses, struct statement *st, enum expect_owner owner,
                   uint32_t serial);

/* Makes the server raise the error for a name that does not exist. */
void provide_undefined(struct session *ses, struct span name);

/* ---- DEALLOCATE ---- */

#define PROVIDE_FOLDED 256

/* The name that `DEALLOCATE name` speaks of, as the protocol calls it; n is 0 if it is too long. */
struct span provide_deallocated(struct span text, char folded[PROVIDE_FOLDED]);
/* What is sent for it. The server keeps its copy for others, so what goes is a statement made for
 * that, whatever state the transaction is in. */
extern const char provide_goner_command[];
void provide_goner(struct session *ses);
/* The client's statement that its unnamed DEALLOCATE is about, or NULL. */
struct statement *provide_unnamed_deallocates(struct session *ses);

#endif
