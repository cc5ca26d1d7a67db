/* SPDX-License-Identifier: PostgreSQL */
/* sql_head.h - what a statement is, from its first words.
 *
 * A lexer for the beginning of a simple Query or of the text in a Parse: blanks and comments are
 * skipped as PostgreSQL's scan.l does, then keywords are looked at. It does not know expressions,
 * it stops as soon as it knows enough, and when it does not know it says so. Linear in the bytes it
 * looks at, allocates nothing, keeps nothing. A NUL ends the text. */
#ifndef TRACK_SQL_HEAD_H
#define TRACK_SQL_HEAD_H

#include "base/span.h"

/* May the text run behind commands of ours in one pipeline, with the outcome that it would have
 * alone? PostgreSQL runs a pipeline up to its Sync as one implicit transaction. In that
 *   - some commands refuse to run (VACUUM, CREATE DATABASE, ... CONCURRENTLY),
 *   - some run otherwise (CALL and DO cannot commit, ROLLBACK undoes what is in front of it),
 *   - some run that should not (SAVEPOINT and LOCK outside of a transaction). */
enum sql_gate {
    SQL_GATE_SAFE,
    SQL_GATE_UNSAFE, /* one of those; or unknown; or the text ends before one can tell */
};

/* `text` may be any beginning of the statement, cut anywhere: never SAFE because of a cut. Only the
 * first of several statements is looked at: in a Query of several, PostgreSQL makes the implicit
 * transaction anyway, and all of the above holds without us. */
enum sql_gate sql_head_class(struct span text);

/* Commands that we follow. Recognised only if the text, which must be whole, is exactly this one
 * command, with nothing but blanks, comments and semicolons around it. */
enum sql_command {
    SQL_OTHER,
    SQL_EMPTY,    /* nothing at all */
    SQL_BEGIN,    /* BEGIN, START TRANSACTION, whatever modes follow */
    SQL_COMMIT,   /* COMMIT, END, also with WORK or TRANSACTION; not PREPARED, not AND CHAIN */
    SQL_ROLLBACK, /* ROLLBACK, ABORT, likewise; not TO a savepoint */
    SQL_DISCARD_ALL,
    SQL_DEALLOCATE_ALL,
    SQL_DEALLOCATE, /* of one name */
    /* These whatever follows. */
    SQL_SET,  /* SET, RESET; ROLLBACK TO and AND CHAIN, which take settings back */
    SQL_CALL, /* CALL, DO; COMMIT AND CHAIN and PREPARED: may commit and go on */
};

/* For SQL_DEALLOCATE, *name_out (may be NULL) is the name as it stands there: the bytes between the
 * double quotes, or a plain identifier that PostgreSQL folds to lower case; *quoted_out (may be
 * NULL) says which. A quoted name with a doubled quote in it is SQL_OTHER. */
enum sql_command sql_head_command(struct span text, struct span *name_out, bool *quoted_out);

/* Which settings go back to what they were at the session's start. */
enum sql_reset {
    SQL_RESETS_NOTHING,
    SQL_RESETS_ONE,     /* RESET name, RESET TIME ZONE ..., SET name TO DEFAULT, and nothing else */
    SQL_RESETS_ALL,     /* exactly RESET ALL, or DISCARD ALL */
    SQL_RESETS_UNKNOWN, /* it begins with RESET and is none of these */
};

/* `text` is whole. *name_out is the setting's name in any case, in the text or static. */
enum sql_reset sql_head_reset(struct span text, struct span *name_out);
/* Of several statements (`text` is whole): is the last one RESET ALL? True may be wrong only if the
 * text is not well-formed. Pools of client libraries end a use of a connection so. */
bool sql_ends_with_reset_all(struct span text);

#endif
