/* SPDX-License-Identifier: PostgreSQL */
/* parameters.h - what a session has set: the values a client wants, the values a server has, and
 * the difference that makes the one into the other.
 *
 * A struct param_set is an immutable, counted set of (name, value) pairs. Equal sets are the same
 * object, so "does this server suit this client as it is?" is a comparison of two pointers, for
 * every transaction. A changed value makes a new set (login, a ParameterStatus, a SET); nothing on
 * the path of an ordinary query does.
 *
 * Names of settings are case-insensitive in PostgreSQL; here each has one spelling (that of the
 * manual for those that are known, lower case for the rest). Values are compared byte by byte: we
 * do not know which of them PostgreSQL compares more generously.
 *
 * What belongs into a set is decided per name (parameters_names.c): reports that nobody can set
 * (server_version, in_hot_standby) never enter one.
 *
 * Sets may be shared by threads; builders and the bufs passed in belong to their caller. */
#ifndef TRACK_PARAMETERS_H
#define TRACK_PARAMETERS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct param_set;
struct param_builder;
struct param_accepted;

/* Bounds of what a client may ask for when it logs in. */
#define PARAM_STARTUP_MAX 64
#define PARAM_VALUE_MAX 8192
/* Longest name, the dots of a placeholder included: two identifiers of PostgreSQL's 63 bytes. */
#define PARAM_NAME_MAX 127
/* Bound of any set, and what a server may report of it: further names are not followed. */
#define PARAM_SET_MAX 256
#define PARAM_REPORT_MAX (PARAM_SET_MAX - PARAM_STARTUP_MAX)

/* ---- sets ---- */

/* The set without members; a reference for the caller, as from all functions that return a set. */
struct param_set *param_set_empty(void);
/* Takes a reference and returns the set. */
struct param_set *param_set_ref(struct param_set *set);
/* Gives it back and clears the pointer. NULL is fine. */
void param_set_unref(struct param_set **set);

unsigned param_set_count(const struct param_set *set);
/* The i-th pair, in the order of names; borrowed from the set. */
void param_set_at(const struct param_set *set, unsigned i, struct span *name_out,
                  struct span *value_out);
/* The value of a name (in any case), borrowed from the set; false if it has none. */
bool params_get(const struct param_set *set, struct span name, struct span *value_out);

/* Names everything that parsing depends on (role, session_authorization, search_path, DateStyle,
 * IntervalStyle, TimeZone, client_encoding, standard_conforming_strings): two sets give the same
 * number if and only if they agree in all of these. Not a hash: numbers are never given twice. */
uint64_t params_fingerprint(const struct param_set *set);
/* Only those members that the fingerprint stands for. */
struct param_set *params_parse_state(struct param_set *set);
/* `set`, but with everything that parsing depends on as in `state`: what a server must have while a
 * statement is parsed again for a client that has meanwhile changed its DateStyle. */
struct param_set *params_with_parse_state(struct param_set *set, struct param_set *state);

/* A server reported a value: the set with it, or NULL if that changes nothing, if the name is one
 * that nobody can set, or if the set is full. */
struct param_set *params_with_report(struct param_set *set, struct span name, struct span value);
/* `base` (what a server reports) with all members of `over` (what a client gave at startup) laid
 * over it, values spelled as the server would report them where that is known without asking it. */
struct param_set *params_lay_over(struct param_set *base, struct param_set *over);
/* Appends a ParameterStatus message for each member of `over` that PostgreSQL reports and whose
 * value is not the one in `base`. */
void params_build_reports(struct param_set *over, struct param_set *base, struct buf *out);

/* Both at once for a client that logs in. Remembers what it said last, so that the same application
 * at the same pool costs a look. */
struct param_set *params_welcome(struct param_set *base, struct param_set *over, struct buf *out);

/* ---- building ---- */

/* Starts from a set (NULL: from nothing); no reference is kept. */
struct param_builder *param_builder_new(const struct param_set *from);
void param_builder_free(struct param_builder **b);
/* False if the name cannot be one of a setting, the value holds a NUL, or the set is full. */
bool param_builder_put(struct param_builder *b, struct span name, struct span value)
    __attribute__((warn_unused_result));
void param_builder_remove(struct param_builder *b, struct span name);
/* Frees the builder. */
struct param_set *param_builder_finish(struct param_builder **b);

/* What becomes of one parameter of a startup packet. */
enum param_taken {
    PARAM_KEPT,
    PARAM_DROPPED, /* known to client libraries only, or settled when a server starts: log it */
    PARAM_REFUSED, /* *err says why, in PostgreSQL's words where it has any */
};

/* Puts a startup parameter, or a -c switch of `options`, into the builder. user, database, options
 * and replication are the caller's. */
enum param_taken params_take_startup(struct param_builder *b, struct span name, struct span value,
                                     struct error *err);

/* ---- the difference ---- */

/* One command: SET name to *value, or RESET name if value is NULL. Borrowed until it returns. */
typedef void (*params_diff_fn)(void *arg, struct span name, const struct span *value);

/* Calls back with each command that makes a server with `have` into one with `want`, in an order
 * that works: other identities are left first and taken on last, because they decide what may be
 * set. `base` is what the server had after login: a name in `have` alone goes back to that. */
void params_diff(const struct param_set *want, const struct param_set *have,
                 const struct param_set *base, params_diff_fn each, void *arg);

/* Appends `SET "name" TO 'value'` or, if value is NULL, `RESET "name"`. Safe whatever the value is:
 * it does not depend on standard_conforming_strings. The name comes from a set. Lists of quoted
 * names (search_path) are written element by element. */
void params_command(struct buf *out, struct span name, const struct span *value);
/* The same for the rest of the transaction: SET LOCAL, also to DEFAULT. */
void params_command_local(struct buf *out, struct span name, const struct span *value);

/* ---- may it travel unguarded? ---- */

/* Pairs that servers of one generation have accepted: bounded, locked, any thread. */
struct param_accepted *param_accepted_new(void);
void param_accepted_free(struct param_accepted **a);
/* Forgets all: another generation of servers. */
void param_accepted_clear(struct param_accepted *a);
void params_note_accepted(struct param_accepted *a, struct span name, struct span value);
/* True if `SET name` may go in a Query of its own in front of the client's statement, which runs
 * even if the SET fails: the pair was accepted before, and a failure could change neither rights,
 * nor what names mean, nor how the statement's bytes are read. */
bool params_may_fence(struct param_accepted *a, struct span name, struct span value);
/* False if the setting holds from the next transaction on (default_transaction_...): a SET in the
 * client's own transaction would come too late for it. */
bool params_may_gate(struct span name);

#endif
