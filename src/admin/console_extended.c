/* SPDX-License-Identifier: PostgreSQL */
/* console_extended.c - the extended protocol of the console.
 *
 * Commands take no parameters, so a statement is a parsed command and a portal is that with formats
 * for its results. A portal that is not read to its end keeps its rows. As outside a transaction in
 * PostgreSQL, portals live until the next Sync. */
#include "admin/console_impl.h"
#include "base/mem.h"
#include "proto/backend.h"
#include "proto/frontend.h"
#include "proto/reader.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SQLSTATE_SYNTAX_ERROR "42601"
#define SQLSTATE_UNDEFINED_CURSOR "34000"
#define SQLSTATE_DUPLICATE_CURSOR "42P03"
#define SQLSTATE_OBJECT_NOT_IN_STATE "55000"

/* A statement: one command, or none at all. */
struct prepared {
    char *name;
    bool empty;
    struct command command;
    UT_hash_handle hh;
};

struct portal {
    char *name;
    bool empty;
    struct command command;
    struct formats formats;
    bool ran;
    struct rows rows;
    size_t next; /* the row to be sent */
    char tag[sizeof((struct outcome *)0)->tag];
    UT_hash_handle hh;
};

/* ---- failing --------------------------------------------------------------------------- */

static void fail(struct console *con, const struct error *err, const char *hint)
{
    console_report(con, err, hint);
    con->skip_to_sync = true;
}

static void fail_text(struct console *con, const char *sqlstate, const char *text)
{
    struct error err;
    error_set(&err, sqlstate, "%s", text);
    fail(con, &err, NULL);
}

/* A name of the client's, fit for an error text. */
static void fail_name(struct console *con, const char *sqlstate, const char *what, struct span name,
                      const char *how)
{
    struct error err;
    error_set(&err, sqlstate, "%s \"%.*s\" %s", what, (int)(name.n < 64 ? name.n : 64),
              (const char *)name.p, how);
    fail(con, &err, NULL);
}

/* ---- the tables ------------------------------------------------------------------------ */

static struct prepared *find_statement(struct console *con, struct span name)
{
    struct prepared *s;
    HASH_FIND(hh, con->statements, name.p, name.n, s);
    return s;
}

static struct portal *find_portal(struct console *con, struct span name)
{
    struct portal *p;
    HASH_FIND(hh, con->portals, name.p, name.n, p);
    return p;
}

static void drop_statement(struct console *con, struct prepared *s)
{
    if (!s)
        return;
    HASH_DEL(con->statements, s);
    free(s->name);
    free(s);
}

static void drop_portal(struct console *con, struct portal *p)
{
    if (!p)
        return;
    HASH_DEL(con->portals, p);
    rows_fini(&p->rows);
    free(p->name);
    free(p);
}

static void drop_portals(struct console *con)
{
    struct portal *p, *next;
    HASH_ITER(hh, con->portals, p, next)
    drop_portal(con, p);
}

void console_extended_fini(struct console *con)
{
    struct prepared *s, *next;
    drop_portals(con);
    HASH_ITER(hh, con->statements, s, next)
    drop_statement(con, s);
}

/* ---- Parse ----------------------------------------------------------------------------- */

/* The text is one command, or none. */
static bool parse_one(struct span text, struct prepared *s, struct error *err)
{
    struct command second;
    switch (command_parse(&text, &s->command, err)) {
    case COMMAND_BAD:
        return false;
    case COMMAND_NONE:
        s->empty = true;
        return true;
    case COMMAND_OK:
        break;
    }
    switch (command_parse(&text, &second, err)) {
    case COMMAND_BAD:
        return false;
    case COMMAND_NONE:
        return true;
    case COMMAND_OK:
        break;
    }
    return error_set(err, SQLSTATE_SYNTAX_ERROR,
                     "cannot insert multiple commands into a prepared statement");
}

