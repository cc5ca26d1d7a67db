/* SPDX-License-Identifier: PostgreSQL */
/* userlist.h - users and their secrets from text in the format of PgBouncer's auth_file.
 *
 *   line    = blanks ( empty / ";" comment / field blanks field anything )
 *   field   = DQUOTE *( any but DQUOTE, NUL, LF / DQUOTE DQUOTE ) DQUOTE
 *
 * The first field is the user, the second the secret. The caller reads the file. */
#ifndef AUTH_USERLIST_H
#define AUTH_USERLIST_H

#include "auth/secret.h"

#define USERLIST_NAME_MAX 127

struct userlist;

enum userlist_severity {
    USERLIST_WARNING, /* the line counts, but the operator should look at it */
    USERLIST_ERROR,   /* the line does not count */
};

struct userlist_problem {
    enum userlist_severity severity;
    unsigned line;    /* from 1 */
    const char *text; /* without line number and file name; borrowed; holds no secret */
};

/* Reads the whole text and calls report (not NULL) for each problem, in order. Returns all users
 * of good lines, owned; whether a list with errors may be used is the caller's decision. Of two
 * lines for one user the last counts. `before` (may be NULL) is an earlier list: a user whose
 * secret is still the same shares it, with what logins have taught it since; where the text is the
 * same and had no problems, it is returned itself. */
struct userlist *userlist_parse(struct span text, const struct userlist *before,
                                void (*report)(void *arg, const struct userlist_problem *problem),
                                void *arg);
/* Another reference to the same list. */
struct userlist *userlist_ref(const struct userlist *list);
/* Gives back what userlist_parse has returned; clears the pointer. NULL inside is fine. */
void userlist_unref(struct userlist **list);

/* The user's secret or NULL; borrowed: secret_ref it to keep it longer than the list. */
const struct secret *userlist_find(const struct userlist *list, const char *user);
/* The first secret of the kind that most of them are, empty ones not counted; borrowed. NULL: there
 * is none. */
const struct secret *userlist_usual(const struct userlist *list);
size_t userlist_count(const struct userlist *list);
/* Calls fn for each user in the order of the file. */
void userlist_each(const struct userlist *list,
                   void (*fn)(void *arg, const char *user, const struct secret *secret), void *arg);

#endif
