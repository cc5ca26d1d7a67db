/* SPDX-License-Identifier: PostgreSQL */
/* advice.h - what is risky in a configuration that works, and what we would do instead.
 *
 * For --check. Each piece of advice is one line with the place of what it is about; a setting that
 * nobody has set has its place in the file as a whole. Warnings are what can be attacked, breaks
 * applications or stops the service; notes are what could be better. */
#ifndef CONF_ADVICE_H
#define CONF_ADVICE_H

#include "conf/config.h"

/* What the configuration does not say itself. */
struct advice_facts {
    unsigned long long max_descriptors; /* that the process may have open; 0: not known */
    size_t n_users, n_plain;            /* of auth_file: all, those whose password it contains */
    /* Whether auth_file has that user. */
    bool (*knows_user)(void *owner, const char *user);
    /* Permissions of the file; 0: cannot be told. */
    unsigned (*mode_of)(void *owner, const char *path);
    void *owner;
};

/* cfg has been validated. */
void advice_give(const struct config *cfg, const struct advice_facts *facts,
                 struct config_sink *sink);

#endif