void console_parse(struct console *con, struct span body)
{
    struct frontend_parse m;
    struct prepared parsed = {0};
    struct error err;
    if (!frontend_parse_parse(body, &m)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Parse message");
        return;
    }
    if (m.name.n && find_statement(con, m.name)) {
        fail_name(con, SQLSTATE_DUPLICATE_STATEMENT, "prepared statement", m.name,
                  "already exists");
        return;
    }
    if (!parse_one(m.query, &parsed, &err)) {
        fail(con, &err, command_hint(m.query));
        return;
    }
    drop_statement(con, find_statement(con, m.name));
    if (HASH_COUNT(con->statements) >= CONSOLE_STATEMENTS_MAX) {
        fail_text(con, SQLSTATE_PROGRAM_LIMIT, "too many prepared statements on the console");
        return;
    }
    struct prepared *s = xmalloc(sizeof *s);
    *s = parsed;
    s->name = xstrndup(m.name.p, m.name.n);
    HASH_ADD_KEYPTR(hh, con->statements, s->name, m.name.n, s);
    backend_build_parse_complete(console_out(con));
}

/* ---- Bind ------------------------------------------------------------------------------ */

struct bind {
    struct span portal, statement;
    uint16_t n_values;
    struct formats formats;
};

/* Bind: String portal, String statement, Int16 n, Int16[n] formats, Int16 n, (Int32 len,
 * Byte[len])[n] values, Int16 n, Int16[n] result formats. */
static bool read_bind(struct span body, struct bind *out)
{
    struct reader r = reader_of(body);
    *out = (struct bind){0};
    out->portal = reader_cstr(&r);
    out->statement = reader_cstr(&r);
    for (uint16_t n = reader_u16(&r); n && !r.bad; n--)
        (void)reader_u16(&r);
    out->n_values = reader_u16(&r);
    for (uint16_t n = out->n_values; n && !r.bad; n--) {
        int32_t len = reader_i32(&r);
        if (len > 0)
            (void)reader_bytes(&r, (size_t)len);
    }
    out->formats.n = reader_u16(&r);
    for (uint16_t i = 0; i < out->formats.n && !r.bad; i++) {
        uint16_t code = reader_u16(&r);
        if (code > 1)
            return false;
        if (i < COLUMNS_MAX)
            out->formats.codes[i] = code;
    }
    return reader_done(&r);
}

static bool formats_fit(const struct formats *f, const struct prepared *s)
{
    return f->n < 2 || f->n == command_columns(&s->command).n;
}

void console_bind(struct console *con, struct span body)
{
    struct bind m;
    if (!read_bind(body, &m)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Bind message");
        return;
    }
    struct prepared *s = find_statement(con, m.statement);
    if (!s) {
        fail_name(con, SQLSTATE_UNDEFINED_STATEMENT, "prepared statement", m.statement,
                  "does not exist");
        return;
    }
    if (m.n_values) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "commands of the console take no parameters");
        return;
    }
    if (!formats_fit(&m.formats, s)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION,
                  "bind message has not one result format for each column");
        return;
    }
    if (m.portal.n && find_portal(con, m.portal)) {
        fail_name(con, SQLSTATE_DUPLICATE_CURSOR, "portal", m.portal, "already exists");
        return;
    }
    drop_portal(con, find_portal(con, m.portal));
    if (HASH_COUNT(con->portals) >= CONSOLE_STATEMENTS_MAX) {
        fail_text(con, SQLSTATE_PROGRAM_LIMIT, "too many portals on the console");
        return;
    }
    struct portal *p = xcalloc(1, sizeof *p);
    p->name = xstrndup(m.portal.p, m.portal.n);
    p->empty = s->empty;
    p->command = s->command;
    p->formats = m.formats;
    HASH_ADD_KEYPTR(hh, con->portals, p->name, m.portal.n, p);
    backend_build_bind_complete(console_out(con));
}

/* ---- Describe and Close ---------------------------------------------------------------- */

