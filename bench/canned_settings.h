/* SPDX-License-Identifier: PostgreSQL */
/* canned_settings.h - the parameters that the canned server reports, and SET.
 *
 * Poolers compare what a client wants with what a server has reported; a server that kept silent
 * about a SET would get it again with every transaction. */
#ifndef BENCH_CANNED_SETTINGS_H
#define BENCH_CANNED_SETTINGS_H

#include "common.h"

/* Appends a ParameterStatus for each parameter that PostgreSQL 15 reports after login. */
void settings_report_all(struct bytes *out, const char *application_name);
/* Whether the statement is SET, RESET or DISCARD. */
bool settings_is_command(const char *statement);
/* Carries such a statement out: appends ParameterStatus if it sets a reported parameter. Returns
 * the tag for CommandComplete. The session's own application_name is what RESET returns to. */
const char *settings_run(struct bytes *out, const char *application_name, const char *statement);

#endif
