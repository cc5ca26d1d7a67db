/* SPDX-License-Identifier: PostgreSQL */
/* ident.h - which database users a system user, or the name in a certificate, may be.
 *
 *   line = map-name system-user database-user
 *
 * Several lines with one map name add up. `all` without quotes as database-user is everybody. Names
 * are compared exactly. Immutable once read; the caller reads the file. */
#ifndef AUTH_IDENT_H
#define AUTH_IDENT_H

#include "auth/rule_line.h"

struct ident;

/* Reports every problem, with `path` as their place. NULL if any was an error; else owned. */
struct ident *ident_parse(struct span text, const char *path, struct rule_sink *sink);
/* Clears the caller's pointer; NULL inside is fine. */
void ident_free(struct ident **ident);

/* `ident` may be NULL: there are no maps. */
bool ident_has_map(const struct ident *ident, const char *map);
bool ident_allows(const struct ident *ident, const char *map, const char *system_user,
                  const char *user);

#endif