static void describe(struct console *con, bool empty, const struct command *cmd,
                     const struct formats *formats)
{
    struct columns columns = {0};
    if (!empty)
        columns = command_columns(cmd);
    if (columns.n)
        rows_build_description(console_out(con), columns, formats);
    else
        backend_build_no_data(console_out(con));
}

void console_describe(struct console *con, struct span body)
{
    struct frontend_object m;
    if (!frontend_parse_object(body, &m)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Describe message");
        return;
    }
    struct prepared *s = m.kind == 'S' ? find_statement(con, m.name) : NULL;
    struct portal *p = m.kind == 'P' ? find_portal(con, m.name) : NULL;
    if (s) {
        backend_build_parameter_description(console_out(con), span_of(NULL, 0), 0);
        describe(con, s->empty, &s->command, NULL);
    } else if (p) {
        describe(con, p->empty, &p->command, &p->formats);
    } else if (m.kind == 'S') {
        fail_name(con, SQLSTATE_UNDEFINED_STATEMENT, "prepared statement", m.name,
                  "does not exist");
    } else {
        fail_name(con, SQLSTATE_UNDEFINED_CURSOR, "portal", m.name, "does not exist");
    }
}

void console_close(struct console *con, struct span body)
{
    struct frontend_object m;
    if (!frontend_parse_object(body, &m)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Close message");
        return;
    }
    /* "It is not an error to issue Close against a nonexistent statement or portal name." */
    if (m.kind == 'S')
        drop_statement(con, find_statement(con, m.name));
    else
        drop_portal(con, find_portal(con, m.name));
    backend_build_close_complete(console_out(con));
}

/* ---- Execute --------------------------------------------------------------------------- */

static void send_rows(struct console *con, struct portal *p)
{
    struct buf *b = console_out(con);
    size_t end = p->rows.n;
    if (con->max_rows > 0 && end - p->next > (size_t)con->max_rows)
        end = p->next + (size_t)con->max_rows;
    for (; p->next < end; p->next++)
        rows_build_data_row(b, &p->rows, p->next, &p->formats);
    if (p->next < p->rows.n)
        backend_build_portal_suspended(b);
    else
        backend_build_command_complete(b, span_str(p->tag));
}

void console_executed(struct console *con)
{
    struct portal *p = con->executing;
    struct outcome *o = &con->outcome;
    con->executing = NULL;
    if (o->failed) {
        fail(con, &o->error, o->hint);
        outcome_fini(o);
        return;
    }
    p->rows = o->rows;
    o->rows = (struct rows){0};
    memcpy(p->tag, o->tag, sizeof p->tag);
    outcome_fini(o);
    send_rows(con, p);
}

void console_execute(struct console *con, struct span body)
{
    struct frontend_execute m;
    if (!frontend_parse_execute(body, &m)) {
        fail_text(con, SQLSTATE_PROTOCOL_VIOLATION, "malformed Execute message");
        return;
    }
    struct portal *p = find_portal(con, m.portal);
    if (!p) {
        fail_name(con, SQLSTATE_UNDEFINED_CURSOR, "portal", m.portal, "does not exist");
        return;
    }
    con->max_rows = m.max_rows;
    if (p->empty) {
        backend_build_empty_query(console_out(con));
        return;
    }
    if (p->ran && !p->rows.columns.n) {
        fail_name(con, SQLSTATE_OBJECT_NOT_IN_STATE, "portal", m.portal, "cannot be run");
        return;
    }
    if (p->ran) {
        send_rows(con, p);
        return;
    }
    p->ran = true;
    con->executing = p;
    if (command_run(con, &p->command) == RUN_DONE) {
        console_executed(con);
        return;
    }
    con->busy = true;
    con->asked = CONSOLE_ASKED_EXECUTE;
}

void console_sync(struct console *con)
{
    con->skip_to_sync = false;
    drop_portals(con);
}
