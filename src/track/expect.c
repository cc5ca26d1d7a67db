/* SPDX-License-Identifier: PostgreSQL */
/* expect.c - the answers that a server still owes, in order. */
#include "track/expect.h"

#include "base/mem.h"
#include "proto/message.h"

#include <stdlib.h>

void expect_init(struct expect_queue *q)
{
    q->ring = q->first;
    q->cap = EXPECT_INLINE;
    q->head = q->count = 0;
    q->begun = q->copy_in = false;
    q->rare = 0;
}

static void free_ring(struct expect_queue *q)
{
    if (q->ring != q->first)
        free(q->ring);
}

void expect_fini(struct expect_queue *q)
{
    free_ring(q);
    expect_init(q);
}

static void grow(struct expect_queue *q)
{
    struct expect *ring = xmalloc((size_t)q->cap * 2 * sizeof *ring);
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = *expect_at(q, i);
    free_ring(q);
    q->ring = ring;
    q->cap *= 2;
    q->head = 0;
}

/* An idle server owns no ring. */
void expect_shrink(struct expect_queue *q)
{
    free_ring(q);
    q->ring = q->first;
    q->cap = EXPECT_INLINE;
    q->head = 0;
}

bool expect_make_room(struct expect_queue *q, enum expect_kind kind)
{
    if (q->skipping) {
        if (kind != EXPECT_SYNC) {
            q->stays_unsure |= q->unsure && kind != EXPECT_COPY_END;
            return false;
        }
        q->skipping = false;
    }
    if (q->count == q->cap)
        grow(q);
    return true;
}

static inline void drop_marks(struct expect_queue *q)
{
    while (q->count && expect_at(q, 0)->kind == EXPECT_COPY_END)
        expect_pop(q);
}

bool expect_take_inject(struct expect_queue *q, struct expect *out)
{
    drop_marks(q);
    if (q->count == 0)
        return false;
    const struct expect *front = expect_at(q, 0);
    if (front->kind != EXPECT_INJECT_PARSE && front->kind != EXPECT_INJECT_CLOSE)
        return false;
    *out = *front;
    expect_pop(q);
    return true;
}

/* Ends a COPY FROM STDIN: removes the Syncs that were sent ahead of the CopyDone or CopyFail that
 * ended it, if one was sent, and that mark itself (the same Query may hold another COPY). Returns
 * the number of Syncs. */
static uint32_t copy_ends(struct expect_queue *q)
{
    uint32_t kept = 1, removed = 0;
    bool in_copy = true;
    q->copy_in = false;
    for (uint32_t i = 1; i < q->count; i++) {
        struct expect e = *expect_at(q, i);
        if (in_copy && e.kind == EXPECT_SYNC) {
            removed++;
            continue;
        }
        if (in_copy && e.kind == EXPECT_COPY_END) {
            in_copy = false;
            continue;
        }
        *expect_at(q, kept++) = e;
    }
    q->count = kept;
    return removed;
}

static enum expect_verdict verdict_of(const struct expect *e)
{
    return e->owner == EXPECT_CLIENT ? EXPECT_FORWARD : EXPECT_SWALLOW;
}

static bool ends_with_ready(const struct expect *e)
{
    return e->kind == EXPECT_QUERY || e->kind == EXPECT_FUNCTION_CALL || e->kind == EXPECT_SYNC;
}

static struct expect_result answered(struct expect_queue *q, bool popped)
{
    struct expect_result r = {.popped = popped, .entry = *expect_at(q, 0)};
    r.verdict = verdict_of(&r.entry);
    if (popped)
        expect_pop(q);
    else
        q->begun = true;
    return r;
}

/* An answer has come that only an entry younger than the failed COPY can have brought. */
static void make_sure(struct expect_queue *q)
{
    if (!q->stays_unsure)
        q->unsure = 0;
}

static struct expect_result answered_surely(struct expect_queue *q, bool popped)
{
    make_sure(q);
    return answered(q, popped);
}

static struct expect_result copy_begins(struct expect_queue *q, bool in)
{
    q->copying = true;
    q->copy_in = in;
    return answered_surely(q, false);
}

/* A success means that the server has read everything up to CopyDone, Syncs included. */
static struct expect_result command_complete(struct expect_queue *q)
{
    uint32_t swallowed = q->copy_in ? copy_ends(q) : 0;
    q->swallowed_sync = swallowed && !expect_has_sync(q);
    q->copying = false;
    return answered_surely(q, expect_at(q, 0)->kind == EXPECT_EXECUTE);
}

static struct expect_result error_answer(struct expect_queue *q)
{
    struct expect_result r = {.entry = *expect_at(q, 0)};
    r.verdict = verdict_of(&r.entry);
    if (r.entry.kind != EXPECT_SYNC)
        make_sure(q);
    if (q->copy_in)
        q->unsure += copy_ends(q);
    q->copying = false;
    q->begun = true;
    if (!ends_with_ready(&r.entry)) {
        r.error_in_group = true;
        r.popped = true;
        expect_pop(q);
        q->skipping = true;
    }
    return r;
}

