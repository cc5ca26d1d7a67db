/* SPDX-License-Identifier: PostgreSQL */
/* prepared_client.c - the names that one client gave to statements.
 *
 * For each name there is what the server has confirmed, and the changes that are on their way, in
 * the order in which they were sent. What the name stands for now is what the last of them makes of
 * it; one that the server refuses or skips is taken out, wherever it stands, and what is left of
 * them when their unit is over has happened. */
#include "track/prepared_impl.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "track/parameters.h"

#include <stdlib.h>

/* NAMEDATALEN - 1: what PostgreSQL keeps of a name. */
#define NAME_BYTES 63

void client_statements_init(struct client_statements *cs)
{
    cs->names = NULL;
}

struct client_names *client_names_of(struct client_statements *cs)
{
    if (!cs->names) {
        cs->names = xcalloc(1, sizeof *cs->names);
        cs->names->seed = rand_u64();
        TAILQ_INIT(&cs->names->changes);
        TAILQ_INIT(&cs->names->undone);
        TAILQ_INIT(&cs->names->all);
        TAILQ_INIT(&cs->names->unnamed);
    }
    return cs->names;
}

/* ---- names ----------------------------------------------------------------------------- */

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
    unsigned hash = hash_name(names, name); /* the macro evaluates it several times */
    HASH_FIND_BYHASHVALUE(hh, names->by_name, name.p, name.n, hash, found);
    return found;
}

static struct client_name *enter_name(struct client_names *names, struct span name)
{
    struct client_name *e = xcalloc(1, sizeof *e + name.n);
    unsigned hash = hash_name(names, name);
    e->n = (uint32_t)name.n;
    memcpy(e->name, name.p, name.n);
    TAILQ_INIT(&e->changes);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, names->by_name, e->name, e->n, hash, e);
    names->bytes += sizeof *e + e->n;
    return e;
}

/* Frees a name that stands for nothing, and that nothing speaks of. */
static void tidy_name(struct client_names *names, struct client_name *e)
{
    if (e->statement || e->n_undone || !TAILQ_EMPTY(&e->changes))
        return;
    HASH_DELETE(hh, names->by_name, e);
    names->bytes -= sizeof *e + e->n;
    free(e);
}

/* Takes over the reference. */
static void confirm(struct client_names *names, struct client_name *e, struct statement *st,
                    uint32_t serial)
{
    if (e->statement)
        names->bytes -= statement_bytes(e->statement);
    statement_unref(&e->statement);
    e->statement = st;
    e->serial = serial;
}

/* ---- changes --------------------------------------------------------------------------- */

static uint32_t serial_of(const struct client_change *c)
{
    return (uint32_t)c->order;
}

/* The list that shows what a name, or all of them, will be. */
static struct client_change_list *own_list(struct client_names *names, struct client_name *e)
{
    return e ? &e->changes : &names->all;
}

/* `e` NULL: of all names. Takes over the reference. */
static struct client_change *append(struct client_names *names, struct client_name *e,
                                    struct statement *st, uint64_t unit)
{
    struct client_change *c = xcalloc(1, sizeof *c);
    if ((uint32_t)++names->last_order == 0)
        names->last_order++;
    c->order = names->last_order;
    c->unit = unit;
    c->name = e;
    c->statement = st;
    names->bytes += sizeof *c + (st ? statement_bytes(st) : 0);
    names->unsettled = true;
    TAILQ_INSERT_TAIL(&names->changes, c, link);
    TAILQ_INSERT_TAIL(own_list(names, e), c, own);
    return c;
}

static void take_out(struct client_names *names, struct client_change *c)
{
    if (c == names->undo_from)
        names->undo_from = TAILQ_NEXT(c, link);
    TAILQ_REMOVE(&names->changes, c, link);
    TAILQ_REMOVE(own_list(names, c->name), c, own);
}

