/* SPDX-License-Identifier: PostgreSQL */
/* hba.h - host-based access: which rule applies to a login, by where it comes from and what it
 * wants. The format is PostgreSQL's pg_hba.conf, as far as PgBouncer has it:
 *
 *   line     = "local" databases users method [options]
 *            / ( "host" / "hostssl" / "hostnossl" ) databases users address method [options]
 *   databases, users = name *( "," name )     "all", "@file"; for databases also "sameuser",
 *                                             "replication"
 *   address  = "all" / ip "/" bits / ip blanks mask
 *   options  = [ "map=" name ]                for pam and ldap: whatever follows
 *
 * A name in quotes is never a keyword. The first rule that applies decides; none: no entry. A rule
 * that is not understood is an error, never skipped: the one behind it could let in whom it keeps
 * out. Immutable once read. */
#ifndef AUTH_HBA_H
#define AUTH_HBA_H

#include "auth/ident.h"
#include "auth/rule_line.h"
#include "base/addr.h"
#include "base/buf.h"

enum hba_method {
    HBA_TRUST,
    HBA_REJECT,
    HBA_PASSWORD,
    HBA_MD5,
    HBA_SCRAM,
    HBA_CERT,
    HBA_PEER,
    HBA_LDAP,
    HBA_PAM,
};

struct hba;

struct hba_rule {
    unsigned line;
    enum hba_method method;
    char *map;     /* of the ident file; NULL: none */
    char *options; /* of LDAP and PAM, as written, perhaps with a password; "" elsewhere */
};

/* Appends the content of the file to out; the error names the file and the cause. */
typedef bool hba_read_file(const char *path, struct buf *out, struct error *err);

/* Reads the rules, and by `read` the lists of names that they refer to by @file, relative to the
 * file in which that stands. `maps` (may be NULL) must have the maps that they name, and is not
 * kept. Reports every problem. NULL if any was an error; else owned. */
struct hba *hba_parse(struct span text, const char *path, hba_read_file *read,
                      const struct ident *maps, struct rule_sink *sink);
/* Clears the caller's pointer; NULL inside is fine. */
void hba_free(struct hba **hba);

/* A login, as the rules see it. */
struct hba_request {
    const struct addr *peer; /* NULL: by a Unix socket */
    bool is_tls;
    bool is_replication; /* physical: it has no database */
    const char *user, *database;
    const char *alias; /* another name of the same database; NULL: it has none */
};

/* The rule that decides, borrowed; NULL: there is none, so nobody gets in. */
const struct hba_rule *hba_find(const struct hba *hba, const struct hba_request *request);
/* As written in the file. */
const char *hba_method_name(enum hba_method method);
/* Calls fn for each rule, in order. */
void hba_each(const struct hba *hba, void (*fn)(void *arg, const struct hba_rule *rule), void *arg);

#endif
