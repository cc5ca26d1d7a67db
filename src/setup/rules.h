/* SPDX-License-Identifier: PostgreSQL */
/* rules.h - the files of auth_hba_file and auth_ident_file, as a part of the setup; included by
 * setup.c. They count for auth_type = hba only, as in PgBouncer, and are not read otherwise. */
#ifndef SETUP_RULES_H
#define SETUP_RULES_H

#include "auth/hba.h"
#include "auth/ident.h"
#include "conf/config.h"

struct rules {
    struct hba *hba; /* NULL: auth_type is not hba */
    struct ident *ident;
    bool asks_elsewhere; /* PAM or LDAP may be asked about a password */
};

/* Reports every finding with its file and line. All zero at first. */
void rules_load(struct rules *rules, const struct config *cfg, struct config_sink *sink);
void rules_fini(struct rules *rules);

#endif