static void free_change(struct client_names *names, struct client_change *c)
{
    names->bytes -= sizeof *c;
    free(c);
}

static void confirm_none(struct client_names *names)
{
    struct client_name *e, *next;
    HASH_ITER(hh, names->by_name, e, next)
    {
        confirm(names, e, NULL, 0);
        tidy_name(names, e);
    }
}

/* The oldest change has happened. */
static void apply(struct client_names *names, struct client_change *c)
{
    struct client_name *e = c->name;
    take_out(names, c);
    if (e) {
        confirm(names, e, c->statement, serial_of(c));
        tidy_name(names, e);
    } else {
        confirm_none(names);
    }
    free_change(names, c);
}

/* What makes of a name what it is now; NULL: it is as confirmed. */
static struct client_change *newest(const struct client_names *names, const struct client_name *e)
{
    struct client_change *own = TAILQ_LAST(&e->changes, client_change_list);
    struct client_change *all = TAILQ_LAST(&names->all, client_change_list);
    return all && (!own || own->order < all->order) ? all : own;
}

/* ---- looking --------------------------------------------------------------------------- */

static struct client_named look_at(const struct client_names *names, const struct client_name *e)
{
    const struct client_change *c = newest(names, e);
    if (!c)
        return (struct client_named){.statement = e->statement, .serial = e->serial};
    bool only = TAILQ_FIRST(&e->changes) == c && TAILQ_EMPTY(&names->all);
    return (struct client_named){.statement = c->statement,
                                 .serial = serial_of(c),
                                 .unit = c->unit,
                                 .parsed = c->parsed && only};
}

struct client_named client_statements_look(const struct client_statements *cs, struct span name)
{
    const struct client_name *e = cs->names ? find_name(cs->names, cut(name)) : NULL;
    return e ? look_at(cs->names, e) : (struct client_named){0};
}

struct statement *client_statements_find(const struct client_statements *cs, struct span name)
{
    return client_statements_look(cs, name).statement;
}

static const struct client_change *change_of(const struct client_change_list *list, uint32_t serial)
{
    const struct client_change *c;
    TAILQ_FOREACH_REVERSE(c, list, client_change_list, link)
    {
        if (serial_of(c) == serial)
            return c;
    }
    return NULL;
}

