/* SPDX-License-Identifier: PostgreSQL */
/* prepared_client.c - the names that one client gave to statements.
 *
 * A name that is taken away while its message can still be skipped waits in `gone`, with the serial
 * number of what took it; whatever then happens, it comes back or goes for good. */
#include "track/prepared_impl.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "track/parameters.h"

#include <stdlib.h>

/* NAMEDATALEN - 1: what PostgreSQL keeps of a name. */
#define NAME_BYTES 63

/* So many names that have just gone are looked through one by one. */
#define GONE_SEARCHED 64

void client_statements_init(struct client_statements *cs)
{
    cs->names = NULL;
}

struct client_names *client_names_of(struct client_statements *cs)
{
    if (!cs->names) {
        cs->names = xcalloc(1, sizeof *cs->names);
        cs->names->seed = rand_u64();
        TAILQ_INIT(&cs->names->gone);
        TAILQ_INIT(&cs->names->unnamed);
    }
    return cs->names;
}

static struct span cut(struct span name)
{
    return span_of(name.p, name.n > NAME_BYTES ? NAME_BYTES : name.n);
}

static unsigned hash_name(const struct client_names *names, struct span name)
{
    return (unsigned)hash_bytes(name.p, name.n, names->seed);
}

static struct span name_of(const struct client_name *e)
{
    return span_of(e->name, e->n);
}

static struct client_name *find_name(const struct client_names *names, struct span name)
{
    struct client_name *found;
    HASH_FIND_BYHASHVALUE(hh, names->by_name, name.p, name.n, hash_name(names, name), found);
    return found;
}

static size_t bytes_of(const struct client_name *entry)
{
    return sizeof *entry + entry->n + statement_bytes(entry->statement);
}

static bool is_private(const struct client_name *e)
{
    return statement_params(e->statement) == NULL;
}

/* ---- an entry is in the table, or has gone --------------------------------------------- */

static void enter(struct client_names *names, struct client_name *e)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, names->by_name, e->name, e->n, hash_name(names, name_of(e)), e);
    names->n_private += is_private(e);
}

static void leave(struct client_names *names, struct client_name *e)
{
    HASH_DELETE(hh, names->by_name, e);
    names->n_private -= is_private(e);
}

static void free_name(struct client_names *names, struct client_name *e)
{
    names->bytes -= bytes_of(e);
    statement_unref(&e->statement);
    free(e);
}

static void go(struct client_names *names, struct client_name *e, uint32_t taken_by, uint64_t unit)
{
    leave(names, e);
    e->taken_by = taken_by;
    e->stays_gone = !taken_by;
    e->unit = unit;
    TAILQ_INSERT_TAIL(&names->gone, e, link);
    names->n_gone++;
}

static void come_back(struct client_names *names, struct client_name *e)
{
    /* Whoever has the name now was sent behind what failed, and is skipped with it. */
    struct client_name *younger = find_name(names, name_of(e));
    if (younger)
        go(names, younger, 0, 0);
    TAILQ_REMOVE(&names->gone, e, link);
    names->n_gone--;
    e->unit = 0;
    enter(names, e);
}

static uint32_t next_serial(struct client_names *names)
{
    if (++names->last_serial == 0)
        names->last_serial = 1;
    return names->last_serial;
}

/* ---- looking --------------------------------------------------------------------------- */

/* The unit of what took that name away; 0: nothing did. */
static uint64_t unit_of_removal(const struct client_names *names, struct span name)
{
    const struct client_name *e;
    bool too_many = names->n_gone > GONE_SEARCHED;
    TAILQ_FOREACH_REVERSE(e, &names->gone, client_name_list, link)
    {
        if (!e->stays_gone && (too_many || span_equal(name_of(e), name)))
            return e->unit;
    }
    return 0;
}

struct client_named client_statements_look(const struct client_statements *cs, struct span name)
{
    if (!cs->names)
        return (struct client_named){0};
    const struct client_name *e = find_name(cs->names, cut(name));
    if (!e)
        return (struct client_named){.unit = unit_of_removal(cs->names, cut(name))};
    return (struct client_named){
        .statement = e->statement, .serial = e->serial, .unit = e->unit, .parsed = e->parsed};
}

struct statement *client_statements_find(const struct client_statements *cs, struct span name)
{
    struct client_name *e = cs->names ? find_name(cs->names, cut(name)) : NULL;
    return e ? e->statement : NULL;
}

bool client_statements_any_gone(const struct client_statements *cs)
{
    return cs->names && cs->names->n_gone > 0;
}

/* What is asked for is nearly always among the newest: look from that end. */
static struct client_name *by_serial(const struct client_names *names, uint32_t serial)
{
    struct client_name *e =
        names->by_name ? ELMT_FROM_HH(names->by_name->hh.tbl, names->by_name->hh.tbl->tail) : NULL;
    while (e && e->serial != serial)
        e = e->hh.prev;
    return e;
}

