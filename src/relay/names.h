/* SPDX-License-Identifier: PostgreSQL */
/* names.h - names of prepared statements while the messages that change them are on their way.
 *
 * What a client calls "s1" changes when its Parse, Close or DEALLOCATE is sent, for the messages
 * behind it in the same group count on that; it is final when the server has answered. If the
 * server refuses or skips the message, the change is taken back.
 *
 * What is sent in a later unit (a Query, or a group up to its Sync) while such a change is not
 * answered could find the name as it was or as it will be; where that would matter, the message
 * waits for the answer. */
#ifndef RELAY_NAMES_H
#define RELAY_NAMES_H

#include "base/buf.h"
#include "base/span.h"
#include "relay/relay_impl.h"
#include "relay/reset.h"

#include <stdbool.h>
#include <stdint.h>

/* `arg` of an entry of the client's that changes its unnamed statement: PARSE, CLOSE, QUERY. */
#define NAMES_UNNAMED UINT64_MAX
/* PARSE of a name that is none of ours: whatever becomes of it changes nothing that we know. */
#define NAMES_RAW (UINT64_MAX - 1)
/* PARSE, BIND, DESCRIBE, CLOSE that cannot be read: the server will refuse it. */
#define NAMES_UNREADABLE (UINT64_MAX - 2)
/* Is it a Parse or Close of a statement that servers know by a name of ours? */
static inline bool names_is_of_statement(const struct expect *e)
{
    return (e->kind == EXPECT_PARSE || e->kind == EXPECT_CLOSE) && e->arg &&
           e->arg < NAMES_UNREADABLE;
}

/* The session is linked; units are counted from here on, to its end. */
void names_begin(struct session *ses, struct lent *l);
void names_end(struct session *ses, struct lent *l);

/* A Query, FunctionCall or Sync of the client was handed on; and was answered, or skipped. */
void names_unit_sent(struct lent *l);
/* Private. */
void names_settle_unit(struct lent *l);
static inline void names_unit_over(struct lent *l)
{
    if (l->session && client_statements_exist(client_statements_of(l->session->client)))
        names_settle_unit(l);
    if (l->first_unit < l->unit)
        l->first_unit++;
}
/* Nothing is owed any more. */
void names_at_rest(struct lent *l);

/* Was the change of that unit sent in an earlier unit, and is not answered? */
bool names_is_uncertain(const struct lent *l, uint64_t unit);
/* A statement that may change settings is being sent. */
void names_note_sets(struct lent *l, struct span text, enum reset_text kind);
/* Is a statement on its way that may change what a Parse behind it depends on? */
bool names_state_is_uncertain(const struct lent *l);

/* A message is being sent that changes the client's unnamed statement. */
void names_unnamed_changes(struct session *ses);

/* The message was answered; was answered by an error; was skipped behind one. */
void names_answered(struct lent *l, const struct expect *e);
void names_failed(struct lent *l, const struct expect *e, struct span sqlstate);
void names_skipped(struct lent *l, const struct expect *e);

/* Private: by value, so that an entry need not be in memory before it is in the queue. */
void names_skipped_at_once(struct lent *l, struct expect e);

/* Notes the answer that is owed to a message that is being sent, as expect_push_entry does; what
 * the server is going to skip, is skipped at once (then false). */
static inline bool names_expect(struct lent *l, struct expect e)
{
    if (expect_push_entry(server_expects(l->server), e))
        return true;
    names_skipped_at_once(l, e);
    return false;
}

/* The server is lost: what it has not answered has not been defined. */
void names_lost(struct session *ses, struct lent *l);

/* An error about a statement speaks of it by its name on the server: appends it with the client's
 * name for it, or false. */
bool names_reword(struct lent *l, const struct expect *e, struct span message, struct buf *out);

#endif
