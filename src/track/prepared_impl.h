/* SPDX-License-Identifier: PostgreSQL */
/* prepared_impl.h - what prepared_client.c and prepared_unnamed.c share. */
#ifndef TRACK_PREPARED_IMPL_H
#define TRACK_PREPARED_IMPL_H

#include "track/prepared.h"

#include <uthash.h>

struct client_name {
    UT_hash_handle hh;             /* in names->by_name, in the order of definition */
    TAILQ_ENTRY(client_name) link; /* in names->gone */
    struct statement *statement;   /* counted */
    uint64_t unit;                 /* of its definition; in `gone`: of what took it away */
    uint32_t serial;               /* of its definition */
    bool parsed;                   /* by a Parse that was really sent */
    uint32_t taken_by;             /* in `gone`: serial of what took it away */
    bool stays_gone;               /* in `gone`: whatever becomes of that */
    uint32_t n;
    char name[];
};

TAILQ_HEAD(client_name_list, client_name);

/* What the unnamed statement is after one Parse or Close. */
struct unnamed {
    TAILQ_ENTRY(unnamed) link;
    bool exists;
    bool lost; /* the text is known to the server alone */
    struct sql_traits traits;
    uint16_t n_oids;
    size_t query_n;
    uint64_t generation;
    uint64_t unit;
    struct buf bytes;         /* query, then types */
    struct param_set *params; /* counted; only what parsing depends on */
};

TAILQ_HEAD(unnamed_list, unnamed);

struct client_names {
    struct client_name *by_name;
    struct client_name_list gone; /* newest last; until all that was sent is answered */
    unsigned n_gone;
    unsigned n_private; /* in by_name: statements whose parse state is not known yet */
    uint64_t seed;      /* of the table: nobody can choose names that collide */
    uint32_t last_serial;
    size_t bytes; /* by_name and gone */

    /* What holds, then what will hold when each change that is on its way has been answered. */
    struct unnamed_list unnamed;
    struct unnamed *spare; /* its memory is kept for the next one */
    uint64_t unnamed_generation;
    size_t unnamed_bytes;
};

struct client_names *client_names_of(struct client_statements *cs);
/* Frees all; drops those that are on their way. */
void unnamed_fini(struct client_names *names);
void unnamed_settle(struct client_names *names);

#endif