struct span client_statements_name_of(const struct client_statements *cs, uint32_t serial)
{
    if (!cs->names || !serial)
        return span_of(NULL, 0);
    const struct client_name *e = by_serial(cs->names, serial);
    if (e)
        return name_of(e);
    TAILQ_FOREACH_REVERSE(e, &cs->names->gone, client_name_list, link)
    {
        if (e->serial == serial || e->taken_by == serial)
            return name_of(e);
    }
    return span_of(NULL, 0);
}

bool client_statements_is_full(const struct client_statements *cs)
{
    return cs->names && (HASH_COUNT(cs->names->by_name) >= CLIENT_STATEMENTS_MAX ||
                         cs->names->bytes >= CLIENT_STATEMENTS_BYTES_MAX);
}

unsigned client_statements_count(const struct client_statements *cs)
{
    return cs->names ? HASH_COUNT(cs->names->by_name) : 0;
}

size_t client_statements_bytes(const struct client_statements *cs)
{
    return cs->names ? sizeof *cs->names + cs->names->bytes + cs->names->unnamed_bytes : 0;
}

/* ---- changing -------------------------------------------------------------------------- */

uint32_t client_statements_define(struct client_statements *cs, struct span name,
                                  struct statement *st, uint64_t unit, bool parsed)
{
    name = cut(name);
    if (client_statements_find(cs, name) || client_statements_is_full(cs))
        return 0;
    struct client_names *names = client_names_of(cs);
    struct client_name *e = xcalloc(1, sizeof *e + name.n);
    e->statement = statement_ref(st);
    e->n = (uint32_t)name.n;
    memcpy(e->name, name.p, name.n);
    e->serial = next_serial(names);
    e->unit = unit;
    e->parsed = parsed;
    enter(names, e);
    names->bytes += bytes_of(e);
    return e->serial;
}

uint32_t client_statements_remove(struct client_statements *cs, struct span name, uint64_t unit)
{
    struct client_name *e = cs->names ? find_name(cs->names, cut(name)) : NULL;
    if (!e)
        return 0;
    uint32_t serial = next_serial(cs->names);
    go(cs->names, e, serial, unit);
    return serial;
}

uint32_t client_statements_remove_all(struct client_statements *cs, uint64_t unit)
{
    struct client_name *e, *next;
    struct client_names *names = client_names_of(cs);
    uint32_t serial = next_serial(names);
    HASH_ITER(hh, names->by_name, e, next)
    {
        go(names, e, serial, unit);
    }
    return serial;
}

void client_statements_clear(struct client_statements *cs, uint64_t unit)
{
    struct client_name *e, *next;
    if (!cs->names)
        return;
    HASH_ITER(hh, cs->names->by_name, e, next)
    {
        if (e->unit > unit)
            continue;
        leave(cs->names, e);
        free_name(cs->names, e);
    }
}

/* What took names away did not happen. True if there were any. */
static bool undo_removal(struct client_names *names, uint32_t serial)
{
    struct client_name *e, *next;
    bool found = false;
    TAILQ_FOREACH_SAFE(e, &names->gone, link, next)
    {
        if (e->taken_by != serial || e->stays_gone)
            continue;
        come_back(names, e);
        found = true;
    }
    return found;
}

static void undo_definition(struct client_names *names, uint32_t serial)
{
    struct client_name *e = by_serial(names, serial);
    if (e) {
        go(names, e, 0, 0);
        return;
    }
    TAILQ_FOREACH(e, &names->gone, link)
    {
        e->stays_gone |= e->serial == serial;
    }
}

void client_statements_undo(struct client_statements *cs, uint32_t serial)
{
    if (cs->names && serial && !undo_removal(cs->names, serial))
        undo_definition(cs->names, serial);
}

void client_statements_settle(struct client_statements *cs)
{
    struct client_name *e;
    if (!cs->names)
        return;
    unnamed_settle(cs->names);
    while ((e = TAILQ_FIRST(&cs->names->gone))) {
        TAILQ_REMOVE(&cs->names->gone, e, link);
        cs->names->n_gone--;
        free_name(cs->names, e);
    }
}

void client_statements_settle_params(struct client_statements *cs, uint64_t unit,
                                     struct param_set *params)
{
    struct client_names *names = cs->names;
    if (!names)
        return;
    struct unnamed *u = TAILQ_FIRST(&names->unnamed);
    if (u && u->exists && !u->params)
        u->params = params_parse_state(params);
    for (struct client_name *e = names->by_name; e && names->n_private; e = e->hh.next) {
        if (!is_private(e) || e->unit > unit)
            continue;
        statement_settle(e->statement, params);
        names->n_private--;
    }
}

void client_statements_fini(struct client_statements *cs)
{
    if (!cs->names)
        return;
    client_statements_settle(cs);
    client_statements_clear(cs, UINT64_MAX);
    unnamed_fini(cs->names);
    free(cs->names);
    cs->names = NULL;
}
