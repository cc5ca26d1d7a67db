/* SPDX-License-Identifier: PostgreSQL */
/* prepared.h - prepared statements of the protocol: by text, by a client's names, by server.
 *
 * A client prepares "s1" on one server and executes it on another. So what a client calls "s1" is
 * remembered here with its text, and on every server it has one name that depends on its content
 * alone; a server that does not have it yet is given it first.
 *
 *   struct statement          what was parsed. Immutable, counted, shared by all clients whose
 *                             Parse was the same: same text, same parameter types, and same state
 *                             of everything that parsing depends on. '01/02/2026' is one date
 *                             under DateStyle DMY and another one under MDY, and it becomes a date
 *                             in Parse: so these are two statements.
 *   struct client_statements  the names of one client, and its unnamed statement.
 *   struct server_statements  which statements one server has, oldest use first.
 *
 * Statements may be shared by threads; the two tables belong to their client's or server's. */
#ifndef TRACK_PREPARED_H
#define TRACK_PREPARED_H

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/span.h"

struct param_set;

/* ---- statements ---- */

struct statement;

/* Longer Parse messages are not kept: they stream to the server, and the client keeps that server
 * for itself. */
#define STATEMENT_PARSE_MAX (1024 * 1024)

/* Room for a statement's name on servers: "PGBALLAST_", 20 digits, NUL. */
#define STATEMENT_NAME 32

/* `oids` are the n_oids parameter types as they stand in the Parse message (4 bytes each, most
 * significant first). Of `params` the part is kept that parsing depends on. Returns a reference. */
struct statement *statement_intern(struct span query, struct span oids, unsigned n_oids,
                                   struct param_set *params);
struct statement *statement_ref(struct statement *st);
/* Gives it back and clears the pointer. NULL is fine. */
void statement_unref(struct statement **st);

/* Unique in the process, never 0, never reused. */
uint64_t statement_id(const struct statement *st);
struct span statement_query(const struct statement *st);
/* What it was parsed under: only the members that parsing depends on; borrowed. To parse it again,
 * a server must have params_with_parse_state(<what it has>, this). */
struct param_set *statement_params(const struct statement *st);
/* The name that the statement has on every server; returns out. */
const char *statement_server_name(uint64_t id, char out[STATEMENT_NAME]);
/* Appends the whole Parse message under that name. */
void statement_build_parse(struct buf *out, const struct statement *st);

/* Memory of one statement, of all together, and their number. */
size_t statement_bytes(const struct statement *st);
size_t statement_bytes_total(void);
size_t statement_count_total(void);

/* ---- errors that only a server can raise properly ---- */

/* A name that is taken (42P05) or unknown (26000) must fail inside the client's transaction, so the
 * server is asked to describe a statement that never exists; its name carries what to say. */
#define STATEMENT_PROVOKE_DUPLICATE "PGBALLAST_DUPLICATE_"
#define STATEMENT_PROVOKE_UNDEFINED "PGBALLAST_UNDEFINED_"
/* Room for such a name, NUL included; a client's name that is longer is cut. */
#define STATEMENT_PROVOKE_NAME 160

/* Writes the name to ask for; returns out. */
const char *statement_provoke_name(const char *prefix, struct span name,
                                   char out[STATEMENT_PROVOKE_NAME]);
/* If a server's message text (in whatever language) is about such a name: fills *err with the error
 * that PostgreSQL would have raised for the client's own name. */
bool statement_reword_provoked(struct span message, struct error *err);

/* ---- a client's names ---- */

/* Bounds per client; past them client_statements_is_full. */
#define CLIENT_STATEMENTS_MAX 32768
#define CLIENT_STATEMENTS_BYTES_MAX (64 * 1024 * 1024)

struct client_names;

/* One pointer while the client has prepared nothing. */
struct client_statements {
    struct client_names *names;
};

void client_statements_init(struct client_statements *cs);
void client_statements_fini(struct client_statements *cs);