struct span client_statements_name_of(const struct client_statements *cs, uint32_t serial,
                                      struct statement **statement_out)
{
    struct statement *ignored = NULL;
    struct statement **out = statement_out ? statement_out : &ignored;
    *out = NULL;
    if (!cs->names || !serial)
        return span_of(NULL, 0);
    const struct client_change *c = change_of(&cs->names->changes, serial);
    if (!c)
        c = change_of(&cs->names->undone, serial);
    if (c) {
        *out = c->statement;
        return c->name ? name_of(c->name) : span_of(NULL, 0);
    }
    for (const struct client_name *e = cs->names->by_name; e; e = e->hh.next) {
        if (e->statement && e->serial == serial) {
            *out = e->statement;
            return name_of(e);
        }
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
    unsigned n = 0;
    if (!cs->names)
        return 0;
    if (TAILQ_EMPTY(&cs->names->changes) && TAILQ_EMPTY(&cs->names->undone))
        return HASH_COUNT(cs->names->by_name);
    for (const struct client_name *e = cs->names->by_name; e; e = e->hh.next)
        n += look_at(cs->names, e).statement != NULL;
    return n;
}

size_t client_statements_bytes(const struct client_statements *cs)
{
    return cs->names ? sizeof *cs->names + cs->names->bytes + cs->names->unnamed_bytes : 0;
}

/* ---- changing -------------------------------------------------------------------------- */

static uint32_t note(struct client_names *names, struct client_change *c)
{
    uint32_t serial = serial_of(c);
    if (!c->unit)
        apply(names, c);
    return serial;
}

uint32_t client_statements_define(struct client_statements *cs, struct span name,
                                  struct statement *st, uint64_t unit, bool parsed)
{
    name = cut(name);
    if (client_statements_find(cs, name) || client_statements_is_full(cs))
        return 0;
    struct client_names *names = client_names_of(cs);
    struct client_name *e = find_name(names, name);
    if (!e)
        e = enter_name(names, name);
    struct client_change *c = append(names, e, statement_ref(st), unit);
    c->parsed = parsed;
    return note(names, c);
}

uint32_t client_statements_remove(struct client_statements *cs, struct span name, uint64_t unit)
{
    if (!client_statements_find(cs, name))
        return 0;
    struct client_name *e = find_name(cs->names, cut(name));
    return note(cs->names, append(cs->names, e, NULL, unit));
}

uint32_t client_statements_remove_all(struct client_statements *cs, uint64_t unit)
{
    struct client_names *names = client_names_of(cs);
    return note(names, append(names, NULL, NULL, unit));
}

bool client_statements_undo(struct client_statements *cs, uint32_t serial)
{
    struct client_names *names = cs->names;
    if (!names || !serial)
        return false;
    /* A skipped one is nearly always the next behind the one before it. */
    struct client_change *c = names->undo_from ? names->undo_from : TAILQ_FIRST(&names->changes);
    if (!c || serial_of(c) != serial) {
        c = TAILQ_FIRST(&names->changes);
        while (c && serial_of(c) != serial)
            c = TAILQ_NEXT(c, link);
    }
    if (!c)
        return false;
    bool all = !c->name;
    names->undo_from = TAILQ_NEXT(c, link);
    take_out(names, c);
    if (c->statement) { /* what was sent behind it speaks of it */
        TAILQ_INSERT_TAIL(&names->undone, c, link);
        c->name->n_undone++;
        return false;
    }
    if (!all)
        tidy_name(names, c->name);
    free_change(names, c);
    return all;
}

void client_statements_unit_over(struct client_statements *cs, uint64_t unit,
                                 struct param_set *params)
{
    struct client_change *c;
    if (!cs->names || !cs->names->unsettled)
        return;
    struct unnamed *u = TAILQ_FIRST(&cs->names->unnamed);
    if (u && u->exists && !u->params)
        u->params = params_parse_state(params);
    while ((c = TAILQ_FIRST(&cs->names->changes)) && c->unit <= unit) {
        if (c->statement)
            statement_settle(c->statement, params);
        apply(cs->names, c);
    }
}

static void forget_undone(struct client_names *names)
{
    struct client_change *c;
    while ((c = TAILQ_FIRST(&names->undone))) {
        TAILQ_REMOVE(&names->undone, c, link);
        c->name->n_undone--;
        tidy_name(names, c->name);
        names->bytes -= statement_bytes(c->statement);
        statement_unref(&c->statement);
        free_change(names, c);
    }
}

__attribute__((noinline)) static void settle(struct client_statements *cs, struct param_set *params)
{
    unnamed_settle(cs->names);
    client_statements_unit_over(cs, UINT64_MAX, params);
    forget_undone(cs->names);
    cs->names->unsettled = false;
}

/* At the end of each transaction, and nearly always there is nothing to do. */
void client_statements_settle(struct client_statements *cs, struct param_set *params)
{
    if (cs->names && (cs->names->unsettled || unnamed_is_changing(cs->names)))
        settle(cs, params);
}

void client_statements_clear(struct client_statements *cs, uint64_t unit)
{
    struct client_change *c;
    if (!cs->names)
        return;
    while ((c = TAILQ_FIRST(&cs->names->changes)) && c->unit <= unit)
        apply(cs->names, c);
    confirm_none(cs->names);
}

void client_statements_fini(struct client_statements *cs)
{
    if (!cs->names)
        return;
    client_statements_clear(cs, UINT64_MAX);
    forget_undone(cs->names);
    unnamed_fini(cs->names);
    free(cs->names);
    cs->names = NULL;
}
