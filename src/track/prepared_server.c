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
};

void server_statements_init(struct server_statements *ss, unsigned cap)
{
    *ss = (struct server_statements){.cap = cap};
    TAILQ_INIT(&ss->used);
}

void server_statements_fini(struct server_statements *ss)
{
    server_statements_clear(ss);
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

uint64_t server_statements_add(struct server_statements *ss, uint64_t id)
{
    assert(id != 0 && ss->cap > 0);
    if (server_statements_touch(ss, id))
        return 0;
    struct server_statement *e = NULL;
    uint64_t evicted = 0;
    if (ss->count >= ss->cap) {
        e = TAILQ_FIRST(&ss->used);
        evicted = e->id;
        unhook(ss, e);
    } else {
        e = xmalloc(sizeof *e);
    }
    e->id = id;
    HASH_ADD(hh, ss->by_id, id, sizeof e->id, e);
    TAILQ_INSERT_TAIL(&ss->used, e, link);
    ss->count++;
    return evicted;
}

void server_statements_put_back(struct server_statements *ss, uint64_t id)
{
    if (find(ss, id))
        return;
    struct server_statement *e = xmalloc(sizeof *e);
    e->id = id;
    HASH_ADD(hh, ss->by_id, id, sizeof e->id, e);
    TAILQ_INSERT_HEAD(&ss->used, e, link);
    ss->count++;
}

uint64_t server_statements_evict(struct server_statements *ss)
{
    if (ss->count <= ss->cap)
        return 0;
    struct server_statement *e = TAILQ_FIRST(&ss->used);
    uint64_t id = e->id;
    unhook(ss, e);
    free(e);
    return id;
}

void server_statements_remove(struct server_statements *ss, uint64_t id)
{
    struct server_statement *e = find(ss, id);
    if (!e)
        return;
    unhook(ss, e);
    free(e);
}

void server_statements_clear(struct server_statements *ss)
{
    struct server_statement *e, *next;
    /* Frees the table itself, then the entries through their list. */
    HASH_CLEAR(hh, ss->by_id);
    TAILQ_FOREACH_SAFE(e, &ss->used, link, next)
    {
        free(e);
    }
    TAILQ_INIT(&ss->used);
    ss->count = 0;
    server_statements_set_unnamed(ss, 0, 0);
}

void server_statements_set_unnamed(struct server_statements *ss, uint64_t client_id,
                                   uint64_t generation)
{
    ss->unnamed_client = client_id;
    ss->unnamed_generation = generation;
}
