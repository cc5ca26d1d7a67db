/* SPDX-License-Identifier: PostgreSQL */
/* expect.h - the answers that a server still owes, in order.
 *
 * Every message that PostgreSQL will answer adds an entry when it is handed to send(); every answer
 * is held against the front entry, which says whose answer it is: the client's (forward it) or
 * ours (swallow it). That is how a SET, a re-prepared statement or a rollback of ours can travel in
 * the same write as the client's own bytes without its answer ever reaching the client. There is
 * no counter of "answers to swallow": an error makes PostgreSQL skip messages, and a counter would
 * then swallow somebody else's answer.
 *
 * Rules of the protocol that this file models (PostgreSQL manual, chapter "Message Flow"):
 *   - an error in an extended-query message makes the server discard everything, simple Query and
 *     FunctionCall included, up to and including the next Sync, which answers ReadyForQuery;
 *   - an error in a simple Query or FunctionCall is followed by that message's ReadyForQuery;
 *   - while a COPY FROM STDIN runs, Sync is ignored, and CopyDone/CopyFail end it; but it runs from
 *     where the server reads its first CopyData, not from CopyInResponse: an error in between
 *     (`COPY view FROM STDIN`, a statement trigger) leaves a Sync that was sent before to be
 *     answered. From outside the two cases look alike, see expect_is_unsure;
 *   - CopyData, CopyDone, CopyFail outside of a COPY are ignored;
 *   - notices, notifications and parameter reports may come at any time and answer nothing.
 *
 * Some entries are not answers of the server at all: a statement that the server already has is
 * not parsed again, its ParseComplete is ours to give, in its turn (EXPECT_INJECT_...).
 *
 * One queue belongs to one server and is touched by its owner thread only. Memory: none while the
 * queue never exceeded a handful of entries; the relay stops reading a client whose pipeline is
 * longer than EXPECT_MAX. */
#ifndef TRACK_EXPECT_H
#define TRACK_EXPECT_H

#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Above this many entries the client is not read until answers have come: 64 Ki entries are 1 MiB.
 */
#define EXPECT_MAX 65536

enum expect_kind {
    EXPECT_QUERY,         /* until ReadyForQuery */
    EXPECT_FUNCTION_CALL, /* until ReadyForQuery */
    EXPECT_PARSE,         /* ParseComplete */
    EXPECT_BIND,          /* BindComplete */
    EXPECT_DESCRIBE,      /* [ParameterDescription] RowDescription or NoData */
    EXPECT_EXECUTE,       /* ... CommandComplete, EmptyQueryResponse, PortalSuspended */
    EXPECT_CLOSE,         /* CloseComplete */
    EXPECT_SYNC,          /* ReadyForQuery */
    EXPECT_COPY_END,      /* no answer: marks where CopyDone or CopyFail stands */
    EXPECT_INJECT_PARSE,  /* we give ParseComplete when its turn comes */
    EXPECT_INJECT_CLOSE,  /* we give CloseComplete when its turn comes */
};

enum expect_owner {
    EXPECT_CLIENT, /* forward */
    EXPECT_OURS,   /* swallow: a re-prepared statement, an evicted one, a rollback, a check */
    EXPECT_GATE,   /* swallow: a SET that must succeed before the client's messages may run */
    EXPECT_FENCE,  /* swallow: a SET in a Query of its own, in front of the client's messages */
};

struct expect {
    uint8_t kind;  /* enum expect_kind */
    uint8_t owner; /* enum expect_owner */
    /* Of a client's: what changes a name of its statements (see client_statements_undo), and what
     * is about one (BIND, DESCRIBE: the serial of its definition). */
    uint32_t serial;
    /* PARSE of a named statement and CLOSE of an evicted one: id of the statement, else 0; with the
     * marks of relay/names.h. EXECUTE owned by the gate: 1 for the last command of the gate. */
    uint64_t arg;
};

#define EXPECT_INLINE 16

struct expect_queue {
    struct expect *ring; /* `first`, or owned */
    uint32_t cap;        /* power of two */
    uint32_t head;
    uint32_t count;
    bool begun;   /* the front entry has had a part of its answer */
    bool copy_in; /* ... is in COPY FROM STDIN */
    /* Hardly ever is any of these set, so what is common looks at `rare`: at all of them at once.
     */
    union {
        uint64_t rare;
        struct {
            uint32_t unsure;   /* Syncs that a failed COPY may or may not have read */
            bool stays_unsure; /* ... and what was skipped behind one may have been run after all */
            bool skipping;     /* an extended-query error came, its Sync has not been sent yet */
            bool copying;      /* the front entry is in a COPY of any direction */
            bool swallowed_sync; /* the COPY answered last has ignored Syncs: one is to come yet */
        };
    };
    struct expect first[EXPECT_INLINE];
};

_Static_assert(offsetof(struct expect_queue, swallowed_sync) -
                       offsetof(struct expect_queue, rare) ==
                   sizeof(uint64_t) - 1,
               "expect_queue.rare covers the last of its flags");

