/* SPDX-License-Identifier: PostgreSQL */
/* parameters_impl.h - what the files parameters*.c share; nobody else includes it. */
#ifndef TRACK_PARAMETERS_IMPL_H
#define TRACK_PARAMETERS_IMPL_H

#include "track/intern.h"
#include "track/parameters.h"

/* What is special about a name; most names are nothing at all. */
enum param_trait {
    PARAM_READ_ONLY = 1 << 0, /* nobody can set it: never in a set, refused at startup */
    PARAM_REPORTED = 1 << 1,  /* PostgreSQL (some version) sends ParameterStatus for it */
    PARAM_PARSING = 1 << 2,   /* what a statement means depends on it */
    PARAM_FENCE = 1 << 3,     /* see params_may_fence */
    PARAM_LIST = 1 << 4,      /* a list of quoted names (guc.h: GUC_LIST_QUOTE) */
    PARAM_IDENTITY = 1 << 5,  /* decides what else may be set */
    PARAM_DROP = 1 << 6,      /* means nothing in a startup packet: dropped there */
    PARAM_FOREIGN = 1 << 7,   /* not a setting of PostgreSQL at all */
    PARAM_NEXT = 1 << 8,      /* see params_may_gate */
};

struct param_name {
    const char *name; /* the one spelling */
    unsigned traits;  /* enum param_trait */
};

/* parameters_names.c: the row of a name in any case, or NULL if nothing is special about it. */
const struct param_name *param_name_find(struct span name);
/* All rows, for the test that they are in order. */
const struct param_name *param_names(unsigned *n_out);
/* Is it an identifier, or several joined by dots? */
bool param_name_is_valid(struct span name);
/* Returns the one spelling of a valid name, whose row is given: the row's, or what it has written
 * to out. out may be where name is. */
struct span param_name_spell(struct span name, const struct param_name *row,
                             char out[PARAM_NAME_MAX + 1]);

/* parameters_values.c: the value as PostgreSQL would report it after SET, as far as that can be
 * known; `before` (may be NULL) is what it was. Returns `value` itself if it cannot be known or
 * does not change, else what was written to out, which has room for PARAM_CANONICAL_MAX bytes. */
#define PARAM_CANONICAL_MAX 64
struct span param_value_canonical(struct span name, struct span value, const struct span *before,
                                  char out[PARAM_CANONICAL_MAX]);

/* parameters_command.c: splits a list of names as PostgreSQL's SplitIdentifierString does. Calls
 * back with each element, folded and unquoted, borrowed until it returns; false if the list is not
 * well formed (some elements may have been seen). `each` may be NULL. */
bool param_list_split(struct span list, void (*each)(void *arg, struct span element), void *arg);

/* One pair of a set: offsets into its bytes. */
struct param {
    uint32_t name_at, name_n;
    uint32_t value_at, value_n;
    unsigned traits;
};

/* The pairs are sorted by name, case ignored. `bytes` holds name NUL value NUL for each of them and
 * so is the whole content. */
struct param_set {
    struct intern intern;      /* first */
    struct param_set *parsing; /* its params_parse_state: counted, or this set itself */
    unsigned count;
    size_t n_bytes;
    const uint8_t *bytes;
    struct param params[];
};

static inline struct span param_name_of(const struct param_set *set, const struct param *p)
{
    return span_of(set->bytes + p->name_at, p->name_n);
}

static inline struct span param_value_of(const struct param_set *set, const struct param *p)
{
    return span_of(set->bytes + p->value_at, p->value_n);
}

/* Order of names, by their lower case. */
int param_name_compare(struct span a, struct span b);
/* The pair of that name, or NULL. */
const struct param *param_set_find(const struct param_set *set, struct span name);

#endif
