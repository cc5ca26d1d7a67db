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
#include "track/sql_traits.h"

struct param_set;

/* ---- statements ---- */

struct statement;

/* Longer Parse messages are not kept: they stream to the server, and the client keeps that server
 * for itself. */
#define STATEMENT_PARSE_MAX (1024 * 1024)

/* Room for a statement's name on servers: "PGBALLAST_", 20 digits, NUL. */
#define STATEMENT_NAME 32

/* How often the definitions in a database have changed: what a text was parsed as before, it may
 * not be parsed as any more. The database is named as its server calls it; those of one name on
 * several servers (a replica, a host by two names) have it in common. Any thread; for ever. */
struct definitions;
struct definitions *definitions_of(const char *database);
/* They have changed: statement_intern makes new statements for texts that were parsed before. */
void definitions_changed(struct definitions *d);

/* `oids` are the n_oids parameter types as they stand in the Parse message (4 bytes each, most
 * significant first). Of `params` the part is kept that parsing depends on. Returns a reference. */
struct statement *statement_intern(struct span query, struct span oids, unsigned n_oids,
                                   struct param_set *params, const struct definitions *d);
/* The same while it is not known what it will be parsed under, because a SET is on its way in front
 * of it: shared with nobody. statement_params is NULL until statement_settle. */
struct statement *statement_private(struct span query, struct span oids, unsigned n_oids);
/* Now it is known; does nothing if it was. Only while one thread has the statement. */
void statement_settle(struct statement *st, struct param_set *params);
/* What it would be parsed as has changed: whoever parses the same text from now on gets another
 * statement. Those that have it keep it, as they would on a server of their own. */
void statement_outdate(struct statement *st);
struct statement *statement_ref(struct statement *st);
/* Gives it back and clears the pointer. NULL is fine. */
void statement_unref(struct statement **st);

/* Unique in the process, never 0, never reused. */
uint64_t statement_id(const struct statement *st);
struct span statement_query(const struct statement *st);
struct sql_traits statement_traits(const struct statement *st);
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

/* A name of ours that a client guesses must fail inside its transaction as an unknown one does
 * (26000), so the server is asked to describe a statement that never exists; its name carries what
 * to say. */
#define STATEMENT_PROVOKE_UNDEFINED "PGBALLAST_UNDEFINED_"
/* Room for such a name, NUL included; a client's name that is longer is cut. */
#define STATEMENT_PROVOKE_NAME 160

/* Writes the name to ask for; returns out. */
const char *statement_provoke_name(struct span name, char out[STATEMENT_PROVOKE_NAME]);
/* If a server's message text (in whatever language) is about such a name: fills *err with the error
 * that PostgreSQL would have raised for the client's own name. */
bool statement_reword_provoked(struct span message, struct error *err);

/* A whole ErrorResponse that mentions a statement by its name on the server: appends the same with
 * the client's name in its place. False, and nothing appended, if it mentions none. */
bool statement_reword_name(struct span message, struct span name, struct buf *out);

/* ---- a client's names ---- */

/* Bounds per client; past them client_statements_is_full. */
#define CLIENT_STATEMENTS_MAX 32768
#define CLIENT_STATEMENTS_BYTES_MAX (64 * 1024 * 1024)

struct client_names;

/* One pointer while the client has prepared nothing. */
struct client_statements {
    struct client_names *names;
};

/* Has it ever prepared anything? */
static inline bool client_statements_exist(const struct client_statements *cs)
{
    return cs->names;
}

void client_statements_init(struct client_statements *cs);
void client_statements_fini(struct client_statements *cs);

/* Names are changed when the client's message is sent, because what the client sends behind it may
 * count on that; the change is final when the server has answered. If it fails, or is skipped, it
 * is taken back by its serial number (never 0; 0 means that nothing was changed).
 *
 * `unit` says in which unit of the session (a Query, or a group up to its Sync) the change was
 * sent: whoever sends more before that unit was answered cannot be sure of the name. Units count
 * up; 0: the change is final already, and nothing is on its way. */

