/* SPDX-License-Identifier: PostgreSQL */
/* prepared_unnamed.c - the unnamed statement of one client.
 *
 * A list: what holds, then what each change that is on its way will make of it. The server answers
 * in order, so an answer ends the first of them, and a skipped message was the next one. */
#include "track/prepared_impl.h"

#include "base/mem.h"
#include "proto/frontend.h"
#include "track/parameters.h"

#include <stdlib.h>

/* A buffer that held one huge unnamed statement is not kept for small ones. */
#define UNNAMED_KEEP 16384
/* In a long pipeline the texts are kept up to this; of what comes then only the server knows the
 * text, on another one it is as if it had been closed. */
#define UNNAMED_BYTES_MAX (1024 * 1024)

static void destroy(struct client_names *names, struct unnamed *u)
{
    names->unnamed_bytes -= u->bytes.cap;
    buf_reset(&u->bytes);
    param_set_unref(&u->params);
    free(u);
}

static void put_away(struct client_names *names, struct unnamed *u)
{
    if (names->spare || u->bytes.cap > UNNAMED_KEEP)
        destroy(names, u);
    else
        names->spare = u;
}

static struct unnamed *holds(const struct client_names *names)
{
    return TAILQ_FIRST(&names->unnamed);
}

static struct unnamed *newest(const struct client_statements *cs)
{
    struct unnamed *u = cs->names ? TAILQ_LAST(&cs->names->unnamed, unnamed_list) : NULL;
    return u && u->exists ? u : NULL;
}

static struct unnamed *append(struct client_names *names, uint64_t unit)
{
    struct unnamed *u = names->spare;
    names->spare = NULL;
    if (!u)
        u = xcalloc(1, sizeof *u);
    u->exists = u->lost = u->there = false;
    u->unit = unit;
    u->generation = ++names->unnamed_generation;
    TAILQ_INSERT_TAIL(&names->unnamed, u, link);
    return u;
}

/* A list that has changes on their way begins with what holds. */
static struct unnamed *begin_change(struct client_names *names, uint64_t unit)
{
    if (!holds(names))
        append(names, 0);
    return append(names, unit);
}

static void keep_text(struct client_names *names, struct unnamed *u, struct span query,
                      struct span oids)
{
    size_t cap = u->bytes.cap;
    buf_clear(&u->bytes);
    u->query_n = 0;
    u->lost = names->unnamed_bytes - cap + query.n + oids.n > UNNAMED_BYTES_MAX &&
              TAILQ_NEXT(holds(names), link) != u;
    if (u->lost)
        return;
    buf_append(&u->bytes, query.p, query.n);
    buf_append(&u->bytes, oids.p, oids.n);
    u->query_n = query.n;
    names->unnamed_bytes += u->bytes.cap - cap;
}

/* The same text, parsed again, may mean something else (another search_path, another table of that
 * name), so the generation advances even if the text is the same. */
void client_statements_set_unnamed(struct client_statements *cs, struct span query,
                                   struct span oids, unsigned n_oids, struct param_set *params,
                                   uint64_t unit)
{
    struct client_names *names = client_names_of(cs);
    struct unnamed *u = begin_change(names, unit);
    u->exists = true;
    u->n_oids = (uint16_t)n_oids;
    u->traits = sql_traits_of(query, true);
    if (!params || !u->params || params_fingerprint(u->params) != params_fingerprint(params)) {
        param_set_unref(&u->params);
        u->params = params ? params_parse_state(params) : NULL;
        names->unsettled |= !params;
    }
    keep_text(names, u, query, oids);
}

void client_statements_set_unnamed_unseen(struct client_statements *cs, uint64_t unit)
{
    struct unnamed *u = begin_change(client_names_of(cs), unit);
    u->exists = u->lost = true;
    u->traits = (struct sql_traits){0};
}

void client_statements_note_unnamed_there(struct client_statements *cs, bool there)
{
    struct unnamed *u = newest(cs);
    if (u)
        u->there = there;
}

bool client_statements_unnamed_was_there(const struct client_statements *cs)
{
    const struct unnamed *u = newest(cs);
    return u && u->there;
}

void client_statements_close_unnamed(struct client_statements *cs, uint64_t unit)
{
    begin_change(client_names_of(cs), unit);
}

static bool is_changing(const struct client_names *names)
{
    return names && unnamed_is_changing(names);
}

bool client_statements_unnamed_changes(const struct client_statements *cs)
{
    return is_changing(cs->names);
}

uint64_t client_statements_unnamed_unit(const struct client_statements *cs)
{
    return is_changing(cs->names) ? TAILQ_LAST(&cs->names->unnamed, unnamed_list)->unit : 0;
}

void client_statements_unnamed_answered(struct client_statements *cs, bool ok)
{
    struct client_names *names = cs->names;
    if (!is_changing(names))
        return;
    struct unnamed *u = holds(names);
    TAILQ_REMOVE(&names->unnamed, u, link);
    put_away(names, u);
    holds(names)->exists &= ok;
}

void client_statements_unnamed_skipped(struct client_statements *cs)
{
    struct client_names *names = cs->names;
    if (!is_changing(names))
        return;
    struct unnamed *u = TAILQ_NEXT(holds(names), link);
    TAILQ_REMOVE(&names->unnamed, u, link);
    put_away(names, u);
}

void unnamed_settle(struct client_names *names)
{
    while (is_changing(names)) {
        struct unnamed *u = holds(names);
        TAILQ_REMOVE(&names->unnamed, u, link);
        put_away(names, u);
    }
}

void client_statements_drop_unnamed(struct client_statements *cs)
{
    if (!cs->names || !holds(cs->names))
        return;
    unnamed_settle(cs->names);
    holds(cs->names)->exists = false;
}

void unnamed_fini(struct client_names *names)
{
    struct unnamed *u;
    while ((u = holds(names))) {
        TAILQ_REMOVE(&names->unnamed, u, link);
        destroy(names, u);
    }
    if (names->spare)
        destroy(names, names->spare);
}

/* ---- looking --------------------------------------------------------------------------- */

uint64_t client_statements_unnamed_generation(const struct client_statements *cs)
{
    const struct unnamed *u = newest(cs);
    return u ? u->generation : 0;
}

struct param_set *client_statements_unnamed_params(const struct client_statements *cs)
{
    const struct unnamed *u = newest(cs);
    return u ? u->params : NULL;
}

struct sql_traits client_statements_unnamed_traits(const struct client_statements *cs)
{
    const struct unnamed *u = newest(cs);
    return u ? u->traits : (struct sql_traits){0};
}

struct span client_statements_unnamed_query(const struct client_statements *cs)
{
    const struct unnamed *u = newest(cs);
    if (!u || u->lost)
        return span_of(NULL, 0);
    return span_of(u->query_n ? buf_span(&u->bytes).p : (const uint8_t *)"", u->query_n);
}

bool client_statements_build_unnamed(const struct client_statements *cs, struct buf *out)
{
    const struct unnamed *u = newest(cs);
    if (!u || u->lost)
        return false;
    struct span kept = buf_span(&u->bytes);
    struct span query = span_of(kept.p, u->query_n);
    struct span oids =
        span_of(kept.n > u->query_n ? kept.p + u->query_n : NULL, kept.n - u->query_n);
    frontend_build_parse(out, span_str(""), query, oids, u->n_oids);
    return true;
}
