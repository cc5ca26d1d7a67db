/* SPDX-License-Identifier: PostgreSQL */
/* failure.h - what a failed attempt to connect means: whose fault, when to try again, and what
 * waiting clients are told.
 *
 * Before the first ReadyForQuery a Neon proxy rewrites every error to SQLSTATE XX000 with its text
 * only, so where the SQLSTATE says nothing (XX000, PgBouncer's 08P01) the text decides; where it
 * does (plain PostgreSQL), it decides alone, in whatever language the text is. The texts are those
 * that Neon's public proxy source and documentation show. */
#ifndef UPSTREAM_FAILURE_H
#define UPSTREAM_FAILURE_H

#include "base/error.h"

#include <stdbool.h>

enum failure_class {
    FAILURE_PERMANENT, /* until somebody changes something: waiting clients are told at once */
    FAILURE_SLOW,      /* not before 30 s: the far end keeps its answer that long */
    FAILURE_FAST,      /* starting, stopping, unreachable: again soon, with jitter */
    FAILURE_LIMITER,   /* back off and connect one at a time */
    FAILURE_SLOTS,     /* no connection slot is free: shrink the pool, clients keep waiting */
};

/* Where the attempt stopped. */
enum failure_phase {
    FAILURE_IN_NETWORK,
    FAILURE_IN_TLS,
    FAILURE_IN_LOGIN,
};

/* Classifies `err` (sqlstate may be empty: not the server's own) and writes into *tell what waiting
 * clients are told: never XX000, the server's own words kept in the text. */
enum failure_class failure_classify(enum failure_phase phase, const struct error *err,
                                    struct error *tell);

const char *failure_class_name(enum failure_class c);

#endif
