/* SPDX-License-Identifier: PostgreSQL */
/* prepared_server.c - which statements one server has, least recently used first. */
#include "track/prepared.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

/* Enters with add; leaves when the server does not have it and nothing about it is on its way. Ids
 * are ours and count up: each is its own hash, and nobody can make them collide. */
struct server_statement {
    UT_hash_handle hh;
    TAILQ_ENTRY(server_statement) link; /* in `used` if `will` */
    uint64_t id;
    uint64_t unit;    /* of the last change that is on its way; 0: none is */
    uint32_t changes; /* on their way, without those of all */
    uint32_t serial;  /* of the definition whose Parse is all that was ever sent of it; 0: more */
    bool there;       /* by what was answered */
    bool will;        /* be there, when all was answered */
};

void server_statements_init(struct server_statements *ss, unsigned cap)
{
    *ss = (struct server_statements){.cap = cap};
    TAILQ_INIT(&ss->used);
}

static struct server_statement *find(const struct server_statements *ss, uint64_t id)
{
    struct server_statement *e;
    HASH_FIND_BYHASHVALUE(hh, ss->by_id, &id, sizeof id, (unsigned)id, e);
    return e;
}

static struct server_statement *enter(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = xcalloc(1, sizeof *e);
    e->id = id;
    HASH_ADD_BYHASHVALUE(hh, ss->by_id, id, sizeof e->id, (unsigned)id, e);
    return e;
}

/* What is put back, because its Close was skipped, is the first to go again. */
static void set_will(struct server_statements *ss, struct server_statement *e, bool will, bool back)
{
    if (e->will)
        TAILQ_REMOVE(&ss->used, e, link);
    if (will && back)
        TAILQ_INSERT_HEAD(&ss->used, e, link);
    else if (will)
        TAILQ_INSERT_TAIL(&ss->used, e, link);
    ss->count += (unsigned)will - (unsigned)e->will;
    e->will = will;
}

/* If nothing about it is on its way, there will be what is there. */
static void settle(struct server_statements *ss, struct server_statement *e)
{
    if (e->changes || ss->n_drops)
        return;
    if (e->will != e->there)
        set_will(ss, e, e->there, true);
    e->unit = 0;
    if (e->there)
        return;
    HASH_DELETE(hh, ss->by_id, e);
    free(e);
}

static void settle_all(struct server_statements *ss)
{
    struct server_statement *e, *next;
    HASH_ITER(hh, ss->by_id, e, next)
    {
        settle(ss, e);
    }
}

void server_statements_settle(struct server_statements *ss)
{
    if (!ss->n_drops)
        return;
    ss->n_drops = 0;
    settle_all(ss);
}

void server_statements_fini(struct server_statements *ss)
{
    struct server_statement *e, *next;
    HASH_ITER(hh, ss->by_id, e, next)
    {
        HASH_DELETE(hh, ss->by_id, e);
        free(e);
    }
}

/* ---- looking --------------------------------------------------------------------------- */

bool server_statements_touch(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (!e || !e->will)
        return false;
    if (TAILQ_NEXT(e, link))
        set_will(ss, e, true, false);
    return true;
}

bool server_statements_has(const struct server_statements *ss, uint64_t id)
{
    const struct server_statement *e = find(ss, id);
    return e && e->there;
}

bool server_statements_knows(const struct server_statements *ss, uint64_t id)
{
    return find(ss, id) != NULL;
}

uint64_t server_statements_unit(const struct server_statements *ss, uint64_t id)
{
    const struct server_statement *e = find(ss, id);
    return e ? e->unit : 0;
}

uint64_t server_statements_excess(const struct server_statements *ss)
{
    return ss->count > ss->cap ? TAILQ_FIRST(&ss->used)->id : 0;
}

bool server_statements_is_of(const struct server_statements *ss, uint64_t id, uint32_t serial)
{
    const struct server_statement *e = find(ss, id);
    return e && serial && e->serial == serial;
}

/* ---- sending --------------------------------------------------------------------------- */

static void change(struct server_statements *ss, struct server_statement *e, bool will,
                   uint64_t unit)
{
    e->serial = 0;
    e->changes++;
    e->unit = unit;
    set_will(ss, e, will, false);
}

void server_statements_add(struct server_statements *ss, uint64_t id, uint64_t unit,
                           uint32_t serial)
{
    assert(id != 0 && ss->cap > 0);
    struct server_statement *e = find(ss, id);
    bool first = !e;
    if (!e)
        e = enter(ss, id);
    change(ss, e, true, unit);
    e->serial = first ? serial : 0;
}

void server_statements_remove(struct server_statements *ss, uint64_t id, uint64_t unit)
{
    struct server_statement *e = find(ss, id);
    assert(e);
    change(ss, e, false, unit);
}

void server_statements_drop_all(struct server_statements *ss, uint64_t unit)
{
    struct server_statement *e, *next;
    HASH_ITER(hh, ss->by_id, e, next)
    {
        e->serial = 0;
        e->unit = unit;
        set_will(ss, e, false, false);
    }
    ss->n_drops++;
    server_statements_set_unnamed(ss, 0, 0, 0);
}

/* ---- answers --------------------------------------------------------------------------- */

static void answered(struct server_statements *ss, struct server_statement *e)
{
    assert(e->changes);
    e->changes--;
    settle(ss, e);
}

void server_statements_parsed(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (!e)
        return;
    e->there = true;
    answered(ss, e);
}

void server_statements_closed(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (!e)
        return;
    e->there = false;
    answered(ss, e);
}

void server_statements_undone(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (e)
        answered(ss, e);
}

void server_statements_dropped(struct server_statements *ss, bool noted)
{
    struct server_statement *e, *next;
    if (noted && ss->n_drops)
        ss->n_drops--;
    HASH_ITER(hh, ss->by_id, e, next)
    {
        e->there = false;
        settle(ss, e);
    }
    if (!noted)
        server_statements_set_unnamed(ss, 0, 0, 0);
}

void server_statements_drop_undone(struct server_statements *ss)
{
    if (ss->n_drops)
        ss->n_drops--;
    settle_all(ss);
}

void server_statements_set_unnamed(struct server_statements *ss, uint64_t client_id,
                                   uint64_t generation, uint64_t unit)
{
    ss->unnamed_unit = unit;
    ss->unnamed_client = client_id;
    ss->unnamed_generation = generation;
}