/* ReadyForQuery comes alone for a Sync only: one that belongs to nothing in the queue is told from
 * the end of a Query by the Query's not having been answered yet. */
static struct expect_result ready_answer(struct expect_queue *q)
{
    const struct expect *front = q->count ? expect_at(q, 0) : NULL;
    if (front && ends_with_ready(front) && (front->kind == EXPECT_SYNC || q->begun))
        return answered(q, true);
    if (q->unsure == 0)
        return (struct expect_result){.verdict = EXPECT_VIOLATION};
    if (!q->stays_unsure)
        q->unsure--;
    q->skipping = false;
    return (struct expect_result){
        .verdict = EXPECT_FORWARD,
        .popped = true,
        .entry = {.kind = EXPECT_SYNC, .owner = EXPECT_CLIENT},
    };
}

/* Can a message be a part of the answer to an entry, and is it the last part? */
enum part { PART_NONE, PART_MORE, PART_LAST };

/* Bits of kinds. */
enum {
    QUERY = 1 << EXPECT_QUERY,
    PARSE = 1 << EXPECT_PARSE,
    BIND = 1 << EXPECT_BIND,
    DESCRIBE = 1 << EXPECT_DESCRIBE,
    EXECUTE = 1 << EXPECT_EXECUTE,
    CLOSE = 1 << EXPECT_CLOSE,
};

const struct expect_part expect_parts[256] = {
    [BE_DATA_ROW] = {.more = QUERY | EXECUTE},
    [BE_COPY_DATA] = {.more = QUERY | EXECUTE},
    [BE_COPY_DONE] = {.more = QUERY | EXECUTE},
    [BE_COMMAND_COMPLETE] = {.more = QUERY, .last = EXECUTE},
    [BE_EMPTY_QUERY] = {.more = QUERY, .last = EXECUTE},
    [BE_ROW_DESCRIPTION] = {.more = QUERY | EXECUTE, .last = DESCRIBE},
    [BE_PORTAL_SUSPENDED] = {.last = EXECUTE},
    [BE_PARSE_COMPLETE] = {.last = PARSE},
    [BE_BIND_COMPLETE] = {.last = BIND},
    [BE_CLOSE_COMPLETE] = {.last = CLOSE},
    [BE_NO_DATA] = {.last = DESCRIBE},
};

static enum part part_of(uint8_t backend_type, enum expect_kind kind, bool begun)
{
    if (backend_type == BE_PARAMETER_DESCRIPTION)
        return kind == EXPECT_DESCRIBE && !begun ? PART_MORE : PART_NONE;
    if (backend_type == BE_FUNCTION_RESULT)
        return kind == EXPECT_FUNCTION_CALL && !begun ? PART_MORE : PART_NONE;
    const struct expect_part *part = &expect_parts[backend_type];
    if (part->last >> kind & 1)
        return PART_LAST;
    return part->more >> kind & 1 ? PART_MORE : PART_NONE;
}

struct expect_result expect_answer(struct expect_queue *q, uint8_t backend_type)
{
    static const struct expect_result violation = {.verdict = EXPECT_VIOLATION};
    drop_marks(q);
    if (backend_type == BE_READY_FOR_QUERY)
        return ready_answer(q);
    if (q->count == 0)
        return violation;
    enum expect_kind kind = expect_at(q, 0)->kind;
    bool runs = kind == EXPECT_QUERY || kind == EXPECT_EXECUTE;
    enum part part;
    switch (backend_type) {
    case BE_ERROR:
        return error_answer(q);
    case BE_COPY_IN:
    case BE_COPY_OUT:
    case BE_COPY_BOTH:
        return runs && !q->copying ? copy_begins(q, backend_type == BE_COPY_IN) : violation;
    case BE_COMMAND_COMPLETE:
        return runs ? command_complete(q) : violation;
    default:
        part = part_of(backend_type, kind, q->begun);
        return part == PART_NONE ? violation : answered_surely(q, part == PART_LAST);
    }
}

bool expect_drop_group(struct expect_queue *q, struct expect *out)
{
    drop_marks(q);
    if (q->count == 0)
        return false;
    const struct expect *front = expect_at(q, 0);
    if (front->kind == EXPECT_SYNC) {
        q->skipping = false;
        return false;
    }
    q->stays_unsure |= q->unsure > 0;
    *out = *front;
    expect_pop(q);
    return true;
}

static bool has(const struct expect_queue *q, enum expect_kind kind)
{
    struct expect_queue *unconst = (struct expect_queue *)q;
    for (uint32_t i = 0; i < q->count; i++) {
        if (expect_at(unconst, i)->kind == kind)
            return true;
    }
    return false;
}

bool expect_has_sync(const struct expect_queue *q)
{
    return has(q, EXPECT_SYNC);
}

bool expect_is_in_copy(const struct expect_queue *q)
{
    return q->copy_in && !has(q, EXPECT_COPY_END);
}
