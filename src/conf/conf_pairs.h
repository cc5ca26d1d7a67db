/* SPDX-License-Identifier: PostgreSQL */
/* conf_pairs.h - the lines of [databases], [users] and [peers]: key=value pairs.
 *
 * PgBouncer's connection strings, which are not libpq's: pairs are separated by spaces only (a tab
 * belongs to the value), a value in single quotes may contain spaces and '' for a quote, there are
 * no backslash escapes, and no value is empty. Values are stricter than PgBouncer's, which reads
 * "abc" as 0, and may have units. */
#ifndef CONF_CONF_PAIRS_H
#define CONF_CONF_PAIRS_H

#include "conf/config.h"

/* Parse one line and add the result to cfg, or report what is wrong with it under origin. */
bool conf_pairs_database(struct config *cfg, const char *name, const char *text, const char *origin,
                         struct config_sink *sink);
bool conf_pairs_user(struct config *cfg, const char *name, const char *text, const char *origin,
                     struct config_sink *sink);
bool conf_pairs_peer(struct config *cfg, const char *id, const char *text, const char *origin,
                     struct config_sink *sink);

/* PostgreSQL's limit for the names of databases and roles (NAMEDATALEN - 1). */
enum { CONF_NAME_MAX = 63 };

#endif