/* What becomes of a message from the server. */
enum expect_verdict {
    EXPECT_FORWARD,
    EXPECT_SWALLOW,
    EXPECT_VIOLATION, /* nothing asked for this: the connection is out of step */
};

struct expect_result {
    enum expect_verdict verdict;
    bool popped;         /* `entry` was answered and left the queue */
    struct expect entry; /* the entry that this message answers (valid unless async/violation) */
    bool error_in_group; /* an ErrorResponse that makes the server skip to the next Sync: call
                            expect_drop_group next */
};

void expect_init(struct expect_queue *q);
void expect_fini(struct expect_queue *q);

static inline bool expect_is_empty(const struct expect_queue *q)
{
    return q->count == 0;
}

static inline struct expect *expect_at(struct expect_queue *q, uint32_t i)
{
    return &q->ring[(q->head + i) & (q->cap - 1)];
}

/* Which entries a message can be a part of the answer to, and the last part: bits 1 << kind. Not
 * here: what may come but once, and what more hangs on. */
struct expect_part {
    uint16_t more, last;
};
extern const struct expect_part expect_parts[256]; /* by the message's letter */

/* The common case, without a call: if the front entry is the client's and nothing makes it special,
 * the bit of its kind. A message that expect_parts has for it is to be forwarded; then, if it is
 * the last part, expect_take_answered, else expect_begin. 0, or another message: ask expect_answer.
 */
static inline unsigned expect_plain_front(struct expect_queue *q)
{
    if (q->count == 0 || q->rare)
        return 0;
    const struct expect *front = expect_at(q, 0);
    return front->owner == EXPECT_CLIENT ? 1U << front->kind : 0;
}

static inline void expect_begin(struct expect_queue *q)
{
    q->begun = true;
}

/* Private: a long pipeline is over. */
void expect_shrink(struct expect_queue *q);

static inline void expect_pop(struct expect_queue *q)
{
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    q->begun = false;
    if (q->count == 0 && q->ring != q->first)
        expect_shrink(q);
}

static inline void expect_take_answered(struct expect_queue *q, struct expect *out)
{
    *out = *expect_at(q, 0);
    expect_pop(q);
}

/* As common: a ReadyForQuery that ends a Query with an answer, or a Sync. True: *out has left the
 * queue. False: ask expect_answer. */
static inline bool expect_take_ready(struct expect_queue *q, struct expect *out)
{
    if (q->count == 0)
        return false;
    const struct expect *front = expect_at(q, 0);
    if (front->kind != EXPECT_SYNC && !(front->kind == EXPECT_QUERY && q->begun))
        return false;
    *out = *front;
    expect_pop(q);
    return true;
}

/* Is an entry at the front that expect_take_inject would take or clear away? */
static inline bool expect_inject_is_due(struct expect_queue *q)
{
    return q->count && expect_at(q, 0)->kind >= EXPECT_COPY_END;
}

/* Private: where entries are skipped, or the ring may be full. False if one of that kind is not to
 * be recorded. */
bool expect_make_room(struct expect_queue *q, enum expect_kind kind);

/* Called as the message is handed to the server. Returns false if the server will skip it (an error
 * has come and no Sync was sent since): nothing is then recorded; a Sync ends the skipping. */
static inline bool expect_push_entry(struct expect_queue *q, struct expect e)
{
    if ((q->rare || q->count == q->cap) && !expect_make_room(q, (enum expect_kind)e.kind))
        return false;
    *expect_at(q, q->count++) = e;
    return true;
}

static inline bool expect_push(struct expect_queue *q, enum expect_kind kind,
                               enum expect_owner owner, uint64_t arg)
{
    return expect_push_entry(
        q, (struct expect){.kind = (uint8_t)kind, .owner = (uint8_t)owner, .arg = arg});
}

/* Takes an INJECT entry from the front, if one is there: its turn has come. Call after every push
 * and every answer until it returns false. COPY_END marks at the front vanish on the way. */
bool expect_take_inject(struct expect_queue *q, struct expect *out);

/* Holds one backend message type against the queue. Async messages (notice, notification,
 * parameter status) are not for this function. */
struct expect_result expect_answer(struct expect_queue *q, uint8_t backend_type);

/* After error_in_group: removes the next entry that the server skips and returns it in *out; false
 * when the Sync that ends the skipping stands at the front (or has not been sent yet). The caller
 * undoes what it noted for each, e.g. that the server has a statement. */
bool expect_drop_group(struct expect_queue *q, struct expect *out);

/* True after a COPY FROM STDIN failed that had a Sync sent ahead of its CopyDone, until it is known
 * whether that Sync was read as a part of the COPY: a ReadyForQuery more than the queue shows may
 * come, and is forwarded. Such a server must be closed, not lent to another client. */
static inline bool expect_is_unsure(const struct expect_queue *q)
{
    return q->unsure > 0;
}

/* Does the server read what is sent now as a part of a COPY FROM STDIN? (If that has not failed by
 * then.) */
bool expect_is_in_copy(const struct expect_queue *q);

/* True if a Sync is in the queue. */
bool expect_has_sync(const struct expect_queue *q);

#endif
