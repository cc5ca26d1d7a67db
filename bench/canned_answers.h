/* SPDX-License-Identifier: PostgreSQL */
/* canned_answers.h - the backend messages of the canned server, appended to what is to be sent. */
#ifndef BENCH_CANNED_ANSWERS_H
#define BENCH_CANNED_ANSWERS_H

#include "wire.h"

/* The types of columns that occur, by OID. */
enum answer_type { ANSWER_INT4 = 23, ANSWER_TEXT = 25 };

/* What PostgreSQL 15 says between a StartupMessage and the first ReadyForQuery, which is included.
 */
void answer_welcome(struct bytes *out, const char *application_name);
void answer_ready(struct bytes *out, char status);
void answer_complete(struct bytes *out, const char *tag);
/* One column. */
void answer_row_description(struct bytes *out, const char *name, enum answer_type type);
void answer_row(struct bytes *out, const char *text, size_t len);
/* CopyInResponse ('G') or CopyOutResponse ('H') for one column of text. */
void answer_copy(struct bytes *out, char letter);
/* The statement that everything is answered with: one parameter, one column, one row. */
void answer_parameter_description(struct bytes *out);
void answer_statement_description(struct bytes *out);
void answer_statement_rows(struct bytes *out);
void answer_error(struct bytes *out, const char *severity, const char *sqlstate, const char *text);

#endif
