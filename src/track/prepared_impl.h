/* SPDX-License-Identifier: PostgreSQL */
/* prepared_impl.h - what prepared_client.c and prepared_unnamed.c share. */
#ifndef TRACK_PREPARED_IMPL_H
#define TRACK_PREPARED_IMPL_H

#include "track/prepared.h"

#include <uthash.h>

/* What a message that is on its way makes of a name. */
struct client_change {
    TAILQ_ENTRY(client_change) link; /* in names->changes or names->undone */
    TAILQ_ENTRY(client_change) own;  /* in name->changes or names->all */
    struct client_name *name;        /* NULL: it takes all names away */
    struct statement *statement;     /* counted; NULL: the name is taken away */
    uint64_t order;                  /* counts up; its lower half is the serial */
    uint64_t unit;
    bool parsed; /* a Parse that is all that the server has ever been told of the statement */
};

TAILQ_HEAD(client_change_list, client_change);

/* Enters with its first change; leaves when it stands for nothing and none is on its way. */
struct client_name {
    UT_hash_handle hh;
    struct client_change_list changes; /* oldest first */
    unsigned n_undone;                 /* in names->undone */
    struct statement *statement;       /* counted; as the server has confirmed; NULL: nothing */
    uint32_t serial;                   /* of its definition */
    uint32_t n;
    char name[];
};

/* What the unnamed statement is after one Parse or Close. */
struct unnamed {
    TAILQ_ENTRY(unnamed) link;
    bool exists;
    bool lost;  /* the text is known to the server alone */
    bool there; /* the server had it when the change behind it was sent */
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
    uint64_t seed;                     /* of the table: nobody can choose names that collide */
    struct client_change_list changes; /* oldest first: as they are answered */
    struct client_change_list undone;  /* definitions, until nothing speaks of them any more */
    struct client_change_list all;     /* those of all names */
    struct client_change *undo_from;   /* behind the one that was undone last; may be NULL */
    uint64_t last_order;
    /* A name has changed, or an unnamed statement has come without params, since
     * client_statements_settle. */
    bool unsettled;
    size_t bytes; /* of names and changes, texts in full */

    /* What holds, then what will hold when each change that is on its way has been answered. */
    struct unnamed_list unnamed;
    struct unnamed *spare; /* its memory is kept for the next one */
    uint64_t unnamed_generation;
    size_t unnamed_bytes;
};

/* Is a change of the unnamed statement on its way? */
static inline bool unnamed_is_changing(const struct client_names *names)
{
    const struct unnamed *holds = TAILQ_FIRST(&names->unnamed);
    return holds && TAILQ_NEXT(holds, link);
}

struct client_names *client_names_of(struct client_statements *cs);
/* Frees all; drops those that are on their way. */
void unnamed_fini(struct client_names *names);
void unnamed_settle(struct client_names *names);

#endif
