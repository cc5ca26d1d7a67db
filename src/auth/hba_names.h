/* SPDX-License-Identifier: PostgreSQL */
/* hba_names.h - the databases or the users of an HBA rule; included by hba.c.
 *
 * A list of thousands, from an @file, costs a login a binary search. */
#ifndef AUTH_HBA_NAMES_H
#define AUTH_HBA_NAMES_H

#include "auth/hba.h"

struct hba_names {
    bool all;
    bool sameuser, replication; /* databases only */
    char **each;                /* in order of their bytes once finished */
    size_t n, cap;
};

enum hba_names_kind { HBA_DATABASES, HBA_USERS };

/* Where a token stands, and where to tell what is wrong with it. */
struct hba_place {
    const char *path;
    unsigned line;
    unsigned depth;    /* of @files in each other */
    unsigned *n_files; /* opened for the outermost; NULL there */
    hba_read_file *read;
    struct rule_sink *sink;
};

/* False if something was wrong with it, which has been reported. */
bool hba_names_add(struct hba_names *names, enum hba_names_kind kind, const struct rule_token *t,
                   const struct hba_place *place);
void hba_names_finish(struct hba_names *names);
void hba_names_fini(struct hba_names *names);
/* One of those that are named. */
bool hba_names_has(const struct hba_names *names, const char *name);

#endif