/* What is known of a name. */
struct client_named {
    struct statement *statement; /* borrowed until the name goes; NULL: none has the name */
    uint32_t serial;             /* of its definition */
    uint64_t unit;               /* of the last change that may still be taken back; 0: none */
    bool parsed; /* that is the only one, and was defined so (client_statements_define) */
};
/* Only the first 63 bytes of a name count, as in PostgreSQL (NAMEDATALEN). */
struct client_named client_statements_look(const struct client_statements *cs, struct span name);
/* Its statement alone. */
struct statement *client_statements_find(const struct client_statements *cs, struct span name);
/* Gives the name (not empty) to the statement, taking a reference of its own; 0 if the name is
 * taken, or the table is full. `parsed`: by a Parse on which alone depends whether the server has
 * the statement. */
uint32_t client_statements_define(struct client_statements *cs, struct span name,
                                  struct statement *st, uint64_t unit, bool parsed);
bool client_statements_is_full(const struct client_statements *cs);
/* 0 if there is no such name. */
uint32_t client_statements_remove(struct client_statements *cs, struct span name, uint64_t unit);
/* Forgets all names (DEALLOCATE ALL, DISCARD ALL); the unnamed statement survives, as on a server.
 */
uint32_t client_statements_remove_all(struct client_statements *cs, uint64_t unit);
/* The same, known only now: of the names that were given up to that unit. */
void client_statements_clear(struct client_statements *cs, uint64_t unit);
/* The change failed, or was skipped. True if it had taken all names away. */
bool client_statements_undo(struct client_statements *cs, uint32_t serial);
/* That unit was answered: what was changed up to it and not undone is final. `params` is what now
 * holds: what statements made by statement_private were parsed under. */
void client_statements_unit_over(struct client_statements *cs, uint64_t unit,
                                 struct param_set *params);
/* All that was sent is answered. */
void client_statements_settle(struct client_statements *cs, struct param_set *params);
/* The name that was given, or taken away, under that serial; n is 0 if that is forgotten. With the
 * statement that it was given to, else NULL; borrowed. */
struct span client_statements_name_of(const struct client_statements *cs, uint32_t serial,
                                      struct statement **statement_out);
unsigned client_statements_count(const struct client_statements *cs);
/* What the client's names keep alive, shared texts counted in full. */
size_t client_statements_bytes(const struct client_statements *cs);

/* The unnamed statement: a copy of its Parse, so that a Bind in a later batch finds it on any
 * server. Each Parse has a generation of its own; a server notes whose and which it has. Without
 * `params` what it is parsed under is known at client_statements_unit_over.
 * To each change one of `answered` and `skipped` belongs. */
void client_statements_set_unnamed(struct client_statements *cs, struct span query,
                                   struct span oids, unsigned n_oids, struct param_set *params,
                                   uint64_t unit);
/* Its Parse is too large to be copied: only the server will know the text. */
void client_statements_set_unnamed_unseen(struct client_statements *cs, uint64_t unit);
/* Ahead of a change: does the server have it? It still does if what is sent then is skipped. */
void client_statements_note_unnamed_there(struct client_statements *cs, bool there);
bool client_statements_unnamed_was_there(const struct client_statements *cs);
/* It is closed, by a message that may still be skipped. */
void client_statements_close_unnamed(struct client_statements *cs, uint64_t unit);
/* The oldest change was answered; a Parse that fails leaves no unnamed statement. */
void client_statements_unnamed_answered(struct client_statements *cs, bool ok);
void client_statements_unnamed_skipped(struct client_statements *cs);
/* Is a change on its way? And the unit of the last one, else 0. */
bool client_statements_unnamed_changes(const struct client_statements *cs);
uint64_t client_statements_unnamed_unit(const struct client_statements *cs);
/* It is gone for certain. */
void client_statements_drop_unnamed(struct client_statements *cs);
/* 0: there is none. */
uint64_t client_statements_unnamed_generation(const struct client_statements *cs);
/* As statement_params; NULL if there is none, or if they are not known yet. */
struct param_set *client_statements_unnamed_params(const struct client_statements *cs);
struct sql_traits client_statements_unnamed_traits(const struct client_statements *cs);
/* n is 0 if there is none, or its text is not known any more. */
struct span client_statements_unnamed_query(const struct client_statements *cs);
/* Appends its whole Parse message; false if there is none, or its text is not known any more: of
 * a long pipeline that was skipped in the middle, only the server knows it. */
