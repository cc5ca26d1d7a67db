/* SPDX-License-Identifier: PostgreSQL */
/* health.h - /health/db: what is known about the database, from what happened last.
 *
 * Nothing is asked for the sake of the answer, unless it is asked for with ?wake=1: a probe would
 * keep awake, and bill, a database that nobody uses. So "asleep" and "never contacted" are healthy,
 * and say so. */
#ifndef HTTP_HEALTH_H
#define HTTP_HEALTH_H

#include <stdbool.h>

struct buf;
struct snapshot;

enum health {
    HEALTH_CONNECTED,
    HEALTH_ASLEEP, /* it closed our idle connections; the next statement wakes it */
    HEALTH_WAKING,
    HEALTH_NEVER_CONTACTED,
    HEALTH_UNREACHABLE, /* a target is failing or its breaker is not closed */
    HEALTH_REFUSED,     /* it answers, but lets nobody in */
};

/* With several targets: the worst of them. *error_out: why it is not healthy, else NULL; borrowed
 * from s. */
enum health health_of(const struct snapshot *s, const char **error_out);
bool health_is_good(enum health h);

/* JSON: status, database, error, and each target. */
void health_write(struct buf *page, const struct snapshot *s);

#endif
