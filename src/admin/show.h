/* SPDX-License-Identifier: PostgreSQL */
/* show.h - gather what a SHOW answers with.
 *
 *     run = show_begin(relay, what, filter)              in the worker of the console's client
 *     visit_workers(..., show_visit, ...)              only if show_visits(what)
 *     show_finish(relay, run), show_rows(run)          there again
 *
 * A run belongs to nobody but the visit while that is under way. */
#ifndef ADMIN_SHOW_H
#define ADMIN_SHOW_H

#include "admin/filter.h"
#include "admin/rows.h"
#include "admin/show_columns.h"

struct relay;
struct show_run;

/* What must be asked of each worker. */
bool show_visits(enum show what);

/* Copies the filter. */
struct show_run *show_begin(struct relay *r, enum show what, const struct filter *filter);
void show_visit(struct relay *r, struct show_run *run);
void show_finish(struct relay *r, struct show_run *run);
/* Moves the rows to *out, which is to be ended by rows_fini. */
void show_take_rows(struct show_run *run, struct rows *out);
void show_free(struct show_run **run);

#endif
