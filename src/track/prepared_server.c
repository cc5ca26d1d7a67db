/* SPDX-License-Identifier: PostgreSQL */
/* prepared_server.c - which statements one server has, least recently used first. */
#include "track/prepared.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

/* Enters with add or put_back; leaves with remove, clear or evict. Ids are ours and count up, so
 * nobody can make them collide. */
struct server_statement {
    UT_hash_handle hh;
    TAILQ_ENTRY(server_statement) link;
    uint64_t id;
    uint64_t since;  /* the unit from which on an answer to a Parse is about it */
    uint64_t unit;   /* in which its Parse was sent, or in which it was set aside */
    uint32_t serial; /* by what it was set aside */
    bool sure;       /* a Parse of it was answered: the server has it until it is closed */
    bool doubtful;   /* it may be there or not: what was answered or skipped cannot be told */
};

void server_statements_init(struct server_statements *ss, unsigned cap)
{
    *ss = (struct server_statements){.cap = cap};
    TAILQ_INIT(&ss->used);
    TAILQ_INIT(&ss->gone);
}

void server_statements_fini(struct server_statements *ss)
{
    server_statements_clear(ss, UINT64_MAX);
    server_statements_forget(ss);
}

static struct server_statement *find(const struct server_statements *ss, uint64_t id)
{
    struct server_statement *e;
    HASH_FIND(hh, ss->by_id, &id, sizeof id, e);
    return e;
}

static void unhook(struct server_statements *ss, struct server_statement *e)
{
    HASH_DELETE(hh, ss->by_id, e);
    TAILQ_REMOVE(&ss->used, e, link);
    ss->count--;
}

static void make_newest(struct server_statements *ss, struct server_statement *e)
{
    TAILQ_REMOVE(&ss->used, e, link);
    TAILQ_INSERT_TAIL(&ss->used, e, link);
}

bool server_statements_touch(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (e && TAILQ_NEXT(e, link))
        make_newest(ss, e);
    return e != NULL;
}

uint64_t server_statements_unit(const struct server_statements *ss, uint64_t id)
{
    const struct server_statement *e = find(ss, id);
    if (e)
        return e->unit;
    TAILQ_FOREACH(e, &ss->gone, link)
    {
        if (e->id == id)
            return e->unit;
    }
    return 0;
}

/* Makes room: is its Parse in the unit that is being sent? */
static void leaves(struct server_statements *ss, const struct server_statement *e)
{
    if (e->unit == ss->unit)
        ss->evicted_unit = ss->unit;
}

uint64_t server_statements_add(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    assert(id != 0 && ss->cap > 0);
    ss->unit = unit;
    if (server_statements_touch(ss, id))
        return 0;
    struct server_statement *e = NULL;
    uint64_t evicted = 0;
    if (ss->count >= ss->cap) {
        e = TAILQ_FIRST(&ss->used);
        evicted = e->id;
        leaves(ss, e);
        unhook(ss, e);
    } else {
        e = xmalloc(sizeof *e);
    }
    e->id = id;
    /* Then the answer to an earlier Parse cannot be told from the answer to this one. */
    e->since = ss->evicted_unit == unit ? unit + 1 : unit;
    e->unit = unit;
    e->sure = e->doubtful = false;
    HASH_ADD(hh, ss->by_id, id, sizeof e->id, e);
    TAILQ_INSERT_TAIL(&ss->used, e, link);
    ss->count++;
    return evicted;
}

void server_statements_put_back(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (e) { /* given to it again meanwhile */
        e->doubtful = true;
        return;
    }
    e = xcalloc(1, sizeof *e);
    e->id = id;
    e->doubtful = true;
    HASH_ADD(hh, ss->by_id, id, sizeof e->id, e);
    TAILQ_INSERT_HEAD(&ss->used, e, link);
    ss->count++;
}

void server_statements_set_aside(struct server_statements *ss, uint32_t serial, uint64_t unit)
{
    struct server_statement *e;
    while ((e = TAILQ_FIRST(&ss->used))) {
        unhook(ss, e);
        e->unit = unit;
        e->serial = serial;
        TAILQ_INSERT_TAIL(&ss->gone, e, link);
    }
    server_statements_set_unnamed(ss, 0, 0, 0);
}

void server_statements_recall(struct server_statements *ss, uint32_t serial)
{
    struct server_statement *e, *next;
    TAILQ_FOREACH_SAFE(e, &ss->gone, link, next)
    {
        if (e->serial != serial)
            continue;
        server_statements_put_back(ss, e->id);
        TAILQ_REMOVE(&ss->gone, e, link);
        free(e);
    }
}

void server_statements_forget(struct server_statements *ss)
{
    struct server_statement *e;
    while ((e = TAILQ_FIRST(&ss->gone))) {
        TAILQ_REMOVE(&ss->gone, e, link);
        free(e);
    }
}

uint64_t server_statements_evict(struct server_statements *ss)
{
    if (ss->count <= ss->cap)
        return 0;
    struct server_statement *e = TAILQ_FIRST(&ss->used);
    uint64_t id = e->id;
    leaves(ss, e);
    unhook(ss, e);
    free(e);
    return id;
}

bool server_statements_has(const struct server_statements *ss, uint64_t id)
{
    return find(ss, id) != NULL;
}

bool server_statements_is_doubtful(const struct server_statements *ss, uint64_t id)
{
    const struct server_statement *e = find(ss, id);
    return e && e->doubtful;
}

void server_statements_again(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    struct server_statement *e = find(ss, id);
    if (e)
        e->unit = unit;
}

static struct server_statement *find_gone(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e;
    TAILQ_FOREACH(e, &ss->gone, link)
    {
        if (e->id == id)
            return e;
    }
    return NULL;
}

void server_statements_parsed(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    struct server_statement *e = find(ss, id);
    if (!e)
        e = find_gone(ss, id);
    if (!e)
        return;
    /* The one that was parsed may have made room and have been added again. */
    e->doubtful = e->since > unit;
    e->sure = !e->doubtful;
}

void server_statements_skipped(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    struct server_statement *e = find(ss, id);
    struct server_statement *gone = e ? NULL : find_gone(ss, id);
    if (gone && !gone->sure) {
        TAILQ_REMOVE(&ss->gone, gone, link);
        free(gone);
    }
    /* If it is parsed again in a later unit, that one decides. */
    if (!e || e->sure || e->doubtful || e->unit > unit)
        return;
    unhook(ss, e);
    free(e);
}

void server_statements_failed(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    struct server_statement *e = find(ss, id);
    if (!e)
        e = find_gone(ss, id);
    if (e)
        e->sure = e->doubtful = false;
    server_statements_skipped(ss, id, unit);
}

void server_statements_clear(struct server_statements *ss, uint64_t unit)
{
    struct server_statement *e, *next;
    TAILQ_FOREACH_SAFE(e, &ss->used, link, next)
    {
        if (e->unit > unit)
            continue;
        unhook(ss, e);
        free(e);
    }
    server_statements_set_unnamed(ss, 0, 0, 0);
}

void server_statements_set_unnamed(struct server_statements *ss, uint64_t client_id,
                                   uint64_t generation, uint64_t unit)
{
    ss->unnamed_unit = unit;
    ss->unnamed_client = client_id;
    ss->unnamed_generation = generation;
}