/* The statement of that name, borrowed until the name goes, or NULL. */
struct statement *client_statements_find(const struct client_statements *cs, struct span name);
/* Gives the name (not empty) to the statement, taking a reference of its own. Returns a serial
 * number for client_statements_undo; 0 if the name is taken, or the table is full. */
uint32_t client_statements_define(struct client_statements *cs, struct span name,
                                  struct statement *st);
bool client_statements_is_full(const struct client_statements *cs);
/* True if there was one. */
bool client_statements_remove(struct client_statements *cs, struct span name);
/* The Parse failed, or was skipped: takes back that very definition, unless it is gone already. */
void client_statements_undo(struct client_statements *cs, uint32_t serial);
/* Forgets all names (DEALLOCATE ALL, DISCARD ALL); the unnamed statement survives, as on a server.
 */
void client_statements_clear(struct client_statements *cs);
unsigned client_statements_count(const struct client_statements *cs);
/* What the client's names keep alive, shared texts counted in full. */
size_t client_statements_bytes(const struct client_statements *cs);

/* The unnamed statement: a copy of its Parse, so that a Bind in a later batch finds it on any
 * server. Each Parse has a generation of its own; a server notes whose and which it has. */
void client_statements_set_unnamed(struct client_statements *cs, struct span query,
                                   struct span oids, unsigned n_oids, struct param_set *params);
void client_statements_drop_unnamed(struct client_statements *cs);
/* 0: there is none. */
uint64_t client_statements_unnamed_generation(const struct client_statements *cs);
/* As statement_params; NULL if there is none. */
struct param_set *client_statements_unnamed_params(const struct client_statements *cs);
/* Appends its whole Parse message; false if there is none. */
bool client_statements_build_unnamed(const struct client_statements *cs, struct buf *out);

/* ---- what a server has ---- */

struct server_statement;
TAILQ_HEAD(server_statement_list, server_statement);

struct server_statements {
    struct server_statement *by_id;
    struct server_statement_list used; /* least recently used first */
    unsigned cap;                      /* max_prepared_statements */
    unsigned count;
    uint64_t unnamed_client; /* 0: the unnamed statement is nobody's */
    uint64_t unnamed_generation;
};

/* cap 0: nothing is followed. */
void server_statements_init(struct server_statements *ss, unsigned cap);
void server_statements_fini(struct server_statements *ss);
static inline unsigned server_statements_cap(const struct server_statements *ss)
{
    return ss->cap;
}
static inline unsigned server_statements_count(const struct server_statements *ss)
{
    return ss->count;
}

/* True if the server has it; it is then the most recently used one. */
bool server_statements_touch(struct server_statements *ss, uint64_t id);
/* Notes that the server is being given it. Returns the id that had to make room and must be closed
 * on the server behind this, or 0. */
uint64_t server_statements_add(struct server_statements *ss, uint64_t id);
/* The server has it after all, because its Close was skipped; it is the first to go again. May
 * leave the table above its cap: then server_statements_evict. */
void server_statements_put_back(struct server_statements *ss, uint64_t id);
/* While there are more than the cap: forgets the least recently used one and returns its id, to be
 * closed on the server; else 0. */
uint64_t server_statements_evict(struct server_statements *ss);
/* The Parse failed, or was skipped. */
void server_statements_remove(struct server_statements *ss, uint64_t id);
/* Forgets all (DISCARD ALL, DEALLOCATE ALL), and does not rely on the unnamed one any more. */
void server_statements_clear(struct server_statements *ss);

/* Whose unnamed statement the server has; (0, 0): nobody's. */
void server_statements_set_unnamed(struct server_statements *ss, uint64_t client_id,
                                   uint64_t generation);
static inline bool server_statements_unnamed_is(const struct server_statements *ss,
                                                uint64_t client_id, uint64_t generation)
{
    return generation && ss->unnamed_client == client_id && ss->unnamed_generation == generation;
}

#endif
