/* SPDX-License-Identifier: PostgreSQL */
/* rules.h - the files of auth_hba_file and auth_ident_file, as a part of the setup; included by
 * setup.c. They count for auth_type = hba only, as in PgBouncer, and are not read otherwise. */
#ifndef SETUP_RULES_H
#define SETUP_RULES_H

#include "auth/hba.h"
#include "auth/ident.h"
#include "conf/config.h"

#include <stdatomic.h>

struct rules {
    atomic_uint refs;
    struct hba *hba; /* NULL: auth_type is not hba */
    struct ident *ident;
    bool asks_elsewhere; /* PAM or LDAP may be asked about a password */
};

/* Reports every finding with its file and line. Returns owned, also if there were errors. */
struct rules *rules_load(const struct config *cfg, struct config_sink *sink);
struct rules *rules_ref(struct rules *rules);
/* Clears the pointer; NULL inside is fine. */
void rules_unref(struct rules **rules);

#endif
