/* SPDX-License-Identifier: PostgreSQL */
/* ldap_options.h - where the directory is and how a user is found in it, from the text of
 * auth_ldap_options or the tail of an HBA line.
 *
 *   options = [ option *( separators option ) ]     separators: blanks, commas
 *   option  = name "=" ( bare / DQUOTE *( any but DQUOTE / DQUOTE DQUOTE ) DQUOTE )
 *
 * The names are those of PostgreSQL's pg_hba.conf (manual, "LDAP Authentication"). Two ways exclude
 * each other: "simple bind", as ldapprefix + user + ldapsuffix, and "search+bind", below ldapbasedn
 * by an attribute or a filter. */
#ifndef AUTH_LDAP_OPTIONS_H
#define AUTH_LDAP_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>

/* As in PgBouncer. */
#define LDAP_OPTIONS_MAX 1023

enum ldap_scope {
    LDAP_OPTIONS_BASE,
    LDAP_OPTIONS_ONE,
    LDAP_OPTIONS_SUB,
};

struct ldap_options {
    bool ldaps;
    bool starttls;
    char *server; /* names separated by blanks; NULL: from the DNS records of basedn */
    int port;     /* 0: the scheme's */
    char *prefix, *suffix;
    char *basedn; /* not NULL: search+bind */
    char *binddn, *bindpasswd;
    char *attribute; /* NULL: uid */
    char *filter;    /* with $username; NULL: by the attribute */
    enum ldap_scope scope;
};

/* Fills *out, for ldap_options_fini. False with *err, which never holds a value, and then nothing
 * is to be freed. */
bool ldap_options_parse(const char *text, struct ldap_options *out, struct error *err);
void ldap_options_fini(struct ldap_options *o);

/* How the user is looked for, with every character of his name that means something in a filter
 * escaped (RFC 4515). Owned. For search+bind. */
char *ldap_options_filter(const struct ldap_options *o, const char *user);
/* As whom to bind: prefix + user + suffix. Where these make it a distinguished name, what means
 * something in one is escaped (RFC 4514). Owned. For simple bind. */
char *ldap_options_dn(const struct ldap_options *o, const char *user);

#endif
