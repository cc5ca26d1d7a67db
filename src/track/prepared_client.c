/* SPDX-License-Identifier: PostgreSQL */
/* prepared_client.c - the names that one client gave to statements, and its unnamed statement. */
#include "track/prepared.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "proto/frontend.h"
#include "track/parameters.h"

#include <stdlib.h>
#include <uthash.h>

struct client_name {
    UT_hash_handle hh;           /* in the order of definition */
    struct statement *statement; /* counted */
    uint32_t serial;
    uint32_t n;
    char name[];
};

/* The last Parse of the unnamed statement. Its memory is kept for the next one. */
struct unnamed {
    uint64_t generation; /* of the last Parse; counts on over a drop */
    bool exists;
    uint16_t n_oids;
    size_t query_n;
    struct buf bytes;         /* query, then types */
    struct param_set *params; /* counted; only what parsing depends on */
};

struct client_names {
    struct client_name *by_name;
    uint64_t seed; /* of the table: nobody can choose names that collide */
    uint32_t last_serial;
    size_t bytes;
    struct unnamed unnamed;
};

/* A buffer that held one huge unnamed statement is not kept for small ones. */
#define UNNAMED_KEEP 16384

void client_statements_init(struct client_statements *cs)
{
    cs->names = NULL;
}

static struct client_names *names_of(struct client_statements *cs)
{
    if (!cs->names) {
        cs->names = xcalloc(1, sizeof *cs->names);
        cs->names->seed = rand_u64();
    }
    return cs->names;
}

static unsigned hash_name(const struct client_names *names, struct span name)
{
    return (unsigned)hash_bytes(name.p, name.n, names->seed);
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

static void drop_name(struct client_names *names, struct client_name *entry)
{
    HASH_DELETE(hh, names->by_name, entry);
    names->bytes -= bytes_of(entry);
    statement_unref(&entry->statement);
    free(entry);
}

struct statement *client_statements_find(const struct client_statements *cs, struct span name)
{
    if (!cs->names)
        return NULL;
    struct client_name *entry = find_name(cs->names, name);
    return entry ? entry->statement : NULL;
}

bool client_statements_is_full(const struct client_statements *cs)
{
    return cs->names && (HASH_COUNT(cs->names->by_name) >= CLIENT_STATEMENTS_MAX ||
                         cs->names->bytes >= CLIENT_STATEMENTS_BYTES_MAX);
}

uint32_t client_statements_define(struct client_statements *cs, struct span name,
                                  struct statement *st)
{
    if (client_statements_find(cs, name) || client_statements_is_full(cs))
        return 0;
    struct client_names *names = names_of(cs);
    struct client_name *entry = xmalloc(sizeof *entry + name.n);
    entry->statement = statement_ref(st);
    entry->n = (uint32_t)name.n;
    memcpy(entry->name, name.p, name.n);
    if (++names->last_serial == 0)
        names->last_serial = 1;
    entry->serial = names->last_serial;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, names->by_name, entry->name, entry->n, hash_name(names, name),
                                entry);
    names->bytes += bytes_of(entry);
    return entry->serial;
}

bool client_statements_remove(struct client_statements *cs, struct span name)
{
    struct client_name *entry = cs->names ? find_name(cs->names, name) : NULL;
    if (entry)
        drop_name(cs->names, entry);
    return entry != NULL;
}

void client_statements_undo(struct client_statements *cs, uint32_t serial)
{
    if (!cs->names || !cs->names->by_name)
        return;
    /* What fails is nearly always among the newest: look from that end. */
    struct client_name *entry =
        ELMT_FROM_HH(cs->names->by_name->hh.tbl, cs->names->by_name->hh.tbl->tail);
    while (entry && entry->serial != serial)
        entry = entry->hh.prev;
    if (entry)
        drop_name(cs->names, entry);
}

void client_statements_clear(struct client_statements *cs)
{
    if (!cs->names)
        return;
    struct client_name *entry, *next;
    HASH_ITER(hh, cs->names->by_name, entry, next)
    {
        drop_name(cs->names, entry);
    }
}

unsigned client_statements_count(const struct client_statements *cs)
{
    return cs->names ? HASH_COUNT(cs->names->by_name) : 0;
}

size_t client_statements_bytes(const struct client_statements *cs)
{
    return cs->names ? sizeof *cs->names + cs->names->bytes + cs->names->unnamed.bytes.cap : 0;
}

void client_statements_fini(struct client_statements *cs)
{
    if (!cs->names)
        return;
    client_statements_clear(cs);
    buf_reset(&cs->names->unnamed.bytes);
    param_set_unref(&cs->names->unnamed.params);
    free(cs->names);
    cs->names = NULL;
}

/* ---- the unnamed statement ------------------------------------------------------------- */

static bool unnamed_is(const struct unnamed *u, struct span query, struct span oids)
{
    struct span kept = buf_span(&u->bytes);
    return u->query_n == query.n && kept.n == query.n + oids.n &&
           span_equal(span_of(kept.p, query.n), query) &&
           (oids.n == 0 || span_equal(span_of(kept.p + query.n, oids.n), oids));
}

/* The same text, parsed again, may mean something else (another search_path, another table of that
 * name), so the generation advances even if the text is the same. */
void client_statements_set_unnamed(struct client_statements *cs, struct span query,
                                   struct span oids, unsigned n_oids, struct param_set *params)
{
    struct unnamed *u = &names_of(cs)->unnamed;
    u->generation++;
    u->exists = true;
    if (!u->params || params_fingerprint(u->params) != params_fingerprint(params)) {
        param_set_unref(&u->params);
        u->params = params_parse_state(params);
    }
    if (unnamed_is(u, query, oids))
        return;
    if (u->bytes.cap > UNNAMED_KEEP && query.n + oids.n <= UNNAMED_KEEP)
        buf_reset(&u->bytes);
    buf_clear(&u->bytes);
    buf_append(&u->bytes, query.p, query.n);
    buf_append(&u->bytes, oids.p, oids.n);
    u->query_n = query.n;
    u->n_oids = (uint16_t)n_oids;
}

void client_statements_drop_unnamed(struct client_statements *cs)
{
    if (cs->names)
        cs->names->unnamed.exists = false;
}

uint64_t client_statements_unnamed_generation(const struct client_statements *cs)
{
    return cs->names && cs->names->unnamed.exists ? cs->names->unnamed.generation : 0;
}

struct param_set *client_statements_unnamed_params(const struct client_statements *cs)
{
    return cs->names && cs->names->unnamed.exists ? cs->names->unnamed.params : NULL;
}

bool client_statements_build_unnamed(const struct client_statements *cs, struct buf *out)
{
    if (!client_statements_unnamed_generation(cs))
        return false;
    const struct unnamed *u = &cs->names->unnamed;
    struct span kept = buf_span(&u->bytes);
    struct span query = span_of(kept.p, u->query_n);
    struct span oids =
        span_of(kept.n > u->query_n ? kept.p + u->query_n : NULL, kept.n - u->query_n);
    frontend_build_parse(out, span_str(""), query, oids, u->n_oids);
    return true;
}