bool client_statements_build_unnamed(const struct client_statements *cs, struct buf *out);

/* ---- what a server has ---- */

struct server_statement;
TAILQ_HEAD(server_statement_list, server_statement);

/* Of each statement two things are known: whether the server has it, by what it has answered, and
 * whether it will have it when it has done all that was sent. The second holds for what is sent now
 * if nothing about the statement is unanswered in an earlier unit: server_statements_unit. Each
 * change that is sent must be told of again: it was done, or not. */
struct server_statements {
    struct server_statement *by_id;
    struct server_statement_list used; /* what it will have, least recently used first */
    unsigned cap;                      /* max_prepared_statements */
    unsigned count;                    /* of `used` */
    unsigned n_drops;                  /* changes of all that are on their way */
    uint64_t unnamed_client;           /* 0: the unnamed statement is nobody's */
    uint64_t unnamed_generation;
    uint64_t unnamed_unit; /* in which it was given that */
};

/* cap 0: nothing is followed. */
void server_statements_init(struct server_statements *ss, unsigned cap);
void server_statements_fini(struct server_statements *ss);
static inline unsigned server_statements_cap(const struct server_statements *ss)
{
    return ss->cap;
}
/* Above it then: server_statements_excess. */
static inline void server_statements_set_cap(struct server_statements *ss, unsigned cap)
{
    ss->cap = cap;
}
static inline unsigned server_statements_count(const struct server_statements *ss)
{
    return ss->count;
}

/* True if the server will have it; it is then the most recently used one. */
bool server_statements_touch(struct server_statements *ss, uint64_t id);
/* Does it have it, by what it has answered? */
bool server_statements_has(const struct server_statements *ss, uint64_t id);
/* Does it have it, or is anything about it on its way? */
bool server_statements_knows(const struct server_statements *ss, uint64_t id);
/* The unit of the last change that is on its way; 0: none is. */
uint64_t server_statements_unit(const struct server_statements *ss, uint64_t id);
/* The least recently used one if there will be more than the cap, to be closed; else 0. */
uint64_t server_statements_excess(const struct server_statements *ss);

/* Its Parse is being sent in that unit; `serial` of the client's definition, 0: ours. */
void server_statements_add(struct server_statements *ss, uint64_t id, uint64_t unit,
                           uint32_t serial);
/* Its Close is being sent. */
void server_statements_remove(struct server_statements *ss, uint64_t id, uint64_t unit);
/* The Parse of that definition is all that was ever sent about it: the server has it if, and only
 * if, that succeeds. */
bool server_statements_is_of(const struct server_statements *ss, uint64_t id, uint32_t serial);

/* The oldest change of it was answered: it is there; it is not; or failed or was skipped. */
void server_statements_parsed(struct server_statements *ss, uint64_t id);
void server_statements_closed(struct server_statements *ss, uint64_t id);
void server_statements_undone(struct server_statements *ss, uint64_t id);

/* All are going (DISCARD ALL, DEALLOCATE ALL), and the unnamed one is not relied on any more;
 * that was done (also if it was not known that it would be); failed, or was skipped. */
void server_statements_drop_all(struct server_statements *ss, uint64_t unit);
void server_statements_dropped(struct server_statements *ss, bool noted);
void server_statements_drop_undone(struct server_statements *ss);
/* All that was sent is answered. */
void server_statements_settle(struct server_statements *ss);

/* Whose unnamed statement the server has; (0, 0): nobody's. */
void server_statements_set_unnamed(struct server_statements *ss, uint64_t client_id,
                                   uint64_t generation, uint64_t unit);
static inline bool server_statements_unnamed_is(const struct server_statements *ss,
                                                uint64_t client_id, uint64_t generation)
{
    return generation && ss->unnamed_client == client_id && ss->unnamed_generation == generation;
}

#endif
