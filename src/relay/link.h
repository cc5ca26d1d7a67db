/* SPDX-License-Identifier: PostgreSQL */
/* link.h - pair a client and a server: the difference of their session states goes first, in the
 * same write as the client's own bytes.
 *
 *   fenced  one Query of ours with all SETs in front. A failed SET would not stop the client's
 *           statement behind it, so only values that this generation of servers has accepted
 *           before, of names that can change neither rights nor name resolution.
 *   gated   Parse, Bind, Execute of each SET without a Sync, in the client's own first group. A
 *           failure makes the server skip the client's messages. The values belong to the client's
 *           (implicit) transaction and are rolled back with it: link_settle models that.
 *           A statement that the client binds behind the gate, and that PostgreSQL refuses inside a
 *           pipeline, gets a Sync of ours in front, if it is the first.
 *   waited  a first statement that PostgreSQL refuses inside a pipeline (VACUUM, CREATE DATABASE):
 *           our Query goes alone and the client is on hold for one round trip. */
#ifndef RELAY_LINK_H
#define RELAY_LINK_H

#include "base/span.h"
#include "track/expect.h"

#include <stdbool.h>

struct lent;
struct param_set;
struct request;
struct session;

enum link_result {
    LINK_GO,   /* the client's message may follow */
    LINK_HOLD, /* keep it: client_continue comes */
};

/* Both are idle. Composes what must go ahead of the client's first message. */
enum link_result link_begin(struct session *ses, struct lent *l, const struct request *first);
/* The same for a client with a server of its own, which has not said anything yet. */
void link_own(struct session *ses, struct lent *l);
/* They stay linked, and the session wants values that the server has lost (a RESET went back to its
 * own): before a unit of the client. */
enum link_result link_refresh(struct session *ses);
/* Behind a gate behind which the client has bound and run nothing. */
enum link_result link_behind_gate(struct session *ses, const struct request *r);
/* The transaction is over: the client is idle again, the server goes back to its pool. */
void link_end(struct session *ses);

/* Composes SETs from `have` to `want` into the client's group, wherever that stands (EXPECT_OURS);
 * or into one of ours in front of it (EXPECT_FENCE), which link_wait then ends and sends: the
 * client's message is to be kept. If it fails, the client's next statement gets the error. */
void link_set_ahead(struct session *ses, struct param_set *want, struct param_set *have,
                    enum expect_owner owner);
void link_wait(struct session *ses);

/* Events from respond.c. */
void link_gate_passed(struct lent *l);
/* The client has committed: whatever fails later, the gated values stay. */
void link_committed(struct lent *l);
void link_note_report(struct lent *l, struct span name, struct span value);
void link_settle(struct lent *l); /* ReadyForQuery with status idle */
void link_fence_over(struct lent *l);
/* ReadyForQuery came: what the server reports, it has as it was reported last. (A client that sets
 * a gated value back to the one before gets no report at all.) A gate whose values are committed is
 * closed. */
void link_trust_reports(struct lent *l);
/* A transaction that began with a gate has failed: what holds for the client. Where the server has
 * gone back to what it had for somebody else, that is the client's own value. Counted. */
struct param_set *link_view_behind_gate(struct lent *l);
/* The client is gone. What was sent ahead for it has yet to pass or to be refused. */
void link_abandon(struct lent *l);
/* Forgets whatever was pending (the server is closing, or has been cleaned). */
void link_forget(struct lent *l);

#endif
