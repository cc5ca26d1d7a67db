/* SPDX-License-Identifier: PostgreSQL */
/* limits.h - all caps (pool/cap.h) by kind and name: one for each database and user that has a pool
 * or a client, and the one over everything. Its lock covers the table only. */
#ifndef POOL_LIMITS_H
#define POOL_LIMITS_H

#include "pool/cap.h"

struct limits;

struct limits *limits_new(const struct cap_settings *total);
/* Nobody may hold a cap any more. */
void limits_free(struct limits **l);

/* Finds or makes the cap of a database or a user (not the total) and returns a reference. An
 * existing one gets the settings, as by cap_set. */
struct cap *limits_get(struct limits *l, enum pool_cap kind, const char *name,
                       const struct cap_settings *settings);
/* Its numbers; all zero if nobody holds it. */
void limits_inspect(struct limits *l, enum pool_cap kind, const char *name,
                    struct cap_numbers *out);
/* Frees it with the last reference; clears the pointer; NULL is fine. */
void limits_release(struct limits *l, struct cap **cap);
/* How many references there are to that cap; 0: there is none. */
unsigned limits_count(struct limits *l, enum pool_cap kind, const char *name);
/* The one over all pools; lives as long as l. */
struct cap *limits_total(struct limits *l);

#endif
